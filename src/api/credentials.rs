//! Who a caller is: SHA-256 of API keys, each bound to one party, compared in constant time.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::domain::Party;

/// Bytes of an API key; a longer one is nobody's.
const KEY_BYTES_MAX: usize = 256;
/// Keys over all parties: every call compares with each.
const KEYS_MAX: usize = 1_000;

/// What one party may do over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub party: Party,
    /// SHA-256 of its keys, 64 hexadecimal digits each: several while one replaces another, none where the
    /// party does not call.
    pub api_key_sha256: Vec<String>,
    /// Its receivers, by name: deliveries to them it may fetch, acknowledge and answer with receipts.
    pub receivers: Vec<String>,
}

impl Access {
    /// The code by which the party is known everywhere else.
    pub fn code(&self) -> &str {
        self.party.code()
    }

    pub fn owns(&self, receiver: &str) -> bool {
        self.receivers.iter().any(|own| own == receiver)
    }
}

/// Every key that is known. Holds hashes only.
#[derive(Debug, Default)]
pub struct Credentials {
    known: RwLock<Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    parties: Vec<Access>,
    /// A key's hash and the place of its party.
    keys: Vec<([u8; 32], u32)>,
}

impl Credentials {
    /// # Errors
    /// A sentence that names the party: a hash that is none, one key for two parties, a party twice, or more
    /// than 1000 keys.
    pub fn new(parties: Vec<Access>) -> Result<Self, String> {
        Ok(Self { known: RwLock::new(Known::new(parties)?) })
    }

    /// Knows from now on what the other knows, and nothing else.
    pub fn replace(&self, by: Self) {
        let known = by.known.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Whose key it is. Takes as long for a key that nearly fits as for one that does not.
    pub fn find(&self, key: &[u8]) -> Option<Access> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).find(key).cloned()
    }
}

impl Known {
    fn new(parties: Vec<Access>) -> Result<Self, String> {
        let mut codes = BTreeSet::new();
        let mut hashes = BTreeSet::new();
        let mut keys = Vec::new();
        for (place, access) in (0u32..).zip(&parties) {
            let code = access.code();
            if !codes.insert(code) {
                return Err(format!("party {code} stands twice"));
            }
            for text in &access.api_key_sha256 {
                let wrong = || format!("api_key_sha256 of party {code} is not 64 hexadecimal digits");
                let hash = hash_of_hex(text).ok_or_else(wrong)?;
                if !hashes.insert(hash) {
                    return Err(format!("an API key of party {code} stands twice"));
                }
                keys.push((hash, place));
            }
        }
        if keys.len() > KEYS_MAX {
            return Err(format!("there are more than {KEYS_MAX} API keys"));
        }
        Ok(Self { parties, keys })
    }

    fn find(&self, key: &[u8]) -> Option<&Access> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(key).into();
        let (mut found, mut whose) = (Choice::from(0), 0u32);
        for (known, place) in &self.keys {
            let same = known.ct_eq(&hash);
            found |= same;
            whose.conditional_assign(place, same);
        }
        let place = usize::try_from(whose).expect("a place in a list fits a usize");
        bool::from(found).then(|| &self.parties[place])
    }
}

fn hash_of_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.trim().as_bytes();
    let digits = text.as_chunks::<2>().0;
    if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(key: &str) -> String {
        use std::fmt::Write;
        Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    fn access(code: &str, keys: &[&str]) -> Access {
        Access {
            party: Party::from_code(code).unwrap(),
            api_key_sha256: keys.iter().map(|key| hex(key)).collect(),
            receivers: vec![],
        }
    }

    #[test]
    fn each_key_is_its_own_partys_and_no_other() {
        let known =
            Credentials::new(vec![access("3f", &["old", "new"]), access("0101", &["other"])]).unwrap();
        for (key, party) in
            [("old", Some("3f")), ("new", Some("3f")), ("other", Some("0101")), ("none", None), ("", None)]
        {
            assert_eq!(known.find(key.as_bytes()).as_ref().map(Access::code), party, "{key}");
        }
        assert!(known.find(&[b'x'; KEY_BYTES_MAX + 1]).is_none());
        assert!(Credentials::default().find(b"old").is_none());
    }

    #[test]
    fn what_is_replaced_is_known_no_more() {
        let known = Credentials::new(vec![access("3f", &["old"])]).unwrap();
        known.replace(Credentials::new(vec![access("3f", &["new"]), access("0101", &["other"])]).unwrap());
        assert!(known.find(b"old").is_none());
        assert_eq!(known.find(b"new").as_ref().map(Access::code), Some("3f"));
        assert_eq!(known.find(b"other").as_ref().map(Access::code), Some("0101"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let short = Access { api_key_sha256: vec!["abc".into()], ..access("3f", &[]) };
        let not_hex = Access { api_key_sha256: vec!["+f".repeat(32)], ..access("3f", &[]) };
        for (parties, says) in [
            (vec![short], "64 hexadecimal"),
            (vec![not_hex], "64 hexadecimal"),
            (vec![access("3f", &["same"]), access("krifa", &["same"])], "stands twice"),
            (vec![access("3f", &["a"]), access("3f", &["b"])], "party 3f stands twice"),
        ] {
            let error = Credentials::new(parties).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let many: Vec<String> = (0..=KEYS_MAX).map(|number| hex(&number.to_string())).collect();
        assert!(Credentials::new(vec![Access { api_key_sha256: many, ..access("3f", &[]) }]).is_err());
    }
}
