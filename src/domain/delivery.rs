//! The obligation: one message, one receiver.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of one arrival, given by us to everything that arrives, also to what cannot be read.
///
/// A UUID (version 7) whose last byte is zero: the deliveries of the message are the same UUID with their
/// ordinal in that byte ([`DeliveryId`]), so that one index finds both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptId(Uuid);

/// The id of a delivery: the same over retries, restarts and nodes (invariant I9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl ReceiptId {
    /// Makes the id from a fresh UUID by clearing the byte that the ordinals use.
    pub fn from_fresh(uuid: Uuid) -> Self {
        let mut bytes = *uuid.as_bytes();
        bytes[15] = 0;
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads a stored id. `None` where its last byte is not zero.
    pub fn from_stored(uuid: Uuid) -> Option<Self> {
        (uuid.as_bytes()[15] == 0).then_some(Self(uuid))
    }

    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// The message's `ordinal`-th delivery, counted from 1.
    pub fn delivery(self, ordinal: u8) -> DeliveryId {
        assert!(ordinal > 0, "deliveries are counted from 1");
        let mut bytes = *self.0.as_bytes();
        bytes[15] = ordinal;
        DeliveryId(Uuid::from_bytes(bytes))
    }
}

impl DeliveryId {
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// The arrival whose message owes this delivery.
    pub fn receipt(self) -> ReceiptId {
        ReceiptId::from_fresh(self.0)
    }

    /// When the id was given, to the millisecond (RFC 9562, 5.7): the message's arrival.
    pub fn given(self) -> Timestamp {
        let milliseconds = i64::try_from(self.0.as_u128() >> 80).expect("48 bits");
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
    }

    /// Which of the message's deliveries, counted from 1.
    pub fn ordinal(self) -> u8 {
        self.0.as_bytes()[15]
    }
}

/// The text is not the id of a delivery or an arrival.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the gateway's ids")]
pub struct NotAnId;

impl FromStr for ReceiptId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Uuid::try_parse(text).ok().and_then(Self::from_stored).ok_or(NotAnId)
    }
}

impl FromStr for DeliveryId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnId)?;
        if uuid.as_bytes()[15] == 0 { Err(NotAnId) } else { Ok(Self(uuid)) }
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a pending delivery waits although its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// An earlier delivery with the same ordering key is pending.
    Order,
    /// A person must decide (ambiguous outcome by profile, a crash of ours twice).
    Person,
    /// The parcel lies in the receiver's mailbox until it acknowledges.
    Mailbox,
    /// No agreement is in force: until one that is appears in the configuration, or a person lets it go.
    Agreement,
    /// It is a second way, and the first does not endanger the promise yet.
    Fallback,
}

impl HoldReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Person => "person",
            Self::Mailbox => "mailbox",
            Self::Agreement => "agreement",
            Self::Fallback => "fallback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_id_names_its_arrival_and_its_place() {
        let receipt = ReceiptId::from_fresh(Uuid::from_bytes([0x11; 16]));
        let second = receipt.delivery(2);
        assert_eq!(second.receipt(), receipt);
        assert_eq!(second.ordinal(), 2);
        assert_eq!(second.to_string().parse(), Ok(second));
        assert_eq!(receipt.to_string().parse(), Ok(receipt));
    }

    #[test]
    fn an_arrival_is_not_a_delivery_nor_the_other_way() {
        let receipt = ReceiptId::from_fresh(Uuid::from_bytes([0x11; 16]));
        assert_eq!(receipt.to_string().parse::<DeliveryId>(), Err(NotAnId));
        assert_eq!(receipt.delivery(1).to_string().parse::<ReceiptId>(), Err(NotAnId));
    }
}
