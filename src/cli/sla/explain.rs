//! Where a promise's time went: at the a-kasse, here, in attempts, waiting for a receiver or for whoever had to answer,
//! and while no gateway was up.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::super::{history, output::local};
use crate::{
    domain::{
        FaultClass,
        sla::{DELIVERED, Starts, Stops, Terms},
    },
    store::views::{ClockView, DeliveryView, EventView, MessageView, PromiseView},
};

mod around;
mod second;
mod time;
mod words;

pub(super) use around::Around;
use second::SecondWay;
use time::{Known, Whose};

/// One promise of one delivery, told by its parts. The parts add up to the time from start to end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    receiver: String,
    promise: String,
    standing: String,
    starts: Timestamp,
    /// What started the clock.
    started_by: Starts,
    /// What stops it.
    stopped_by: String,
    /// How many of those messages have come, where it waits for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// Who says so: a setting, or an agreement with its clause.
    basis: Option<String>,
    /// The calendar it counts by, and how much of its open time the budget has and is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar: Option<Counted>,
    due: Timestamp,
    /// When it was met, or now.
    until: Timestamp,
    met: Option<Timestamp>,
    /// From the start until it arrived here.
    at_sender_seconds: i64,
    /// While no gateway was up.
    gateway_down_seconds: i64,
    /// From its arrival until the first attempt began, or until now.
    before_first_attempt_seconds: i64,
    /// In attempts.
    attempting_seconds: i64,
    /// Between attempts after faults of the receiver, and while its circuit was open.
    receiver_unavailable_seconds: i64,
    /// The receiver has it, or may fetch it, and is to act.
    receiver_seconds: i64,
    /// The clock stood still.
    paused_seconds: i64,
    /// Between attempts otherwise, and after the last.
    waiting_seconds: i64,
    attempts: Vec<Attempt>,
    /// What else happened to the clock.
    clock: Vec<Happened>,
    /// Positive: so much after the deadline.
    late_seconds: i64,
    /// Who gave it up, when and why, if somebody did.
    waived: Option<Waived>,
    /// The second way, where the promise has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_way: Option<SecondWay>,
    /// Why it waits, if it does.
    hold: Option<String>,
    next_attempt: Option<Timestamp>,
    /// The receiver is probed, and before that has come to something nothing else is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    circuit_open_since: Option<Timestamp>,
}

/// A promise whose clock has not begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotBegun {
    receiver: String,
    promise: String,
    standing: &'static str,
    /// What starts its clock.
    starts: Starts,
    basis: String,
}

/// What is told of a promise.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Begun(Box<Explained>),
    NotBegun(NotBegun),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    name: String,
    budget_seconds: i64,
    used_seconds: i64,
}

#[derive(Debug, Serialize)]
struct Progress {
    count: u64,
    of: u16,
}

#[derive(Debug, Serialize)]
struct Happened {
    at: Timestamp,
    what: String,
}

#[derive(Debug, Serialize)]
struct Waived {
    at: Timestamp,
    by: String,
    reason: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    started: Timestamp,
    took_ms: i64,
    came_to: String,
    /// The receiver could not be reached, was busy, or had something of its own to mend.
    receiver_unavailable: bool,
    /// It lies ready for the receiver to fetch.
    #[serde(skip)]
    deposited: bool,
}

/// Every promise of the message.
pub(super) fn explain(
    message: &MessageView,
    clocks: &[ClockView],
    around: &Around,
    now: Timestamp,
) -> Vec<Told> {
    let begun = message.promises.iter().filter_map(|promise| {
        let delivery = message.deliveries.iter().find(|d| d.delivery_id == promise.delivery_id)?;
        let clock = clocks
            .iter()
            .find(|c| c.delivery_id == promise.delivery_id && c.promise.name() == promise.promise);
        let story = Story { message, promise, delivery, clock };
        Some(Told::Begun(Box::new(story.explained(around, now))))
    });
    let waiting = clocks.iter().filter(|clock| clock.state == "waiting").map(|clock| {
        let delivery = message.deliveries.iter().find(|d| d.delivery_id == clock.delivery_id);
        Told::NotBegun(NotBegun {
            receiver: delivery.map_or_else(String::new, |d| d.receiver.clone()),
            promise: clock.promise.name().to_owned(),
            standing: "waiting",
            starts: clock.promise.terms.starts.clone(),
            basis: clock.promise.terms.basis.clone(),
        })
    });
    begun.chain(waiting).collect()
}

/// What one promise is told from.
struct Story<'a> {
    message: &'a MessageView,
    promise: &'a PromiseView,
    delivery: &'a DeliveryView,
    clock: Option<&'a ClockView>,
}

impl Story<'_> {
    /// The events of the delivery.
    fn events(&self) -> impl Iterator<Item = &EventView> {
        self.message.history.iter().filter(|event| event.delivery_id == Some(self.delivery.delivery_id))
    }

    /// The events of its clock, with their names.
    fn of_clock(&self) -> impl Iterator<Item = (&EventView, &str)> {
        let name = self.promise.promise.as_str();
        let own = self.events().filter(move |event| event.data["promise"].as_str() == Some(name));
        own.filter_map(|event| Some((event, event.what.strip_prefix("sla_")?)))
    }

    fn is_delivered(&self) -> bool {
        self.promise.promise == DELIVERED
    }

    fn until(&self, now: Timestamp) -> Timestamp {
        let ended = if self.is_delivered() {
            // What only lies on the way is settled, and its promise open.
            let has_ended = !["on_track", "at_risk", "breached"].contains(&self.promise.standing.as_str());
            self.delivery.settled.filter(|_| has_ended)
        } else {
            let last =
                self.of_clock().filter(|(_, what)| matches!(*what, "ended" | "waived" | "resumed")).last();
            last.filter(|(_, what)| *what != "resumed").map(|(event, _)| event.at)
        };
        self.promise.met.or(ended).unwrap_or(now).max(self.promise.starts)
    }

    fn paused(&self, until: Timestamp) -> Vec<time::Span> {
        let mut spans = Vec::new();
        let mut since = None;
        for (event, what) in self.of_clock() {
            match (what, since) {
                ("paused", _) => since = Some(event.at.as_second()),
                ("resumed", Some(from)) => {
                    spans.push((from, event.at.as_second()));
                    since = None;
                }
                _ => {}
            }
        }
        spans.extend(since.filter(|_| self.promise.paused.is_some()).map(|from| (from, until.as_second())));
        spans
    }

    fn known(&self, attempts: &[Attempt], until: Timestamp, around: &Around, now: Timestamp) -> Known {
        let attempts = attempts.iter().map(|attempt| {
            let ended = attempt.started + SignedDuration::from_millis(attempt.took_ms);
            let after = match (attempt.receiver_unavailable, attempt.deposited) {
                (true, _) => Whose::ReceiverUnavailable,
                (false, true) => Whose::Receiver,
                (false, false) => Whose::Waiting,
            };
            (span(attempt.started, ended), after)
        });
        let has_it = self.delivery.settled.filter(|_| self.delivery.state == "delivered");
        Known {
            from: self.promise.starts.as_second(),
            until: until.as_second(),
            arrived: self.promise.received.as_second(),
            paused: self.paused(until),
            down: time::down(&around.runs, now),
            unavailable: self.outages(around).map(|(from, to)| span(from, to.unwrap_or(now))).collect(),
            attempts: attempts.collect(),
            delivered: has_it.map(Timestamp::as_second),
        }
    }

    fn outages<'a>(
        &'a self,
        around: &'a Around,
    ) -> impl Iterator<Item = (Timestamp, Option<Timestamp>)> + 'a {
        let own = around.outages.iter().filter(|(receiver, ..)| *receiver == self.delivery.receiver);
        own.map(|(_, from, to)| (*from, *to))
    }

    fn open_since(&self, around: &Around) -> Option<Timestamp> {
        self.outages(around).find(|(_, to)| to.is_none()).map(|(from, _)| from)
    }

    fn explained(&self, around: &Around, now: Timestamp) -> Explained {
        let Self { promise, delivery, .. } = *self;
        let attempts: Vec<Attempt> =
            self.events().filter(|event| event.what == "attempt").filter_map(attempt).collect();
        let until = self.until(now);
        let known = self.known(&attempts, until, around, now);
        let terms = self.clock.map(|clock| &clock.promise.terms);
        let waived = self.events().find(|event| event.what == "waived");
        Explained {
            receiver: promise.receiver.clone(),
            promise: promise.promise.clone(),
            standing: promise.standing.clone(),
            starts: promise.starts,
            started_by: terms.map_or(Starts::Occurred, |terms| terms.starts.clone()),
            stopped_by: terms.map_or_else(|| Stops::default().to_string(), Terms::stopped_by),
            progress: self.progress(),
            basis: promise.basis.clone().filter(|basis| !basis.is_empty()),
            calendar: self.counted(&known, until),
            due: promise.due,
            until,
            met: promise.met,
            at_sender_seconds: known.sum(Whose::Sender),
            gateway_down_seconds: known.sum(Whose::GatewayDown),
            before_first_attempt_seconds: known.sum(Whose::BeforeFirst),
            attempting_seconds: known.sum(Whose::Attempting),
            receiver_unavailable_seconds: known.sum(Whose::ReceiverUnavailable),
            receiver_seconds: known.sum(Whose::Receiver),
            paused_seconds: known.sum(Whose::Paused),
            waiting_seconds: known.sum(Whose::Waiting),
            attempts: if self.is_delivered() { attempts } else { vec![] },
            clock: self
                .of_clock()
                .filter_map(|(event, what)| happened(event, what))
                .chain(self.recomputed())
                .collect(),
            late_seconds: until.duration_since(promise.due).as_secs(),
            waived: waived.filter(|_| promise.standing == "waived").map(waived_by),
            second_way: if self.is_delivered() { second::way(self.message, delivery) } else { None },
            hold: delivery.hold.clone(),
            next_attempt: promise.next_attempt,
            circuit_open_since: self.open_since(around).filter(|_| promise.next_attempt.is_some()),
        }
    }

    /// How people gave what it is delivered by another deadline.
    fn recomputed(&self) -> impl Iterator<Item = Happened> {
        let of_it = self.events().filter(|event| event.what == "recomputed" && self.is_delivered());
        of_it.map(|event| Happened { at: event.at, what: history::words(event, &self.promise.receiver) })
    }

    /// How many of the messages it waits for have come.
    fn progress(&self) -> Option<Progress> {
        let of = self.clock.map(|clock| clock.promise.terms.count).filter(|of| *of > 1)?;
        let last = self.of_clock().filter(|(_, what)| *what == "counted").last();
        let count = last.and_then(|(event, _)| event.data["count"].as_u64()).unwrap_or(0);
        Some(Progress { count, of })
    }

    /// What of the calendar's open time the budget has, and what is used of it.
    fn counted(&self, known: &Known, until: Timestamp) -> Option<Counted> {
        let promise = &self.clock?.promise;
        let name = promise.calendar()?.name.clone();
        let (starts, due) = (self.promise.starts, self.promise.due);
        let still: SignedDuration = known
            .paused
            .iter()
            .filter_map(|(from, to)| {
                let at = |second: &i64| Timestamp::from_second(*second).ok();
                Some(promise.budget.used(at(from)?, at(to)?))
            })
            .sum();
        Some(Counted {
            name,
            // A clock that stood still is due later by as much as it stood.
            budget_seconds: (promise.budget.used(starts, due) - still).as_secs(),
            used_seconds: (promise.budget.used(starts, until) - still).as_secs(),
        })
    }
}

fn span(from: Timestamp, to: Timestamp) -> time::Span {
    (from.as_second(), to.as_second())
}

/// What happened to a clock besides its steps, in words.
fn happened(event: &EventView, what: &str) -> Option<Happened> {
    let data = &event.data;
    let instant =
        |name: &str| data[name].as_str().and_then(|at| at.parse().ok()).map_or_else(String::new, local);
    let why = data["why"].as_str().map_or_else(String::new, |why| format!(": {why}"));
    let what = match what {
        "paused" => format!("the clock stands still{why}"),
        "resumed" => format!("the clock goes on{why}"),
        "counted" => {
            let text = |name: &str| data[name].to_string();
            let by = data["by"].as_str().unwrap_or("?");
            format!("{} of {} have come: receipt {by}", text("count"), text("of"))
        }
        "moved" => format!("the deadline moved from {} to {}", instant("from"), instant("due")),
        "ended" => format!("it ended unmet{why}"),
        _ => return None,
    };
    Some(Happened { at: event.at, what })
}

fn waived_by(event: &EventView) -> Waived {
    let text = |name: &str| event.data[name].as_str().unwrap_or("?").to_owned();
    Waived { at: event.at, by: text("by"), reason: text("reason") }
}

fn attempt(event: &EventView) -> Option<Attempt> {
    let data = &event.data;
    let outcome = data["outcome"].as_str()?;
    let classes =
        [FaultClass::Unavailable, FaultClass::Throttled, FaultClass::ReceiverFault, FaultClass::Ambiguous];
    Some(Attempt {
        started: data["started"].as_str().and_then(|at| at.parse().ok()).unwrap_or(event.at),
        took_ms: data["tookMs"].as_i64().unwrap_or_default(),
        came_to: came_to(data),
        receiver_unavailable: classes.iter().any(|class| class.name() == outcome),
        deposited: outcome == "deposited",
    })
}

fn came_to(data: &Value) -> String {
    history::came_to(data)
}

#[cfg(test)]
mod tests;
