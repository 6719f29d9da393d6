//! Identifiers as types that can only hold valid values.

use std::{fmt, str::FromStr, sync::LazyLock};

pub use super::cpr::{Cpr, CprFault};

/// The shared face of an identifier kept as text: `as_str`, `Display`, serde by its text.
macro_rules! text_identifier {
    ($type:ident) => {
        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A CVR number: eight digits, the first not zero, weighted sum divisible by 11.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cvr(String);
text_identifier!(Cvr);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a CVR number is eight digits with a right check digit, the first not zero")]
pub struct NotACvr;

impl FromStr for Cvr {
    type Err = NotACvr;

    fn from_str(text: &str) -> Result<Self, NotACvr> {
        const WEIGHTS: [u32; 8] = [2, 7, 6, 5, 4, 3, 2, 1];
        let digits = digits::<8>(text).ok_or(NotACvr)?;
        let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
        if digits[0] != 0 && sum.is_multiple_of(11) { Ok(Self(text.to_owned())) } else { Err(NotACvr) }
    }
}

/// A production unit's number (P-nummer): ten digits; no public check digit. It belongs to a CVR number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PNumber(String);
text_identifier!(PNumber);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a P-number is ten digits")]
pub struct NotAPNumber;

impl FromStr for PNumber {
    type Err = NotAPNumber;

    fn from_str(text: &str) -> Result<Self, NotAPNumber> {
        digits::<10>(text).map(|_| Self(text.to_owned())).ok_or(NotAPNumber)
    }
}

/// A GLN (EAN location number): thirteen digits with the GS1 check digit. Thirteen zeros pass the sum and
/// are refused all the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gln(String);
text_identifier!(Gln);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a GLN is thirteen digits with a right check digit, not all zero")]
pub struct NotAGln;

impl FromStr for Gln {
    type Err = NotAGln;

    fn from_str(text: &str) -> Result<Self, NotAGln> {
        let digits = digits::<13>(text).ok_or(NotAGln)?;
        let sum: u32 = digits
            .iter()
            .take(12)
            .zip([1, 3].into_iter().cycle())
            .map(|(digit, weight)| digit * weight)
            .sum();
        let check = (10 - sum % 10) % 10;
        if check == digits[12] && digits.iter().any(|d| *d != 0) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAGln)
        }
    }
}

/// The code of one of the 98 municipalities, four digits: `0101`. 0411 Christiansø is not a municipality.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MunicipalityCode(String);
text_identifier!(MunicipalityCode);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the four-digit code of one of the 98 municipalities")]
pub struct NotAMunicipality;

/// The 98 municipalities: code, tab, name (source: DAWA).
const MUNICIPALITIES: &str = include_str!("municipalities.tsv");

/// Code and name of every municipality, by code.
pub fn municipalities() -> impl Iterator<Item = (&'static str, &'static str)> {
    MUNICIPALITIES.lines().filter_map(|line| line.split_once('\t'))
}

impl MunicipalityCode {
    /// The municipality's name, e.g. `København`.
    pub fn name(&self) -> &'static str {
        municipalities().find(|(code, _)| *code == self.0).map_or("", |(_, name)| name)
    }
}

impl FromStr for MunicipalityCode {
    type Err = NotAMunicipality;

    fn from_str(text: &str) -> Result<Self, NotAMunicipality> {
        static CODES: LazyLock<Vec<&str>> =
            LazyLock::new(|| municipalities().map(|(code, _)| code).collect());
        CODES.binary_search(&text).map(|_| Self(text.to_owned())).map_err(|_| NotAMunicipality)
    }
}

/// An a-kasse's code in configuration and URNs: 2–20 of `[a-z0-9-]`, never four digits (those are jobcentres).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AkasseCode(String);
text_identifier!(AkasseCode);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an a-kasse's code is 2-20 of a-z, 0-9 and hyphen, and not four digits")]
pub struct NotAnAkasseCode;

impl FromStr for AkasseCode {
    type Err = NotAnAkasseCode;

    fn from_str(text: &str) -> Result<Self, NotAnAkasseCode> {
        let fits = (2..=20).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits && digits::<4>(text).is_none() { Ok(Self(text.to_owned())) } else { Err(NotAnAkasseCode) }
    }
}

/// A sender's message id: 1–46 of `[A-Za-z0-9._:-]` (46 is the bound of STAR's `x-requestId`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);
text_identifier!(EventId);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1-46 of A-Z, a-z, 0-9, dot, underscore, colon and hyphen")]
pub struct NotAnEventId;

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let fits = (1..=46).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'));
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAnEventId) }
    }
}

/// A Danish telephone number as eight digits. Takes `+45`, `0045` and spaces in front of and between the
/// digits; the first digit is 2–9.
pub fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    let digits = digits.strip_prefix("+45").or_else(|| digits.strip_prefix("0045")).unwrap_or(&digits);
    let fits =
        digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with(['0', '1']);
    fits.then(|| digits.to_owned())
}

/// The text as exactly `N` ASCII digits.
fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    if text.len() != N || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut digits = [0; N];
    for (digit, byte) in digits.iter_mut().zip(text.bytes()) {
        *digit = u32::from(byte - b'0');
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cvr_numbers_have_their_check_digit() {
        for text in ["13585628", "64942212", "55133018", "29189986"] {
            assert!(text.parse::<Cvr>().is_ok(), "{text}");
        }
        for text in ["13585627", "99999999", "00000000", "1358562", "135856280", "1358562a"] {
            assert_eq!(text.parse::<Cvr>(), Err(NotACvr), "{text}");
        }
    }

    #[test]
    fn gln_numbers_have_their_check_digit() {
        assert!("5798009710178".parse::<Gln>().is_ok());
        for text in ["5798009710179", "0000000000000", "579800971017", "57980097101780"] {
            assert_eq!(text.parse::<Gln>(), Err(NotAGln), "{text}");
        }
    }

    #[test]
    fn there_are_98_municipalities() {
        assert_eq!(municipalities().count(), 98);
        assert_eq!("0707".parse::<MunicipalityCode>().unwrap().name(), "Norddjurs");
        for text in ["0411", "101", "0000", "01010", ""] {
            assert_eq!(text.parse::<MunicipalityCode>(), Err(NotAMunicipality), "{text}");
        }
    }

    #[test]
    fn an_akasse_is_never_four_digits() {
        for text in ["3f", "foa", "krifa", "det-faglige-hus", "067"] {
            assert!(text.parse::<AkasseCode>().is_ok(), "{text}");
        }
        for text in ["", "a", "0101", "FOA", "æ", "abcdefghijklmnopqrstu", "a b"] {
            assert_eq!(text.parse::<AkasseCode>(), Err(NotAnAkasseCode), "{text}");
        }
    }

    #[test]
    fn an_event_id_fits_a_request_id() {
        assert!("a".repeat(46).parse::<EventId>().is_ok());
        for text in [String::new(), "a".repeat(47), "a b".into(), "a/b".into(), "ø".into(), "a\n".into()] {
            assert_eq!(text.parse::<EventId>(), Err(NotAnEventId), "{text:?}");
        }
    }

    #[test]
    fn phone_numbers_become_eight_digits() {
        for text in ["20123456", "+4520123456", "0045 20 12 34 56", "20 12 34 56"] {
            assert_eq!(phone(text).as_deref(), Some("20123456"), "{text}");
        }
        for text in ["", "2012345", "201234567", "10123456", "2012345a", "+4620123456"] {
            assert_eq!(phone(text), None, "{text}");
        }
    }
}
