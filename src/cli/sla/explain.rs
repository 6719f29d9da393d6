//! Where a promise's time went: at the a-kasse, here, in attempts, and waiting for a receiver.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::super::{
    history,
    output::{local, span},
};
use crate::{
    domain::FaultClass,
    store::views::{DeliveryView, EventView, MessageView, PromiseView},
};

/// One promise of one delivery, told by its parts. The parts add up to the time from start to end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    receiver: String,
    promise: String,
    standing: String,
    starts: Timestamp,
    due: Timestamp,
    /// When it was met, or now.
    until: Timestamp,
    met: Option<Timestamp>,
    /// From the start until it arrived here.
    at_sender_seconds: i64,
    /// From its arrival until the first attempt began, or until now.
    before_first_attempt_seconds: i64,
    /// In attempts.
    attempting_seconds: i64,
    /// Between attempts after faults of the receiver.
    receiver_unavailable_seconds: i64,
    /// Between attempts otherwise, and after the last.
    waiting_seconds: i64,
    attempts: Vec<Attempt>,
    /// Positive: so much after the deadline.
    late_seconds: i64,
    /// Who gave it up, when and why, if somebody did.
    waived: Option<Waived>,
    /// Why it waits, if it does.
    hold: Option<String>,
    next_attempt: Option<Timestamp>,
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
}

/// Every promise of the message.
pub(super) fn explain(message: &MessageView, now: Timestamp) -> Vec<Explained> {
    let delivery =
        |promise: &&PromiseView| message.deliveries.iter().find(|d| d.receiver == promise.receiver);
    message
        .promises
        .iter()
        .filter_map(|promise| Some(one(message, promise, delivery(&promise)?, now)))
        .collect()
}

fn one(message: &MessageView, promise: &PromiseView, delivery: &DeliveryView, now: Timestamp) -> Explained {
    let of_it = |event: &&EventView| event.delivery_id == Some(delivery.delivery_id);
    let attempts = message.history.iter().filter(of_it).filter(|event| event.what == "attempt");
    let attempts: Vec<Attempt> = attempts.filter_map(attempt).collect();
    let until = promise.met.or(delivery.settled).unwrap_or(now);
    let first = attempts.first().map_or(until, |a| a.started);
    let arrived = promise.received.max(promise.starts);
    let (mut unavailable, mut waiting) = (SignedDuration::ZERO, SignedDuration::ZERO);
    for (place, attempt) in attempts.iter().enumerate() {
        let ended = attempt.started + SignedDuration::from_millis(attempt.took_ms);
        let next = attempts.get(place + 1).map_or(until, |next| next.started);
        let gap = next.duration_since(ended).max(SignedDuration::ZERO);
        if attempt.receiver_unavailable { unavailable += gap } else { waiting += gap }
    }
    Explained {
        receiver: promise.receiver.clone(),
        promise: promise.promise.clone(),
        standing: promise.standing.clone(),
        starts: promise.starts,
        due: promise.due,
        until,
        met: promise.met,
        at_sender_seconds: arrived.duration_since(promise.starts).as_secs(),
        before_first_attempt_seconds: first.duration_since(arrived).max(SignedDuration::ZERO).as_secs(),
        attempting_seconds: attempts.iter().map(|a| a.took_ms).sum::<i64>() / 1000,
        receiver_unavailable_seconds: unavailable.as_secs(),
        waiting_seconds: waiting.as_secs(),
        attempts,
        late_seconds: until.duration_since(promise.due).as_secs(),
        waived: message.history.iter().filter(of_it).find(|event| event.what == "waived").map(waived),
        hold: delivery.hold.clone(),
        next_attempt: promise.next_attempt,
    }
}

fn waived(event: &EventView) -> Waived {
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
    })
}

fn came_to(data: &Value) -> String {
    history::came_to(data)
}

impl Explained {
    /// The story, a line each.
    pub(super) fn words(&self) -> Vec<String> {
        let text = |seconds: i64| span(SignedDuration::from_secs(seconds));
        let budget = span(self.due.duration_since(self.starts));
        let mut lines = vec![
            format!(
                "Promise \"{}\" to {}: within {budget}, due {}",
                self.promise,
                self.receiver,
                local(self.due)
            ),
            format!("  {}  the clock started: it happened in the business", local(self.starts)),
            format!("  waited at the a-kasse          {}", text(self.at_sender_seconds)),
            format!("  here before the first attempt  {}", text(self.before_first_attempt_seconds)),
            format!("  in {:<28}{}", counted(self.attempts.len()), text(self.attempting_seconds)),
            format!("  the receiver was unavailable   {}", text(self.receiver_unavailable_seconds)),
            format!("  waited otherwise               {}", text(self.waiting_seconds)),
        ];
        for (place, attempt) in self.attempts.iter().enumerate() {
            lines.push(format!("  {}  attempt {}: {}", local(attempt.started), place + 1, attempt.came_to));
        }
        lines.push(format!("  {}", self.end()));
        lines
    }

    fn end(&self) -> String {
        let late = span(SignedDuration::from_secs(self.late_seconds.abs()));
        let side = if self.late_seconds > 0 {
            format!("{late} after the deadline")
        } else {
            format!("{late} before the deadline")
        };
        if let Some(Waived { at, by, reason }) = &self.waived {
            return format!("{}  waived by {by}: {reason}; neither met nor breached", local(*at));
        }
        match (self.standing.as_str(), self.met) {
            (_, Some(met)) => format!("{}  the receiver has it: {side}", local(met)),
            ("ended", None) => format!("{}  it ended undelivered: {side}", local(self.until)),
            ("breached", None) => format!("breached since {}, {late} ago; {}", local(self.due), self.next()),
            _ => format!("open, {late} left; {}", self.next()),
        }
    }

    fn next(&self) -> String {
        match (self.hold.as_deref(), self.next_attempt) {
            (Some("mailbox"), _) => "it lies in the mailbox until the receiver fetches it".to_owned(),
            (Some("person"), _) => {
                "it waits for a person: `kassebro deliveries retry` or `cancel`".to_owned()
            }
            (Some("agreement"), _) => {
                "it waits for an agreement in force: `kassebro deliveries retry` lets it go".to_owned()
            }
            (Some("order"), _) => "it waits for an earlier message about the same citizen".to_owned(),
            (Some(other), _) => format!("it is held: {other}"),
            (None, Some(at)) => format!("next attempt {}", local(at)),
            (None, None) => "its receipt is still to come".to_owned(),
        }
    }
}

fn counted(attempts: usize) -> String {
    super::super::output::counted(attempts, "attempt", "attempts")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{domain::ReceiptId, store::views::MessageLine};

    const RECEIPT: Uuid = Uuid::from_bytes([0x33; 16]);

    fn at(clock: &str) -> Timestamp {
        format!("2026-11-02T{clock}:00Z").parse().unwrap()
    }

    /// Happened at 08:00, received at 09:00, due at 12:00; attempts as given.
    fn message(attempts: &[Value], met: Option<Timestamp>) -> MessageView {
        let receipt = ReceiptId::from_fresh(RECEIPT);
        let delivery = receipt.delivery(1);
        let line = MessageLine {
            receipt_id: receipt,
            message_id: Some("m-1".into()),
            party: "3f".into(),
            kind: Some("complaint.v1".into()),
            receiver: None,
            received: at("09:00"),
            state: "pending".into(),
            due: Some(at("12:00")),
        };
        let events = attempts.iter().map(|data| EventView {
            at: at("09:00"),
            what: "attempt".into(),
            delivery_id: Some(delivery),
            data: data.clone(),
        });
        MessageView {
            way: "http".into(),
            source: None,
            subject: None,
            agreement: None,
            correlation_id: None,
            case: None,
            causation_id: None,
            occurred: Some(at("08:00")),
            recorded: None,
            sent: None,
            generation: 1,
            content_type: None,
            raw_bytes: 0,
            findings: vec![],
            deliveries: vec![DeliveryView {
                delivery_id: delivery,
                message_id: "m-1".into(),
                kind: "complaint.v1".into(),
                receiver: "kbh".into(),
                format: "klagesag".into(),
                state: "pending".into(),
                hold: None,
                attempts: 2,
                due: at("12:00"),
                next_attempt: None,
                settled: met,
                fault: None,
            }],
            promises: vec![PromiseView {
                receipt_id: receipt,
                message_id: "m-1".into(),
                kind: "complaint.v1".into(),
                receiver: "kbh".into(),
                promise: "delivered".into(),
                starts: at("08:00"),
                received: at("09:00"),
                due: at("12:00"),
                met,
                standing: if met.is_some() { "met_late".into() } else { "breached".into() },
                attempts: 2,
                next_attempt: met.is_none().then(|| at("14:00")),
                state: "pending".into(),
            }],
            history: events.collect(),
            line,
        }
    }

    fn failed(clock: &str) -> Value {
        let started = at(clock).to_string();
        json!({ "attempt": 1, "started": started, "tookMs": 60_000, "outcome": "unavailable", "code": "GW2101",
            "detail": "no route" })
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let delivered = json!({ "attempt": 2, "started": at("12:30").to_string(), "tookMs": 60_000,
            "outcome": "delivered", "proof": { "status": 200 } });
        let explained = &explain(&message(&[failed("09:10"), delivered], Some(at("12:31"))), at("20:00"))[0];
        let parts = [
            explained.at_sender_seconds,
            explained.before_first_attempt_seconds,
            explained.attempting_seconds,
            explained.receiver_unavailable_seconds,
            explained.waiting_seconds,
        ];
        assert_eq!(parts.map(|seconds| seconds / 60), [60, 10, 2, 199, 0]);
        assert_eq!(parts.iter().sum::<i64>(), at("12:31").duration_since(at("08:00")).as_secs());
        assert_eq!(explained.late_seconds, 31 * 60);
        let words = explained.words().join("\n");
        assert!(words.contains("attempt 1: no connection to the receiver (GW2101): no route"), "{words}");
        assert!(words.ends_with("the receiver has it: 31m00s after the deadline"), "{words}");
    }

    #[test]
    fn what_was_waived_says_by_whom_and_why() {
        let mut message = message(&[failed("09:10")], None);
        message.promises[0].standing = "waived".into();
        let data = json!({ "by": "cli:anna", "reason": "agreed by telephone" });
        let delivery_id = message.history[0].delivery_id;
        message.history.push(EventView { at: at("11:00"), what: "waived".into(), delivery_id, data });
        let words = explain(&message, at("13:00"))[0].words().join("\n");
        let end = "2026-11-02 12:00:00  waived by cli:anna: agreed by telephone; neither met nor breached";
        assert!(words.ends_with(end), "{words}");
    }

    #[test]
    fn what_is_open_says_what_comes_next() {
        let explained = &explain(&message(&[failed("09:10")], None), at("13:00"))[0];
        assert_eq!(explained.receiver_unavailable_seconds, (3 * 60 + 49) * 60);
        let words = explained.words().join("\n");
        assert!(words.ends_with("1h00m ago; next attempt 2026-11-02 15:00:00"), "{words}");
        let untried = &explain(&message(&[], None), at("13:00"))[0];
        assert_eq!(untried.before_first_attempt_seconds, 4 * 3600);
    }
}
