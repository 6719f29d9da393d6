//! The lines of a report, made one after the other from the groups that the store counted.
//!
//! Groups come in the order of month and jobcenter, so of the lines by month only those of one month at one jobcenter
//! are in memory at a time. What is summed over the period is a sum for each pair and target.

use std::{
    collections::{BTreeMap, HashMap},
    iter::Peekable,
};

use serde::{Serialize, ser::Serializer};

use super::model::{Goal, Measured, Own, Summary, Timeliness};
use crate::{
    domain::{
        Agreement, Party,
        agreement::{Goals, Measure},
        figure::Month,
    },
    store::figures::{Counts, InterviewGroups, Interviews},
};

/// A list that is made while it is written.
pub(super) struct Lines<F>(pub(super) F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Lines<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// What one a-kasse is measured by at one jobcenter, by month.
struct Targets<'a> {
    all: Goals<'a>,
    /// By jobcenter and a-kasse: looking through all agreements is done once for each pair.
    of_pair: HashMap<(String, String), Goals<'a>>,
}

impl<'a> Targets<'a> {
    fn new(agreements: &'a [Agreement]) -> Self {
        Self { all: Goals::new(agreements, Measure::InterviewsInTime), of_pair: HashMap::new() }
    }

    fn goal(&mut self, jobcenter: &str, akasse: &str, month: Month) -> Option<Goal> {
        let all = &self.all;
        let pair = self.of_pair.entry((jobcenter.to_owned(), akasse.to_owned())).or_insert_with(|| {
            let party = |code| Party::from_code(code).ok();
            match (party(akasse), party(jobcenter)) {
                (Some(akasse), Some(jobcenter)) => all.between(&akasse, &jobcenter),
                _ => Goals::new(&[], Measure::InterviewsInTime),
            }
        });
        pair.in_month(month).map(|(agreement, target)| Goal {
            agreement: agreement.id.clone(),
            percent: target.at_least_percent,
            own: target.at_least_own,
        })
    }
}

/// The lines of one month at one jobcenter.
pub(super) struct Block {
    /// By a-kasse and kind of interview.
    pub(super) lines: Vec<Timeliness>,
    /// By kind of interview.
    pub(super) own: Vec<Own>,
}

/// Groups, month by month and jobcenter by jobcenter.
pub(super) struct Blocks<'a, I: Iterator<Item = Interviews>> {
    groups: Peekable<I>,
    targets: Targets<'a>,
}

impl<'a, I: Iterator<Item = Interviews>> Blocks<'a, I> {
    /// `groups` are in the order of month and jobcenter.
    pub(super) fn new(groups: I, agreements: &'a [Agreement]) -> Self {
        Self { groups: groups.peekable(), targets: Targets::new(agreements) }
    }
}

impl<I: Iterator<Item = Interviews>> Iterator for Blocks<'_, I> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let first = self.groups.next()?;
        let (month, jobcenter) = (first.month, first.jobcenter.clone());
        let mut own: BTreeMap<String, Counts> = BTreeMap::new();
        let mut theirs = Vec::new();
        let mut next = Some(first);
        while let Some(group) = next {
            if group.own {
                own.entry(group.interview).or_default().join(group.counts);
            } else {
                theirs.push(group);
            }
            next = self.groups.next_if(|group| group.month == month && group.jobcenter == jobcenter);
        }
        theirs.sort_by(|one, other| (&one.akasse, &one.interview).cmp(&(&other.akasse, &other.interview)));
        let lines = theirs.into_iter().map(|group| {
            let goal = self.targets.goal(&jobcenter, &group.akasse, month);
            let measured = Measured::new(group.counts, goal.as_ref(), own.get(&group.interview).copied());
            let jobcenter = jobcenter.clone();
            Timeliness { month, jobcenter, akasse: group.akasse, interview: group.interview, measured }
        });
        let lines = lines.collect();
        let own = own.into_iter().map(|(interview, counts)| Own {
            month,
            jobcenter: jobcenter.clone(),
            interview,
            held: counts.into(),
        });
        Some(Block { lines, own: own.collect() })
    }
}

/// Months of one pair with the same target.
struct Sum {
    goal: Option<Goal>,
    counts: Counts,
}

/// By jobcenter and a-kasse, and of a pair whose target changes within the months, one line for each target. The
/// jobcenter's own share is of those months of the period in which the target holds, also where the a-kasse held none.
pub(super) fn summary(interviews: &InterviewGroups, agreements: &[Agreement]) -> Vec<Summary> {
    let mut targets = Targets::new(agreements);
    let mut own: BTreeMap<String, BTreeMap<Month, Counts>> = BTreeMap::new();
    let mut pairs: BTreeMap<(String, String), Vec<Sum>> = BTreeMap::new();
    for group in interviews.iter() {
        if group.own {
            own.entry(group.jobcenter).or_default().entry(group.month).or_default().join(group.counts);
            continue;
        }
        let goal = targets.goal(&group.jobcenter, &group.akasse, group.month);
        let sums = pairs.entry((group.jobcenter, group.akasse)).or_default();
        match sums.iter_mut().find(|sum| sum.goal == goal) {
            Some(sum) => sum.counts.join(group.counts),
            None => sums.push(Sum { goal, counts: group.counts }),
        }
    }
    let mut lines = Vec::new();
    for ((jobcenter, akasse), sums) in pairs {
        for sum in sums {
            let mut theirs = Counts::default();
            for (month, counts) in own.get(&jobcenter).into_iter().flatten() {
                if targets.goal(&jobcenter, &akasse, *month) == sum.goal {
                    theirs.join(*counts);
                }
            }
            let measured = Measured::new(sum.counts, sum.goal.as_ref(), Some(theirs));
            lines.push(Summary { jobcenter: jobcenter.clone(), akasse: akasse.clone(), measured });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::*;
    use crate::{
        domain::{
            agreement::{Side, Target},
            figure::Timeliness::{InTime, Late},
        },
        store::figures::Of,
    };

    const JOBS: &str = "jobInterview";

    fn agreement(id: &str, from: Date, to: Option<Date>, (percent, own): (u8, bool)) -> Agreement {
        let side = |code| Side::These(vec![Party::from_code(code).unwrap()]);
        let target = Target {
            what: "interviews held in time".into(),
            of: Some(Measure::InterviewsInTime),
            at_least_percent: percent,
            at_least_own: own,
            clause: "3".into(),
        };
        let mut agreement = Agreement { valid_to: to, ..Agreement::new(id, side("3f"), side("0101"), from) };
        agreement.particulars.targets = vec![target];
        agreement
    }

    /// Of these months of 2026, at 0101: the a-kasse (`own`: the jobcenter told), the kind, in time and late.
    fn groups(all: &[(i8, &str, &str, bool, u32, u32)]) -> InterviewGroups {
        let mut groups = InterviewGroups::default();
        for (month, akasse, interview, own, in_time, late) in all {
            let month = Month::of(date(2026, *month, 1));
            for (timeliness, count) in [(InTime, *in_time), (Late, *late)] {
                let of = Of { month, jobcenter: "0101", interview, akasse, own: *own };
                groups.add(of, timeliness, count);
            }
        }
        groups
    }

    fn blocks(groups: &InterviewGroups, agreements: &[Agreement]) -> Vec<Block> {
        Blocks::new(groups.iter(), agreements).collect()
    }

    #[test]
    fn the_jobcenters_own_interviews_are_put_together_by_month_and_kind() {
        let groups = groups(&[
            (10, "3f", "cv", false, 1, 0),
            (10, "foa", "cv", false, 1, 0),
            (10, "3f", JOBS, false, 8, 2),
            (10, "3f", JOBS, true, 5, 5),
            (10, "foa", JOBS, true, 5, 0),
            (11, "3f", JOBS, false, 10, 0),
        ]);
        let found = blocks(&groups, &[]);
        let keys = |block: &Block| {
            block.lines.iter().map(|l| (l.akasse.clone(), l.interview.clone())).collect::<Vec<_>>()
        };
        let key = |akasse: &str, interview: &str| (akasse.to_owned(), interview.to_owned());
        assert_eq!(keys(&found[0]), [key("3f", "cv"), key("3f", JOBS), key("foa", "cv")]);
        assert_eq!(found[0].own.len(), 1);
        let share = |percent: &str| Some(percent.to_owned());
        let own = |line: &Timeliness| line.measured.own_share.map(|share| share.to_string());
        assert_eq!(found[0].own[0].held.share.map(|s| s.to_string()), share("66.66"));
        assert_eq!(
            (own(&found[0].lines[0]), own(&found[0].lines[1])),
            (None, share("66.66")),
            "of the same kind"
        );
        assert_eq!(own(&found[1].lines[0]), None, "of the same month");
        let summary = summary(&groups, &[]);
        let of_3f = &summary[0].measured;
        assert_eq!((of_3f.held.held, of_3f.held.share.unwrap().to_string()), (21, "90.47".into()));
        assert_eq!(
            (own_of(&summary[0]), of_3f.goal_percent, of_3f.is_below()),
            (share("66.66"), None, false)
        );
    }

    fn own_of(line: &Summary) -> Option<String> {
        line.measured.own_share.map(|share| share.to_string())
    }

    #[test]
    fn each_month_is_measured_by_the_agreement_of_that_month_and_none_by_one_that_is_over() {
        let agreements = [
            agreement("old", date(2025, 1, 1), Some(date(2026, 3, 31)), (70, false)),
            agreement("new", date(2026, 4, 1), Some(date(2026, 5, 31)), (95, true)),
        ];
        let groups = groups(&[
            (2, "3f", JOBS, false, 8, 2),
            (3, "3f", JOBS, false, 6, 4),
            (3, "3f", JOBS, true, 10, 0),
            (3, "foa", JOBS, false, 1, 9),
            (4, "3f", JOBS, false, 9, 1),
            (4, "3f", JOBS, true, 1, 1),
            (5, "3f", JOBS, true, 20, 0),
            (6, "3f", JOBS, false, 1, 9),
        ]);
        let lines: Vec<_> = blocks(&groups, &agreements)
            .into_iter()
            .flat_map(|block| block.lines)
            .map(|line| {
                let Measured { goal_agreement, goal_percent, below_goal, below_own, .. } = line.measured;
                (
                    line.month.first_day().month(),
                    line.akasse,
                    goal_agreement,
                    goal_percent,
                    below_goal,
                    below_own,
                )
            })
            .collect();
        let line = |month, akasse: &str, goal: Option<(&str, u8)>, below_goal, below_own| {
            let (id, percent) = goal.unzip();
            (month, akasse.to_owned(), id.map(str::to_owned), percent, below_goal, below_own)
        };
        let expected = [
            line(2, "3f", Some(("old", 70)), Some(false), None),
            line(3, "3f", Some(("old", 70)), Some(true), None),
            line(3, "foa", None, None, None),
            line(4, "3f", Some(("new", 95)), Some(true), Some(false)),
            line(6, "3f", None, None, None),
        ];
        assert_eq!(lines, expected);

        let sums: Vec<_> = summary(&groups, &agreements)
            .iter()
            .map(|line| {
                let Measured { goal_agreement, held, below_goal, below_own, .. } = line.measured.clone();
                (goal_agreement, held.held, below_goal, own_of(line), below_own)
            })
            .collect();
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            (text("old"), 20, Some(false), text("100.00"), None),
            (text("new"), 10, Some(true), text("95.45"), Some(true)),
            (None, 10, None, None, None),
            (None, 10, None, text("96.87"), None),
        ];
        assert_eq!(sums, expected, "the jobcenter's own of May counts: the target holds in it");
    }
}
