//! What a report says: shares, what they are measured by, and the fingerprint of it all.
//!
//! Everything is whole numbers and text, so that the same store gives the same bytes and the same fingerprint.

use std::{collections::BTreeMap, fmt};

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::period::Period;
use crate::{
    domain::figure::Month,
    store::figures::{Asked, Counts, Decisions, Interviews, KeyFigures, Outcomes, Sender, Volume},
    units,
};

/// At least so many of a hundred interviews are to be held in time (København agreement, "Resultatmål").
pub(super) const GOAL_PERCENT: u64 = 90;

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) period: PeriodView,
    pub(super) filter: Filter,
    /// Promises that are open stand as they did then.
    pub(super) as_of: Timestamp,
    /// The configuration generation that judged the last message.
    pub(super) generation: u64,
    /// The number of the store's last message.
    pub(super) last_message: i64,
    pub(super) goal_percent: u64,
    pub(super) summary: Vec<Summary>,
    pub(super) timeliness: Vec<Timeliness>,
    pub(super) own: Vec<Own>,
    pub(super) outcomes: Vec<Outcomes>,
    pub(super) volumes: Vec<Volume>,
    pub(super) senders: Vec<Sender>,
    pub(super) decisions: Vec<Decisions>,
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
    pub(super) below_goal: bool,
}

/// A rate beside the jobcenter's own.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    #[serde(flatten)]
    pub(super) held: Rate,
    /// `None`: the jobcenter told of none of its own to compare with.
    pub(super) own_share: Option<Share>,
    pub(super) below_own: bool,
}

/// One a-kasse at one jobcenter, over the whole period and every kind of interview.
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
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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
            below_goal: held > 0 && counts.in_time * 100 < held * GOAL_PERCENT,
        }
    }
}

/// So many parts of `whole` were in time; whole parts only.
fn part(counts: Counts, whole: u64) -> u64 {
    let parts = u128::from(counts.in_time) * u128::from(whole) / u128::from(counts.held().max(1));
    u64::try_from(parts).unwrap_or(whole)
}

impl Measured {
    fn new(counts: Counts, own: Option<Counts>) -> Self {
        let own = own.filter(|own| own.held() > 0);
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        Self {
            held: counts.into(),
            own_share: own.and_then(|own| Rate::from(own).share),
            below_own: counts.held() > 0
                && own.is_some_and(|own| {
                    product(counts.in_time, own.held()) < product(own.in_time, counts.held())
                }),
        }
    }
}

impl Report {
    pub(super) fn new(asked: &Asked, period: &Period, found: KeyFigures) -> Self {
        let (first_month, last_month) = period.months();
        let (summary, timeliness, own) = timeliness(&found.interviews);
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
            goal_percent: GOAL_PERCENT,
            summary,
            timeliness,
            own,
            outcomes: found.outcomes,
            volumes: found.volumes,
            senders: found.senders,
            decisions: found.decisions,
        };
        let value = serde_json::to_value(&figures).expect("plain data of ours serialises");
        Self {
            program: concat!("kassebro ", env!("CARGO_PKG_VERSION")).to_owned(),
            figures_sha256: fingerprint(&value),
            figures,
        }
    }
}

/// Of figures: SHA-256 over their canonical JSON (RFC 8785: members by name, no white space). Figures are whole
/// numbers and text with plain names, for which that is what sorted members and the usual writer give.
pub(super) fn fingerprint(figures: &Value) -> String {
    let mut canonical = figures.clone();
    canonical.sort_all_objects();
    units::hex(&Sha256::digest(canonical.to_string().as_bytes()))
}

fn timeliness(interviews: &[Interviews]) -> (Vec<Summary>, Vec<Timeliness>, Vec<Own>) {
    let mut own: BTreeMap<(Month, &str, &str), Counts> = BTreeMap::new();
    let mut own_total: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut total: BTreeMap<(&str, &str), Counts> = BTreeMap::new();
    for group in interviews {
        if group.own {
            own.entry((group.month, &group.jobcenter, &group.interview)).or_default().join(group.counts);
            own_total.entry(&group.jobcenter).or_default().join(group.counts);
        } else {
            total.entry((&group.jobcenter, &group.akasse)).or_default().join(group.counts);
        }
    }
    let lines = interviews.iter().filter(|group| !group.own).map(|group| Timeliness {
        month: group.month,
        jobcenter: group.jobcenter.clone(),
        akasse: group.akasse.clone(),
        interview: group.interview.clone(),
        measured: Measured::new(
            group.counts,
            own.get(&(group.month, group.jobcenter.as_str(), group.interview.as_str())).copied(),
        ),
    });
    let mut lines: Vec<Timeliness> = lines.collect();
    lines.sort_by(|one, other| {
        let key = |line: &Timeliness| {
            (line.month, line.jobcenter.clone(), line.akasse.clone(), line.interview.clone())
        };
        key(one).cmp(&key(other))
    });
    let summary = total.into_iter().map(|((jobcenter, akasse), counts)| Summary {
        jobcenter: jobcenter.to_owned(),
        akasse: akasse.to_owned(),
        measured: Measured::new(counts, own_total.get(jobcenter).copied()),
    });
    let own = own.iter().map(|((month, jobcenter, interview), counts)| Own {
        month: *month,
        jobcenter: (*jobcenter).to_owned(),
        interview: (*interview).to_owned(),
        held: (*counts).into(),
    });
    (summary.collect(), lines, own.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(in_time: u64, late: u64) -> Counts {
        Counts { in_time, late, not_held: 1 }
    }

    #[test]
    fn a_share_is_measured_by_the_goal_and_by_the_jobcenters_own() {
        for (mine, own, share, below_goal, below_own) in [
            (counts(9, 1), None, "90.00", false, false),
            (counts(899, 101), None, "89.90", true, false),
            (counts(89_999, 10_001), None, "89.99", true, false),
            (counts(9, 1), Some(counts(9, 1)), "90.00", false, false),
            (counts(9, 1), Some(counts(91, 9)), "90.00", false, true),
            (counts(2, 1), Some(counts(1, 2)), "66.66", true, false),
            (counts(9, 1), Some(counts(0, 0)), "90.00", false, false),
        ] {
            let measured = Measured::new(mine, own);
            assert_eq!(measured.held.share.unwrap().to_string(), share);
            assert_eq!(
                (measured.held.below_goal, measured.below_own),
                (below_goal, below_own),
                "{mine:?} {own:?}"
            );
        }
        let none = Measured::new(counts(0, 0), Some(counts(1, 0)));
        assert!(
            none.held.share.is_none() && !none.held.below_goal && !none.below_own,
            "none held, none late"
        );
    }

    #[test]
    fn the_jobcenters_own_interviews_are_put_together_by_month_and_kind() {
        let group = |month, akasse: &str, own, in_time, late| Interviews {
            month: Month::of(jiff::civil::date(2026, month, 1)),
            jobcenter: "0101".into(),
            interview: "jobInterview".into(),
            akasse: akasse.into(),
            own,
            counts: counts(in_time, late),
        };
        let all = [
            group(10, "3f", false, 8, 2),
            group(10, "3f", true, 5, 5),
            group(10, "foa", true, 5, 0),
            group(11, "3f", false, 10, 0),
        ];
        let (summary, lines, own) = timeliness(&all);
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].held.share, Some(Share(6_666)));
        assert_eq!((lines[0].measured.own_share, lines[0].measured.below_own), (Some(Share(6_666)), false));
        assert_eq!(lines[1].measured.own_share, None, "of the same month");
        assert_eq!((summary[0].measured.held.held, summary[0].measured.held.share), (20, Some(Share(9_000))));
    }

    #[test]
    fn the_fingerprint_is_of_the_content_and_not_of_its_order() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"d": "x", "c": null}], "a": true}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"c":null,"d":"x"}]}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&other));
        assert_eq!(
            fingerprint(&other),
            units::hex(&Sha256::digest(br#"{"a":true,"b":[1,{"c":null,"d":"x"}]}"#))
        );
    }
}
