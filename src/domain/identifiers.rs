//! Identifiers as types that can only hold valid values.

use std::{fmt, str::FromStr};

use jiff::civil::Date;

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

/// A CPR number with a real birth date: ten digits, DDMMYY and a serial whose first digit gives the century.
///
/// Modulus 11 is not a rule of validity: numbers without it have been issued since 1 October 2007 and are
/// fully valid (cpr.dk, "Personnumre uden kontrolciffer"), so it is not looked at here at all.
/// Replacement numbers (day + 60) are kept as they are and say so ([`Cpr::is_replacement`]).
///
/// `Debug` shows the first six digits only; there is no `Display`, so that none ends up in a log line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cpr {
    digits: String,
    born: Date,
    replacement: bool,
}

/// Why a text is not a CPR number that the gateway takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CprFault {
    #[error("a CPR number is ten digits, without a hyphen")]
    NotTenDigits,
    #[error("0000000000 means that the number is not known")]
    Unknown,
    #[error("its first six digits are not a date in its century")]
    NotADate,
    #[error("its birth date lies in the future")]
    Future,
}

impl Cpr {
    /// Reads ten ASCII digits.
    ///
    /// # Errors
    /// See [`CprFault`]; [`CprFault::Future`] is only found by [`Cpr::not_after`], which knows the day.
    pub fn parse(text: &str) -> Result<Self, CprFault> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || !bytes.iter().all(u8::is_ascii_digit) {
            return Err(CprFault::NotTenDigits);
        }
        if text == "0000000000" {
            return Err(CprFault::Unknown);
        }
        let number = |from: usize| i16::from(bytes[from] - b'0') * 10 + i16::from(bytes[from + 1] - b'0');
        let (day, month, year) = (number(0), number(2), number(4));
        let replacement = day > 60;
        let day = if replacement { day - 60 } else { day };
        let century = century(bytes[6] - b'0', year);
        let (Ok(day), Ok(month)) = (i8::try_from(day), i8::try_from(month)) else {
            return Err(CprFault::NotADate);
        };
        let born = Date::new(century + year, month, day).map_err(|_| CprFault::NotADate)?;
        Ok(Self { digits: text.to_owned(), born, replacement })
    }

    /// The same number, or the fault that its birth date lies after `today`.
    pub fn not_after(self, today: Date) -> Result<Self, CprFault> {
        if self.born > today { Err(CprFault::Future) } else { Ok(self) }
    }

    /// The ten digits. Not for logs, metrics, alerts or addresses.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    pub fn born(&self) -> Date {
        self.born
    }

    /// A replacement number (erstatnings-CPR): the day is 61–91. A person must look at it where a receiver's
    /// pattern excludes it; 60 is never taken off silently.
    pub fn is_replacement(&self) -> bool {
        self.replacement
    }

    /// Whole years on that day.
    pub fn age_on(&self, day: Date) -> i16 {
        let had_birthday = (day.month(), day.day()) >= (self.born.month(), self.born.day());
        day.year() - self.born.year() - i16::from(!had_birthday)
    }
}

impl fmt::Debug for Cpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cpr({}-****)", &self.digits[..6])
    }
}

/// The first year of the century that the seventh digit names for a two-digit year (cpr.dk, "Opbygning af
/// CPR-nummeret").
fn century(seventh: u8, year: i16) -> i16 {
    match (seventh, year) {
        (0..=3, _) => 1900,
        (4 | 9, 37..) => 1900,
        (5..=8, 58..) => 1800,
        _ => 2000,
    }
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
        municipalities()
            .find(|(code, _)| *code == text)
            .map(|_| Self(text.to_owned()))
            .ok_or(NotAMunicipality)
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
    use jiff::civil::date;

    use super::*;

    #[test]
    fn cpr_numbers_have_a_real_birth_date_in_their_century() {
        for (text, born) in [
            ("0707614285", date(1961, 7, 7)),
            ("0103922852", date(1992, 3, 1)),
            ("2512484916", date(1948, 12, 25)),
            ("2902004000", date(2000, 2, 29)),
            ("2902005000", date(2000, 2, 29)),
            ("2110625628", date(1862, 10, 21)),
            ("2110620629", date(1962, 10, 21)),
        ] {
            assert_eq!(Cpr::parse(text).unwrap().born(), born, "{text}");
        }
    }

    #[test]
    fn modulus_11_is_not_looked_at() {
        // Published test persons; all three fail modulus 11.
        for text in ["2509479989", "2311143995", "1509819996"] {
            assert!(Cpr::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_cpr_number_says_why() {
        for (text, fault) in [
            ("1234567890", CprFault::NotADate),
            ("0000000000", CprFault::Unknown),
            ("3002000000", CprFault::NotADate),
            ("3104990000", CprFault::NotADate),
            ("2902000000", CprFault::NotADate),
            ("2902010000", CprFault::NotADate),
            ("0001010000", CprFault::NotADate),
            ("9201010000", CprFault::NotADate),
            ("07076142", CprFault::NotTenDigits),
            ("07076142855", CprFault::NotTenDigits),
            ("07O7614285", CprFault::NotTenDigits),
            ("070761-4285", CprFault::NotTenDigits),
            ("070761 4285", CprFault::NotTenDigits),
            ("０７０７６１４２８５", CprFault::NotTenDigits),
        ] {
            assert_eq!(Cpr::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_birth_date_in_the_future_is_refused_on_the_day_it_is_read() {
        let cpr = Cpr::parse("2110525629").unwrap();
        assert_eq!(cpr.born(), date(2052, 10, 21));
        assert_eq!(cpr.clone().not_after(date(2026, 11, 22)), Err(CprFault::Future));
        assert!(cpr.not_after(date(2052, 10, 21)).is_ok());
    }

    #[test]
    fn a_replacement_number_keeps_its_digits_and_says_so() {
        let cpr = Cpr::parse("6707614285").unwrap();
        assert!(cpr.is_replacement());
        assert_eq!(cpr.digits(), "6707614285");
        assert_eq!(cpr.born(), date(1961, 7, 7));
    }

    #[test]
    fn a_cpr_number_does_not_show_itself() {
        assert_eq!(format!("{:?}", Cpr::parse("0707614285").unwrap()), "Cpr(070761-****)");
    }

    #[test]
    fn age_counts_birthdays() {
        let cpr = Cpr::parse("0707614285").unwrap();
        assert_eq!(cpr.age_on(date(2026, 7, 6)), 64);
        assert_eq!(cpr.age_on(date(2026, 7, 7)), 65);
    }

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
