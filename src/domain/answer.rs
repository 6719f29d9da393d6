//! What a sender is told about its message, in KOMBIT's and MedCom's words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, ReceiptId, Violation};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOutcome {
    Accepted,
    Rejected,
    Delivered,
    Failed,
    AtRisk,
    Late,
}

impl AnswerOutcome {
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Rejected, Self::Delivered, Self::Failed, Self::AtRisk, Self::Late];

    /// The word on the wire and in routing keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::AtRisk => "at_risk",
            Self::Late => "late",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }

    /// MedCom's three classes of response: whether sending again can help.
    pub fn class(self) -> &'static str {
        match self {
            Self::Accepted | Self::Delivered => "ok",
            Self::Rejected | Self::Failed => "fatal-error",
            Self::AtRisk | Self::Late => "transient-error",
        }
    }

    /// KOMBIT's business receipt (ForretningsValideringsKode).
    pub fn business(self) -> &'static str {
        match self {
            Self::Accepted | Self::AtRisk | Self::Late => "MODTAGET",
            Self::Delivered => "AFLEVERET",
            Self::Rejected => "AFVIST",
            Self::Failed => "FEJLET",
        }
    }

    /// This outcome's bit in a [`Subscription`].
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Which outcomes a sender is told without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription(pub u8);

impl Subscription {
    pub fn of(outcomes: &[AnswerOutcome]) -> Self {
        Self(outcomes.iter().fold(0, |bits, o| bits | o.bit()))
    }

    pub fn wants(self, outcome: AnswerOutcome) -> bool {
        self.0 & outcome.bit() != 0
    }
}

impl Default for Subscription {
    /// All but `accepted`.
    fn default() -> Self {
        Self::of(&AnswerOutcome::ALL[1..])
    }
}

/// One answer, as the sender reads it (`dk.kassebro.answer.v1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub receipt_id: ReceiptId,
    /// The id the message came with; `null` where none could be read.
    pub message_id: Option<String>,
    pub outcome: AnswerOutcome,
    pub class: String,
    pub transport: String,
    pub business: String,
    pub errors: Vec<Violation>,
    /// When the receiver is to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// The receiver's own receipt id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_receipt: Option<String>,
    /// How often a person had the delivery tried again after its death: what follows is news, with an id of
    /// its own.
    #[serde(skip)]
    pub round: u32,
}

impl Answer {
    pub fn new(
        receipt_id: ReceiptId,
        message_id: Option<String>,
        outcome: AnswerOutcome,
        errors: Vec<Violation>,
    ) -> Self {
        let transport = match outcome {
            AnswerOutcome::Rejected | AnswerOutcome::Failed => "FEJL",
            AnswerOutcome::AtRisk | AnswerOutcome::Late => "ADVARSEL",
            AnswerOutcome::Accepted | AnswerOutcome::Delivered if errors.is_empty() => "OK",
            AnswerOutcome::Accepted | AnswerOutcome::Delivered => "ADVARSEL",
        };
        Self {
            receipt_id,
            message_id,
            outcome,
            class: outcome.class().to_owned(),
            transport: transport.to_owned(),
            business: outcome.business().to_owned(),
            errors,
            deadline: None,
            delivery_id: None,
            delivered_at: None,
            receiver_receipt: None,
            round: 0,
        }
    }

    /// The answer's own id: the same however often it is published. At most 46 characters. What is told after
    /// a delivery's death and its retry has the number of the round behind it, and drops the hyphens for it.
    pub fn id(&self) -> String {
        let (about, outcome) =
            (self.delivery_id.map_or(self.receipt_id.uuid(), DeliveryId::uuid), self.outcome.name());
        match self.round {
            0 => format!("{about}.{outcome}"),
            round => format!("{}.{outcome}.{}", about.simple(), u64::from(round) + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn receipt() -> ReceiptId {
        ReceiptId::from_fresh(Uuid::from_bytes([0x22; 16]))
    }

    #[test]
    fn every_answer_has_an_id_that_fits_a_request_id() {
        for outcome in AnswerOutcome::ALL {
            let mut answer = Answer::new(receipt(), None, outcome, vec![]);
            answer.delivery_id = Some(receipt().delivery(255));
            let mut ids = std::collections::BTreeSet::new();
            for round in [0, 1, 2, 998] {
                answer.round = round;
                assert!(answer.id().parse::<crate::domain::EventId>().is_ok(), "{}", answer.id());
                assert!(ids.insert(answer.id()), "each round has its own: {}", answer.id());
            }
        }
    }

    #[test]
    fn outcomes_speak_kombit_and_medcom() {
        let words = |o| {
            let a = Answer::new(receipt(), None, o, vec![]);
            (a.class, a.transport, a.business)
        };
        let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(words(AnswerOutcome::Accepted), row("ok", "OK", "MODTAGET"));
        assert_eq!(words(AnswerOutcome::Rejected), row("fatal-error", "FEJL", "AFVIST"));
        assert_eq!(words(AnswerOutcome::Delivered), row("ok", "OK", "AFLEVERET"));
        assert_eq!(words(AnswerOutcome::Failed), row("fatal-error", "FEJL", "FEJLET"));
        assert_eq!(words(AnswerOutcome::Late), row("transient-error", "ADVARSEL", "MODTAGET"));
    }

    #[test]
    fn by_default_a_sender_is_told_all_but_accepted() {
        let told: Vec<_> =
            AnswerOutcome::ALL.into_iter().filter(|o| Subscription::default().wants(*o)).collect();
        assert_eq!(told, AnswerOutcome::ALL[1..]);
    }
}
