//! What the history, the answers and the refusals say: the same words whichever engine keeps them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    Accepted, Admission, Arrived, Invalid, Next, Settlement, TakenAgain, json, numbers::kept, stops::Stop,
};
use crate::domain::{
    Answer, AnswerOutcome, Fault, FaultCode, Outcome, ReceiptId, Text, Violation,
    attempt::Proof,
    placement::Absence,
    sla::{AT_RISK, BREACHED},
};

/// The word for a delivery's state, by the number that the tables keep.
pub(super) const STATES: [&str; 4] = ["pending", "delivered", "dead", "cancelled"];

/// The answer to a message that is stored now.
pub(super) fn first_answer(message: &Accepted) -> Answer {
    let id = Some(message.envelope.id.to_string());
    let mut answer =
        Answer::new(message.arrived.receipt, id, AnswerOutcome::Accepted, message.warnings.clone());
    answer.deadline = message.deliveries.iter().map(|d| d.promise.course.due).min().map(kept);
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

/// A message that is sound by itself and does not go: what is kept of it.
pub(super) fn stopped(message: &Accepted, stop: Stop) -> Invalid {
    let placed = "a citizen who is placed with the a-kasse at the business time".to_owned();
    let (pointer, rule, expected, text) = match stop {
        Stop::NotPlaced(Absence::OptOut) => (
            "/data/citizen",
            "placement.opted-out",
            placed,
            Text::new(
                "Borgeren har fravalgt a-kassen og følger jobcentrets kontaktforløb.",
                "The citizen opted out of the a-kasse and follows the jobcenter's contact course.",
            ),
        ),
        Stop::NotPlaced(Absence::SpecialEffort) => (
            "/data/citizen",
            "placement.special-effort",
            placed,
            Text::new(
                "Borgeren er omfattet af jobcentrets specialindsats og er ikke udlagt til a-kassen.",
                "The citizen is under the jobcenter's special effort and is not placed with the a-kasse.",
            ),
        ),
        Stop::Cap => {
            let cap = message.spends.as_ref();
            let (agreement, clause) = cap.map_or(("", ""), |cap| (&*cap.agreement, &*cap.clause));
            (
                "/data",
                "agreement.cap",
                cap.map_or_else(String::new, |cap| format!("at most {} kr. a year", cap.most / 100)),
                Text::new(
                    format!("Aftalen {agreement} ({clause}): årets ramme ville blive overskredet."),
                    format!("Agreement {agreement} ({clause}): the year's sum would be passed."),
                ),
            )
        }
    };
    let violation = Violation::error(pointer, rule, FaultCode::AgreementRefuses, text).expected(expected);
    Invalid { violations: vec![violation], ..reused(message, &first_answer(message)) }
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
            ("replayed", serde_json::json!({ "by": by, "receipt": again }).to_string(), "messages replay")
        }
        TakenAgain::Edited { reason } => {
            let told = serde_json::json!({ "by": by, "receipt": again, "reason": reason });
            ("edited", told.to_string(), "messages edit")
        }
    }
}

/// What an answer says, with the round it belongs to: an outcome after a death and a retry is news.
#[derive(Serialize)]
struct Outcomes<'a> {
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "is_first")]
    round: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum What<'a> {
    Receipt(Option<&'a str>),
    Fault(&'a Fault),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_first(round: &u32) -> bool {
    *round == 0
}

/// What the answer `delivered` says.
pub(super) fn delivered(receipt: Option<&str>, round: u32) -> String {
    json(&Outcomes { what: What::Receipt(receipt), round })
}

/// What the answer `failed` says.
pub(super) fn failed(fault: &Fault, round: u32) -> String {
    json(&Outcomes { what: What::Fault(fault), round })
}

/// A passed step as the history tells it.
pub(super) fn step(promise: &str, step: u8, due_at: Timestamp) -> String {
    serde_json::json!({ "promise": promise, "step": step, "dueAt": due_at }).to_string()
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

/// The attempt as the history tells it. A structure of its own and not a tree: it is written for each message.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tried<'a> {
    attempt: u32,
    started: Timestamp,
    took_ms: i64,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<FaultCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    promise: Option<&'a str>,
}

/// The attempt as the history tells it.
pub(super) fn attempt(settlement: &Settlement, promise: Option<&str>) -> String {
    let record = &settlement.record;
    let mut told = Tried {
        attempt: settlement.lease.attempts + 1,
        started: record.started,
        took_ms: i64::try_from(record.took.as_millis()).unwrap_or(i64::MAX),
        outcome: "deposited",
        promise,
        ..Tried::default()
    };
    match &record.outcome {
        Outcome::Delivered(proof) => (told.outcome, told.proof) = ("delivered", Some(proof)),
        Outcome::Deposited => {}
        Outcome::Fault { fault, status, retry_after } => {
            told.outcome = fault.class().name();
            (told.code, told.detail) = (Some(fault.code), Some(&*fault.detail));
            told.status = *status;
            told.retry_after_seconds = retry_after.map(|wait| wait.as_secs());
        }
    }
    match &settlement.next {
        Next::Retry { at } => told.next_attempt = Some(*at),
        Next::Hold(reason) => told.hold = Some(reason.name()),
        Next::Dead(_) => told.dead = Some(true),
        Next::Delivered => {}
    }
    json(&told)
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
    let violation = Violation::error("", format!("delivery.{}", fault.class().name()), fault.code, text);
    Violation { star_code: fault.star_code, ..violation }
}
