//! The `TransportKvittering` of KOMBIT's Fordelingskomponent (SF2900).
//!
//! From its published schema: `TransportValideringsKode` is OK, ADVARSEL or FEJL, the last with a `FejlListe`.
//! The numbers in `FejlKode` are not published, so FEJL is taken at its word: the message is refused.

use super::{Judged, xml};
use crate::domain::FaultCode;

/// A code of the list is repeated if it is no longer, and letters and digits only.
const CODE_CHARACTERS_MAX: usize = 12;
/// So many of them are repeated.
const CODES_MAX: usize = 5;

/// A `TransportKvittering`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::channels) struct Receipt {
    validation: Validation,
    /// What `FejlKode` says, as far as it is a code.
    codes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validation {
    Ok,
    Warning,
    Error,
}

impl Receipt {
    /// What it means; a warning is no fault. Without `FejlTekst` and `Begrundelse`, which may say anything of
    /// anybody.
    pub(in crate::channels) fn judge(&self) -> Judged {
        match self.validation {
            Validation::Ok | Validation::Warning => Ok(()),
            Validation::Error => {
                let codes = if self.codes.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", self.codes.join(", "))
                };
                Err((
                    FaultCode::ReceiverRefused,
                    format!("answered with a TransportKvittering that says FEJL{codes}"),
                ))
            }
        }
    }
}

/// The one that an answer holds. `None`: it holds none, or several that disagree.
pub(in crate::channels) fn read(body: &[u8]) -> Option<Receipt> {
    let leaves = xml::leaves(body)?;
    let inside = || leaves.iter().filter(|leaf| leaf.is_within("TransportKvittering"));
    let mut words = inside().filter(|leaf| leaf.name() == "TransportValideringsKode").map(|leaf| &*leaf.text);
    let word = words.next()?;
    if words.any(|other| other != word) {
        return None;
    }
    let validation = match word {
        "OK" => Validation::Ok,
        "ADVARSEL" => Validation::Warning,
        "FEJL" => Validation::Error,
        _ => return None,
    };
    let codes = inside().filter(|leaf| leaf.name() == "FejlKode" && is_code(&leaf.text));
    Some(Receipt { validation, codes: codes.map(|leaf| leaf.text.clone()).take(CODES_MAX).collect() })
}

/// Nine digits at most, so that none is a person's number.
fn is_code(text: &str) -> bool {
    (1..=CODE_CHARACTERS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().filter(u8::is_ascii_digit).count() < 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(word: &str, errors: &str) -> String {
        format!(
            "<k:Svar xmlns:k=\"urn:x\"><k:TransportKvittering><k:TransportValideringsKode>{word}</k:TransportValideringsKode>\
             <k:FejlListe>{errors}</k:FejlListe></k:TransportKvittering></k:Svar>"
        )
    }

    fn judged(body: &str) -> Option<Judged> {
        read(body.as_bytes()).map(|receipt| receipt.judge())
    }

    #[test]
    fn ok_and_a_warning_are_taken_and_an_error_is_refused_with_its_codes() {
        assert_eq!(judged(&with("OK", "")), Some(Ok(())));
        assert_eq!(judged(&with("ADVARSEL", "<Fejl><FejlKode>7</FejlKode></Fejl>")), Some(Ok(())));
        let errors = "<Fejl><FejlKode>17</FejlKode><FejlTekst>om 070761-4285</FejlTekst></Fejl>\
                      <Fejl><FejlKode>0707614285</FejlKode></Fejl><Fejl><FejlKode>KLE 9</FejlKode></Fejl>";
        let (code, says) = judged(&with("FEJL", errors)).unwrap().unwrap_err();
        assert_eq!(code, FaultCode::ReceiverRefused);
        assert!(says.ends_with("FEJL (17)"), "{says}");
        assert!(judged(&with("FEJL", "")).unwrap().unwrap_err().1.ends_with("FEJL"));
    }

    #[test]
    fn an_answer_without_one_reads_as_nothing() {
        let both = format!("<a>{}{}</a>", with("OK", ""), with("FEJL", ""));
        for body in
            ["", "OK", "<TransportValideringsKode>OK</TransportValideringsKode>", &with("ok", ""), &both]
        {
            assert_eq!(judged(body), None, "{body}");
        }
    }
}
