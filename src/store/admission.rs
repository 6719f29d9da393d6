//! What goes into the store: messages with everything they owe, or refused; and what the store made of them.

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::{
    Answer, Envelope, Fault, HoldReason, Parcel, ReceiptId, Violation,
    agreement::budget::Spend,
    answer::Subscription,
    case::Said,
    figure::Figure,
    placement::{Bearing, Placed},
    sla::{Clocked, Further},
};

/// How a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Amqp,
    Http,
    Spool,
    Local,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Http => "http",
            Self::Spool => "spool",
            Self::Local => "local",
        }
    }
}

/// What every arrival has, readable or not.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub receipt: ReceiptId,
    /// The code of the party whose credential brought it.
    pub party: String,
    pub way: Way,
    pub received: Timestamp,
    /// The sender's word for when it was sent; shown, never reckoned with.
    pub sent: Option<Timestamp>,
    pub content_type: Option<String>,
    /// The envelope's headers in binary mode, as JSON; empty otherwise.
    pub headers: Vec<(String, String)>,
    /// The bytes exactly as they came.
    pub raw: Bytes,
    /// The configuration generation that judged it.
    pub generation: u64,
    /// The key of the mark under which it is judged ([`InHand`](super::InHand)), where it is: the transaction that stores
    /// it takes the mark away, so that what is stored is never set aside for a death that came after.
    pub in_hand: Option<[u8; 32]>,
}

/// An accepted message with everything it owes.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub arrived: Arrived,
    pub envelope: Envelope,
    /// SHA-256 of the canonical form: what makes two arrivals under one id the same message.
    pub hash: [u8; 32],
    /// The agreement it goes under, where one was found.
    pub agreement: Option<String>,
    pub warnings: Vec<Violation>,
    pub answers: Subscription,
    /// At most 255.
    pub deliveries: Vec<NewDelivery>,
    /// What it says of the message it answers.
    pub reply: Option<Said>,
    /// What it has to do with a placement, and with whose.
    pub bearing: Option<(Placed, Bearing)>,
    /// What it is to promises that may wait for one of its kind.
    pub meets: Option<Meets>,
    /// Which promises about its citizen it tells anew.
    pub renews: Option<Renews>,
    /// Between whom and about whom it is, where it ends the citizen's placement.
    pub ends_placement: Option<Placed>,
    /// What it takes of a cap.
    pub spends: Option<Spend>,
    /// What counts of it in the key figures.
    pub figure: Option<Figure>,
}

/// A message that promises about its citizen may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meets {
    /// Between whom and about whom it is.
    pub about: Placed,
    /// When what it tells of happened, by its own dates. `None`: it did not, and so it meets nothing.
    pub happened: Option<Timestamp>,
}

/// Promises about a citizen that go by dates, told anew: what earlier messages promised by theirs is over where it is not
/// due yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renews {
    /// Between whom and about whom it is.
    pub about: Placed,
    /// The promises' names.
    pub promises: Vec<String>,
}

/// One delivery an accepted message owes.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub receiver: String,
    pub parcel: Parcel,
    /// Deliveries with the same key keep their order.
    pub ordering_key: Option<i64>,
    /// That the receiver has it.
    pub promise: Clocked,
    /// What else is promised; at most 15.
    pub further: Vec<Further>,
    /// Days after the deadline at which it dies; `None`: never.
    pub expires: Option<Timestamp>,
    /// It waits for a person from the start, and why.
    pub hold: Option<(HoldReason, Fault)>,
    /// The other of two ways to the same party.
    pub other_way: Option<OtherWay>,
}

/// How a delivery stands to another of its message that is the other way of the same obligation. Of the two the first
/// has the promise, and the second waits until that is in danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherWay {
    /// The other's place among the message's deliveries, counted from 1.
    pub ordinal: u8,
    /// At the second way: from when on it is tried, unless the first is done before.
    pub release: Option<Timestamp>,
    /// At the second way: from when on it is tried where the forecast says that the first will be late. `None`: not
    /// before `release`.
    pub early: Option<Timestamp>,
}

impl Accepted {
    /// Whose the first way is, where a forecast may let the second go.
    pub(super) fn first_receiver(&self, second: &NewDelivery) -> Option<&str> {
        let other = second.other_way.filter(|other| other.early.is_some())?;
        self.deliveries.get(usize::from(other.ordinal).checked_sub(1)?).map(|first| first.receiver.as_str())
    }
}

impl NewDelivery {
    /// When it is tried although the first way has not failed, where it is a second way.
    pub(super) fn release(&self) -> Option<Timestamp> {
        self.other_way.and_then(|other| other.release)
    }

    /// From when on a forecast lets it go, where it is a second way.
    pub(super) fn early(&self) -> Option<Timestamp> {
        self.other_way.and_then(|other| other.early)
    }
}

/// A message that was refused: stored and searchable, claiming no identity.
#[derive(Debug, Clone)]
pub struct Invalid {
    pub arrived: Arrived,
    /// What could be read of it.
    pub message_id: Option<String>,
    pub source: Option<String>,
    pub kind: Option<String>,
    pub receiver: Option<String>,
    pub violations: Vec<Violation>,
    pub answers: Subscription,
    /// The code of the party in whose queue it lay, where it is not that party's own.
    pub astray_in: Option<String>,
}

/// What admission made of a raw message.
#[derive(Debug, Clone)]
pub enum Admission {
    Accepted(Box<Accepted>),
    Invalid(Box<Invalid>),
}

impl Admission {
    pub fn arrived(&self) -> &Arrived {
        match self {
            Self::Accepted(message) => &message.arrived,
            Self::Invalid(message) => &message.arrived,
        }
    }
}

/// What the store made of an admission, in the same order as they were handed in.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Stored now.
    Accepted(Answer),
    /// The same message was stored before: its first answer again.
    Duplicate(Answer),
    /// The same id with another body: stored as invalid.
    Conflict(Answer),
    /// Stored as invalid.
    Rejected(Answer),
}

impl Verdict {
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Accepted(a) | Self::Duplicate(a) | Self::Conflict(a) | Self::Rejected(a) => a,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate(_) => "duplicate",
            Self::Conflict(_) => "conflict",
            Self::Rejected(_) => "rejected",
        }
    }
}
