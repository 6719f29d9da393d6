//! What the history, the answers and the refusals say: the same words whichever engine keeps them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Accepted, Admission, Arrived, Invalid, Next, Settlement, TakenAgain, numbers::kept};
use crate::domain::{
    Answer, AnswerOutcome, Fault, FaultCode, Outcome, ReceiptId, Text, Violation,
    sla::{AT_RISK, BREACHED},
};

/// The word for a delivery's state, by the number that the tables keep.
pub(super) const STATES: [&str; 4] = ["pending", "delivered", "dead", "cancelled"];

/// The answer to a message that is stored now.
pub(super) fn first_answer(message: &Accepted) -> Answer {
    let id = Some(message.envelope.id.to_string());
    let mut answer =
        Answer::new(message.arrived.receipt, id, AnswerOutcome::Accepted, message.warnings.clone());
    answer.deadline = message.deliveries.iter().map(|d| d.promise.due).min().map(kept);
    answer
}

/// A message whose identity another one has: what is kept of it.
pub(super) fn reused(message: &Accepted, first: &Answer) -> Invalid {
    Invalid {
        arrived: message.arrived.clone(),
        message_id: Some(message.envelope.id.to_string()),
        source: Some(message.envelope.source.to_string()),
        kind: Some(message.envelope.kind.to_string()),
        receiver: Some(message.envelope.receiver.to_string()),
        violations: vec![identity_reused(first)],
        answers: message.answers,
        astray_in: None,
    }
}

fn identity_reused(first: &Answer) -> Violation {
    Violation::error(
        "/id",
        "identity.reused",
        FaultCode::IdentityReused,
        Text::new(
            format!("Samme id er allerede brugt til en anden besked (kvittering {}).", first.receipt_id),
            format!("The same id was already used for another message (receipt {}).", first.receipt_id),
        ),
    )
    .expected("a new id for a new message")
}

/// The last resort: the raw bytes, and that they could not be stored as what they are.
pub(super) fn unstorable(admission: &Admission) -> Invalid {
    let (arrived, answers, astray_in) = match admission {
        Admission::Accepted(message) => (&message.arrived, message.answers, None),
        Admission::Invalid(message) => (&message.arrived, message.answers, message.astray_in.clone()),
    };
    let text = Text::new("Beskeden kan ikke gemmes, som den er.", "The message cannot be stored as it is.");
    Invalid {
        arrived: Arrived { content_type: None, headers: vec![], sent: None, ..arrived.clone() },
        message_id: None,
        source: None,
        kind: None,
        receiver: None,
        violations: vec![Violation::error("", "message.not-storable", FaultCode::SetAside, text)],
        answers,
        astray_in,
    }
}

/// The answer to a refused message.
pub(super) fn refusal(message: &Invalid) -> Answer {
    Answer::new(
        message.arrived.receipt,
        message.message_id.clone(),
        AnswerOutcome::Rejected,
        message.violations.clone(),
    )
}

/// That a person had a message taken again: the event's name, what it says, and the command for the audit.
pub(super) fn taken_again(
    how: &TakenAgain,
    again: ReceiptId,
    by: &str,
) -> (&'static str, String, &'static str) {
    match how {
        TakenAgain::Replayed => {
            ("replayed", json!({ "by": by, "receipt": again }).to_string(), "messages replay")
        }
        TakenAgain::Edited { reason } => {
            let told = json!({ "by": by, "receipt": again, "reason": reason });
            ("edited", told.to_string(), "messages edit")
        }
    }
}

/// What an answer says, with the round it belongs to: an outcome after a death and a retry is news.
pub(super) fn in_round(mut data: Value, round: u32) -> String {
    if round > 0 {
        data["round"] = round.into();
    }
    data.to_string()
}

/// A passed step as the history tells it.
pub(super) fn step(promise: &str, step: u8, due_at: Timestamp) -> String {
    json!({ "promise": promise, "step": step, "dueAt": due_at }).to_string()
}

/// What the sender is told of the steps that passed in one go, if anything: the gravest of them.
pub(super) fn of_steps(steps: &[(u8, Timestamp)]) -> Option<AnswerOutcome> {
    let gravest = steps.last().map_or(0, |(step, _)| *step);
    match gravest {
        BREACHED.. => Some(AnswerOutcome::Late),
        // 75 and 90 passed in one go are still told once: a later look that finds only 90 tells nothing.
        _ if steps.iter().any(|(step, _)| *step == AT_RISK) => Some(AnswerOutcome::AtRisk),
        _ => None,
    }
}

/// The attempt as the history tells it.
pub(super) fn attempt(settlement: &Settlement, promise: Option<&str>) -> String {
    let record = &settlement.record;
    let mut told = json!({
        "attempt": settlement.lease.attempts + 1,
        "started": record.started,
        "tookMs": i64::try_from(record.took.as_millis()).unwrap_or(i64::MAX),
    });
    match &record.outcome {
        Outcome::Delivered(proof) => {
            told["outcome"] = "delivered".into();
            told["proof"] = json!(proof);
        }
        Outcome::Deposited => told["outcome"] = "deposited".into(),
        Outcome::Fault { fault, status, retry_after } => {
            told["outcome"] = fault.class().name().into();
            told["code"] = json!(fault.code);
            told["detail"] = fault.detail.clone().into();
            if let Some(status) = status {
                told["status"] = (*status).into();
            }
            if let Some(wait) = retry_after {
                told["retryAfterSeconds"] = wait.as_secs().into();
            }
        }
    }
    match &settlement.next {
        Next::Retry { at } => told["nextAttempt"] = json!(at),
        Next::Hold(reason) => told["hold"] = reason.name().into(),
        Next::Dead(_) => told["dead"] = true.into(),
        Next::Delivered => {}
    }
    if let Some(promise) = promise {
        told["promise"] = promise.into();
    }
    told.to_string()
}

/// What an answer's row adds to what the message's row says: by its outcome and its data.
pub(super) fn complete(answer: &mut Answer, at: Timestamp, data: &Value) {
    answer.round = u32::try_from(data["round"].as_u64().unwrap_or_default()).unwrap_or(u32::MAX);
    if let Ok(fault) = serde_json::from_value::<Fault>(data["fault"].clone()) {
        answer.errors.push(fault_violation(&fault));
    }
    if answer.outcome == AnswerOutcome::Delivered {
        answer.delivered_at = Some(at);
        answer.receiver_receipt = data["receipt"].as_str().map(str::to_owned);
    }
}

/// A delivery's fault, in the form in which senders read errors.
fn fault_violation(fault: &Fault) -> Violation {
    let text = Text::new(
        format!("Leveringen mislykkedes: {}", fault.detail),
        format!("The delivery failed: {}", fault.detail),
    );
    Violation::error("", format!("delivery.{}", fault.class().name()), fault.code, text)
}
