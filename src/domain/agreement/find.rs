//! Which agreement a message goes under: the one in force on the Danish day of its business time.

use jiff::{Timestamp, civil::Date};

use super::{Agreement, danish_day};
use crate::domain::Party;

/// Which agreement a message goes under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// It may still not take the kind.
    InForce(&'a Agreement),
    /// The message names one that is not between these parties, or not known.
    NotTheirs,
    /// Several are in force and the message does not say which: their ids.
    Several(Vec<&'a str>),
    /// None in force at the message's time; the nearest that was or will be, where there is one.
    Outside(Option<&'a Agreement>),
}

/// Finds the agreement in force between two parties at the message's business time. Of several it is the one
/// that takes the kind; of those the sub-agreement (delaftale) goes before the agreement it is under.
pub fn find<'a>(
    all: &'a [Agreement],
    (one, other): (&Party, &Party),
    kind: &str,
    named: Option<&str>,
    at: Timestamp,
) -> Found<'a> {
    let day = danish_day(at);
    if let Some(id) = named {
        return match all.iter().find(|a| a.id == id && a.between(one, other)) {
            None => Found::NotTheirs,
            Some(a) if a.covers(day) => Found::InForce(a),
            Some(a) => Found::Outside(Some(a)),
        };
    }
    let in_force = || all.iter().filter(|a| a.covers(day) && a.between(one, other));
    let mut chosen: Option<&Agreement> = None;
    let mut rivals = false;
    for next in in_force() {
        chosen = Some(match chosen {
            None => next,
            Some(best) => match (best.takes(kind), next.takes(kind)) {
                (true, false) => best,
                (false, true) => next,
                _ if next.is_under(best) => next,
                _ if best.is_under(next) => best,
                (takes, _) => {
                    rivals |= takes;
                    best
                }
            },
        });
    }
    match chosen {
        Some(_) if rivals => {
            Found::Several(in_force().filter(|a| a.takes(kind)).map(|a| a.id.as_str()).collect())
        }
        // A framework says nothing against what a local agreement would take, if one were in force.
        Some(frame) if frame.framework && !frame.takes(kind) => {
            let local = |a: &&Agreement| !a.framework && a.between(one, other);
            nearest(all.iter().filter(local), day).map_or(Found::InForce(frame), |a| Found::Outside(Some(a)))
        }
        Some(agreement) => Found::InForce(agreement),
        None => Found::Outside(nearest(all.iter().filter(|a| a.between(one, other)), day)),
    }
}

fn nearest<'a>(agreements: impl Iterator<Item = &'a Agreement>, day: Date) -> Option<&'a Agreement> {
    agreements.min_by_key(|agreement| distance(agreement, day))
}

/// Days between a day and the agreement's validity.
fn distance(agreement: &Agreement, day: Date) -> i32 {
    let days = |from: Date, to: Date| from.until(to).map_or(i32::MAX, |span| span.get_days());
    match agreement.valid_to {
        Some(last) if last < day => days(last, day),
        _ if day < agreement.valid_from => days(day, agreement.valid_from),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{super::tests::agreement, *};

    fn search<'a>(all: &'a [Agreement], kind: &str, named: Option<&str>, at: &str) -> Found<'a> {
        let krifa = "urn:dk:akasse:krifa".parse().unwrap();
        let copenhagen = "urn:dk:jobcenter:0101".parse().unwrap();
        let found = find(all, (&krifa, &copenhagen), kind, named, at.parse().unwrap());
        assert_eq!(found, find(all, (&copenhagen, &krifa), kind, named, at.parse().unwrap()), "either way");
        found
    }

    #[test]
    fn the_agreement_in_force_at_the_business_time_decides() {
        let all = [
            agreement("old", date(2023, 8, 1), Some(date(2025, 8, 1))),
            agreement("new", date(2025, 8, 2), None),
        ];
        let search = |named, at| search(&all, "complaint", named, at);
        assert_eq!(search(None, "2025-08-01T23:59:59+02:00"), Found::InForce(&all[0]));
        assert_eq!(search(None, "2025-08-02T00:00:00+02:00"), Found::InForce(&all[1]));
        assert_eq!(search(None, "2023-07-31T12:00:00+02:00"), Found::Outside(Some(&all[0])));
        assert_eq!(search(Some("old"), "2026-01-01T12:00:00+01:00"), Found::Outside(Some(&all[0])));
        assert_eq!(search(Some("other"), "2026-01-01T12:00:00+01:00"), Found::NotTheirs);
    }

    #[test]
    fn the_nearest_validity_is_named_outside_all() {
        let all = [
            agreement("first", date(2009, 1, 1), Some(date(2009, 12, 31))),
            agreement("last", date(2020, 1, 1), Some(date(2020, 12, 31))),
        ];
        for (at, nearest) in
            [("2011-01-01T12:00:00Z", 0), ("2019-01-01T12:00:00Z", 1), ("2030-01-01T12:00:00Z", 1)]
        {
            assert_eq!(search(&all, "complaint", None, at), Found::Outside(Some(&all[nearest])), "{at}");
        }
    }

    #[test]
    fn two_in_force_need_a_name() {
        let all = [agreement("a", date(2024, 1, 1), None), agreement("b", date(2024, 1, 1), None)];
        let at = "2026-01-01T12:00:00+01:00";
        assert_eq!(search(&all, "complaint", None, at), Found::Several(vec!["a", "b"]));
        assert_eq!(search(&all, "complaint", Some("b"), at), Found::InForce(&all[1]));
    }

    #[test]
    fn a_sub_agreement_goes_before_its_framework_for_what_it_takes() {
        let frame = agreement("frame", date(2009, 11, 1), None);
        let sub = Agreement { kinds: vec!["complaint".into()], ..agreement("sub", date(2009, 11, 1), None) };
        let named = Agreement { under: Some("frame".into()), ..sub.clone() };
        let open = Agreement { framework: true, ..frame.clone() };
        for all in [[frame.clone(), named.clone()], [named, frame], [open.clone(), sub.clone()], [sub, open]]
        {
            let id = |kind| match search(&all, kind, None, "2010-01-01T12:00:00+01:00") {
                Found::InForce(agreement) => agreement.id.as_str(),
                other => panic!("{other:?}"),
            };
            assert_eq!((id("complaint"), id("interview_record")), ("sub", "frame"));
        }
    }
    #[test]
    fn a_framework_does_not_hide_that_the_local_agreement_is_not_in_force() {
        let frame = Agreement {
            framework: true,
            kinds: vec!["interview_record".into()],
            ..agreement("frame", date(2009, 11, 1), None)
        };
        let at = "2026-01-01T12:00:00+01:00";
        let alone = [frame.clone()];
        assert_eq!(search(&alone, "complaint", None, at), Found::InForce(&alone[0]));
        let all = [frame, agreement("local", date(2024, 1, 1), Some(date(2025, 12, 31)))];
        assert_eq!(search(&all, "complaint", None, at), Found::Outside(Some(&all[1])));
        assert_eq!(search(&all, "interview_record", None, at), Found::InForce(&all[0]));
    }
}
