//! Days and instants in messages, and what several kinds ask of them.

use jiff::{Timestamp, civil::Date};

use super::Findings;
use crate::domain::Violation;

/// An instant that the schema has checked.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The day that a text of the schema's format `date` names, where there is one.
pub fn day(text: Option<&str>) -> Option<Date> {
    text.and_then(super::day)
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
}
