//! What both engines make of a return message: which delivery it is a receipt of, and what is written down.

use serde_json::{Value, json};

use super::{Accepted, Command, clocks::Happened};
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
    /// Something else is promised of it than that it is delivered.
    pub(super) has_clocks: bool,
}

/// What follows for the original.
pub(super) struct Effect {
    /// Its state from now on, where that changes.
    pub(super) moves_to: Option<CaseState>,
    /// Its state now, changed or not.
    pub(super) state: CaseState,
    /// The event of the original.
    pub(super) told: Value,
    /// What the return message is for the delivery it answers.
    pub(super) command: Option<Command>,
}

impl Effect {
    /// Whether the receiver will not have it.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.command, Some(Command::Refuse { .. }))
    }

    /// What it is to the clocks of the original.
    pub(super) fn answered(&self, original: &Original) -> Happened<'static> {
        Happened::Answered { before: original.state, after: self.state }
    }
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
    Effect { moves_to: moved.then_some(state), state, told, command: command(message, said, original, moved) }
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
