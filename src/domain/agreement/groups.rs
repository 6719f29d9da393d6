//! Whom an agreement is about: age bands with the time for which they are placed, and phases.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Agreement, Period, danish_day};
use crate::domain::Cpr;

/// A band of ages, and how long its citizens stay with the a-kasse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct Group {
    /// Short and its own within the agreement, e.g. `A`.
    pub code: String,
    /// In whole years on the day of the message; none: from birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_age: Option<u8>,
    /// The last year of age that belongs to it; none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_age: Option<u8>,
    /// How long its citizens are placed, from the first day of unemployment; none: no limit is agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Period>,
    pub clause: String,
}

impl Group {
    /// Whether someone of that age in whole years belongs to it.
    pub fn holds(&self, age: i16) -> bool {
        self.from_age.is_none_or(|from| i16::from(from) <= age)
            && self.to_age.is_none_or(|to| age <= i16::from(to))
    }

    /// Whether anybody could belong to both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from_age.unwrap_or(0) <= other.to_age.unwrap_or(u8::MAX)
            && other.from_age.unwrap_or(0) <= self.to_age.unwrap_or(u8::MAX)
    }

    /// `30-59`, `60-`, `-29` or `every age`.
    pub fn ages(&self) -> String {
        let year = |age: Option<u8>| age.map_or_else(String::new, |age| age.to_string());
        match (self.from_age, self.to_age) {
            (None, None) => "every age".to_owned(),
            (from, to) => format!("{}-{}", year(from), year(to)),
        }
    }
}

/// Kinds or groups that are taken only from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct Phase {
    pub name: String,
    /// The first day on which they are taken.
    pub from: Date,
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Codes of groups.
    #[serde(default)]
    pub groups: Vec<String>,
    pub clause: String,
}

impl Agreement {
    /// The group a citizen belongs to on the day of `at`.
    pub fn group_of(&self, citizen: &Cpr, at: Timestamp) -> Option<&Group> {
        let age = citizen.age_on(danish_day(at));
        self.groups.iter().find(|group| group.holds(age))
    }

    /// The last day on which a citizen of the group with that code, unemployed since `first_day`, is placed with
    /// the a-kasse. Nothing where there is no such group, or the agreement sets it no limit.
    ///
    /// This is the agreement's own limit. The transfer date that the law counts by paid benefit hours is told
    /// by the a-kasse and is never computed from it.
    pub fn limit_day(&self, group: &str, first_day: Date) -> Option<Date> {
        let group = self.groups.iter().find(|known| known.code == group)?;
        Some(group.limit?.last_day(first_day))
    }

    /// The same for a citizen: the group is that of their age on the first day, or on the day of `at` where they
    /// belonged to none then.
    pub fn last_day_of(&self, citizen: &Cpr, first_day: Date, at: Timestamp) -> Option<Date> {
        let age = citizen.age_on(first_day);
        let group =
            self.groups.iter().find(|group| group.holds(age)).or_else(|| self.group_of(citizen, at))?;
        self.limit_day(&group.code, first_day)
    }

    /// The phase for which a group waits on that day.
    pub fn awaited_by(&self, group: &Group, day: Date) -> Option<&Phase> {
        let mut of_group = self.phases.iter().filter(|phase| phase.groups.contains(&group.code));
        let first = of_group.next()?;
        (first.from > day && of_group.all(|phase| phase.from > day)).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{super::tests::agreement, *};

    fn group(code: &str, from_age: Option<u8>, to_age: Option<u8>, limit: Option<&str>) -> Group {
        let limit = limit.map(|text| text.parse().unwrap());
        Group { code: code.into(), from_age, to_age, limit, clause: "4".into() }
    }

    /// København 2009.
    fn placed() -> Agreement {
        let groups = vec![
            group("A", Some(30), Some(59), Some("26 weeks")),
            group("B", Some(60), None, Some("16 weeks")),
        ];
        Agreement { groups, ..agreement("kbh", date(2009, 8, 1), None) }
    }

    #[test]
    fn the_age_on_the_day_of_the_message_decides_the_group() {
        // Born 1961-07-07: 30 in 1991, 60 in 2021.
        let citizen = Cpr::parse("0707614285").unwrap();
        let agreement = placed();
        for (at, code) in [
            ("1991-07-06T21:59:59Z", None),
            ("1991-07-06T22:00:00Z", Some("A")),
            ("2021-07-06T21:59:59Z", Some("A")),
            ("2021-07-06T22:00:00Z", Some("B")),
            ("2026-11-22T12:00:00Z", Some("B")),
        ] {
            let found = agreement.group_of(&citizen, at.parse().unwrap());
            assert_eq!(found.map(|g| g.code.as_str()), code, "{at}");
        }
    }

    #[test]
    fn each_group_has_its_own_last_day() {
        let first = date(2009, 8, 3);
        let mut agreement = placed();
        agreement.groups.push(group("C", None, Some(29), None));
        assert_eq!(agreement.limit_day("A", first), Some(date(2010, 1, 31)));
        assert_eq!(agreement.limit_day("B", first), Some(date(2009, 11, 22)));
        assert_eq!(agreement.limit_day("C", first), None, "no limit is agreed");
        assert_eq!(agreement.limit_day("D", first), None, "there is no such group");
    }

    #[test]
    fn bands_that_share_an_age_overlap() {
        let (young, middle, old) = (
            group("Y", None, Some(29), None),
            group("A", Some(30), Some(59), None),
            group("B", Some(59), None, None),
        );
        assert!(!young.overlaps(&middle) && !middle.overlaps(&young));
        assert!(middle.overlaps(&old) && old.overlaps(&middle));
        assert!(group("E", None, None, None).overlaps(&young));
        let ages = [young, middle, old, group("E", None, None, None)].map(|g| g.ages());
        assert_eq!(ages, ["-29", "30-59", "59-", "every age"]);
    }
}
