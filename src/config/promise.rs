//! Promises as people write them, in `[promise.<kind>]` and in agreements, and what they come to.

use std::{fmt, sync::Arc};

use jiff::SignedDuration;
use serde::Deserialize;

use super::{
    calendar::Calendars,
    check::Check,
    settings::{Period, Settings},
};
use crate::{
    domain::sla::{self, DELIVERED, FURTHER_MAX, Promise, Starts, Stops, Terms},
    kinds::{KINDS, Kind},
    units,
};

mod begins;

pub(super) use begins::Begins;

/// Stands for a calendar where one says that its promise counts none.
pub(super) const ELAPSED: &str = "elapsed";
/// Stands for a time where a promise lasts to the end of the citizen's last day with the a-kasse.
pub(super) const LIMIT: &str = "limit";
/// What stops a clock and is no kind.
const CASE_WORDS: [&str; 4] = ["receipt", "answered", "decided", "closed"];
/// Messages of a kind that a promise may wait for.
const COUNT_MAX: u16 = 100;

/// One `[promise.<kind>]`: that the receiver has it, and what else is promised.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    pub within: Within,
    pub calendar: Option<String>,
    #[serde(default)]
    pub starts: Begins,
    pub retry_window: Period,
    #[serde(default)]
    pub also: Vec<Also>,
}

/// A promise beside that of being delivered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    pub name: String,
    pub within: Within,
    pub calendar: Option<String>,
    #[serde(default)]
    pub starts: Begins,
    /// `receipt`, `answered`, `decided`, `closed`, or the kind of a message about the same citizen.
    pub stops: String,
    /// So many messages of the kind; 1 where nothing is said.
    pub count: Option<u16>,
    pub paused_by: Option<PausedBy>,
    /// In an agreement: where it says so.
    #[serde(default)]
    pub clause: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// Mangler oplysninger
    MissingInformation,
}

/// A budget as it is written: `8h`, `5 business days`, or `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Within(pub sla::Within);

impl TryFrom<String> for Within {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == LIMIT {
            return Ok(Self(sla::Within::Limit));
        }
        let days = text.trim().split_once(' ').and_then(|(number, unit)| {
            let is_days = ["business day", "business days", "day", "days"].contains(&unit.trim());
            is_days.then(|| number.parse::<u16>().ok().filter(|days| (1..=1_000).contains(days)))
        });
        match days {
            Some(Some(days)) => Ok(Self(sla::Within::Days(days))),
            Some(None) => Err(format!("{text:?} is no number of days from 1 to 1000")),
            None => {
                let time = units::parse_duration(text)?;
                Ok(Self(sla::Within::Time(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX))))
            }
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            sla::Within::Time(time) => f.write_str(&units::duration_text(time.unsigned_abs())),
            sla::Within::Days(1) => f.write_str("1 business day"),
            sla::Within::Days(days) => write!(f, "{days} business days"),
            sla::Within::Limit => f.write_str("the group's limit"),
        }
    }
}

/// That the receiver has it.
pub(super) fn delivered(
    within: Within,
    calendar: Option<&str>,
    starts: &Starts,
    basis: String,
    calendars: &Calendars,
) -> Arc<Promise> {
    let terms = Terms {
        promise: DELIVERED.to_owned(),
        within: within.0,
        calendar: None,
        starts: starts.clone(),
        stops: Stops::Delivered,
        count: 1,
        pauses: false,
        basis,
    };
    build(terms, calendar, calendars)
}

impl Also {
    pub(super) fn build(&self, basis: String, calendars: &Calendars) -> Arc<Promise> {
        let stops = match self.stops.as_str() {
            "receipt" => Stops::Receipt,
            "answered" => Stops::Answered,
            "decided" => Stops::Decided,
            "closed" => Stops::Closed,
            kind => Stops::Kind(kind.to_owned()),
        };
        let terms = Terms {
            promise: self.name.clone(),
            within: self.within.0,
            calendar: None,
            starts: self.starts.0.clone(),
            stops,
            count: self.count.unwrap_or(1),
            pauses: self.paused_by.is_some(),
            basis,
        };
        build(terms, self.calendar.as_deref(), calendars)
    }
}

fn build(terms: Terms, calendar: Option<&str>, calendars: &Calendars) -> Arc<Promise> {
    let calendar = calendar.and_then(|name| calendars.get(name)).cloned();
    Arc::new(Promise::new(terms, calendar))
}

/// What [`is_name`] asks, for whoever wrote another.
pub(super) const NAME: &str = "a name is 1-40 of a-z, 0-9, underscore and hyphen";

/// Whether it may be the name of a promise, a calendar, a ladder or a target: it is a label of metrics and alerts.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=40).contains(&name.len()) && name.bytes().all(fits)
}

/// What is wrong with the promises of settings.
pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    for (kind, promise) in &settings.promise {
        let key = format!("promise.{kind}");
        if kind != "default" {
            check.kind(&key, kind);
        }
        budget(&key, promise.within, promise.calendar.as_deref(), Some(settings), check);
        if !matches!(promise.starts.0, Starts::Occurred | Starts::Received) {
            let problem = "the clock of being delivered starts with \"occurred\" or \"received\"";
            check.problem(format!("{key}.starts"), problem);
        }
        also(&key, kind, &promise.also, Some(settings), check);
    }
}

/// A budget that is no budget, or whose calendar is missing or no help to it. Without settings nobody knows which
/// calendars there are.
pub(super) fn budget(
    key: &str,
    within: Within,
    calendar: Option<&str>,
    settings: Option<&Settings>,
    check: &mut Check<'_>,
) {
    if within.0 == sla::Within::Time(SignedDuration::ZERO) {
        check.problem(format!("{key}.within"), "a promise is longer than nothing");
    }
    let named = calendar.filter(|name| *name != ELAPSED);
    let Some(name) = named else {
        if let sla::Within::Days(_) = within.0 {
            let problem = "business days are counted by a calendar: name one with `calendar`, or write hours";
            check.problem(format!("{key}.within"), problem);
        }
        return;
    };
    let Some(settings) = settings else { return };
    if let Some(calendar) = settings.calendar.get(name) {
        let text = units::duration_text(match within.0 {
            sla::Within::Time(time) => time.unsigned_abs(),
            sla::Within::Days(_) | sla::Within::Limit => std::time::Duration::ZERO,
        });
        if text.ends_with('d') && calendar.build().is_ok() {
            let problem = format!(
                "{text} would be so many times 24 open hours by the calendar {name:?}: write business days, or the \
                 hours in smaller units"
            );
            check.problem(format!("{key}.within"), problem);
        }
        if !holds(within.0, calendar) {
            check.problem(
                format!("{key}.within"),
                format!("the calendar {name:?} has not so much time in ten years"),
            );
        }
        return;
    }
    let there = check.place("calendar");
    let known: Vec<&str> = settings.calendar.keys().map(String::as_str).collect();
    check.problem(
        format!("{key}.calendar"),
        format!(
            "the promise counts by the calendar {name:?}, and there is none of that name: write [calendar.{name}] \
             (the calendars, {there}: {})",
            known.join(", ")
        ),
    );
}

/// Whether the budget fits into the calendar, wherever in a week it starts.
fn holds(within: sla::Within, calendar: &super::calendar::Calendar) -> bool {
    let Ok(built) = calendar.build() else { return true };
    // Any instant: what matters is that it is open often enough.
    let start = jiff::Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56);
    match within {
        sla::Within::Time(time) => built.add_business(start, time).is_some(),
        sla::Within::Days(days) => built.add_days(start, days).is_some(),
        sla::Within::Limit => true,
    }
}

/// What is wrong with promises beside that of being delivered.
pub(super) fn also(key: &str, kind: &str, all: &[Also], settings: Option<&Settings>, check: &mut Check<'_>) {
    for (number, promise) in all.iter().enumerate() {
        let at = |setting: &str| format!("{key}.also[{number}].{setting}");
        if !is_name(&promise.name) {
            check.problem(at("name"), NAME);
        }
        if promise.name == DELIVERED || all[..number].iter().any(|before| before.name == promise.name) {
            check.problem(at("name"), format!("{:?} is promised already", promise.name));
        }
        budget(
            &format!("{key}.also[{number}]"),
            promise.within,
            promise.calendar.as_deref(),
            settings,
            check,
        );
        stops(&at("stops"), kind, promise, check);
        begins::check(&format!("{key}.also[{number}]"), kind, promise, check);
        let is_kind = !CASE_WORDS.contains(&promise.stops.as_str());
        if promise.count.is_some_and(|count| !(1..=COUNT_MAX).contains(&count) || !is_kind) {
            let problem = format!("so many messages of a kind are counted, from 1 to {COUNT_MAX}");
            check.problem(at("count"), problem);
        }
        if promise.paused_by.is_some() && !matches!(&*promise.stops, "answered" | "decided" | "closed") {
            check.problem(at("paused_by"), "a case can only wait for information while it is not decided");
        }
    }
    if all.len() > FURTHER_MAX {
        check.problem(
            format!("{key}.also"),
            format!("a message is promised {FURTHER_MAX} things beside being delivered at the most"),
        );
    }
}

/// What an agreement promises comes beside what the kind is promised anyway, or in its place under the same name: together
/// they are no more than one message's clocks.
pub(super) fn together(key: &str, kind: &str, agreed: &[Also], settings: &Settings, check: &mut Check<'_>) {
    let general = settings.promise.get(kind).map(|promise| (kind, promise));
    let general = general.or_else(|| Some(("default", settings.promise.get("default")?)));
    let Some((of, general)) = general else { return };
    let more = general.also.iter().filter(|one| agreed.iter().all(|own| own.name != one.name)).count();
    if agreed.len() <= FURTHER_MAX && agreed.len() + more > FURTHER_MAX {
        let there = check.place(format!("promise.{of}.also"));
        let problem = format!(
            "with what {there} promises these are {}: a message is promised {FURTHER_MAX} things beside being delivered at \
             the most",
            agreed.len() + more
        );
        check.problem(format!("{key}.also"), problem);
    }
}

fn stops(key: &str, kind: &str, promise: &Also, check: &mut Check<'_>) {
    if CASE_WORDS.contains(&promise.stops.as_str()) {
        return;
    }
    let find = |name: &str| KINDS.iter().find(|kind| kind.name == name);
    let Some(stopping) = find(&promise.stops) else {
        let problem = format!(
            "{:?} is neither receipt, answered, decided, closed nor the name of a kind",
            promise.stops
        );
        check.problem(key, problem);
        return;
    };
    let without: Vec<&str> = [find(kind), Some(stopping)]
        .into_iter()
        .flatten()
        .filter(|kind| !kind.is_about_a_citizen())
        .map(|kind: &&Kind| kind.name)
        .collect();
    if !without.is_empty() || kind == "default" {
        let who = if kind == "default" { "every kind" } else { without[0] };
        let problem = format!("messages are found by their citizen, and {who} need not name one");
        check.problem(key, problem);
    }
}
