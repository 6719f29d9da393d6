//! Spans of time as agreements write them: `26 weeks`, `6 months`.

use std::{fmt, str::FromStr};

use jiff::{Span, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

/// The largest number of a unit that is taken: longer than any agreement.
const MOST: u16 = 1_000;

/// A whole number of calendar units. It is not a duration: a month has no fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Period {
    Days(u16),
    Weeks(u16),
    Months(u16),
}

impl Period {
    /// The last day of a period whose first day is `first`.
    ///
    /// `n` days end on the n-th day and `n` weeks on the 7·n-th, the first day counted: a week that begins on a
    /// Monday ends on a Sunday. `n` months end on the day before the day of the month on which they began, n
    /// months later; where that month has no such day they end with the month.
    pub fn last_day(self, first: Date) -> Date {
        let end = |span: Span| first.checked_add(span).unwrap_or(Date::MAX);
        match self {
            Self::Days(n) => end((i32::from(n) - 1).days()),
            Self::Weeks(n) => end((i32::from(n) * 7 - 1).days()),
            Self::Months(n) => {
                let turn = end(i32::from(n).months());
                if turn.day() < first.day() { turn } else { turn.yesterday().unwrap_or(turn) }
            }
        }
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no period: write 1 to {MOST} days, weeks or months, such as \"26 weeks\"")
        };
        let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
        let number: u16 = number.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(wrong)?;
        match unit {
            "day" | "days" => Ok(Self::Days(number)),
            "week" | "weeks" => Ok(Self::Weeks(number)),
            "month" | "months" => Ok(Self::Months(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self {
            Self::Days(n) => (n, "day"),
            Self::Weeks(n) => (n, "week"),
            Self::Months(n) => (n, "month"),
        };
        write!(f, "{number} {unit}{}", if *number == 1 { "" } else { "s" })
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_as_it_is_written() {
        for text in ["1 day", "14 days", "1 week", "26 weeks", "1 month", "6 months"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["", "26", "weeks", "0 weeks", "1001 days", "26weeks", "-1 days", "2 years", "+ weeks"] {
            assert!(text.parse::<Period>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn weeks_are_seven_days_and_months_end_where_the_next_begins() {
        for (first, period, last) in [
            // København 2009: 26 and 16 weeks of unemployment.
            ("2009-08-03", "26 weeks", "2010-01-31"),
            ("2009-08-03", "16 weeks", "2009-11-22"),
            ("2009-08-01", "1 week", "2009-08-07"),
            // Partnership 2009: the end of the sixth month of unemployment.
            ("2009-08-01", "6 months", "2010-01-31"),
            ("2009-08-15", "6 months", "2010-02-14"),
            ("2009-08-31", "6 months", "2010-02-28"),
            ("2009-08-29", "6 months", "2010-02-28"),
            ("2009-08-28", "6 months", "2010-02-27"),
            // The law since 2024: the first three months, over a leap day too.
            ("2024-01-01", "3 months", "2024-03-31"),
            ("2023-11-30", "3 months", "2024-02-29"),
            ("2024-02-29", "1 month", "2024-03-28"),
            ("2024-03-31", "1 month", "2024-04-30"),
            ("2024-02-28", "2 days", "2024-02-29"),
            ("2024-02-28", "1 day", "2024-02-28"),
            ("9999-12-30", "3 months", "9999-12-30"),
        ] {
            let found = period.parse::<Period>().unwrap().last_day(first.parse().unwrap());
            assert_eq!(found, last.parse().unwrap(), "{period} from {first}");
        }
    }
}
