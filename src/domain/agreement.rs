//! A cooperation agreement: who, when, which kinds, and what it promises.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{Party, sla::Promise};

/// What happens to traffic that no agreement in force covers. Complaints are carried all the same, with a
/// warning: the citizen's deadline does not depend on the parties' paperwork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutsideValidity {
    /// The message is refused.
    #[default]
    Refuse,
    /// The message is taken with a warning.
    Flag,
    /// The message is taken with a warning, and its deliveries wait for an agreement or a person.
    Hold,
}

/// One agreement between one a-kasse and one jobcenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The id that messages name: 1–60 characters.
    pub id: String,
    pub akasse: Party,
    pub jobcenter: Party,
    /// The first day it is in force, in Danish local time.
    pub valid_from: Date,
    /// The last day it is in force; `None`: until terminated.
    pub valid_to: Option<Date>,
    /// The kinds it takes; empty: every kind.
    pub kinds: Vec<String>,
    /// Promises that replace the general ones, by kind.
    pub promises: BTreeMap<String, SignedDuration>,
}

impl Agreement {
    /// Whether it is in force at that instant: by the Danish date, both days included.
    pub fn in_force(&self, at: Timestamp) -> bool {
        let day = at.to_zoned(copenhagen()).date();
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }

    /// Whether it is between these two, in either direction.
    pub fn between(&self, one: &Party, other: &Party) -> bool {
        (&self.akasse == one && &self.jobcenter == other) || (&self.akasse == other && &self.jobcenter == one)
    }

    pub fn takes(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|k| k == kind)
    }

    /// What it promises a kind beyond or instead of the general promise.
    pub fn promise(&self, kind: &str) -> Option<Promise> {
        self.promises.get(kind).map(|within| Promise { name: "delivered".to_owned(), within: *within })
    }
}

/// Danish local time.
pub fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").expect("the zone is bundled with the program")
}

/// Which agreement a message goes under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    InForce(&'a Agreement),
    /// The message names one that is not between these parties, or not known.
    NotTheirs,
    /// Several are in force and the message does not say which: their ids.
    Several(Vec<&'a str>),
    /// None in force at the message's time; the nearest that was, where there is one.
    Outside(Option<&'a Agreement>),
}

/// Finds the agreement in force between two parties at the message's business time.
pub fn find<'a>(
    all: &'a [Agreement],
    one: &Party,
    other: &Party,
    named: Option<&str>,
    at: Timestamp,
) -> Found<'a> {
    let theirs: Vec<&Agreement> = all.iter().filter(|a| a.between(one, other)).collect();
    if let Some(id) = named {
        return match theirs.iter().find(|a| a.id == id) {
            None => Found::NotTheirs,
            Some(a) if a.in_force(at) => Found::InForce(a),
            Some(a) => Found::Outside(Some(a)),
        };
    }
    let in_force: Vec<&Agreement> = theirs.iter().copied().filter(|a| a.in_force(at)).collect();
    match in_force[..] {
        [one] => Found::InForce(one),
        [] => Found::Outside(theirs.into_iter().max_by_key(|a| a.valid_from)),
        _ => Found::Several(in_force.into_iter().map(|a| a.id.as_str()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn agreement(id: &str, from: Date, to: Option<Date>) -> Agreement {
        Agreement {
            id: id.into(),
            akasse: "urn:dk:akasse:krifa".parse().unwrap(),
            jobcenter: "urn:dk:jobcenter:0101".parse().unwrap(),
            valid_from: from,
            valid_to: to,
            kinds: vec![],
            promises: BTreeMap::new(),
        }
    }

    fn search<'a>(all: &'a [Agreement], named: Option<&str>, at: &str) -> Found<'a> {
        let krifa = "urn:dk:akasse:krifa".parse().unwrap();
        let copenhagen = "urn:dk:jobcenter:0101".parse().unwrap();
        find(all, &krifa, &copenhagen, named, at.parse().unwrap())
    }

    #[test]
    fn the_agreement_in_force_at_the_business_time_decides() {
        let all = [
            agreement("old", date(2023, 8, 1), Some(date(2025, 8, 1))),
            agreement("new", date(2025, 8, 2), None),
        ];
        assert_eq!(search(&all, None, "2025-08-01T23:59:59+02:00"), Found::InForce(&all[0]));
        assert_eq!(search(&all, None, "2025-08-02T00:00:00+02:00"), Found::InForce(&all[1]));
        assert_eq!(search(&all, None, "2023-07-31T12:00:00+02:00"), Found::Outside(Some(&all[1])));
        assert_eq!(search(&all, Some("old"), "2026-01-01T12:00:00+01:00"), Found::Outside(Some(&all[0])));
        assert_eq!(search(&all, Some("other"), "2026-01-01T12:00:00+01:00"), Found::NotTheirs);
    }

    #[test]
    fn two_in_force_need_a_name() {
        let all = [agreement("a", date(2024, 1, 1), None), agreement("b", date(2024, 1, 1), None)];
        assert_eq!(search(&all, None, "2026-01-01T12:00:00+01:00"), Found::Several(vec!["a", "b"]));
        assert_eq!(search(&all, Some("b"), "2026-01-01T12:00:00+01:00"), Found::InForce(&all[1]));
    }
}
