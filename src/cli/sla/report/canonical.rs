//! A fingerprint over canonical JSON that is made as it is written.
//!
//! Canonical is RFC 8785: members by name, no white space. Figures are whole numbers and text with plain names, for
//! which that is what sorted members and the usual writer give.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::units;

/// An object whose members come in the order of their names.
pub(super) struct Canonical {
    out: BufWriter<Hash>,
    last: Option<&'static str>,
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Canonical {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::new(Hash(Sha256::new())), last: None }
    }

    /// A member that is whole in memory.
    pub(super) fn member(&mut self, name: &'static str, value: &impl Serialize) -> io::Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// A list, one item at a time.
    pub(super) fn list(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = impl Serialize>,
    ) -> io::Result<()> {
        self.name(name)?;
        let mut before = "[";
        for item in items {
            self.out.write_all(before.as_bytes())?;
            self.value(&item)?;
            before = ",";
        }
        self.out.write_all(if before == "[" { b"[]" } else { b"]" })
    }

    /// In hexadecimal.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.out.write_all(if self.last.is_some() { b"}" } else { b"{}" })?;
        let hash = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(units::hex(&hash.0.finalize()))
    }

    fn name(&mut self, name: &'static str) -> io::Result<()> {
        assert!(self.last.is_none_or(|last| last < name), "members come in the order of their names");
        let before = if self.last.replace(name).is_some() { "," } else { "{" };
        write!(self.out, "{before}\"{name}\":")
    }

    fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut value = serde_json::to_value(value)?;
        value.sort_all_objects();
        Ok(serde_json::to_writer(&mut self.out, &value)?)
    }
}

/// Of figures that are read: as [`Canonical`] makes it.
pub(super) fn fingerprint(mut figures: Value) -> String {
    figures.sort_all_objects();
    units::hex(&Sha256::digest(figures.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fingerprint_is_of_the_content_and_not_of_its_order() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"d": "x", "c": null}], "a": true}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"c":null,"d":"x"}]}"#).unwrap();
        assert_eq!(fingerprint(one), fingerprint(other.clone()));
        assert_eq!(
            fingerprint(other),
            units::hex(&Sha256::digest(br#"{"a":true,"b":[1,{"c":null,"d":"x"}]}"#))
        );
    }

    #[test]
    fn what_is_written_piece_by_piece_has_the_fingerprint_of_the_whole() {
        let items = [json!({"z": "æ\n\"", "a": [{"y": 1, "b": null}]}), json!({})];
        let mut canonical = Canonical::new();
        canonical.member("first", &json!({"q": 1, "p": {"d": true, "c": "2"}})).unwrap();
        canonical.list("many", items.iter()).unwrap();
        canonical.list("none", std::iter::empty::<Value>()).unwrap();
        let whole = json!({"none": [], "many": items, "first": {"p": {"c": "2", "d": true}, "q": 1}});
        assert_eq!(canonical.finish().unwrap(), fingerprint(whole));
        assert_eq!(Canonical::new().finish().unwrap(), fingerprint(json!({})));
    }
}
