//! The CPR number: a type that can only hold one with a real birth date, and that does not show itself.

use std::fmt;

use jiff::civil::Date;

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
}
