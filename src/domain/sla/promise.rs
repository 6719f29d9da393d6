//! What a promise says: how long, by which calendar, from what on, until what, and when its clock stands still.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BREACHED, Clocked, Course, STEPS};
use crate::domain::{calendar::Named, case::CaseState, placement::Placed};

/// The name of the promise that every message has: that its receiver has it.
pub const DELIVERED: &str = "delivered";

/// How long a promise gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// So much time: elapsed, or of a calendar's open hours.
    #[serde(with = "micros")]
    Time(SignedDuration),
    /// To the close of that open day of a calendar; the day on which the clock starts does not count.
    Days(u16),
    /// To the end of the citizen's last day with the a-kasse, which the agreement knows for each citizen:
    /// [`Promise::until`] makes a time of it. By itself it is never due.
    Limit,
}

/// What starts a clock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starts {
    /// The message's `time`, or its receipt here where `time` lies up to five minutes ahead.
    #[default]
    Occurred,
    /// The message's arrival here.
    Received,
    /// Its delivery.
    Delivered,
    /// The day in its `registrationDate`, from midnight in Denmark on; `time` where it names none.
    Registration,
    /// The day in that date of the message's data, from midnight in Denmark on. Nothing is promised where it names none.
    Date(String),
    /// So long before the end of the day in that date: the promise lasts to there. Nothing is promised where it names none.
    Before(String),
}

impl Starts {
    /// The date of the message's data that the clock goes by. Whoever tells of it anew tells of the promise anew.
    pub fn date(&self) -> Option<&str> {
        match self {
            Self::Date(name) | Self::Before(name) => Some(name),
            Self::Occurred | Self::Received | Self::Delivered | Self::Registration => None,
        }
    }
}

/// What stops a clock: then the promise is met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stops {
    /// The receiver has the message.
    #[default]
    Delivered,
    /// The receiver's own word that it has it, or will not: a business receipt, or any return message.
    Receipt,
    /// Any return message to it.
    Answered,
    /// The case is decided: granted or refused, or on its way from there.
    Decided,
    /// The case has reached a final state.
    Closed,
    /// A message of that kind between the same two parties about the same citizen, of what happened since the clock
    /// started: an interview that was held, another message's `time`.
    Kind(String),
}

/// The calendar that a promise counts by: its name, and the id under which the store has it as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarOf {
    pub name: String,
    pub id: String,
}

/// What a promise says, as it is kept beside its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The promise's name, e.g. `delivered`.
    pub promise: String,
    pub within: Within,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarOf>,
    #[serde(default)]
    pub starts: Starts,
    #[serde(default)]
    pub stops: Stops,
    /// So many messages of the kind, where messages of a kind stop it; 1 otherwise.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u16,
    /// Its clock stands still while the case waits for information that its sender lacks to give.
    #[serde(default)]
    pub pauses: bool,
    /// Who says so: a setting, or an agreement with its clause.
    #[serde(default)]
    pub basis: String,
}

fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_one(count: &u16) -> bool {
    *count == 1
}

/// How long, with the calendar it is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    Elapsed(SignedDuration),
    /// So much open time.
    Open(SignedDuration, Arc<Named>),
    /// To the close of that open day.
    Days(u16, Arc<Named>),
}

/// A promise: its terms, and the budget they come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    pub terms: Terms,
    pub budget: Budget,
}

/// A promise of a message beside that of being delivered.
#[derive(Debug, Clone)]
pub struct Further {
    pub promise: Arc<Promise>,
    /// `None`: its clock starts with the delivery.
    pub starts: Option<Timestamp>,
    /// Between whom and about whom, where a message of another kind stops it.
    pub about: Option<Placed>,
}

impl Budget {
    /// The open or elapsed time between two instants. Zero where the calendar cannot say.
    pub fn used(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        match self {
            Self::Elapsed(_) => to.duration_since(from),
            Self::Open(_, named) | Self::Days(_, named) => {
                named.calendar.business_between(from, to).unwrap_or(SignedDuration::ZERO)
            }
        }
    }

    /// The instant so much later, by the budget's own time. The end of time where there is none: nothing is due then.
    fn after(&self, from: Timestamp, time: SignedDuration) -> Timestamp {
        let later = match self {
            Self::Elapsed(_) => from.checked_add(time).ok(),
            Self::Open(_, named) | Self::Days(_, named) => named.calendar.add_business(from, time),
        };
        later.map_or(NEVER, whole)
    }

    /// The course of a clock that starts at `starts`.
    fn course(&self, starts: Timestamp) -> Course {
        let starts = whole(starts);
        let due = match self {
            Self::Elapsed(time) => return Course::between(starts, self.after(starts, *time)),
            Self::Open(time, _) => self.after(starts, *time),
            Self::Days(days, named) => named.calendar.add_days(starts, *days).map_or(NEVER, whole),
        };
        if due == NEVER {
            return Course::between(starts, due);
        }
        let budget = self.used(starts, due);
        Course { starts, due, shares: Some(shares().map(|step| self.after(starts, share(budget, step)))) }
    }
}

/// The steps before the last.
fn shares() -> [u8; 3] {
    let [first, second, third, BREACHED] = STEPS else { unreachable!("the last step is the breach") };
    [first, second, third]
}

fn share(budget: SignedDuration, step: u8) -> SignedDuration {
    let micros = budget.as_micros() * i128::from(step) / 100;
    SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// What is due then is never due: the last whole second there is. The tables keep microseconds, and have none for what of
/// [`Timestamp::MAX`] lies behind it.
const NEVER: Timestamp = Timestamp::constant(253_402_207_200, 0);

/// The instant as the tables keep it.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

impl Promise {
    /// Without a calendar that `terms` need, their time is elapsed time.
    pub fn new(mut terms: Terms, calendar: Option<Arc<Named>>) -> Self {
        let named = calendar.as_ref().map(|c| CalendarOf { name: c.name.clone(), id: c.id.clone() });
        terms.calendar = named.or(terms.calendar);
        let budget = match (terms.within, calendar) {
            (Within::Time(time), None) => Budget::Elapsed(time),
            (Within::Limit, _) => Budget::Elapsed(SignedDuration::MAX),
            (Within::Days(days), None) => Budget::Elapsed(SignedDuration::from_hours(24) * i32::from(days)),
            (Within::Time(time), Some(calendar)) => Budget::Open(time, calendar),
            (Within::Days(days), Some(calendar)) => Budget::Days(days, calendar),
        };
        Self { terms, budget }
    }

    /// That the receiver has it, or whatever `name` says, within so much elapsed time from the message's `time`.
    pub fn elapsed(name: impl Into<String>, within: SignedDuration) -> Self {
        let terms = Terms {
            promise: name.into(),
            within: Within::Time(within),
            calendar: None,
            starts: Starts::default(),
            stops: Stops::default(),
            count: 1,
            pauses: false,
            basis: String::new(),
        };
        Self::new(terms, None)
    }

    pub fn name(&self) -> &str {
        &self.terms.promise
    }

    /// The same promise to one citizen, from one instant to another.
    #[must_use]
    pub fn until(&self, starts: Timestamp, due: Timestamp) -> Self {
        let within = Within::Time(due.duration_since(starts));
        Self::new(Terms { within, ..self.terms.clone() }, None)
    }

    pub fn calendar(&self) -> Option<&Arc<Named>> {
        match &self.budget {
            Budget::Elapsed(_) => None,
            Budget::Open(_, named) | Budget::Days(_, named) => Some(named),
        }
    }

    /// Starts the clock at `starts`.
    pub fn start(&self, starts: Timestamp) -> Course {
        self.budget.course(starts)
    }

    /// The same, as what a delivery is owed with.
    pub fn clocked(self: &Arc<Self>, starts: Timestamp) -> Clocked {
        Clocked { promise: Arc::clone(self), course: self.start(starts) }
    }

    /// The course of a clock that stood still between two instants: what was left of the budget then is left now. What
    /// had passed by then stays where it was.
    pub fn resumed(&self, course: &Course, paused: Timestamp, resumed: Timestamp) -> Course {
        if course.due >= NEVER {
            return *course;
        }
        let (paused, resumed) = (whole(paused), whole(resumed.max(paused)));
        let moved = |instant: Timestamp| {
            if instant <= paused {
                return instant;
            }
            self.budget.after(resumed, self.budget.used(paused, instant))
        };
        let shares = shares().map(|step| moved(course.step_instant(step)));
        // The open time to a due instant may end before a step's that fell on the same close.
        Course { starts: course.starts, due: moved(course.due).max(shares[2]), shares: Some(shares) }
    }
}

impl Stops {
    /// Whether a return message that leaves the case at `state` stops it.
    pub fn by_answer(&self, state: CaseState) -> bool {
        match self {
            Self::Receipt | Self::Answered => true,
            Self::Decided => state.is_decided(),
            Self::Closed => state.is_final(),
            Self::Delivered | Self::Kind(_) => false,
        }
    }
}

impl Terms {
    /// What stops the clock, in words.
    pub fn stopped_by(&self) -> String {
        match &self.stops {
            Stops::Kind(kind) if self.count > 1 => {
                format!("{} messages of kind {kind} about the same citizen", self.count)
            }
            stops => stops.to_string(),
        }
    }
}

impl fmt::Display for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("the receiver has it"),
            Self::Receipt => f.write_str("the receiver's own receipt"),
            Self::Answered => f.write_str("an answer"),
            Self::Decided => f.write_str("the decision"),
            Self::Closed => f.write_str("the end of the case"),
            Self::Kind(kind) => write!(f, "a message of kind {kind} about the same citizen"),
        }
    }
}

/// A time in microseconds.
mod micros {
    use super::{Deserialize, SignedDuration};

    pub(super) fn serialize<S: serde::Serializer>(
        time: &SignedDuration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SignedDuration, D::Error> {
        i64::deserialize(deserializer).map(SignedDuration::from_micros)
    }
}
