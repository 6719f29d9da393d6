//! What a report says: shares, what they are measured by, and the fingerprint of it all.
//!
//! Everything is whole numbers and text, so that the same store and the same agreements give the same bytes and the same
//! fingerprint. Lines by month are not kept: they are made as they are read, from groups that are small.

use std::{fmt, io};

use jiff::{Timestamp, civil::Date};
use serde::{
    Serialize,
    ser::{SerializeStruct, Serializer},
};

use super::{
    canonical::Canonical,
    lines::{self, Lines},
    period::Period,
};
use crate::{
    domain::{Agreement, figure::Month},
    store::figures::{
        Asked, Counts, Decisions, InterviewGroups, Interviews, KeyFigures, Outcomes, Sender, Volume,
    },
};

/// A report with its fingerprint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Who made it.
    pub(super) program: String,
    /// SHA-256 over the canonical JSON of `figures`, in hexadecimal.
    pub(super) figures_sha256: String,
    pub(super) figures: Figures,
}

pub(super) struct Figures {
    pub(super) period: PeriodView,
    pub(super) filter: Filter,
    /// Promises that are open stand as they did then.
    pub(super) as_of: Timestamp,
    /// The configuration generation that judged the last message.
    pub(super) generation: u64,
    /// The number of the store's last message.
    pub(super) last_message: i64,
    pub(super) summary: Vec<Summary>,
    pub(super) outcomes: Vec<Outcomes>,
    pub(super) volumes: Vec<Volume>,
    pub(super) senders: Vec<Sender>,
    pub(super) decisions: Vec<Decisions>,
    interviews: InterviewGroups,
    /// Those that set a target.
    agreements: Vec<Agreement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeriodView {
    pub(super) name: String,
    pub(super) first_day: Date,
    pub(super) last_day: Date,
    pub(super) first_month: Month,
    pub(super) last_month: Month,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) akasse: Option<String>,
    pub(super) jobcenter: Option<String>,
    pub(super) agreement: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) interview: Option<String>,
}

/// Interviews, and how many of those that were held were so in time.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rate {
    pub(super) held: u64,
    pub(super) in_time: u64,
    pub(super) not_held: u64,
    /// `None`: none was held.
    pub(super) share: Option<Share>,
}

/// The target that an agreement sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Goal {
    /// The agreement's id.
    pub(super) agreement: String,
    pub(super) percent: u8,
    /// Nor less than the jobcenter's own.
    pub(super) own: bool,
}

/// A rate beside what it is measured by.
#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    #[serde(flatten)]
    pub(super) held: Rate,
    /// At least so many of a hundred were to be in time; `None`: no agreement sets a target.
    pub(super) goal_percent: Option<u8>,
    /// The id of the agreement that sets it.
    pub(super) goal_agreement: Option<String>,
    /// `None`: it is not measured, for there is no target, or none was held.
    pub(super) below_goal: Option<bool>,
    /// `None`: the jobcenter told of none of its own to compare with.
    pub(super) own_share: Option<Share>,
    /// `None`: it is not measured, for the target does not ask for it, or there is nothing to compare.
    pub(super) below_own: Option<bool>,
}

/// One a-kasse at one jobcenter, every kind of interview, over those months of the period that have the same target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) jobcenter: String,
    pub(super) akasse: String,
    #[serde(flatten)]
    pub(super) measured: Measured,
}

/// One kind of interview of one a-kasse at one jobcenter in one month; the jobcenter's own share is of the same month
/// and kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeliness {
    pub(super) month: Month,
    pub(super) jobcenter: String,
    pub(super) akasse: String,
    pub(super) interview: String,
    #[serde(flatten)]
    pub(super) measured: Measured,
}

/// One kind of the jobcenter's own interviews in one month, whichever a-kasse it told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Own {
    pub(super) month: Month,
    pub(super) jobcenter: String,
    pub(super) interview: String,
    #[serde(flatten)]
    pub(super) held: Rate,
}

/// A share in hundredths of a percent, rounded down so that it never says that a goal is met that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(pub(super) u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Counts> for Rate {
    fn from(counts: Counts) -> Self {
        let held = counts.held();
        Self {
            held,
            in_time: counts.in_time,
            not_held: counts.not_held,
            share: (held > 0).then(|| Share(part(counts, 10_000))),
        }
    }
}

/// So many parts of `whole` were in time; whole parts only.
fn part(counts: Counts, whole: u64) -> u64 {
    let parts = u128::from(counts.in_time) * u128::from(whole) / u128::from(counts.held().max(1));
    u64::try_from(parts).unwrap_or(whole)
}

impl Measured {
    pub(super) fn new(counts: Counts, goal: Option<&Goal>, own: Option<Counts>) -> Self {
        let own = own.filter(|own| own.held() > 0);
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let goal_if_held = goal.filter(|_| counts.held() > 0);
        Self {
            held: counts.into(),
            goal_percent: goal.map(|goal| goal.percent),
            goal_agreement: goal.map(|goal| goal.agreement.clone()),
            below_goal: goal_if_held
                .map(|goal| product(counts.in_time, 100) < product(counts.held(), goal.percent.into())),
            own_share: own.and_then(|own| Rate::from(own).share),
            below_own: goal_if_held
                .filter(|goal| goal.own)
                .and(own)
                .map(|own| product(counts.in_time, own.held()) < product(own.in_time, counts.held())),
        }
    }

    /// Below anything that it is measured by.
    pub(super) fn is_below(&self) -> bool {
        self.below_goal == Some(true) || self.below_own == Some(true)
    }
}

impl Report {
    /// `agreements` are those that set targets.
    pub(super) fn new(asked: &Asked, period: &Period, found: KeyFigures, agreements: Vec<Agreement>) -> Self {
        let (first_month, last_month) = period.months();
        let summary = lines::summary(&found.interviews, &agreements);
        let figures = Figures {
            period: PeriodView {
                name: period.name.clone(),
                first_day: period.first,
                last_day: period.last,
                first_month,
                last_month,
            },
            filter: Filter {
                akasse: asked.akasse.clone(),
                jobcenter: asked.jobcenter.clone(),
                agreement: asked.agreement.clone(),
                kind: asked.kind.clone(),
                interview: asked.interview.clone(),
            },
            as_of: asked.now,
            generation: found.generation,
            last_message: found.last_message,
            summary,
            outcomes: found.outcomes,
            volumes: found.volumes,
            senders: found.senders,
            decisions: found.decisions,
            interviews: found.interviews,
            agreements,
        };
        Self {
            program: concat!("kassebro ", env!("CARGO_PKG_VERSION")).to_owned(),
            figures_sha256: figures.fingerprint().expect("plain data of ours is written to memory"),
            figures,
        }
    }
}

impl Figures {
    /// Each line of an a-kasse by month, jobcenter, a-kasse and kind of interview, made as it is read.
    pub(super) fn timeliness(&self) -> impl Iterator<Item = Timeliness> + '_ {
        self.blocks().flat_map(|block| block.lines)
    }

    /// Each line of the jobcenters' own by month, jobcenter and kind of interview, made as it is read.
    pub(super) fn own(&self) -> impl Iterator<Item = Own> + '_ {
        self.blocks().flat_map(|block| block.own)
    }

    fn blocks(&self) -> lines::Blocks<'_, impl Iterator<Item = Interviews> + '_> {
        lines::Blocks::new(self.interviews.iter(), &self.agreements)
    }

    /// SHA-256 over the canonical JSON, of which no more than a line is ever in memory. Canonical is: members in the
    /// order of their names.
    fn fingerprint(&self) -> io::Result<String> {
        let mut json = Canonical::new();
        json.member("asOf", &self.as_of)?;
        json.member("decisions", &self.decisions)?;
        json.member("filter", &self.filter)?;
        json.member("generation", &self.generation)?;
        json.member("lastMessage", &self.last_message)?;
        json.list("outcomes", self.outcomes.iter())?;
        json.list("own", self.own())?;
        json.member("period", &self.period)?;
        json.list("senders", self.senders.iter())?;
        json.list("summary", self.summary.iter())?;
        json.list("timeliness", self.timeliness())?;
        json.list("volumes", self.volumes.iter())?;
        json.finish()
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut figures = serializer.serialize_struct("Figures", 12)?;
        figures.serialize_field("period", &self.period)?;
        figures.serialize_field("filter", &self.filter)?;
        figures.serialize_field("asOf", &self.as_of)?;
        figures.serialize_field("generation", &self.generation)?;
        figures.serialize_field("lastMessage", &self.last_message)?;
        figures.serialize_field("summary", &self.summary)?;
        figures.serialize_field("timeliness", &Lines(|| self.timeliness()))?;
        figures.serialize_field("own", &Lines(|| self.own()))?;
        figures.serialize_field("outcomes", &self.outcomes)?;
        figures.serialize_field("volumes", &self.volumes)?;
        figures.serialize_field("senders", &self.senders)?;
        figures.serialize_field("decisions", &self.decisions)?;
        figures.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::canonical::fingerprint, *};
    use crate::{domain::figure::Timeliness::InTime, store::figures::Of};

    fn counts(in_time: u64, late: u64) -> Counts {
        Counts { in_time, late, not_held: 1 }
    }

    #[test]
    fn a_share_is_measured_by_its_agreements_target_and_by_the_jobcenters_own_where_that_is_agreed() {
        let goal = |percent, own| Some(Goal { agreement: "a".into(), percent, own });
        for (mine, goal, own, share, below_goal, below_own) in [
            (counts(9, 1), goal(90, true), None, "90.00", Some(false), None),
            (counts(899, 101), goal(90, true), None, "89.90", Some(true), None),
            (counts(89_999, 10_001), goal(90, true), None, "89.99", Some(true), None),
            (counts(9, 1), goal(91, true), None, "90.00", Some(true), None),
            (counts(8, 2), goal(80, false), Some(counts(9, 1)), "80.00", Some(false), None),
            (counts(8, 2), None, Some(counts(9, 1)), "80.00", None, None),
            (counts(9, 1), goal(90, true), Some(counts(9, 1)), "90.00", Some(false), Some(false)),
            (counts(9, 1), goal(90, true), Some(counts(91, 9)), "90.00", Some(false), Some(true)),
            (counts(2, 1), goal(90, true), Some(counts(1, 2)), "66.66", Some(true), Some(false)),
            (counts(9, 1), goal(90, true), Some(counts(0, 0)), "90.00", Some(false), None),
            (counts(0, 9), goal(1, true), Some(counts(1, 9)), "0.00", Some(true), Some(true)),
        ] {
            let measured = Measured::new(mine, goal.as_ref(), own);
            assert_eq!(measured.held.share.unwrap().to_string(), share);
            assert_eq!(
                (measured.below_goal, measured.below_own),
                (below_goal, below_own),
                "{mine:?} {goal:?} {own:?}"
            );
        }
        let none = Measured::new(counts(0, 0), goal(90, true).as_ref(), Some(counts(1, 0)));
        assert_eq!(
            (none.held.share, none.below_goal, none.below_own),
            (None, None, None),
            "none held, none late"
        );
        assert!(!none.is_below() && none.goal_percent == Some(90));
    }

    /// Of every list there is something, so that a member that one form has and the other has not is seen.
    #[test]
    fn the_fingerprint_made_line_by_line_is_that_of_the_whole_report() {
        let mut found = KeyFigures { last_message: 7, generation: 2, ..KeyFigures::default() };
        let month = Month::of(jiff::civil::date(2026, 11, 1));
        for (after, jobcenter, own) in
            [(0, "0101", false), (0, "0101", true), (0, "0707", false), (1, "0101", true)]
        {
            let of = Of { month: month.plus(after), jobcenter, interview: "cv", akasse: "3f", own };
            found.interviews.add(of, InTime, 3);
        }
        found.outcomes.push(Outcomes { agreement: Some("æ \"a\"".into()), ..Outcomes::default() });
        found.volumes.push(Volume { way: "http".into(), ..Volume::default() });
        found.senders.push(Sender { party: "3f".into(), ..Sender::default() });
        found.decisions.push(Decisions { party: "0101".into(), ..Decisions::default() });
        for found in [found, KeyFigures::default()] {
            let report = Report::new(&asked(month), &period(month), found, vec![]);
            let whole = serde_json::to_value(&report).unwrap();
            assert_eq!(whole["figuresSha256"], fingerprint(whole["figures"].clone()));
            let pretty = serde_json::to_string_pretty(&report).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), whole);
        }
    }

    fn period(month: Month) -> Period {
        Period { name: "2026-11".into(), first: month.first_day(), last: month.plus(1).last_day() }
    }

    fn asked(month: Month) -> Asked {
        Asked {
            months: (month, month.plus(1)),
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            akasse: Some("3f".into()),
            jobcenter: None,
            agreement: None,
            kind: None,
            interview: None,
            now: "2026-11-22T10:00:00Z".parse().unwrap(),
        }
    }
}
