//! Days and instants in messages, and what several kinds ask of them.

use jiff::{Timestamp, civil::Date};

use super::Findings;
use crate::domain::{Violation, calendar};

/// An instant that the schema has checked.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The day that a text of the schema's format `date` names, where there is one.
pub fn day(text: Option<&str>) -> Option<Date> {
    text.and_then(super::day)
}

/// The instant at which a day begins by Danish clocks.
pub fn begin(day: Date) -> Option<Timestamp> {
    day.to_zoned(calendar::copenhagen().clone()).ok().map(|begin| begin.timestamp())
}

/// Says in a violation which day would have been right, and which came.
pub fn compare(violation: &mut Violation, expected: impl Into<String>, actual: Date) {
    violation.expected = expected.into();
    violation.actual = Some(actual.to_string());
}

impl Findings {
    /// A period ends on the day it begins or later: `rule` is an error at `pointer`. Nothing is said where an end
    /// is open.
    pub fn period(&mut self, pointer: &str, rule: &str, first: Option<Date>, last: Option<Date>) {
        let (Some(first), Some(last)) = (first, last) else { return };
        if last < first {
            let error = self.error(
                pointer,
                rule,
                "Perioden slutter, før den begynder.",
                "The period ends before it begins.",
            );
            compare(error, format!("{first} or later"), last);
            error.star_code = Some(1003);
        }
    }

    /// What begins before the message was sent has begun without the one who is asked: `rule` is a warning.
    pub fn begins(&mut self, pointer: &str, rule: &str, first: Option<Date>, sent: Date) {
        if let Some(first) = first.filter(|first| *first < sent) {
            let warning = self.warning(
                pointer,
                rule,
                "Startdatoen lå før den dag, beskeden blev sendt.",
                "The first day had passed when the message was sent.",
            );
            compare(warning, format!("{sent} or later"), first);
            warning.star_code = Some(4783);
        }
    }
}
