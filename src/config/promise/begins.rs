//! What starts a promise's clock, as people write it: a word, or one of the dates that a kind's messages tell of.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::{Also, Check, ELAPSED};
use crate::{
    domain::sla::{self, Starts},
    kinds::{KINDS, Kind},
};

/// Stands before the name of a date that the promise lasts to.
const BEFORE: &str = "before ";
/// The longest name of a date.
const NAME_MAX: usize = 40;

/// What starts a clock, read from how it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Begins(pub Starts);

impl TryFrom<String> for Begins {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.len() <= NAME_MAX
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let starts = match text.as_str() {
            "occurred" => Starts::Occurred,
            "received" => Starts::Received,
            "delivered" => Starts::Delivered,
            "registration" => Starts::Registration,
            date => match date.strip_prefix(BEFORE) {
                Some(date) if is_name(date) => Starts::Before(date.to_owned()),
                None if is_name(date) => Starts::Date(date.to_owned()),
                _ => {
                    return Err(format!(
                        "{text:?} starts no clock: write `occurred`, `received`, `delivered`, `registration`, or a date that \
                     the kind's schema names, with \"before\" in front where the promise lasts to it"
                    ));
                }
            },
        };
        Ok(Self(starts))
    }
}

impl fmt::Display for Begins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Starts::Occurred => f.write_str("from its time"),
            Starts::Received => f.write_str("from its arrival"),
            Starts::Delivered => f.write_str("from its delivery"),
            Starts::Registration => f.write_str("from the registration"),
            Starts::Date(name) => write!(f, "from {name}"),
            Starts::Before(name) => write!(f, "to the end of {name}"),
        }
    }
}

/// What is wrong with a promise that goes by a date: one that the kind's messages do not have, or a time that cannot be
/// counted back from it.
pub(super) fn check(key: &str, kind: &str, promise: &Also, check: &mut Check<'_>) {
    let Some(name) = promise.starts.0.date() else { return };
    // A kind that is unknown is told elsewhere.
    let dates = match KINDS.iter().find(|known| known.name == kind) {
        Some(known) => dates(known),
        None if kind == "default" => vec![],
        None => return,
    };
    if !dates.iter().any(|date| date == name) {
        let has = if dates.is_empty() { "none".to_owned() } else { dates.join(", ") };
        let problem = format!(
            "{name:?} is neither occurred, received, delivered, registration nor a date that each message of kind {kind} may \
             tell of ({has})"
        );
        check.problem(format!("{key}.starts"), problem);
    }
    if matches!(promise.starts.0, Starts::Before(_)) {
        if !matches!(promise.within.0, sla::Within::Time(_)) {
            let problem = "how long before a date the clock starts is so much time: write \"30d\" or hours";
            check.problem(format!("{key}.within"), problem);
        }
        if promise.calendar.as_deref().is_some_and(|name| name != ELAPSED) {
            check.problem(format!("{key}.calendar"), "time before a date is elapsed time, by no calendar");
        }
    }
}

/// The days that messages of the kind tell of by themselves: what its schema calls a date.
fn dates(kind: &Kind) -> Vec<String> {
    let schema: Value = serde_json::from_str(kind.schema).expect("a test reads the schemas");
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, says)| says["format"] == "date").map(|(name, _)| name.clone()).collect()
}
