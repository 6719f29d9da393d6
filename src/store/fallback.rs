//! Two ways to one party: what becomes of the one, and of the promise of both, when something happens to the other.
//! Both engines read the two rows, ask here, and write what follows.
//!
//! The first way has the promise. The second is held until the promise is in danger: then it is released, once, and
//! both are tried. Whichever the receiver has first meets the promise, and the other is cancelled where it has not
//! ended. What an attempt under way sends all the same comes twice, under the message's one id: delivery is at least
//! once.

use jiff::Timestamp;
use serde_json::json;

use super::{Command, Next, Settlement};
use crate::domain::{DeliveryId, HoldReason, Outcome, ReceiptId, forecast::Cause};

pub(super) const PENDING: i16 = 0;
pub(super) const DELIVERED: i16 = 1;
pub(super) const DEAD: i16 = 2;
pub(super) const CANCELLED: i16 = 3;

/// Who is named where nobody gave a command.
pub(super) const GATEWAY: &str = "gateway";

/// A second way that was let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The second way's.
    pub delivery: DeliveryId,
    pub receipt: ReceiptId,
    pub kind: String,
    /// The receiver of the first way, which has the promise.
    pub first: String,
    /// The receiver of the second.
    pub receiver: String,
    pub reason: Reason,
    /// When it truly was due to go.
    pub due_at: Timestamp,
    /// What the forecast said, where that let it go.
    pub foreseen: Option<Foreseen>,
}

/// Which second ways are let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Those whose time has come: so many at the most, in due order.
    Due(u32),
    /// Those that are held still of these.
    Foreseen(Vec<Foreseen>),
}

/// What the forecast says of the first way of a second that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// Of the second way.
    pub number: i64,
    /// When the promise is due.
    pub due: Timestamp,
    pub cause: Cause,
    /// The cause in words.
    pub why: String,
    /// About when the first way would deliver it. `None`: never, as things stand.
    pub done: Option<Timestamp>,
}

/// Why a second way is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The time has come at which the promise is in danger.
    Time,
    /// The first way failed for good.
    Failed,
    /// The forecast says that the first way will be late.
    Predicted,
}

impl Reason {
    /// By the state of the first way, and by what let the second go.
    pub(super) fn of(first: i16, foreseen: bool) -> Self {
        match (first, foreseen) {
            (DEAD, _) => Self::Failed,
            (_, true) => Self::Predicted,
            (_, false) => Self::Time,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Failed => "failed",
            Self::Predicted => "predicted",
        }
    }
}

impl Release {
    /// What the forecast said of that one.
    pub(super) fn foreseen(&self, number: i64) -> Option<Foreseen> {
        match self {
            Self::Due(_) => None,
            Self::Foreseen(all) => all.iter().find(|one| one.number == number).cloned(),
        }
    }
}

impl Released {
    /// What the history says of it.
    pub(super) fn told(&self) -> String {
        let mut told = json!({ "dueAt": self.due_at, "reason": self.reason.name(), "first": self.first });
        if let Some(Foreseen { due, cause, why, done, .. }) = &self.foreseen {
            told["forecast"] = json!({ "cause": cause.name(), "why": why, "done": done, "due": due });
        }
        told.to_string()
    }
}

/// One of two ways, as the tables have it.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) number: i64,
    pub(super) state: i16,
    /// It is held until the first endangers the promise.
    pub(super) held_back: bool,
    pub(super) ordering_key: Option<i64>,
    pub(super) receiver: String,
}

/// A delivery's other way, and where the promise of both stands.
#[derive(Debug, Clone)]
pub(super) struct Tie {
    /// The number of the first way.
    pub(super) first: i64,
    /// How many promises it has beside being delivered.
    pub(super) clocks: u8,
    pub(super) other: Other,
}

impl Tie {
    /// Of the delivery with that number.
    pub(super) fn new(delivery: i64, own_clocks: u8, other_clocks: u8, other: Other) -> Self {
        let is_first = delivery < other.number;
        let (first, clocks) = if is_first { (delivery, own_clocks) } else { (other.number, other_clocks) };
        Self { first, clocks, other }
    }

    fn is_second(&self) -> bool {
        self.first == self.other.number
    }

    /// Whether the other can still deliver, or has.
    pub(super) fn other_lives(&self) -> bool {
        matches!(self.other.state, PENDING | DELIVERED)
    }

    /// The way that a command for the delivery with that number is about, where that is the other one: a promise is the
    /// first way's, and a receipt is that of the way that lives.
    pub(super) fn meant(&self, command: &Command, delivery: i64, state: i16) -> Option<i64> {
        let is_other = match command {
            Command::Waive { .. } | Command::RequestWaiver { .. } | Command::ApproveWaiver(_) => {
                self.first != delivery
            }
            Command::Confirm { .. } => matches!(state, DEAD | CANCELLED) && self.other_lives(),
            Command::Retry(_) | Command::Cancel { .. } | Command::Refuse { .. } => false,
        };
        is_other.then_some(self.other.number)
    }

    /// Whether a person who has the second way tried again gives a promise that ended with both another chance.
    pub(super) fn resumes(&self) -> bool {
        self.is_second() && self.other.state == DEAD
    }
}

/// Whether a hold is that of a second way.
pub(super) fn is_held_back(hold: Option<&str>) -> bool {
    hold == Some(HoldReason::Fallback.name())
}

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// The receiver has it.
    There,
    /// It lies on the way, and its receipt is still to come.
    InTransit,
    /// It is not tried any more.
    Dead,
    /// The receiver itself refuses it.
    Refused,
    /// A person gave it up.
    Cancelled,
    /// A person gave its promise up.
    Waived,
}

impl Came {
    /// What a settlement ends a delivery with, if it does.
    pub(super) fn of(settlement: &Settlement) -> Option<Self> {
        match (&settlement.next, &settlement.record.outcome) {
            (Next::Delivered, Outcome::Delivered(proof)) if proof.in_transit => Some(Self::InTransit),
            (Next::Delivered, Outcome::Delivered(_)) => Some(Self::There),
            (Next::Dead(_), _) => Some(Self::Dead),
            _ => None,
        }
    }
}

/// How a promise ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Met,
    Unmet,
    Waived,
}

/// What is done to the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It is cancelled, and why.
    Cancel(&'static str),
    /// Its time has come: the watch lets it go.
    Due,
}

/// What follows for the promise and for the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Follows {
    pub(super) promise: Option<Ends>,
    pub(super) other: Then,
    /// Nothing is left that could deliver it.
    pub(super) is_final: bool,
}

/// What follows from what a delivery came to.
pub(super) fn follows(came: Came, tie: Option<&Tie>) -> Follows {
    let (promise, is_final) = match came {
        Came::There => (Some(Ends::Met), false),
        Came::InTransit => (None, false),
        Came::Dead | Came::Refused | Came::Cancelled => (Some(Ends::Unmet), true),
        Came::Waived => (Some(Ends::Waived), false),
    };
    let alone = Follows { promise, other: Then::Nothing, is_final };
    let Some(tie) = tie else { return alone };
    let cancel_if = |is_so: bool, why| if is_so { Then::Cancel(why) } else { Then::Nothing };
    let (pending, held_back) = (tie.other.state == PENDING, tie.other.held_back);
    match came {
        Came::There if tie.is_second() => {
            Follows { other: cancel_if(pending, "it was delivered by the second way"), ..alone }
        }
        Came::There => Follows { other: cancel_if(pending, "it was delivered by the first way"), ..alone },
        Came::InTransit => alone,
        // The other goes on with the promise.
        Came::Dead if tie.other_lives() => Follows {
            promise: None,
            other: if held_back { Then::Due } else { Then::Nothing },
            is_final: false,
        },
        Came::Cancelled if tie.is_second() && tie.other_lives() => {
            Follows { promise: None, other: Then::Nothing, is_final: false }
        }
        Came::Dead => alone,
        Came::Refused => Follows { other: cancel_if(pending, "the receiver refused it"), ..alone },
        Came::Cancelled => Follows { other: cancel_if(held_back, "the first way was cancelled"), ..alone },
        Came::Waived => Follows { other: cancel_if(held_back, "the promise was waived"), ..alone },
    }
}

/// What the first way's history says where the second ended its promise: the event's name, and its words.
pub(super) fn ended_by_second(how: &str, by: DeliveryId) -> (&'static str, String) {
    let name = if how == "ended" { "fallback_ended" } else { "fallback_met" };
    (name, json!({ "promise": how, "by": by }).to_string())
}

/// What the history says of a way that is cancelled because of the other.
pub(super) fn cancelled(why: &str) -> String {
    json!({ "by": GATEWAY, "reason": why }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tie(is_second: bool, state: i16, held_back: bool) -> Tie {
        let (own, number) = if is_second { (258, 257) } else { (257, 258) };
        Tie::new(own, 1, 2, Other { number, state, held_back, ordering_key: None, receiver: "kbh".into() })
    }

    #[test]
    fn the_promise_and_its_clocks_are_the_first_ways() {
        let (first, second) = (tie(false, PENDING, true), tie(true, PENDING, false));
        assert_eq!((first.first, first.clocks), (257, 1));
        assert_eq!((second.first, second.clocks), (257, 2));
    }

    #[test]
    fn what_one_way_delivers_the_other_need_not() {
        for (is_second, held_back) in [(false, true), (false, false), (true, false)] {
            let then = follows(Came::There, Some(&tie(is_second, PENDING, held_back)));
            assert_eq!(then.promise, Some(Ends::Met));
            assert!(matches!(then.other, Then::Cancel(_)), "{then:?}");
            for ended in [DELIVERED, DEAD, CANCELLED] {
                assert_eq!(follows(Came::There, Some(&tie(is_second, ended, false))).other, Then::Nothing);
            }
        }
        let on_the_way = follows(Came::InTransit, Some(&tie(false, PENDING, true)));
        assert_eq!(
            (on_the_way.promise, on_the_way.other),
            (None, Then::Nothing),
            "its receipt may never come"
        );
    }

    #[test]
    fn a_promise_ends_unmet_with_the_last_way_only() {
        let died = |is_second, state, held| follows(Came::Dead, Some(&tie(is_second, state, held)));
        assert_eq!(died(false, PENDING, true), Follows { promise: None, other: Then::Due, is_final: false });
        for lives in [PENDING, DELIVERED] {
            for is_second in [false, true] {
                let then = died(is_second, lives, false);
                assert_eq!((then.promise, then.other, then.is_final), (None, Then::Nothing, false));
            }
        }
        for ended in [DEAD, CANCELLED] {
            for is_second in [false, true] {
                let then = died(is_second, ended, false);
                assert_eq!((then.promise, then.is_final), (Some(Ends::Unmet), true));
            }
        }
        assert_eq!(follows(Came::Dead, None).promise, Some(Ends::Unmet));
    }

    #[test]
    fn what_is_given_up_or_refused_releases_nothing() {
        for came in [Came::Refused, Came::Cancelled, Came::Waived] {
            let then = follows(came, Some(&tie(false, PENDING, true)));
            assert!(matches!(then.other, Then::Cancel(_)), "{came:?}: {then:?}");
        }
        let under_way = |came| follows(came, Some(&tie(false, PENDING, false))).other;
        assert!(
            matches!(under_way(Came::Refused), Then::Cancel(_)),
            "the receiver will not have it by any way"
        );
        assert_eq!(under_way(Came::Waived), Then::Nothing);
        assert_eq!(
            under_way(Came::Cancelled),
            Then::Nothing,
            "each of two deliveries is cancelled by itself"
        );
    }

    #[test]
    fn a_second_way_that_a_person_gives_up_leaves_the_promise_to_the_first() {
        let given_up = |state| follows(Came::Cancelled, Some(&tie(true, state, false))).promise;
        assert_eq!((given_up(PENDING), given_up(DELIVERED)), (None, None));
        assert_eq!((given_up(DEAD), given_up(CANCELLED)), (Some(Ends::Unmet), Some(Ends::Unmet)));
    }
}
