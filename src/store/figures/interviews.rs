//! Groups of interviews, kept small: a report may have very many of them.

use std::{collections::HashMap, sync::Arc};

use super::{Counts, Interviews};
use crate::domain::figure::{Month, Timeliness};

/// Groups in the order in which they came. Each takes 32 bytes; every name is kept once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterviewGroups {
    names: Names,
    groups: Vec<Group>,
}

/// Which group: names are those of its jobcenter, kind of interview and a-kasse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of<'a> {
    pub month: Month,
    pub jobcenter: &'a str,
    pub interview: &'a str,
    pub akasse: &'a str,
    pub own: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    month: Month,
    /// Jobcenter, interview, a-kasse.
    names: [u32; 3],
    /// By the number of the timeliness.
    counts: [u32; 3],
    own: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("fewer names than groups");
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: u32) -> String {
        self.names[number as usize].to_string()
    }
}

impl InterviewGroups {
    /// Counts on where the group is the one that came last. Of one group there are fewer than 2^32 interviews.
    pub fn add(&mut self, of: Of<'_>, timeliness: Timeliness, count: u32) {
        let names = [of.jobcenter, of.interview, of.akasse].map(|name| self.names.number(name));
        let next = Group { month: of.month, names, counts: [0; 3], own: of.own };
        let is_last = self.groups.last().is_some_and(|last| Group { counts: [0; 3], ..*last } == next);
        if !is_last {
            self.groups.push(next);
        }
        if let Some(last) = self.groups.last_mut() {
            let held = &mut last.counts[place(timeliness)];
            *held = held.saturating_add(count);
        }
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Each with its names, one at a time.
    pub fn iter(&self) -> impl Iterator<Item = Interviews> + '_ {
        self.groups.iter().map(|group| {
            let [jobcenter, interview, akasse] = group.names.map(|number| self.names.name(number));
            let count = |timeliness| u64::from(group.counts[place(timeliness)]);
            let counts = Counts {
                in_time: count(Timeliness::InTime),
                late: count(Timeliness::Late),
                not_held: count(Timeliness::NotHeld),
            };
            Interviews { month: group.month, jobcenter, interview, akasse, own: group.own, counts }
        })
    }
}

fn place(timeliness: Timeliness) -> usize {
    match timeliness {
        Timeliness::InTime => 0,
        Timeliness::Late => 1,
        Timeliness::NotHeld => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_small_and_comes_back_as_it_was_counted() {
        assert!(size_of::<Group>() <= 32);
        let mut groups = InterviewGroups::default();
        let month = Month::of(jiff::civil::date(2026, 11, 1));
        let of = |akasse, own| Of { month, jobcenter: "0101", interview: "cvInterview", akasse, own };
        groups.add(of("3f", false), Timeliness::InTime, 8);
        groups.add(of("3f", false), Timeliness::NotHeld, 2);
        groups.add(of("3f", true), Timeliness::Late, 1);
        groups.add(Of { month: month.plus(1), ..of("3f", true) }, Timeliness::Late, 3);
        groups.add(of("cvInterview", false), Timeliness::Late, 4);
        let told: Vec<_> = groups
            .iter()
            .map(|g| (g.month, g.akasse, g.own, (g.counts.in_time, g.counts.late, g.counts.not_held)))
            .collect();
        let expected = [
            (month, "3f".to_owned(), false, (8, 0, 2)),
            (month, "3f".to_owned(), true, (0, 1, 0)),
            (month.plus(1), "3f".to_owned(), true, (0, 3, 0)),
            (month, "cvInterview".to_owned(), false, (0, 4, 0)),
        ];
        assert_eq!(told, expected);
        assert_eq!((groups.len(), groups.is_empty()), (4, false));
    }
}
