//! Which agreement's target the key figures of two parties are measured by in a month.

use super::{Agreement, Measure, Target};
use crate::domain::{Party, figure::Month};

/// Agreements that set a target of one measure.
#[derive(Debug, Clone)]
pub struct Goals<'a>(Vec<(&'a Agreement, &'a Target)>);

impl<'a> Goals<'a> {
    pub fn new(all: &'a [Agreement], measure: Measure) -> Self {
        let target = |agreement: &'a Agreement| {
            let target = agreement.particulars.targets.iter().find(|target| target.of == Some(measure))?;
            Some((agreement, target))
        };
        Self(all.iter().filter_map(target).collect())
    }

    /// Only those between these two.
    #[must_use]
    pub fn between(&self, one: &Party, other: &Party) -> Self {
        Self(self.0.iter().copied().filter(|(agreement, _)| agreement.between(one, other)).collect())
    }

    /// The one that is in force in that month; of several the latest, and of those that are in force together the
    /// sub-agreement. A month in which none is has no target.
    pub fn in_month(&self, month: Month) -> Option<(&'a Agreement, &'a Target)> {
        let (first, last) = (month.first_day(), month.last_day());
        let days = self.0.iter().filter_map(|(agreement, _)| {
            let ends = agreement.valid_to.map_or(last, |day| day.min(last));
            (agreement.valid_from <= ends && first <= ends).then_some(ends)
        });
        let day = days.max()?;
        let in_force = self.0.iter().copied().filter(|(agreement, _)| agreement.covers(day));
        in_force.reduce(|best, next| if next.0.is_under(best.0) { next } else { best })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::{super::tests::agreement, *};

    fn with(id: &str, from: Date, to: Option<Date>, percent: u8) -> Agreement {
        let mut agreement = agreement(id, from, to);
        agreement.particulars.targets = vec![
            Target {
                what: "members that are content".into(),
                of: None,
                at_least_percent: 1,
                at_least_own: false,
                clause: "1".into(),
            },
            Target {
                what: "interviews held in time".into(),
                of: Some(Measure::InterviewsInTime),
                at_least_percent: percent,
                at_least_own: true,
                clause: "2".into(),
            },
        ];
        agreement
    }

    fn found(all: &[Agreement], month: (i16, i8)) -> Option<(String, u8)> {
        let krifa = "urn:dk:akasse:krifa".parse().unwrap();
        let copenhagen = "urn:dk:jobcenter:0101".parse().unwrap();
        let goals = Goals::new(all, Measure::InterviewsInTime).between(&krifa, &copenhagen);
        let goal = goals.in_month(Month::of(date(month.0, month.1, 1)))?;
        Some((goal.0.id.clone(), goal.1.at_least_percent))
    }

    #[test]
    fn a_month_is_measured_by_the_agreement_that_is_in_force_in_it() {
        let old = with("old", date(2025, 3, 1), Some(date(2026, 6, 30)), 85);
        let new = with("new", date(2026, 8, 1), Some(date(2026, 9, 15)), 95);
        let newest = with("newest", date(2026, 9, 16), None, 80);
        let silent = agreement("silent", date(2026, 7, 1), Some(date(2026, 7, 31)));
        let all = [newest, silent, old, new];
        for (month, expected) in [
            ((2025, 2), None),
            ((2025, 3), Some(("old", 85))),
            ((2026, 6), Some(("old", 85))),
            ((2026, 7), None),
            ((2026, 8), Some(("new", 95))),
            ((2026, 9), Some(("newest", 80))),
            ((2027, 1), Some(("newest", 80))),
        ] {
            let expected = expected.map(|(id, percent)| (id.to_owned(), percent));
            assert_eq!(found(&all, month), expected, "{month:?}");
        }
        let until = with("until", date(2026, 1, 1), Some(date(2026, 7, 1)), 70);
        assert_eq!(found(&[until], (2026, 7)).unwrap().1, 70, "on one of its days");
    }

    #[test]
    fn a_sub_agreements_target_goes_before_the_one_above_it_and_strangers_have_none() {
        let frame = Agreement { framework: true, ..with("frame", date(2025, 1, 1), None, 90) };
        let sub = with("sub", date(2026, 1, 1), Some(date(2026, 3, 31)), 60);
        for all in [[frame.clone(), sub.clone()], [sub.clone(), frame.clone()]] {
            assert_eq!(found(&all, (2025, 12)).unwrap().0, "frame");
            assert_eq!(found(&all, (2026, 3)).unwrap().0, "sub");
            assert_eq!(found(&all, (2026, 4)).unwrap().0, "frame");
        }
        let stranger = "urn:dk:akasse:foa".parse().unwrap();
        let jobcenter = "urn:dk:jobcenter:0101".parse().unwrap();
        let all = [sub];
        let theirs = Goals::new(&all, Measure::InterviewsInTime).between(&stranger, &jobcenter);
        assert!(theirs.in_month(Month::of(date(2026, 2, 1))).is_none());
    }
}
