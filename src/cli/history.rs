//! A message's history in words: what happened, to which delivery, what follows.

use serde_json::Value;

use super::output::local;
use crate::{
    domain::FaultCode,
    store::views::{EventView, MessageView},
};

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: jiff::Timestamp,
    pub(super) what: String,
}

/// Everything that happened to a message, in order.
pub(super) fn timeline(message: &MessageView) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |at: Option<jiff::Timestamp>, what: String| {
        if let Some(at) = at {
            entries.push(Entry { at, what });
        }
    };
    add(message.occurred, "it happened in the business (time)".to_owned());
    add(message.recorded, "the sender's system recorded it".to_owned());
    add(message.sent, "it was sent, by the sender's word".to_owned());
    let became = if message.line.state == "invalid" { "refused as invalid" } else { "accepted" };
    add(
        Some(message.line.received),
        format!("received over {} from {}: {became}", message.way, message.line.party),
    );
    for event in &message.history {
        add(Some(event.at), words(event, &receiver(message, event)));
    }
    // A stable sort: what happened in one instant stays in the order in which it was written.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// The receiver of the delivery that an event is about.
fn receiver(message: &MessageView, event: &EventView) -> String {
    let delivery = message.deliveries.iter().find(|d| Some(d.delivery_id) == event.delivery_id);
    delivery.map_or_else(String::new, |d| d.receiver.clone())
}

/// One event in words.
pub(super) fn words(event: &EventView, receiver: &str) -> String {
    let data = &event.data;
    let by = data["by"].as_str().unwrap_or("somebody");
    match event.what.as_str() {
        "attempt" => attempt(data, receiver),
        "sla_step" => step(data, receiver),
        "retried" => format!("{by} asked to try the delivery to {receiver} again"),
        "cancelled" => {
            let reason = data["reason"].as_str().map(|r| format!(": {r}")).unwrap_or_default();
            format!("{by} cancelled the delivery to {receiver}{reason}")
        }
        "recomputed" => {
            let time = |key: &str| {
                data[key].as_str().and_then(|text| text.parse().ok()).map_or_else(|| "?".to_owned(), local)
            };
            format!(
                "{by} moved the deadline at {receiver} from {} to {} (generation {} of the configuration): {}",
                time("oldDue"),
                time("due"),
                data["generation"],
                data["reason"].as_str().unwrap_or("no reason")
            )
        }
        "waived" => {
            format!("{by} waived what is promised to {receiver}: {}", data["reason"].as_str().unwrap_or("?"))
        }
        "sla_started" | "sla_paused" | "sla_resumed" | "sla_moved" | "sla_counted" | "sla_met"
        | "sla_ended" | "sla_waived" => clock(&event.what, data, receiver),
        "fallback_released" => released(data, receiver),
        "fallback_met" => format!("what is promised to {receiver} was met by the second way"),
        "fallback_ended" => format!("the second way failed too: what is promised to {receiver} ended unmet"),
        "fallback_resumed" => format!("what is promised to {receiver} is open again"),
        "receipt" => receipt(data, receiver, by),
        "duplicate" => {
            format!("the same message came again over {}; it was taken once", data.as_str().unwrap_or("?"))
        }
        "reply" => reply(data),
        "reply_to" => {
            format!("it answers the message with the receipt {}", data["receiptId"].as_str().unwrap_or("?"))
        }
        "unmatched" => {
            "it answers no message that its sender was sent; it is delivered all the same".to_owned()
        }
        "replayed" => {
            format!("{by} had it taken again, as receipt {}", data["receipt"].as_str().unwrap_or("?"))
        }
        "edited" => {
            let reason = data["reason"].as_str().unwrap_or("?");
            format!(
                "{by} gave a corrected one, receipt {}: {reason}",
                data["receipt"].as_str().unwrap_or("?")
            )
        }
        other => format!("{other} {data}"),
    }
}

/// What happened to the clock of a promise beside that of being delivered.
fn clock(what: &str, data: &Value, receiver: &str) -> String {
    let promise = data["promise"].as_str().unwrap_or("?");
    let instant =
        |name: &str| data[name].as_str().and_then(|at| at.parse().ok()).map_or_else(String::new, local);
    let why = data["why"].as_str().map_or_else(String::new, |why| format!(": {why}"));
    let what = match what {
        "sla_started" => format!("started; it is due {}", instant("due")),
        "sla_paused" => format!("stands still{why}"),
        "sla_resumed" => format!("goes on{why}"),
        "sla_counted" => format!("has {} of {} that it waits for", data["count"], data["of"]),
        "sla_moved" => format!("is due {} instead of {}", instant("due"), instant("from")),
        "sla_met" if data["how"] == "met_late" => "is met, late".to_owned(),
        "sla_met" => "is met".to_owned(),
        "sla_ended" => format!("ended unmet{why}"),
        _ => "is waived".to_owned(),
    };
    format!("the promise \"{promise}\" to {receiver} {what}")
}

/// That a second way was let go, and why.
fn released(data: &Value, receiver: &str) -> String {
    let first = data["first"].as_str().unwrap_or("?");
    let why = match data["reason"].as_str() {
        Some("failed") => format!("{first} failed"),
        Some("predicted") => foreseen(data, first),
        _ => format!("{first} endangers the promise"),
    };
    format!("it goes by the second way {receiver} too: {why}")
}

/// What the forecast said when it let a second way go.
pub(super) fn foreseen(data: &Value, first: &str) -> String {
    let forecast = &data["forecast"];
    let at = |name: &str| forecast[name].as_str().and_then(|at| at.parse().ok()).map(local);
    let why = forecast["why"].as_str().unwrap_or("?");
    let done = at("done").map_or_else(|| "never".to_owned(), |done| format!("about {done}"));
    let due = at("due").unwrap_or_else(|| "?".to_owned());
    format!("by the forecast {first} would have it {done}, and it is due {due}: {why}")
}

/// What a return message said of it, and what became of that.
fn reply(data: &Value) -> String {
    let text = |name: &str| data[name].as_str().unwrap_or("?");
    let (says, state) = (text("says").replace('_', " "), text("state").replace('_', " "));
    let told = format!("{} {} said \"{says}\"", text("kind"), text("messageId"));
    match text("step") {
        "moved" => told,
        "repeated" => format!("{told}, as was known"),
        "late" => format!("{told}, which came late: it stays \"{state}\""),
        _ => format!("{told}, which contradicts what is final: it stays \"{state}\""),
    }
}

fn attempt(data: &Value, receiver: &str) -> String {
    let number = data["attempt"].as_u64().unwrap_or_default();
    let took = data["tookMs"].as_i64().unwrap_or_default();
    let mut text = format!("attempt {number} to {receiver} ({took} ms): {}", came_to(data));
    let promise = match data["promise"].as_str() {
        Some("met") => "; the promise is met",
        Some("met_late") => "; the promise is met, late",
        Some("ended") => "; the promise ended unmet",
        _ => "",
    };
    text.push_str(promise);
    if let Some(at) = data["nextAttempt"].as_str().and_then(|at| at.parse().ok()) {
        text = format!("{text}; next attempt {}", local(at));
    }
    match data["hold"].as_str() {
        Some("person") => text.push_str("; a person must decide"),
        Some("mailbox") | None => {}
        Some(other) => text = format!("{text}; held: {other}"),
    }
    if data["dead"] == true {
        text.push_str("; it is not tried again");
    }
    text
}

/// What an attempt came to.
pub(super) fn came_to(data: &Value) -> String {
    match data["outcome"].as_str() {
        Some("delivered") => delivered(&data["proof"]),
        Some("deposited") => "laid ready for the receiver to fetch".to_owned(),
        _ => {
            let code = data["code"].as_str().unwrap_or("?");
            let title = code.parse::<FaultCode>().map_or("it failed", FaultCode::title);
            let detail = data["detail"].as_str().unwrap_or_default();
            format!("{title} ({code}): {detail}")
        }
    }
}

fn delivered(proof: &Value) -> String {
    let mut facts = Vec::new();
    if let Some(status) = proof["status"].as_u64() {
        facts.push(format!("status {status}"));
    }
    if let Some(receipt) = proof["receipt"].as_str() {
        facts.push(format!("receipt {receipt}"));
    }
    if proof["alreadyHadIt"] == true {
        facts.push("the receiver already had it".to_owned());
    }
    let word =
        if proof["inTransit"] == true { "on its way; its receipt is still to come" } else { "delivered" };
    if facts.is_empty() { word.to_owned() } else { format!("{word} ({})", facts.join(", ")) }
}

fn step(data: &Value, receiver: &str) -> String {
    let (promise, step) =
        (data["promise"].as_str().unwrap_or("?"), data["step"].as_u64().unwrap_or_default());
    if step >= 100 {
        return format!("the promise \"{promise}\" to {receiver} was breached");
    }
    format!("{step} % of the time of the promise \"{promise}\" to {receiver} were used")
}

fn receipt(data: &Value, receiver: &str, by: &str) -> String {
    if let Some(fault) = data["refused"].as_object() {
        let detail = fault.get("detail").and_then(Value::as_str).unwrap_or_default();
        return format!("{by} refused the delivery to {receiver}: {detail}");
    }
    let named = data["receipt"].as_str().map(|r| format!(" (receipt {r})")).unwrap_or_default();
    format!("{by} confirmed the delivery to {receiver}{named}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(what: &str, data: Value) -> String {
        let event =
            EventView { at: jiff::Timestamp::UNIX_EPOCH, what: what.to_owned(), delivery_id: None, data };
        words(&event, "kbh")
    }

    #[test]
    fn an_attempt_says_what_it_came_to_and_what_follows() {
        assert_eq!(
            told(
                "attempt",
                json!({
                    "attempt": 2, "tookMs": 12, "outcome": "unavailable", "code": "GW2102", "detail": "it answered 503",
                    "status": 503, "nextAttempt": "2026-11-22T11:00:00Z"
                })
            ),
            "attempt 2 to kbh (12 ms): the receiver answered with an error of its own (GW2102): it answered 503; \
             next attempt 2026-11-22 12:00:00"
        );
        assert_eq!(
            told(
                "attempt",
                json!({
                    "attempt": 3, "tookMs": 5, "outcome": "delivered", "proof": { "status": 202, "receipt": "R-1" },
                    "promise": "met_late"
                })
            ),
            "attempt 3 to kbh (5 ms): delivered (status 202, receipt R-1); the promise is met, late"
        );
        assert_eq!(
            told(
                "attempt",
                json!({
                    "attempt": 1, "tookMs": 5, "outcome": "delivered", "proof": { "inTransit": true }
                })
            ),
            "attempt 1 to kbh (5 ms): on its way; its receipt is still to come"
        );
    }

    #[test]
    fn what_people_did_names_them_and_their_reason() {
        assert_eq!(
            told("cancelled", json!({ "by": "cli:anna", "reason": "sent by post" })),
            "cli:anna cancelled the delivery to kbh: sent by post"
        );
        assert_eq!(
            told("retried", json!({ "by": "cli:anna" })),
            "cli:anna asked to try the delivery to kbh again"
        );
        assert_eq!(
            told("waived", json!({ "by": "cli:anna", "reason": "agreed by telephone" })),
            "cli:anna waived what is promised to kbh: agreed by telephone"
        );
        assert_eq!(
            told("edited", json!({ "by": "cli:anna", "receipt": "019a", "reason": "wrong case" })),
            "cli:anna gave a corrected one, receipt 019a: wrong case"
        );
        assert_eq!(
            told("receipt", json!({ "by": "0101", "refused": { "code": "GW2001", "detail": "not ours" } })),
            "0101 refused the delivery to kbh: not ours"
        );
        assert_eq!(
            told("duplicate", json!("amqp")),
            "the same message came again over amqp; it was taken once"
        );
    }

    #[test]
    fn a_second_way_says_why_it_goes() {
        let released =
            |reason: &str| told("fallback_released", json!({ "reason": reason, "first": "kbh-http" }));
        assert_eq!(released("time"), "it goes by the second way kbh too: kbh-http endangers the promise");
        assert_eq!(released("failed"), "it goes by the second way kbh too: kbh-http failed");
        let (due, done) = ("2026-11-22T12:00:00Z", "2026-11-22T13:30:00Z");
        let predicted = |done: Value| {
            let forecast = json!({ "cause": "backlog", "why": "more waits", "done": done, "due": due });
            let data = json!({ "reason": "predicted", "first": "kbh-http", "forecast": forecast });
            told("fallback_released", data)
        };
        assert_eq!(
            predicted(done.into()),
            "it goes by the second way kbh too: by the forecast kbh-http would have it about 2026-11-22 14:30:00, and it \
             is due 2026-11-22 13:00:00: more waits"
        );
        assert!(predicted(Value::Null).contains("would have it never"), "{}", predicted(Value::Null));
        assert_eq!(
            told("fallback_met", json!({ "promise": "met" })),
            "what is promised to kbh was met by the second way"
        );
    }

    #[test]
    fn a_step_says_how_much_is_used_or_that_it_is_breached() {
        let step = |step: u8| told("sla_step", json!({ "promise": "delivered", "step": step }));
        assert_eq!(step(75), "75 % of the time of the promise \"delivered\" to kbh were used");
        assert_eq!(step(100), "the promise \"delivered\" to kbh was breached");
    }

    #[test]
    fn an_event_of_a_later_version_is_shown_as_it_is() {
        assert_eq!(told("moved", json!({ "to": 1 })), "moved {\"to\":1}");
    }
}
