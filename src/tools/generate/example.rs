//! A kind's example, moved to another day and told of other people.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, civil::Date};
use serde_json::Value;

use super::{chance::Chance, earlier, never_issued};
use crate::{
    domain::{Cpr, calendar::copenhagen},
    kinds::KINDS,
};

/// The data of the kind's example, and the id of the message that it answers, if any. Every day and instant in the
/// data is moved by as many days as lie between the example's own time and `time`, and everybody has another CPR number
/// and about the same age.
///
/// # Panics
/// On a kind that the gateway does not know.
pub(super) fn retold(kind: &str, chance: &mut Chance, time: Timestamp) -> (Value, Option<String>) {
    let known = KINDS.iter().find(|known| known.name == kind);
    let known = known.unwrap_or_else(|| panic!("no kind is called {kind:?}"));
    let mut event: Value = serde_json::from_str(known.example).expect("an example is JSON");
    let then: Timestamp =
        event["time"].as_str().and_then(|at| at.parse().ok()).expect("an example has a time");
    let day = |at| copenhagen().to_datetime(at).date();
    let days = day(then).until(day(time)).map_or(0, |span| span.get_days());
    let mut data = event["data"].take();
    Retelling { days, chance, people: BTreeMap::new() }.tell(&mut data, false);
    (data, event["correlationid"].as_str().map(str::to_owned))
}

struct Retelling<'c> {
    days: i32,
    chance: &'c mut Chance,
    /// Who stands for whom: the same person stays the same within a message.
    people: BTreeMap<String, String>,
}

impl Retelling<'_> {
    fn tell(&mut self, value: &mut Value, is_cpr: bool) {
        match value {
            Value::Object(members) => {
                members.iter_mut().for_each(|(name, member)| self.tell(member, name == "cpr"));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.tell(item, is_cpr)),
            Value::String(text) if is_cpr => *text = self.person(text),
            Value::String(text) => *text = later(text, self.days).unwrap_or_else(|| std::mem::take(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn person(&mut self, cpr: &str) -> String {
        if let Some(known) = self.people.get(cpr) {
            return known.clone();
        }
        let born = Cpr::parse(cpr).expect("an example's people have CPR numbers").born();
        let born = earlier(born, self.chance.below(300));
        let other = never_issued(self.chance, born);
        self.people.insert(cpr.to_owned(), other.clone());
        other
    }
}

/// A day or an instant with its offset, so many days later by Danish clocks.
fn later(text: &str, days: i32) -> Option<String> {
    let span = Span::new().days(days);
    if text.len() == 10 {
        return text.parse::<Date>().ok()?.checked_add(span).ok().map(|day| day.to_string());
    }
    let instant: Timestamp = text.parse().ok()?;
    let local = copenhagen().to_datetime(instant).checked_add(span).ok()?;
    let instant = copenhagen().to_ambiguous_timestamp(local).compatible().ok()?;
    Some(instant.display_with_offset(copenhagen().to_offset(instant)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_move_by_danish_clocks_and_words_stay() {
        for (text, days, expected) in [
            ("2026-11-02", 30, Some("2026-12-02")),
            ("2026-10-24T10:00:00+02:00", 1, Some("2026-10-25T10:00:00+01:00")),
            ("2026-11-02T09:15:00Z", 0, Some("2026-11-02T10:15:00+01:00")),
            ("0707-2026", 3, None),
            ("2026-13-02", 3, None),
            ("i morgen!!", 3, None),
        ] {
            assert_eq!(later(text, days).as_deref(), expected, "{text}");
        }
    }
}
