//! Agreements: what is wrong with one by itself, and which two cannot stand beside each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Check, fallbacks, limits, particulars};
use crate::{
    config::{
        Settings,
        agreement::{Agreement, EVERY},
        promise,
    },
    domain::{
        self,
        agreement::{FieldRule, Side},
        party::PartyKind,
    },
    kinds::KINDS,
};

/// The largest bound that a field's number may have.
const AT_MOST_MAX: i64 = 1_000_000_000;

/// `parties` are the codes that are configured; without them nobody asks whether a code is.
pub(super) fn check(settings: &Settings, parties: Option<&BTreeSet<String>>, check: &mut Check<'_>) {
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, agreement) in settings.agreement.iter().enumerate() {
        let one = One { place, agreement };
        if let Some(first) = ids.insert(&agreement.id, place) {
            let there = check.place(format!("agreement[{first}].id"));
            check.problem(one.at("id"), format!("{:?} is configured twice, first at {there}", agreement.id));
        }
        one.check_sides(parties, check);
        one.check_kinds(check);
        one.check_promises(parties.map(|_| settings), check);
        one.check_groups(check);
        one.check_phases(check);
        one.check_rules(check);
        particulars::check(agreement, |setting| one.at(setting), check);
    }
    let calendars = crate::config::calendar::calendars(settings).unwrap_or_default();
    let built: Vec<_> = settings.agreement.iter().map(|agreement| agreement.build(&calendars)).collect();
    if let Ok(built) = built.into_iter().collect::<Result<Vec<_>, _>>() {
        check_frames(&built, &ids, check);
        check_clashes(&built, check);
    }
}

struct One<'a> {
    place: usize,
    agreement: &'a Agreement,
}

impl One<'_> {
    fn at(&self, setting: &str) -> String {
        format!("agreement[{}].{setting}", self.place)
    }

    fn check_sides(&self, parties: Option<&BTreeSet<String>>, check: &mut Check<'_>) {
        let agreement = self.agreement;
        if !(1..=60).contains(&agreement.id.chars().count()) {
            check.problem(self.at("id"), "an id has 1 to 60 characters");
        }
        if agreement.valid_to.is_some_and(|last| last < agreement.valid_from) {
            check.problem(self.at("valid_to"), "the last day lies before the first");
        }
        let sides = [
            ("akasse", "akasser", &agreement.akasse, &agreement.akasser, PartyKind::Akasse),
            ("jobcenter", "jobcenters", &agreement.jobcenter, &agreement.jobcenters, PartyKind::Jobcenter),
        ];
        for (single, several, one, list, kind) in sides {
            let numbered =
                list.iter().enumerate().map(|(n, code)| (self.at(&format!("{several}[{n}]")), code));
            let named: Vec<(String, &String)> =
                one.iter().map(|code| (self.at(single), code)).chain(numbered).collect();
            if named.is_empty() {
                check.problem(self.at("id"), format!("it names no {single}"));
            }
            for (key, code) in named.iter().filter(|(_, code)| *code != EVERY) {
                if check.party(key, code).is_some_and(|party| party.kind() != kind) {
                    check.problem(key, format!("{code:?} is no {single}"));
                }
            }
            let Some(parties) = parties.filter(|_| kind == PartyKind::Akasse) else { continue };
            let (Some((key, first)), false) =
                (named.first(), named.iter().any(|(_, code)| *code == EVERY || parties.contains(*code)))
            else {
                continue;
            };
            check.problem(
                key,
                match named.len() {
                    1 => format!("no party has the code {first:?}"),
                    _ => "no party has any of these codes".to_owned(),
                },
            );
        }
    }

    /// A kind that exists, and that the agreement takes: `said` is what it says of it.
    fn kind(&self, key: &str, kind: &str, said: &str, check: &mut Check<'_>) {
        if !KINDS.iter().any(|known| known.name == kind) {
            let known: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
            check.problem(key, format!("no kind is called {kind:?}; the kinds are {}", known.join(", ")));
        } else if !self.agreement.kinds.is_empty() && !self.agreement.kinds.iter().any(|k| k == kind) {
            let there = check.place(self.at("kinds"));
            check.problem(key, format!("it {said} {kind}, which is not among the kinds it takes ({there})"));
        }
    }

    fn check_kinds(&self, check: &mut Check<'_>) {
        for (number, kind) in self.agreement.kinds.iter().enumerate() {
            self.kind(&self.at(&format!("kinds[{number}]")), kind, "takes", check);
        }
        for (number, cap) in self.agreement.caps.iter().enumerate() {
            for kind in &cap.kinds {
                self.kind(&self.at(&format!("cap[{number}].kinds")), kind, "caps", check);
            }
        }
    }

    /// Without `settings` nobody knows which calendars there are.
    fn check_promises(&self, settings: Option<&Settings>, check: &mut Check<'_>) {
        for (kind, agreed) in &self.agreement.promises {
            let key = self.at(&format!("promises.{kind}"));
            self.kind(&key, kind, "promises", check);
            match agreed.within.as_deref().map(str::parse) {
                Some(Ok(within)) => {
                    promise::budget(&key, within, agreed.calendar.as_deref(), settings, check);
                }
                Some(Err(problem)) => check.problem(&key, problem),
                None if agreed.also.is_empty() => {
                    check.problem(&key, "it promises nothing: write `within` or `also`");
                }
                None => {}
            }
            promise::also(&key, kind, &agreed.also, settings, check);
            for (number, also) in agreed.also.iter().enumerate() {
                if KINDS.iter().any(|known| known.name == also.stops) {
                    self.kind(&format!("{key}.also[{number}].stops"), &also.stops, "waits for", check);
                }
            }
            if let Some(settings) = settings {
                promise::together(&key, kind, &agreed.also, settings, check);
            }
            fallbacks::alone(&key, agreed, check);
            limits::alone(&key, kind, (self.agreement, agreed), check);
        }
    }

    fn check_groups(&self, check: &mut Check<'_>) {
        let groups = &self.agreement.groups;
        for (number, group) in groups.iter().enumerate() {
            let key = self.at(&format!("group[{number}]"));
            if matches!((group.from_age, group.to_age), (Some(from), Some(to)) if to < from) {
                check.problem(format!("{key}.to_age"), "the band ends before it begins");
            }
            for (other, before) in groups[..number].iter().enumerate() {
                let there = check.place(self.at(&format!("group[{other}]")));
                if before.code == group.code {
                    check.problem(
                        format!("{key}.code"),
                        format!("{:?} is a group already, at {there}", group.code),
                    );
                } else if before.overlaps(group) {
                    check.problem(
                        &key,
                        format!(
                            "groups {} ({}) and {} ({}, {there}) share ages",
                            group.code,
                            group.ages(),
                            before.code,
                            before.ages()
                        ),
                    );
                }
            }
        }
    }

    fn check_phases(&self, check: &mut Check<'_>) {
        for (number, phase) in self.agreement.phases.iter().enumerate() {
            let key = self.at(&format!("phase[{number}]"));
            if phase.kinds.is_empty() && phase.groups.is_empty() {
                check.problem(&key, "a phase names the kinds or the groups that wait for it");
            }
            for kind in &phase.kinds {
                self.kind(&format!("{key}.kinds"), kind, "has a phase for", check);
            }
            for group in &phase.groups {
                if !self.agreement.groups.iter().any(|known| &known.code == group) {
                    check.problem(format!("{key}.groups"), format!("no group has the code {group:?}"));
                }
            }
            if self.agreement.valid_to.is_some_and(|last| last < phase.from) {
                let there = check.place(self.at("valid_to"));
                check.problem(
                    format!("{key}.from"),
                    format!("the phase begins after the agreement's last day ({there})"),
                );
            }
        }
    }

    fn check_rules(&self, check: &mut Check<'_>) {
        for (kind, rules) in &self.agreement.rules {
            let key = self.at(&format!("rules.{kind}"));
            self.kind(&key, kind, "has rules for", check);
            if rules.clause.is_empty() && (rules.format.is_some() || !rules.channels.is_empty()) {
                check.problem(
                    format!("{key}.clause"),
                    "a format or channel that is demanded needs its clause",
                );
            }
            for (number, field) in rules.fields.iter().enumerate() {
                check_field(&format!("{key}.field[{number}]"), field, check);
            }
        }
    }
}

fn check_field(key: &str, field: &FieldRule, check: &mut Check<'_>) {
    let pointers =
        [("pointer", Some(&field.pointer)), ("when.pointer", field.when.as_ref().map(|w| &w.pointer))];
    for (setting, pointer) in pointers {
        if pointer.is_some_and(|pointer| !pointer.starts_with("/data/")) {
            check.problem(format!("{key}.{setting}"), "a pointer begins with /data/");
        }
    }
    if field.clause.is_empty() {
        check.problem(format!("{key}.clause"), "a rule names the clause it comes from");
    }
    let bounds = [field.equals.is_some(), !field.one_of.is_empty(), field.at_most.is_some()];
    if bounds.into_iter().filter(|bound| *bound).count() > 1 {
        check.problem(key, "of equals, one_of and at_most there is one at the most");
    }
    if field.at_most.is_some_and(|most| !(-AT_MOST_MAX..=AT_MOST_MAX).contains(&most)) {
        check.problem(format!("{key}.at_most"), "a bound is a thousand million at the most");
    }
    let when = field.when.iter().flat_map(|when| &when.one_of);
    if field
        .equals
        .iter()
        .chain(&field.one_of)
        .chain(when)
        .any(|v| matches!(v, Value::Array(_) | Value::Object(_)))
    {
        check.problem(key, "a value is a text, a number, true or false");
    }
}

/// A sub-agreement names one that exists, and holds between parties of it.
fn check_frames(built: &[domain::Agreement], ids: &BTreeMap<&str, usize>, check: &mut Check<'_>) {
    for (place, agreement) in built.iter().enumerate() {
        let Some(under) = &agreement.under else { continue };
        let key = format!("agreement[{place}].under");
        match ids.get(under.as_str()) {
            None => check.problem(key, format!("no agreement has the id {under:?}")),
            Some(frame) if *frame == place => check.problem(key, "an agreement is not under itself"),
            Some(frame) => {
                let above = &built[*frame];
                if !above.akasser.includes(&agreement.akasser)
                    || !above.jobcenters.includes(&agreement.jobcenters)
                {
                    let there = check.place(format!("agreement[{frame}].id"));
                    check.problem(
                        key,
                        format!("{under} ({there}) is not between all the parties of this one"),
                    );
                }
            }
        }
    }
}

/// Two in force on the same day, between the same parties, for the same kind.
fn check_clashes(built: &[domain::Agreement], check: &mut Check<'_>) {
    for (first, second) in candidates(built) {
        let (one, other) = (&built[first], &built[second]);
        if one.id == other.id {
            continue;
        }
        let Some(kind) = one.clashes_with(other) else { continue };
        let there = check.place(format!("agreement[{first}].id"));
        check.problem(
            format!("agreement[{second}].id"),
            format!(
                "{} and {} ({there}) are in force at the same time between the same parties for {kind}; end one, or \
                 say with `under` which is the other's sub-agreement",
                other.id, one.id
            ),
        );
    }
}

/// Pairs that share an a-kasse and a jobcenter, found without comparing everything with everything.
fn candidates(built: &[domain::Agreement]) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    let mut of_pair: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, agreement) in built.iter().enumerate() {
        match (&agreement.akasser, &agreement.jobcenters) {
            (Side::These(akasser), Side::These(jobcenters)) => {
                for pair in akasser.iter().flat_map(|a| jobcenters.iter().map(move |j| (a, j))) {
                    of_pair.entry(pair).or_default().push(place);
                }
            }
            _ => found.extend((0..built.len()).filter(|p| *p != place).map(|p| (p.min(place), p.max(place)))),
        }
    }
    for places in of_pair.values() {
        for (number, first) in places.iter().enumerate() {
            found.extend(places[number + 1..].iter().filter(|p| *p != first).map(|second| (*first, *second)));
        }
    }
    found
}
