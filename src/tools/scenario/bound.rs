//! What a number or a time is expected to be: `<= 80`, `3..5`, `23h`.

use std::{fmt, time::Duration};

use jiff::SignedDuration;

use crate::units::parse_duration;

/// The least and the most, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<T> {
    least: Option<T>,
    most: Option<T>,
}

impl<T: PartialOrd + Copy> Bound<T> {
    pub fn holds(&self, value: T) -> bool {
        self.least.is_none_or(|least| least <= value) && self.most.is_none_or(|most| value <= most)
    }

    /// `<= x`, `>= x`, `x..y`, `= x` or `x` alone.
    fn parse(text: &str, value: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let text = text.trim();
        if let Some(most) = text.strip_prefix("<=") {
            return Ok(Self { least: None, most: Some(value(most.trim())?) });
        }
        if let Some(least) = text.strip_prefix(">=") {
            return Ok(Self { least: Some(value(least.trim())?), most: None });
        }
        if let Some((least, most)) = text.split_once("..") {
            let (least, most) = (value(least.trim())?, value(most.trim())?);
            return if least <= most {
                Ok(Self { least: Some(least), most: Some(most) })
            } else {
                Err(format!("{text:?} ends before it begins"))
            };
        }
        let exactly = value(text.strip_prefix('=').unwrap_or(text).trim())?;
        Ok(Self { least: Some(exactly), most: Some(exactly) })
    }
}

impl Bound<u32> {
    /// # Errors
    /// A sentence that says what is expected.
    pub fn number(text: &str) -> Result<Self, String> {
        Self::parse(text, |number| {
            number
                .parse()
                .map_err(|_| format!("{text:?} is no number: write \"3\", \"<= 80\", \">= 2\" or \"3..5\""))
        })
    }
}

impl Bound<Duration> {
    /// # Errors
    /// A sentence that says what is expected.
    pub fn time(text: &str) -> Result<Self, String> {
        Self::parse(text, parse_duration)
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.least, &self.most) {
            (Some(least), Some(most)) if least == most => write!(f, "{least}"),
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "{least} or more"),
            (None, Some(most)) => write!(f, "{most} or less"),
            (None, None) => f.write_str("anything"),
        }
    }
}

impl Bound<Duration> {
    /// In words.
    pub fn words(&self) -> String {
        Bound { least: self.least.map(Span), most: self.most.map(Span) }.to_string()
    }
}

/// A duration for people: `23h 4m 10s`.
pub fn span(duration: Duration) -> String {
    Span(duration).to_string()
}

#[derive(PartialEq)]
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Below a second nothing is said: it would differ by what a receiver takes to answer.
        let whole = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        write!(f, "{:#}", SignedDuration::from_secs(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_its_own_ends() {
        for (text, holds, fails) in [
            ("<= 80", vec![0, 80], vec![81]),
            (">= 3", vec![3, 4], vec![2]),
            ("3..5", vec![3, 5], vec![2, 6]),
            ("= 3", vec![3], vec![2, 4]),
            ("3", vec![3], vec![2, 4]),
        ] {
            let bound = Bound::number(text).unwrap();
            assert!(
                holds.iter().all(|n| bound.holds(*n)) && !fails.iter().any(|n| bound.holds(*n)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for text in ["", "many", "<=", "5..3", "< 3"] {
            assert!(Bound::number(text).is_err(), "{text}");
        }
        assert!(Bound::time("<= soon").is_err());
    }

    #[test]
    fn it_is_told_in_words() {
        assert_eq!(Bound::number("<= 80").unwrap().to_string(), "80 or less");
        assert_eq!(Bound::time("23h..90000s").unwrap().words(), "23h to 25h");
        assert_eq!(span(Duration::from_millis(82_850_050)), "23h 50s");
    }
}
