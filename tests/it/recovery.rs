//! The number that shaped the schedule: a receiver that is down from a message's arrival and up again at some
//! instant of 24 hours. The shipped lane, with the shipped defaults, on a clock that a test moves.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use kassebro::{
    channels::{Channel, Consignment},
    clock::{Clock, Moved},
    dispatch::{Ambiguous, Desk, Lane, LaneConfig, Standing},
    domain::{
        Envelope, Fault, FaultCode, Format, KindId, Outcome, Parcel, Party, ReceiptId,
        answer::Subscription,
        attempt::Proof,
        circuit::Circuit,
        circuit::CircuitPolicy,
        retry::RetryPolicy,
        sla::{DELIVERED, Promise},
    },
    lifecycle::Stop,
    store::{
        Accepted, Admission, Arrived, NewDelivery, Store, Views, Way,
        sqlite::{Mode, Sqlite},
    },
    telemetry::Metrics,
};
use tokio::sync::watch;

use crate::support::{folder, setting_if_any};

/// Recoveries tried for each way of being down; `KASSEBRO_TEST_ROUNDS` sets more.
const ROUNDS: i64 = 16;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A recovery that leaves less than this may come too late.
const ENOUGH: SignedDuration = SignedDuration::from_mins(2);
const RECEIVER: &str = "inbox";
/// The longest that the clock is moved at once.
const STRIDE: SignedDuration = SignedDuration::from_mins(10);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Down {
    Refuses,
    /// Takes the message and says nothing for half a minute.
    Hangs,
}

/// A receiver that is down until an instant.
struct Script {
    clock: Moved,
    down: Down,
    up_at: Timestamp,
    attempts: Mutex<Vec<Timestamp>>,
    /// When the attempt that hangs ends.
    hangs_until: Mutex<Option<Timestamp>>,
}

impl Channel for Script {
    fn send<'a>(&'a self, _consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        async move {
            let now = self.clock.now();
            self.attempts.lock().unwrap().push(now);
            if now >= self.up_at {
                return Outcome::Delivered(Proof::default());
            }
            let code = match self.down {
                Down::Refuses => FaultCode::ConnectFailed,
                Down::Hangs => {
                    let until = now + SignedDuration::from_secs(30);
                    *self.hangs_until.lock().unwrap() = Some(until);
                    self.clock.sleep_until(until).await;
                    *self.hangs_until.lock().unwrap() = None;
                    FaultCode::NoAnswer
                }
            };
            Outcome::fault(Fault::new(code, "down"))
        }
        .boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        async { Ok(()) }.boxed()
    }
}

fn defaults() -> LaneConfig {
    LaneConfig {
        receiver: RECEIVER.into(),
        permits: 16,
        attempt_timeout: Duration::from_secs(45),
        retry: RetryPolicy::default(),
        circuit: CircuitPolicy::default(),
        give_way: SignedDuration::from_mins(5),
        ambiguous: Ambiguous::Retry,
        stop_grace: Duration::ZERO,
    }
}

fn complaint(now: Timestamp) -> Admission {
    let arrived = Arrived {
        receipt: ReceiptId::from_fresh(uuid::Uuid::from_u128(1 << 8)),
        party: "3f".into(),
        way: Way::Local,
        received: now,
        sent: None,
        content_type: None,
        headers: vec![],
        raw: Bytes::new(),
        generation: 1,
        in_hand: None,
    };
    let envelope = Envelope {
        id: "one".parse().unwrap(),
        source: Party::from_code("3f").unwrap(),
        kind: KindId::new("complaint", 1),
        time: now,
        recorded: None,
        receiver: Party::from_code("0101").unwrap(),
        agreement: None,
        subject: None,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        tracestate: None,
    };
    let owed = NewDelivery {
        receiver: RECEIVER.into(),
        parcel: Parcel {
            format: Format::Cloudevents,
            format_version: 1,
            content_type: "application/json".into(),
            body: Bytes::from_static(b"{}"),
            citizen: None,
        },
        ordering_key: None,
        promise: Arc::new(Promise::elapsed(DELIVERED, DAY)).clocked(now),
        further: vec![],
        expires: None,
        hold: None,
        other_way: None,
    };
    Admission::Accepted(Box::new(Accepted {
        figure: None,
        reply: None,
        meets: None,
        renews: None,
        ends_placement: None,
        bearing: None,
        spends: None,
        arrived,
        envelope,
        hash: [0; 32],
        agreement: None,
        warnings: vec![],
        answers: Subscription::default(),
        deliveries: vec![owed],
    }))
}

/// What came of one recovery.
struct Played {
    attempts: Vec<Timestamp>,
    standing: String,
}

/// A day with a message that arrives at its beginning, and a receiver that is up `after` that.
async fn play(folder: &Path, down: Down, after: SignedDuration) -> Played {
    let began: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let clock = Moved::starting_at(began);
    let store = Arc::new(Sqlite::open(&folder.join("kassebro.db"), Mode::Daemon).unwrap());
    store.accept(vec![complaint(began)]).await.unwrap();
    let script = Arc::new(Script {
        clock: clock.clone(),
        down,
        up_at: began + after,
        attempts: Mutex::default(),
        hangs_until: Mutex::default(),
    });
    let desk = Desk { store: store.clone(), clock: Arc::new(clock.clone()), metrics: Metrics::new() };
    let (_tell, standing) = watch::channel(Standing::default());
    let stop = Stop::new();
    let lane = Lane::new(defaults(), script.clone(), desk, standing).run(stop.clone());
    let drive = async {
        loop {
            quiet(&store).await;
            let delivery = store.deliveries(None, None, 1).await.unwrap().remove(0);
            if delivery.state != "pending" || clock.now() > began + DAY {
                break;
            }
            let probe = store.lanes().await.unwrap().into_iter().find_map(|lane| match lane.circuit {
                Circuit::Open { probe_at, .. } => Some(probe_at),
                _ => None,
            });
            let now = clock.now();
            let hang = *script.hangs_until.lock().unwrap();
            let next =
                [delivery.next_attempt, probe, hang].into_iter().flatten().filter(|at| *at > now).min();
            // What has come already is taken up within a poll of the lane's.
            let next = next.unwrap_or(now + SECOND).clamp(now + SECOND, now + STRIDE);
            clock.set(next);
        }
        stop.force();
    };
    let (served, ()) = tokio::join!(lane, drive);
    served.unwrap();
    let promise = store.promises(false, 1, clock.now()).await.unwrap().remove(0);
    let attempts = script.attempts.lock().unwrap().clone();
    Played { attempts, standing: promise.standing }
}

/// Lets the lane do all that it can do at this instant: what it asked of the store is answered before what is
/// asked of it here.
async fn quiet(store: &Sqlite) {
    for _ in 0..5 {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        store.check().await.unwrap();
    }
}

/// Recoveries over the whole day, with the hardest ones at its end.
fn recoveries() -> Vec<SignedDuration> {
    let rounds =
        setting_if_any("KASSEBRO_TEST_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let last = DAY - ENOUGH;
    let mut recoveries: Vec<_> = (0..rounds)
        .map(|round| last * i32::try_from(round).unwrap() / i32::try_from(rounds).unwrap())
        .collect();
    recoveries.extend([last - SignedDuration::from_mins(9), last - SECOND, last]);
    recoveries
}

async fn every_recovery_is_in_time(down: Down) {
    for after in recoveries() {
        let folder = folder("recovery");
        let played = play(folder.path(), down, after).await;
        let tried = played.attempts.len();
        assert_eq!(
            played.standing,
            "met",
            "{down:?}, up after {after:#}: {tried} attempts, {:?}",
            played.attempts.last()
        );
    }
}

#[tokio::test]
async fn whenever_a_receiver_that_refused_comes_back_the_deadline_is_met() {
    every_recovery_is_in_time(Down::Refuses).await;
}

#[tokio::test]
async fn whenever_a_receiver_that_hung_comes_back_the_deadline_is_met() {
    every_recovery_is_in_time(Down::Hangs).await;
}

/// The same for every instant at once: between two attempts nobody's recovery is missed that leaves two
/// minutes, and of the whole day almost none.
#[tokio::test]
async fn of_all_instants_of_the_day_hardly_any_recovery_is_missed() {
    for down in [Down::Refuses, Down::Hangs] {
        let folder = folder("recovery");
        let played = play(folder.path(), down, DAY * 2).await;
        let due = played.attempts[0] + DAY;
        let last = *played.attempts.iter().rfind(|at| **at < due).unwrap();
        let missed = due.duration_since(last);
        assert!(missed <= SignedDuration::from_secs(60), "{down:?}: the last attempt was {missed:#} before");
        let count = played.attempts.len();
        assert!((50..400).contains(&count), "{down:?}: {count} attempts in a day");
        let gaps = played.attempts.windows(2).map(|pair| pair[1].duration_since(pair[0]));
        let longest = CircuitPolicy::default().probe_longest + SignedDuration::from_secs(60);
        assert!(gaps.max().unwrap() <= longest, "{down:?}: its circuit probes with it");
        assert_eq!(played.standing, "breached");
    }
}

/// A message that is alone at its receiver is what the open circuit probes with: it does not wait out its own gap, which
/// has grown to an hour by then.
#[tokio::test]
async fn a_lone_message_goes_soon_after_its_receiver_is_back() {
    let pace = CircuitPolicy::default().probe_longest + SignedDuration::from_secs(5);
    for down in [Down::Refuses, Down::Hangs] {
        for hours in [2, 5, 11] {
            let (folder, back) = (folder("recovery"), SignedDuration::from_hours(hours));
            let played = play(folder.path(), down, back).await;
            let waited = played.attempts.last().unwrap().duration_since(played.attempts[0] + back);
            assert_eq!(played.standing, "met");
            let least = SignedDuration::ZERO;
            assert!((least..=pace).contains(&waited), "{down:?}, back after {back:#}: {waited:#} later");
        }
    }
}
