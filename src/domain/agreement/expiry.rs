//! Agreements that run out soon and that nothing follows.

use jiff::{ToSpan, civil::Date};

use super::{Agreement, Side};
use crate::domain::Party;

/// Agreements in force on `day` whose last day is less than `days` days away, and that no other goes on from
/// for all their parties and kinds. With the day from which they are told.
pub fn expiring(all: &[Agreement], day: Date, days: u16) -> impl Iterator<Item = (&Agreement, Date)> {
    all.iter().filter_map(move |agreement| {
        let last = agreement.valid_to?;
        let from = last.checked_sub(i32::from(days).days()).unwrap_or(Date::MIN);
        (agreement.covers(day) && from <= day && !is_renewed(agreement, last, all))
            .then(|| (agreement, from.max(agreement.valid_from)))
    })
}

/// Whether each pair of its parties has another agreement for its kinds the day after its last.
fn is_renewed(agreement: &Agreement, last: Date, all: &[Agreement]) -> bool {
    let Ok(after) = last.tomorrow() else { return true };
    members(&agreement.akasser).all(|akasse| {
        members(&agreement.jobcenters).all(|jobcenter| {
            all.iter().any(|next| {
                next.id != agreement.id
                    && !agreement.is_under(next)
                    && next.covers(after)
                    && holds(&next.akasser, akasse)
                    && holds(&next.jobcenters, jobcenter)
                    && takes_all(next, agreement)
            })
        })
    })
}

/// Each of them; `None` stands for everyone.
fn members(side: &Side) -> impl Iterator<Item = Option<&Party>> {
    let (these, every): (&[Party], _) = match side {
        Side::These(parties) => (parties, None),
        Side::Every(_) => (&[], Some(None)),
    };
    these.iter().map(Some).chain(every)
}

fn holds(side: &Side, member: Option<&Party>) -> bool {
    member.map_or(matches!(side, Side::Every(_)), |party| side.has(party))
}

fn takes_all(next: &Agreement, agreement: &Agreement) -> bool {
    next.kinds.is_empty()
        || (!agreement.kinds.is_empty() && agreement.kinds.iter().all(|kind| next.takes(kind)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{
        super::tests::{agreement, side},
        *,
    };

    fn told(all: &[Agreement], day: Date) -> Vec<(&str, Date)> {
        expiring(all, day, 60).map(|(a, from)| (a.id.as_str(), from)).collect()
    }

    #[test]
    fn an_agreement_is_told_from_sixty_days_before_its_last_day_until_it_is_past() {
        let all = [agreement("a", date(2024, 1, 1), Some(date(2025, 12, 31)))];
        let from = date(2025, 11, 1);
        for (day, expected) in [
            (date(2025, 10, 31), vec![]),
            (from, vec![("a", from)]),
            (date(2025, 12, 31), vec![("a", from)]),
            (date(2026, 1, 1), vec![]),
        ] {
            assert_eq!(told(&all, day), expected, "{day}");
        }
        let short = [agreement("short", date(2025, 12, 1), Some(date(2025, 12, 31)))];
        assert_eq!(told(&short, date(2025, 12, 5)), [("short", date(2025, 12, 1))]);
        assert_eq!(told(&[agreement("open", date(2024, 1, 1), None)], from), []);
    }

    #[test]
    fn it_is_renewed_where_every_party_and_kind_goes_on_the_next_day() {
        let ends = Agreement {
            kinds: vec!["complaint".into()],
            ..agreement("a", date(2024, 1, 1), Some(date(2025, 12, 31)))
        };
        let next = |change: &dyn Fn(&mut Agreement)| {
            let mut next = agreement("b", date(2026, 1, 1), None);
            change(&mut next);
            told(&[ends.clone(), next], date(2025, 12, 1)).is_empty()
        };
        assert!(next(&|_| ()));
        assert!(next(&|b| b.valid_from = date(2025, 12, 1)));
        assert!(next(&|b| b.kinds = vec!["job_order".into(), "complaint".into()]));
        assert!(!next(&|b| b.valid_from = date(2026, 1, 2)), "a day without");
        assert!(!next(&|b| b.kinds = vec!["job_order".into()]), "another kind");
        assert!(!next(&|b| b.akasser = side(&["foa"])), "other parties");
        let both = Agreement { akasser: side(&["krifa", "foa"]), ..ends.clone() };
        let krifa = agreement("b", date(2026, 1, 1), None);
        let foa = Agreement { akasser: side(&["foa"]), ..agreement("c", date(2026, 1, 1), None) };
        let day = date(2025, 12, 1);
        assert_eq!(told(&[both.clone(), krifa.clone()], day).len(), 1, "one of two");
        assert!(told(&[both, krifa, foa], day).is_empty(), "each by its own");
    }

    #[test]
    fn a_framework_does_not_renew_its_sub_agreement() {
        let ends = Agreement {
            under: Some("frame".into()),
            ..agreement("a", date(2024, 1, 1), Some(date(2025, 12, 31)))
        };
        let frame = agreement("frame", date(2009, 11, 1), None);
        assert_eq!(told(&[ends, frame], date(2025, 12, 1)).len(), 1);
    }
}
