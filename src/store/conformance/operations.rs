//! Any order of operations, crashes and lost leases among them, against a model that fits on one page.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Office, Open, RECEIVER, delivery, fault};
use crate::{
    domain::{DeliveryId, FaultCode, HoldReason},
    store::{Command, Commanded, Lease, LeaseAsk, Next, Settled, Verdict},
};

const RECEIVERS: [&str; 2] = [RECEIVER, "archive"];

#[derive(Debug, Clone)]
enum Operation {
    /// `waited` hours lie between the clock's start and the arrival; the promise is 24 hours.
    Accept {
        receiver: usize,
        key: Option<i64>,
        waited: i64,
    },
    Again {
        which: usize,
        same: bool,
    },
    Lease {
        receiver: usize,
        most: u32,
        minutes: i64,
    },
    Settle {
        which: usize,
        next: Ends,
    },
    /// The worker is gone; its lease runs out.
    Forget {
        which: usize,
    },
    HandBack {
        which: usize,
    },
    Pass {
        minutes: i64,
    },
    Deadlines,
    Crash,
    Ask {
        which: usize,
        what: Asked,
    },
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    Delivered,
    Dead,
    Retry(i64),
    Person,
    Mailbox,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Retry,
    Cancel,
    Confirm,
    Refuse,
    Waive,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation as O;
    let ends = prop_oneof![
        4 => Just(Ends::Delivered),
        2 => Just(Ends::Dead),
        4 => (0i64..300).prop_map(Ends::Retry),
        1 => Just(Ends::Person),
        1 => Just(Ends::Mailbox),
    ];
    let asked = prop_oneof![
        Just(Asked::Retry),
        Just(Asked::Cancel),
        Just(Asked::Confirm),
        Just(Asked::Refuse),
        Just(Asked::Waive)
    ];
    let which = 0usize..64;
    prop_oneof![
        5 => (0usize..2, proptest::option::of(0i64..2), 0i64..30)
            .prop_map(|(receiver, key, waited)| O::Accept { receiver, key, waited }),
        1 => (which.clone(), any::<bool>()).prop_map(|(which, same)| O::Again { which, same }),
        5 => (0usize..2, 1u32..4, 1i64..90)
            .prop_map(|(receiver, most, minutes)| O::Lease { receiver, most, minutes }),
        6 => (which.clone(), ends).prop_map(|(which, next)| O::Settle { which, next }),
        1 => which.clone().prop_map(|which| O::Forget { which }),
        1 => which.clone().prop_map(|which| O::HandBack { which }),
        3 => (1i64..400).prop_map(|minutes| O::Pass { minutes }),
        2 => Just(O::Deadlines),
        1 => Just(O::Crash),
        2 => (which, asked).prop_map(|(which, what)| O::Ask { which, what }),
    ]
}

/// A delivery as the model knows it. Its place in the list is its place in the order of arrival.
#[derive(Debug, Clone)]
struct Owed {
    id: String,
    delivery: DeliveryId,
    receiver: usize,
    key: Option<i64>,
    due: Timestamp,
    state: &'static str,
    /// Neither before then nor while a person or a mailbox holds it.
    not_before: Option<Timestamp>,
    held: bool,
    leased_until: Timestamp,
    /// A person sent it again after its death: it may come after its successors.
    retried: bool,
}

struct Model {
    office: Office,
    owed: Vec<Owed>,
    leases: Vec<Lease>,
    invalid: i64,
}

/// The whole of it; the engine says how to open a store in a folder. Each of the `cases` opens one of its own.
pub(super) fn whatever_is_done_nothing_is_lost_and_order_and_leases_hold(
    open: fn(&Path) -> Open,
    cases: u32,
) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest!(config, |(operations in proptest::collection::vec(operation(), 1..60))| {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::open(open(folder.path()));
        runtime.block_on(async {
            let mut model = Model { office, owed: vec![], leases: vec![], invalid: 0 };
            for operation in operations {
                model.apply(operation).await;
                model.compare().await;
            }
            model.drain().await;
        });
    });
}

impl Model {
    async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Accept { receiver, key, waited } => self.accept(receiver, key, waited).await,
            Operation::Again { which, same } => self.again(which, same).await,
            Operation::Lease { receiver, most, minutes } => self.lease(receiver, most, minutes).await,
            Operation::Settle { which, next } => {
                if let Some(lease) = self.pick(which) {
                    self.settle(lease, next).await;
                }
            }
            Operation::Forget { which } => drop(self.pick(which)),
            Operation::HandBack { which } => {
                if let Some(lease) = self.pick(which) {
                    let holds = self.holds(&lease);
                    let delivery = lease.delivery;
                    self.office.store().release(vec![lease]).await.unwrap();
                    if holds {
                        self.find(delivery).leased_until = Timestamp::MIN;
                    }
                }
            }
            Operation::Pass { minutes } => self.office.pass(SignedDuration::from_mins(minutes)),
            Operation::Deadlines => drop(self.office.advance().await),
            Operation::Crash => self.crash(),
            Operation::Ask { which, what } => self.ask(which, what).await,
        }
    }

    /// Whoever held a lease is gone with the process.
    fn crash(&mut self) {
        self.leases.clear();
        self.office.crash();
        for owed in &mut self.owed {
            owed.leased_until = Timestamp::MIN;
        }
    }

    fn pick(&mut self, which: usize) -> Option<Lease> {
        let count = self.leases.len();
        (count > 0).then(|| self.leases.swap_remove(which % count))
    }

    fn find(&mut self, delivery: DeliveryId) -> &mut Owed {
        self.owed.iter_mut().find(|o| o.delivery == delivery).expect("only what was taken is leased")
    }

    /// Whether this is the delivery's latest lease since the last crash. One that ran out and was not given
    /// to another still holds.
    fn holds(&mut self, lease: &Lease) -> bool {
        self.find(lease.delivery).leased_until == lease.until
    }

    async fn accept(&mut self, receiver: usize, key: Option<i64>, waited: i64) {
        let id = format!("m{}", self.owed.len());
        let mut message = self.office.message(&id);
        let mut owed =
            delivery(self.office.now - SignedDuration::from_hours(waited), SignedDuration::from_hours(24));
        owed.receiver = RECEIVERS[receiver].into();
        // A key is one receiver's.
        owed.ordering_key = key.map(|key| key * 2 + i64::try_from(receiver).unwrap());
        let (key, due) = (owed.ordering_key, owed.promise.course.due);
        message.deliveries = vec![owed];
        let verdict = self.office.accept(message).await;
        self.owed.push(Owed {
            id,
            delivery: verdict.answer().receipt_id.delivery(1),
            receiver,
            key,
            due,
            state: "pending",
            not_before: None,
            held: false,
            leased_until: Timestamp::MIN,
            retried: false,
        });
    }

    async fn again(&mut self, which: usize, same: bool) {
        let count = self.owed.len();
        if count == 0 {
            return;
        }
        let mut message = self.office.message(&self.owed[which % count].id);
        if !same {
            message.hash = [9; 32];
            self.invalid += 1;
        }
        let verdict = self.office.accept(message).await;
        assert_eq!(matches!(verdict, Verdict::Duplicate(_)), same, "{verdict:?}");
        assert_eq!(matches!(verdict, Verdict::Conflict(_)), !same, "{verdict:?}");
    }

    /// May be attempted now, and nothing of its key goes before it.
    fn is_due(&self, place: usize) -> bool {
        let (owed, now) = (&self.owed[place], self.office.now);
        let free = |o: &Owed| {
            o.state == "pending"
                && !o.held
                && o.leased_until <= now
                && o.not_before.is_none_or(|at| at <= now)
        };
        let shares = |o: &Owed| owed.key.is_some() && o.key == owed.key && o.state == "pending";
        free(owed) && !self.owed.iter().enumerate().any(|(at, o)| at != place && shares(o))
    }

    async fn lease(&mut self, receiver: usize, most: u32, minutes: i64) {
        let now = self.office.now;
        // No two leases end at one instant, so that the end names the lease.
        let odd = SignedDuration::from_micros(i64::try_from(self.leases.len()).unwrap() + 1);
        let until = now + SignedDuration::from_mins(minutes) + odd;
        let expected: Vec<usize> = (0..self.owed.len())
            .filter(|at| self.owed[*at].receiver == receiver && self.is_due(*at))
            .collect();
        let (name, due_by, due_after) = (RECEIVERS[receiver].into(), None, None);
        let ask =
            LeaseAsk { receiver: name, most, now, until, due_by, due_after, wake_all: false, probe: false };
        let leases = self.office.store().lease_due(ask).await.unwrap().leases;
        assert!(leases.len() <= most as usize);
        assert!(leases.is_sorted_by_key(|l| l.due), "earliest deadline first");
        let last = leases.last().map(|l| l.due);
        for at in expected {
            let owed = &self.owed[at];
            let got = leases.iter().any(|l| l.delivery == owed.delivery);
            let full = leases.len() == most as usize && last.is_some_and(|last| owed.due >= last);
            assert!(got || full, "{} was due and is not leased: {owed:?}", owed.id);
        }
        for lease in &leases {
            let place = self.owed.iter().position(|o| o.delivery == lease.delivery).expect("it was taken");
            let owed = &self.owed[place];
            assert_eq!((owed.state, owed.receiver), ("pending", receiver), "{owed:?}");
            assert!(owed.leased_until <= now, "two hold {owed:?}");
            assert!(!owed.held && owed.not_before.is_none_or(|at| at <= now), "too early: {owed:?}");
            if owed.key.is_some() {
                let shares = |o: &&Owed| o.key == owed.key && o.id != owed.id && o.state == "pending";
                assert!(
                    !self.owed.iter().filter(shares).any(|o| o.leased_until > now),
                    "two of a key: {owed:?}"
                );
                let before = self.owed[..place].iter().filter(shares).find(|o| !o.retried);
                assert!(before.is_none() || owed.retried, "{before:?} goes before {owed:?}");
            }
            self.owed[place].leased_until = until;
        }
        self.leases.extend(leases);
    }

    async fn settle(&mut self, lease: Lease, ends: Ends) {
        let now = self.office.now;
        let next = match ends {
            Ends::Delivered => Next::Delivered,
            Ends::Dead => Next::Dead(fault(FaultCode::ReceiverRefused)),
            Ends::Retry(minutes) => Next::Retry { at: now + SignedDuration::from_mins(minutes) },
            Ends::Person => Next::Hold(HoldReason::Person),
            Ends::Mailbox => Next::Hold(HoldReason::Mailbox),
        };
        let delivery = lease.delivery;
        let takes = self.holds(&lease) && self.find(delivery).state == "pending";
        let settled = self.office.settle(lease, next.clone()).await;
        assert_eq!(settled, if takes { Settled::Done } else { Settled::LeaseLost });
        if !takes {
            return;
        }
        let owed = self.find(delivery);
        owed.leased_until = Timestamp::MIN;
        match next {
            Next::Delivered => owed.state = "delivered",
            Next::Dead(_) => owed.state = "dead",
            Next::Retry { at } => owed.not_before = Some(at),
            Next::Hold(_) => owed.held = true,
        }
    }

    async fn ask(&mut self, which: usize, what: Asked) {
        let count = self.owed.len();
        if count == 0 {
            return;
        }
        let place = which % count;
        let delivery = self.owed[place].delivery;
        let by = || "op".to_owned();
        let command = match what {
            Asked::Retry => Command::Retry(delivery),
            Asked::Cancel => Command::Cancel { delivery, reason: None },
            Asked::Confirm => Command::Confirm { delivery, receipt: None, by: by() },
            Asked::Refuse => Command::Refuse { delivery, fault: fault(FaultCode::ReceiverRefused), by: by() },
            Asked::Waive => Command::Waive { delivery, reason: "agreed".into() },
        };
        let done = self.office.store().command(command, by(), self.office.now).await.unwrap();
        if done != Commanded::Done {
            return;
        }
        let owed = &mut self.owed[place];
        match what {
            Asked::Retry => {
                owed.retried |= owed.state == "dead";
                (owed.state, owed.held, owed.not_before) = ("pending", false, None);
            }
            Asked::Cancel => owed.state = "cancelled",
            Asked::Confirm => owed.state = "delivered",
            Asked::Refuse => owed.state = "dead",
            Asked::Waive => {}
        }
    }

    /// The store says the same as the model, and both say that nothing is lost.
    async fn compare(&self) {
        self.office.check().await;
        let count = |state| i64::try_from(self.owed.iter().filter(|o| o.state == state).count()).unwrap();
        let store = self.office.store().conservation().await.unwrap();
        let model = crate::store::Conservation {
            taken: i64::try_from(self.owed.len()).unwrap() + self.invalid,
            delivered: count("delivered"),
            dead: count("dead"),
            pending: count("pending"),
            invalid: self.invalid,
            cancelled: count("cancelled"),
        };
        assert_eq!(store, model);
    }

    /// With time, and nobody's help but for what people hold, everything pending is delivered.
    async fn drain(&mut self) {
        self.crash();
        for place in 0..self.owed.len() {
            if self.owed[place].state == "pending" && self.owed[place].held {
                self.ask(place, Asked::Confirm).await;
            }
        }
        self.office.pass(SignedDuration::from_hours(48));
        for _ in 0..=self.owed.len() {
            for receiver in 0..RECEIVERS.len() {
                self.lease(receiver, 100, 5).await;
                while let Some(lease) = self.leases.pop() {
                    self.settle(lease, Ends::Delivered).await;
                }
            }
        }
        self.office.advance().await;
        self.compare().await;
        let left: Vec<_> = self.owed.iter().filter(|o| o.state == "pending").collect();
        assert!(left.is_empty(), "nobody delivers {left:?}");
        assert!(self.office.store().promises(true, 100, self.office.now).await.unwrap().is_empty());
    }
}
