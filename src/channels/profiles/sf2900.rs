//! The receipt of KOMBIT's Fordelingskomponent (SF2900): a `TransportKvittering`, or the `ForretningsKvittering` of a
//! `FordelingsobjektAfsendResponse`.
//!
//! From its published schemas: `TransportValideringsKode` is OK, ADVARSEL or FEJL, the last with a `FejlListe`;
//! `ForretningsValideringsKode` is MODTAGET, AFLEVERET, ACCEPTERET, AFVIST or FEJLET. The numbers in `FejlKode` are not
//! published, so FEJL, AFVIST and FEJLET are taken at their word: the message is refused. That the jobcenter has it is
//! not said by this answer, whatever its word: it says so by its own business receipt.

use super::{Judged, xml};
use crate::domain::FaultCode;

/// A code of the list is repeated if it is no longer, and letters and digits only.
const CODE_CHARACTERS_MAX: usize = 12;
/// So many of them are repeated.
const CODES_MAX: usize = 5;

/// Both receipts, and where in each the word stands.
const RECEIPTS: [(&str, &str); 2] = [
    ("TransportKvittering", "TransportValideringsKode"),
    ("ForretningsKvittering", "ForretningsValideringsKode"),
];

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::channels) struct Receipt {
    validation: Validation,
    /// The receipt, and its word where that refuses.
    says: (&'static str, &'static str),
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
                    format!("answered with a {} that says {}{codes}", self.says.0, self.says.1),
                ))
            }
        }
    }
}

/// The one that an answer holds. `None`: it holds none, or several that disagree.
pub(in crate::channels) fn read(body: &[u8]) -> Option<Receipt> {
    let leaves = xml::leaves(body)?;
    let mut found = RECEIPTS.iter().filter_map(|(receipt, place)| {
        let inside = || leaves.iter().filter(|leaf| leaf.is_within(receipt));
        let words: Vec<&str> =
            inside().filter(|leaf| leaf.name() == *place).map(|leaf| &*leaf.text).collect();
        (!words.is_empty()).then(|| {
            let codes = inside().filter(|leaf| leaf.name() == "FejlKode" && is_code(&leaf.text));
            (*receipt, words, codes.map(|leaf| leaf.text.clone()).take(CODES_MAX).collect::<Vec<_>>())
        })
    });
    let (receipt, words, codes) = found.next()?;
    if found.next().is_some() || words.iter().any(|other| *other != words[0]) {
        return None;
    }
    let (validation, word) = match (receipt, words[0]) {
        ("TransportKvittering", "OK") => (Validation::Ok, "OK"),
        ("TransportKvittering", "ADVARSEL") => (Validation::Warning, "ADVARSEL"),
        ("TransportKvittering", "FEJL") => (Validation::Error, "FEJL"),
        ("ForretningsKvittering", "MODTAGET" | "AFLEVERET" | "ACCEPTERET") => (Validation::Ok, "OK"),
        ("ForretningsKvittering", "AFVIST") => (Validation::Error, "AFVIST"),
        ("ForretningsKvittering", "FEJLET") => (Validation::Error, "FEJLET"),
        _ => return None,
    };
    Some(Receipt { validation, says: (receipt, word), codes })
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
    fn the_words_of_the_response_are_read_too() {
        let with = |word: &str| {
            format!(
                "<FordelingsobjektAfsendResponse><ForretningsKvittering><ForretningsValideringsKode>{word}\
                 </ForretningsValideringsKode><Kvitteringstype>Teknisk</Kvitteringstype></ForretningsKvittering>\
                 <DistributionContext/></FordelingsobjektAfsendResponse>"
            )
        };
        for word in ["MODTAGET", "AFLEVERET", "ACCEPTERET"] {
            assert_eq!(judged(&with(word)), Some(Ok(())), "{word}");
        }
        for word in ["AFVIST", "FEJLET"] {
            let (code, says) = judged(&with(word)).unwrap().unwrap_err();
            assert_eq!(code, FaultCode::ReceiverRefused);
            assert!(says.ends_with(&format!("ForretningsKvittering that says {word}")), "{says}");
        }
        assert_eq!(judged(&with("OK")), None, "that is the other receipt's word");
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
