//! What a message says for the key figures (nøgletal): an interview, its month, and whether it was in time.
//!
//! København agreement, "Resultatmål": at least 90 % of the interviews held in time, and no fewer than the
//! jobcenter's own. The regions' agreement with the a-kasser's association, "Månedlige nøgletal": by month, jobcenter
//! and a-kasse.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use super::agreement::copenhagen;

/// What counts of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The month by Danish clocks in which it was held, or was to be held.
    pub month: Month,
    pub interview: Interview,
    pub timeliness: Timeliness,
}

/// A month by Danish clocks; in the store the number of months since year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

/// What kind of interview: a code of 1–40 letters, digits, `_` and `-`. It names no person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Interview(String);

/// Rettidighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeliness {
    /// Held on its deadline's day or before.
    InTime,
    /// Held after it.
    Late,
    /// The citizen stayed away, or it was cancelled: it counts neither for nor against.
    NotHeld,
}

impl Month {
    pub fn of(date: Date) -> Self {
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// The Danish month of an instant.
    pub fn at(instant: Timestamp) -> Self {
        Self::of(instant.to_zoned(copenhagen()).date())
    }

    /// As the store keeps it.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Reads the store's number. `None` outside the years 1 to 9998.
    pub fn from_number(number: i32) -> Option<Self> {
        (12..=9998 * 12 + 11).contains(&number).then_some(Self(number))
    }

    pub fn first_day(self) -> Date {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        let part = |number: i32| i16::try_from(number).ok();
        part(year)
            .zip(i8::try_from(month).ok())
            .and_then(|(year, month)| Date::new(year, month, 1).ok())
            .expect("a month is made of a date or checked")
    }

    pub fn last_day(self) -> Date {
        self.first_day().last_of_month()
    }

    /// The month so many later; never beyond what a date can be.
    pub fn plus(self, months: i32) -> Self {
        Self::of(self.first_day().saturating_add(months.months()))
    }
}

impl fmt::Display for Month {
    /// `2026-11`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Interview {
    /// `None` where the text is no code.
    pub fn new(code: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        ((1..=40).contains(&code.len()) && code.bytes().all(fits)).then(|| Self(code.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Interview {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::new(&code).ok_or("a kind of interview is a code of 1-40 letters, digits, _ and -")
    }
}

impl Timeliness {
    /// As the store keeps it.
    pub fn number(self) -> i16 {
        match self {
            Self::InTime => 0,
            Self::Late => 1,
            Self::NotHeld => 2,
        }
    }

    pub fn from_number(number: i16) -> Option<Self> {
        [Self::InTime, Self::Late, Self::NotHeld].into_iter().find(|t| t.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_danish() {
        let month = |at: &str| Month::at(at.parse().unwrap()).to_string();
        assert_eq!(month("2026-10-31T22:59:59Z"), "2026-10");
        assert_eq!(month("2026-10-31T23:00:00Z"), "2026-11", "winter time: one hour ahead");
        assert_eq!(month("2026-06-30T22:00:00Z"), "2026-07", "summer time: two");
    }

    #[test]
    fn a_month_is_kept_as_a_number_and_knows_its_days() {
        let month = Month::of(jiff::civil::date(2024, 2, 29));
        assert_eq!(Month::from_number(month.number()), Some(month));
        assert_eq!(
            (month.first_day(), month.last_day()),
            (jiff::civil::date(2024, 2, 1), jiff::civil::date(2024, 2, 29))
        );
        assert_eq!(month.plus(11).to_string(), "2025-01");
        assert_eq!(month.plus(-2).to_string(), "2023-12");
        assert_eq!(Month::from_number(-1), None);
        assert_eq!(Month::from_number(i32::MAX), None);
    }

    #[test]
    fn an_interview_is_a_code_and_no_text() {
        assert_eq!(Interview::new("cvInterview").map(|i| i.as_str().to_owned()), Some("cvInterview".into()));
        for text in ["", "Jens Hansen", "=1+1", "samtale,", "ø", &"x".repeat(41)] {
            assert_eq!(Interview::new(text), None, "{text}");
        }
    }

    #[test]
    fn timeliness_is_read_by_its_number() {
        for timeliness in [Timeliness::InTime, Timeliness::Late, Timeliness::NotHeld] {
            assert_eq!(Timeliness::from_number(timeliness.number()), Some(timeliness));
        }
        assert_eq!(Timeliness::from_number(3), None);
    }
}
