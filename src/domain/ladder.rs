//! Who is told when a promise comes into danger: steps by the share of its time that is used, or by the time left.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

use super::{
    alert::{Climb, Urgency},
    sla::{AT_RISK, BREACHED, Course, STEPS},
};

/// When a step is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Percent of the time used: one of those that are recorded, below the breach.
    Share(u8),
    /// So long before the deadline.
    Left(SignedDuration),
    Breach,
    /// So long after it.
    After(SignedDuration),
}

impl At {
    /// When a promise on that course reaches it.
    pub fn instant(self, course: &Course) -> Timestamp {
        let due = course.due;
        match self {
            Self::Share(share) => course.step_instant(share),
            Self::Left(left) => due.checked_sub(left).unwrap_or(Timestamp::MIN),
            Self::Breach => due,
            Self::After(after) => due.checked_add(after).unwrap_or(Timestamp::MAX),
        }
    }

    /// The latest deadline of those that have reached it at `now`, where that is a matter of the deadline alone.
    fn due_by(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Share(_) => None,
            Self::Left(left) => Some(now.checked_add(left).unwrap_or(Timestamp::MAX)),
            Self::Breach => Some(now),
            Self::After(after) => Some(now.checked_sub(after).unwrap_or(Timestamp::MIN)),
        }
    }

    /// Whether it is the breach or later.
    pub fn is_missed(self) -> bool {
        matches!(self, Self::Breach | Self::After(_))
    }

    /// The label of an alert: `75`, `4h-left`, `100`, `2h-after`.
    pub fn label(self) -> String {
        match self {
            Self::Share(share) => share.to_string(),
            Self::Breach => BREACHED.to_string(),
            Self::Left(_) | Self::After(_) => self.to_string().replace(' ', "-"),
        }
    }

    /// Whether `next` may come after it in a ladder.
    pub fn is_before(self, next: Self) -> bool {
        match (self, next) {
            (Self::Share(share), Self::Share(next)) => share < next,
            (Self::Left(left), Self::Left(next)) => left > next,
            (Self::After(after), Self::After(next)) => after < next,
            (Self::Share(_), Self::Left(_)) | (Self::Left(_), Self::Share(_)) => true,
            (Self::Breach, _) => matches!(next, Self::After(_)),
            (Self::After(_), _) => false,
            (_, Self::Breach | Self::After(_)) => true,
        }
    }
}

/// `4h`, `90m`: as people write times.
pub fn short(time: SignedDuration) -> String {
    let seconds = time.as_secs();
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}%"),
            Self::Left(left) => write!(f, "{} left", short(*left)),
            Self::Breach => f.write_str("breach"),
            Self::After(after) => write!(f, "{} after", short(*after)),
        }
    }
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no step: write \"50%\", \"75%\", \"90%\", \"4h left\", \"breach\" or \"2h after\""
            )
        };
        let time = |text: &str| {
            let time: SignedDuration = text.trim().parse().map_err(|_| wrong())?;
            if time.is_positive() && time.subsec_nanos() == 0 { Ok(time) } else { Err(wrong()) }
        };
        let shares = STEPS.into_iter().filter(|share| *share < BREACHED);
        match text {
            "breach" => Ok(Self::Breach),
            _ if text.ends_with('%') => {
                shares.map(Self::Share).find(|at| at.to_string() == text).ok_or_else(wrong)
            }
            _ => match (text.strip_suffix(" left"), text.strip_suffix(" after")) {
                (Some(left), _) => time(left).map(Self::Left),
                (_, Some(after)) => time(after).map(Self::After),
                (None, None) => Err(wrong()),
            },
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: At,
    pub urgency: Urgency,
    /// `None`: every target that is told of what names none.
    pub targets: Option<BTreeSet<String>>,
    /// Goes on to others if nobody acknowledged it within this time.
    pub climb_after: Option<SignedDuration>,
    /// To whom; none named: to the targets of the steps above, one after the other.
    pub then: BTreeSet<String>,
}

/// The steps for some promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    pub name: String,
    /// What it is for; none named: every one.
    pub kinds: BTreeSet<String>,
    pub agreements: BTreeSet<String>,
    pub promises: BTreeSet<String>,
    /// The gravest last.
    pub steps: Vec<Step>,
    /// A promise is waived by two people only.
    pub waive_needs_two: bool,
}

impl Ladder {
    fn serves(&self, kind: &str, agreement: Option<&str>, promise: &str) -> bool {
        let named = |set: &BTreeSet<String>, value: &str| set.is_empty() || set.contains(value);
        let agreed = self.agreements.is_empty() || agreement.is_some_and(|id| self.agreements.contains(id));
        named(&self.kinds, kind) && named(&self.promises, promise) && agreed
    }

    /// How narrowly it is meant: an agreement goes before a promise, and that before a kind.
    fn narrowness(&self) -> u8 {
        u8::from(!self.agreements.is_empty()) * 4
            + u8::from(!self.promises.is_empty()) * 2
            + u8::from(!self.kinds.is_empty())
    }

    /// Whether some promise could be served by either, and nothing says by which.
    pub fn clashes(&self, other: &Self) -> bool {
        let shared = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.is_empty() || !a.is_disjoint(b);
        self.narrowness() == other.narrowness()
            && shared(&self.kinds, &other.kinds)
            && shared(&self.agreements, &other.agreements)
            && shared(&self.promises, &other.promises)
    }

    /// Places of steps that do not come after the one before them.
    pub fn out_of_order(&self) -> Vec<usize> {
        let pairs = self.steps.windows(2).enumerate();
        pairs.filter(|(_, pair)| !pair[0].at.is_before(pair[1].at)).map(|(place, _)| place + 1).collect()
    }

    /// The gravest step that is reached by what has `share` percent recorded and is due at `due`.
    pub fn reached(&self, share: u8, due: Timestamp, now: Timestamp) -> Option<&Step> {
        self.steps.iter().rev().find(|step| match step.at {
            At::Share(at) => share >= at,
            at => at.due_by(now).is_some_and(|by| due <= by),
        })
    }

    /// Whom an alert of that step goes on to while nobody acknowledges it.
    pub fn climb(&self, step: &Step) -> Vec<Climb> {
        let Some(every) = step.climb_after else { return vec![] };
        let above = self.steps.iter().skip_while(|other| other.at != step.at).skip(1);
        let targets: Vec<BTreeSet<String>> = if step.then.is_empty() {
            above.filter_map(|other| other.targets.clone()).collect()
        } else {
            vec![step.then.clone()]
        };
        let climb =
            targets.into_iter().zip(1..).map(|(targets, times)| Climb { after: every * times, targets });
        climb.collect()
    }
}

/// All of them, the narrowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladders(Vec<Ladder>);

impl Ladders {
    pub fn new(mut ladders: Vec<Ladder>) -> Self {
        ladders.sort_by(|a, b| b.narrowness().cmp(&a.narrowness()).then_with(|| a.name.cmp(&b.name)));
        Self(ladders)
    }

    /// The ladder for a promise. The kind may have its version: `complaint.v1`.
    pub fn of(&self, kind: &str, agreement: Option<&str>, promise: &str) -> Option<&Ladder> {
        let kind = kind.rsplit_once(".v").map_or(kind, |(name, _)| name);
        self.0.iter().find(|ladder| ladder.serves(kind, agreement, promise))
    }

    /// What must be counted to know who stands on which step, and who is at risk, whatever the steps.
    pub fn reach(&self, now: Timestamp) -> Reach {
        let steps = || self.0.iter().flat_map(|ladder| &ladder.steps).map(|step| step.at);
        let shares = steps().filter_map(|at| if let At::Share(share) = at { Some(share) } else { None });
        let due: BTreeSet<Timestamp> = steps().filter_map(|at| at.due_by(now)).collect();
        Reach { share: shares.min().unwrap_or(AT_RISK).min(AT_RISK), due: due.into_iter().collect() }
    }
}

/// Which open promises are counted: those from a share on, and those due by an instant; told apart by those instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Percent recorded, from this on.
    pub share: u8,
    /// Ascending; everything due by the last is counted.
    pub due: Vec<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(at: &str, target: &str) -> Step {
        Step {
            at: at.parse().unwrap(),
            urgency: Urgency::Warning,
            targets: Some([target.to_owned()].into()),
            climb_after: None,
            then: BTreeSet::new(),
        }
    }

    fn ladder(name: &str, steps: &[&str]) -> Ladder {
        Ladder {
            name: name.into(),
            kinds: BTreeSet::new(),
            agreements: BTreeSet::new(),
            promises: BTreeSet::new(),
            steps: steps.iter().zip(["a", "b", "c", "d", "e"]).map(|(at, to)| step(at, to)).collect(),
            waive_needs_two: false,
        }
    }

    #[test]
    fn a_step_is_written_as_it_is_read() {
        for text in ["50%", "75%", "90%", "4h left", "90m left", "breach", "2h after"] {
            assert_eq!(text.parse::<At>().unwrap().to_string(), text);
        }
        for text in ["60%", "100%", "4h", "0s left", "-1h left", "late", ""] {
            assert!(text.parse::<At>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_gravest_step_that_has_come_counts() {
        let ladder = ladder("default", &["75%", "4h left", "90%", "breach", "2h after"]);
        assert!(ladder.out_of_order().is_empty());
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours;
        let reached =
            |share, left| ladder.reached(share, now + hours(left), now).map(|step| step.at.to_string());
        assert_eq!(reached(50, 5), None);
        assert_eq!(reached(50, 4).as_deref(), Some("4h left"), "a short promise, half of it left");
        assert_eq!(reached(75, 6).as_deref(), Some("75%"));
        assert_eq!(reached(75, 4).as_deref(), Some("4h left"));
        assert_eq!(reached(90, 1).as_deref(), Some("90%"));
        assert_eq!(reached(100, 0).as_deref(), Some("breach"));
        assert_eq!(reached(100, -2).as_deref(), Some("2h after"));
    }

    #[test]
    fn the_narrowest_ladder_serves_and_two_that_are_as_narrow_clash() {
        let mut complaint = ladder("complaint", &["breach"]);
        complaint.kinds = ["complaint".to_owned()].into();
        let mut agreed = ladder("kbh", &["breach"]);
        agreed.agreements = ["kbh-3f".to_owned()].into();
        let (mut other, default) = (complaint.clone(), ladder("default", &["90%", "1h left"]));
        assert!(complaint.clashes(&other) && !complaint.clashes(&agreed) && !complaint.clashes(&default));
        other.kinds = ["decision".to_owned()].into();
        assert!(!complaint.clashes(&other));
        let ladders = Ladders::new(vec![default, complaint, agreed]);
        let name =
            |kind, agreement| ladders.of(kind, agreement, "delivered").map(|ladder| ladder.name.as_str());
        assert_eq!(name("complaint.v1", None), Some("complaint"));
        assert_eq!(name("complaint.v1", Some("kbh-3f")), Some("kbh"));
        assert_eq!(name("job_offer.v2", Some("other")), Some("default"));
        let now = Timestamp::UNIX_EPOCH;
        let reach = ladders.reach(now);
        assert_eq!((reach.share, reach.due), (AT_RISK, vec![now, now + SignedDuration::from_hours(1)]));
    }

    #[test]
    fn steps_that_go_back_are_found() {
        for (steps, wrong) in [
            (vec!["90%", "75%"], vec![1]),
            (vec!["1h left", "4h left"], vec![1]),
            (vec!["breach", "1h left", "breach"], vec![1]),
            (vec!["75%", "2h after", "breach"], vec![2]),
            (vec!["breach", "1h after", "2h after"], vec![]),
        ] {
            assert_eq!(ladder("x", &steps).out_of_order(), wrong, "{steps:?}");
        }
    }

    #[test]
    fn an_alert_climbs_to_the_steps_above_or_to_those_that_are_named() {
        let mut ladder = ladder("default", &["75%", "90%", "breach"]);
        assert!(ladder.climb(&ladder.steps[0]).is_empty());
        ladder.steps[0].climb_after = Some(SignedDuration::from_mins(30));
        let told = |ladder: &Ladder| -> Vec<(i64, String)> {
            let climb = ladder.climb(&ladder.steps[0]);
            let words = |climb: &Climb| climb.targets.iter().cloned().collect::<Vec<_>>().join(",");
            climb.iter().map(|climb| (climb.after.as_mins(), words(climb))).collect()
        };
        assert_eq!(told(&ladder), [(30, "b".to_owned()), (60, "c".to_owned())]);
        ladder.steps[0].then = ["chief".to_owned()].into();
        assert_eq!(told(&ladder), [(30, "chief".to_owned())]);
    }
}
