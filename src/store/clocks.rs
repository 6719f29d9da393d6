//! What happens to the clocks of promises beside that of being delivered: what starts, stops, pauses and ends them,
//! and what the history tells of it. Both engines read the rows, ask here, and write what has changed.
//!
//! The history is the record: from its events the rows can be made again, and a test does so. What a clock did is an event
//! `sla_…`; what a person did about a promise is one without that prefix (`waived`, `recomputed`). The clock of being
//! delivered has no `sla_started`, `sla_met` and `sla_ended`: its row, the acceptance and the attempts tell them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Accepted, NewDelivery, Next,
    numbers::{self, DEADLINES, kept},
    told,
};
use crate::domain::{
    calendar::{Calendar, Named},
    case::CaseState,
    placement::Placed,
    sla::{BREACHED, Course, Further, Promise, Starts, Stops, Terms},
};

pub(super) mod came;

use came::{Came, Tell};

/// How long runs of the gateway are remembered: longer than messages are by default.
pub(super) const RUNS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 800);

/// How far a clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// For what starts it.
    Waiting,
    Begun,
    /// Nothing starts, stops or resumes it any more.
    Over,
}

impl State {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Begun => 1,
            Self::Over => 2,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Waiting, Self::Begun, Self::Over].into_iter().find(|state| state.number() == number)
    }

    /// As people read it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::Over => "over",
        }
    }
}

/// The row of a clock that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) course: Course,
    /// The last step that is recorded.
    pub(super) step: u8,
    pub(super) met: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) waived: bool,
    pub(super) paused: Option<Timestamp>,
}

impl Run {
    fn is_open(&self) -> bool {
        self.met.is_none() && self.ended.is_none()
    }

    /// When the watch looks at it next.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        let runs = self.is_open() && self.paused.is_none();
        runs.then(|| self.course.next_step(self.step)).flatten().map(|(_, at)| at)
    }
}

/// One clock with all that its rows say.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// The deadline's number.
    pub(super) key: i64,
    pub(super) state: State,
    pub(super) promise: Promise,
    /// Between whom and about whom, where messages of a kind stop it.
    pub(super) about: Option<Placed>,
    pub(super) run: Option<Run>,
}

/// What has happened that may concern a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened<'a> {
    /// The delivery is done.
    Delivered,
    /// The receiver says that it has it, in an acknowledgement or a receipt.
    Confirmed,
    /// The delivery died, was cancelled or refused.
    Died,
    /// A person had it tried again.
    Retried,
    Waived,
    /// A return message, and the case's state before and after it.
    Answered {
        before: Option<CaseState>,
        after: CaseState,
    },
    /// A message of the kind that is waited for, by its number, with all of the kind that have come.
    Came {
        kind: &'a str,
        message: i64,
        came: &'a [Came],
    },
    /// The citizen is not placed with the a-kasse any more.
    NotPlaced,
    /// A later message, of that number, tells of the date that promises of these names go by.
    ToldAnew {
        by: i64,
        promises: &'a [String],
    },
}

impl Happened<'_> {
    /// What a delivery's settlement is to its clocks.
    pub(super) fn of_next(next: &Next) -> Option<Self> {
        match next {
            Next::Delivered => Some(Self::Delivered),
            Next::Dead(_) => Some(Self::Died),
            Next::Retry { .. } | Next::Hold(_) => None,
        }
    }
}

/// A line for the history: its name and what it says.
pub(super) type Line = (&'static str, String);

/// The line that says that a promise is met.
pub(super) const MET: &str = "sla_met";

/// The number of the clock of a delivery's `place`-th promise; at 0 is that it is delivered.
pub(super) fn key(delivery: i64, place: usize) -> i64 {
    delivery * DEADLINES + i64::try_from(place).expect("a delivery has few promises")
}

/// The promises of a delivery that are kept as clocks, with their numbers: what else is promised, and that of being
/// delivered where it is not plain.
pub(super) fn of(seq: i64, delivery: &NewDelivery) -> Vec<(i64, &Promise, Option<&Further>)> {
    if delivery.release().is_some() {
        // A second way's promise is the first's.
        return vec![];
    }
    let main = &*delivery.promise.promise;
    let plain = main.calendar().is_none();
    let further = delivery.further.iter().enumerate();
    let further = further.map(|(place, further)| (key(seq, place + 1), &*further.promise, Some(further)));
    (!plain).then_some((key(seq, 0), main, None)).into_iter().chain(further).collect()
}

/// Whether anything of the message is kept as a clock.
pub(super) fn has_clocks(message: &Accepted) -> bool {
    message.deliveries.iter().any(|d| !d.further.is_empty() || d.promise.promise.calendar().is_some())
}

/// The clock of a new delivery's further promise, with what the history tells of its start. `came` is what it waits for
/// and has come before it.
pub(super) fn first(key: i64, further: &Further, came: &[Came], now: Timestamp) -> (Clock, Vec<Line>) {
    let promise = (*further.promise).clone();
    let mut clock = Clock { key, state: State::Waiting, promise, about: further.about, run: None };
    let mut lines = Vec::new();
    if let Some(starts) = further.starts {
        lines.push(clock.start(starts));
        lines.extend(clock.count(came, Tell::All, now));
        lines.extend(clock.steps(kept(now)));
    }
    (clock, lines)
}

/// A promise as the tables keep it. Without its calendar, which none of ours leaves out, its time is elapsed time.
pub(super) fn promise(terms: &str, calendar: Option<&str>) -> Result<Promise, serde_json::Error> {
    let terms: Terms = serde_json::from_str(terms)?;
    let calendar = calendar.map(serde_json::from_str::<Calendar>).transpose()?;
    let name = terms.calendar.as_ref().map_or_else(String::new, |of| of.name.clone());
    Ok(Promise::new(terms, calendar.map(|calendar| Named::new(name, calendar).into())))
}

impl Clock {
    pub(super) fn delivery(&self) -> i64 {
        self.key / DEADLINES
    }

    /// What the clock makes of it, and what the history tells; nothing where it does not concern it.
    pub(super) fn hears(&mut self, what: Happened<'_>, now: Timestamp) -> Vec<Line> {
        let now = kept(now);
        match (self.state, what) {
            (State::Over, _) => vec![],
            (State::Waiting, Happened::Delivered) if self.promise.terms.starts == Starts::Delivered => {
                vec![self.start(now)]
            }
            (_, Happened::Waived) => self.waive(now),
            (_, Happened::NotPlaced) if matches!(self.promise.terms.stops, Stops::Kind(_)) => {
                self.end(now, State::Over, "the citizen is not placed any more")
            }
            (State::Begun, Happened::ToldAnew { by, promises }) if self.gives_way(by, promises, now) => {
                self.end(now, State::Over, "a later message tells of the date")
            }
            (State::Begun, Happened::Died) => self.end(now, State::Begun, "the delivery ended"),
            (State::Begun, Happened::Retried) => self.retry(),
            (State::Begun, Happened::Came { kind, message, came }) if self.awaits(kind) => {
                self.count(came, Tell::Only(message), now)
            }
            (State::Begun, _) if self.stopped_by(what) => self.meet(now, None, now),
            (State::Waiting, _) if self.stopped_by(what) => {
                self.state = State::Over;
                vec![("sla_ended", self.says(json!({ "why": "what it waited for came before it began" })))]
            }
            (State::Begun, Happened::Answered { before, after }) => self.pause(before, after, now),
            _ => vec![],
        }
    }

    fn stopped_by(&self, what: Happened<'_>) -> bool {
        let stops = &self.promise.terms.stops;
        match what {
            Happened::Confirmed => *stops == Stops::Receipt,
            Happened::Answered { after, .. } => stops.by_answer(after),
            _ => false,
        }
    }

    fn awaits(&self, kind: &str) -> bool {
        matches!(&self.promise.terms.stops, Stops::Kind(awaited) if awaited == kind)
    }

    /// Whether the promise of that name is another message's now. One that was due already stays: a breach is one.
    fn gives_way(&self, to: i64, promises: &[String], now: Timestamp) -> bool {
        let is_told =
            self.promise.terms.starts.date().is_some() && promises.iter().any(|name| name == self.name());
        let is_due = self.run.as_ref().is_some_and(|run| run.course.due < now);
        is_told && !is_due && numbers::message_of(self.delivery()) != to
    }

    fn name(&self) -> &str {
        self.promise.name()
    }

    /// What an event says, with the promise's name.
    fn says(&self, mut more: Value) -> String {
        more["promise"] = self.name().into();
        more.to_string()
    }

    /// Starts it.
    fn start(&mut self, starts: Timestamp) -> Line {
        let course = self.promise.start(starts);
        let mut says = course_says(&course);
        says["because"] = json!(self.promise.terms.starts);
        says["basis"] = json!(self.promise.terms.basis);
        says["calendar"] = json!(self.promise.terms.calendar);
        self.state = State::Begun;
        self.run = Some(Run { course, step: 0, met: None, ended: None, waived: false, paused: None });
        ("sla_started", self.says(says))
    }

    /// Records the steps that have come. What ends at the very instant it is due is in time: no breach.
    fn steps(&mut self, now: Timestamp) -> Vec<Line> {
        let name = self.promise.name().to_owned();
        let Some(run) = self.run.as_mut().filter(|run| run.is_open() && run.paused.is_none()) else {
            return vec![];
        };
        let late = now > run.course.due;
        let passed = run.course.steps_due(run.step, now).filter(|(step, _)| late || *step < BREACHED);
        let passed: Vec<_> = passed.collect();
        run.step = passed.last().map_or(run.step, |(step, _)| *step);
        passed.into_iter().map(|(step, due_at)| ("sla_step", told::step(&name, step, due_at))).collect()
    }

    /// It was met at that instant, by the message with that receipt: now, or before anybody knew of the promise.
    fn meet(&mut self, at: Timestamp, by: Option<&str>, now: Timestamp) -> Vec<Line> {
        let mut lines = self.go_on(now).unwrap_or_default();
        lines.extend(self.steps(at));
        let Some(run) = self.run.as_mut().filter(|run| run.is_open()) else { return vec![] };
        run.met = Some(at);
        let how = if at > run.course.due { "met_late" } else { "met" };
        self.state = State::Over;
        let mut says = json!({ "how": how });
        if let Some(by) = by {
            says["by"] = by.into();
        }
        if at != now {
            says["at"] = json!(at);
        }
        lines.push((MET, self.says(says)));
        lines
    }

    fn end(&mut self, now: Timestamp, state: State, why: &str) -> Vec<Line> {
        let mut lines = self.go_on(now).unwrap_or_default();
        lines.extend(self.steps(now));
        let open = self.run.as_mut().filter(|run| run.is_open());
        let waits = self.state == State::Waiting;
        self.state = state;
        if let Some(run) = open {
            run.ended = Some(now);
        } else if !waits {
            return vec![];
        }
        lines.push(("sla_ended", self.says(json!({ "why": why }))));
        lines
    }

    fn waive(&mut self, now: Timestamp) -> Vec<Line> {
        let mut lines = self.steps(now);
        if let Some(run) = &mut self.run {
            if !run.is_open() {
                return vec![];
            }
            (run.ended, run.waived, run.paused) = (Some(now), true, None);
        }
        self.state = State::Over;
        lines.push(("sla_waived", self.says(json!({}))));
        lines
    }

    /// After its delivery's death: with the same instants, as if it had never ended. What fell due meanwhile is the
    /// watch's to tell.
    fn retry(&mut self) -> Vec<Line> {
        let Some(run) = self.run.as_mut().filter(|run| run.ended.is_some() && !run.waived) else {
            return vec![];
        };
        run.ended = None;
        vec![("sla_resumed", self.says(json!({ "why": "the delivery is tried again" })))]
    }

    /// Stands still while the case waits for information, and goes on when it does not. What is breached is.
    fn pause(&mut self, before: Option<CaseState>, after: CaseState, now: Timestamp) -> Vec<Line> {
        let waits = |state| state == CaseState::Incomplete;
        if !self.promise.terms.pauses || before.is_some_and(waits) == waits(after) {
            return vec![];
        }
        if !waits(after) {
            return self.go_on(now).unwrap_or_default();
        }
        let mut lines = self.steps(now);
        let due_before = |run: &&mut Run| run.is_open() && run.paused.is_none() && now < run.course.due;
        if let Some(run) = self.run.as_mut().filter(due_before) {
            run.paused = Some(now);
            lines.push(("sla_paused", self.says(json!({ "why": "the case waits for information" }))));
        }
        lines
    }

    /// Lets a clock that stands still go on with what was left to it.
    fn go_on(&mut self, now: Timestamp) -> Option<Vec<Line>> {
        let run = self.run.as_mut().filter(|run| run.is_open())?;
        let paused = run.paused.take()?;
        let before = run.course;
        run.course = self.promise.resumed(&before, paused, now);
        let mut says = course_says(&run.course);
        says["from"] = json!(before.due);
        let resumed = ("sla_resumed", self.says(json!({ "since": paused })));
        Some(vec![resumed, ("sla_moved", self.says(says))])
    }
}

/// The instants of a course as the history tells them.
fn course_says(course: &Course) -> Value {
    let mut says = json!({ "starts": course.starts, "due": course.due });
    if let Some(shares) = course.shares {
        says["shares"] = json!(shares);
    }
    says
}
