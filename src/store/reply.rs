//! What both engines make of a return message: which delivery it is a receipt of, and what is written down.

use serde_json::{Value, json};

use super::{Accepted, Command};
use crate::domain::{
    DeliveryId, ReceiptId,
    case::{CaseState, CaseStep, Said},
};

/// The message that is answered, as the tables have it.
pub(super) struct Original {
    pub(super) receipt: ReceiptId,
    /// The URN of whom it was addressed to.
    pub(super) receiver: String,
    pub(super) state: Option<CaseState>,
    pub(super) deliveries: u8,
}

/// What follows for the original.
pub(super) struct Effect {
    /// Its state from now on, where that changes.
    pub(super) moves_to: Option<CaseState>,
    /// The event of the original.
    pub(super) told: Value,
    /// What the return message is for the delivery it answers.
    pub(super) command: Option<Command>,
}

/// Whether the message may speak of the original: only the party that it was addressed to answers it.
pub(super) fn may_answer(message: &Accepted, original: &Original) -> bool {
    original.receiver == message.envelope.source.to_string()
}

/// What a return message does to the message it answers.
pub(super) fn effect(message: &Accepted, said: &Said, original: &Original) -> Effect {
    let (step, state) = CaseState::after(original.state, said.state);
    let moved = step == CaseStep::Moved;
    let told = json!({
        "messageId": message.envelope.id.as_str(),
        "receiptId": message.arrived.receipt,
        "kind": message.envelope.kind.to_string(),
        "says": said.state,
        "step": step,
        "state": state,
    });
    Effect { moves_to: moved.then_some(state), told, command: command(message, said, original, moved) }
}

/// A return message is a receipt of the delivery it names, or of the only one. A refusal counts where it is news:
/// one that comes late or contradicts is kept and changes nothing.
fn command(message: &Accepted, said: &Said, original: &Original, moved: bool) -> Option<Command> {
    let only = (original.deliveries == 1).then(|| original.receipt.delivery(1));
    let delivery: DeliveryId = match said.delivery {
        Some(named) => Some(named).filter(|named| named.receipt() == original.receipt),
        None => only,
    }?;
    let by = message.envelope.source.to_string();
    match &said.refusal {
        None => Some(Command::Confirm { delivery, receipt: said.receipt.clone(), by }),
        Some(fault) => moved.then(|| Command::Refuse { delivery, fault: fault.clone(), by }),
    }
}
