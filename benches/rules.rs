//! What the parts of a message's way cost, each by itself: `cargo bench --bench rules`.

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;
use divan::{Bencher, black_box, counter::ItemsCount};
use jiff::{SignedDuration, Timestamp};
use kassebro::{
    codec::Limits,
    config,
    domain::{
        AttemptRecord, Outcome, ReceiptId,
        attempt::Proof,
        calendar::{Calendar, Window, add_elapsed, copenhagen_date},
        retry::{Failure, RetryPolicy},
        sla::Course,
    },
    intake::{Rules, admit, examine},
    kinds,
    store::{
        Admission, Arrived, Lease, LeaseAsk, Next, Settlement, Store, Way,
        sqlite::{Mode, Sqlite},
    },
    tools::generate,
};

const DEPLOYMENT: &str = r#"
[[party]]
code = "3f"

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"

[[receiver]]
party = "0101"
channel = "mailbox"
"#;

fn main() {
    divan::main();
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("it is a time")
}

fn rules() -> Arc<Rules> {
    let settings = config::from_text("bench.toml", DEPLOYMENT).expect("the deployment is valid");
    config::build(&settings, 1).expect("the deployment builds").rules
}

fn body(kind: &str, id: &str, seed: u64) -> Bytes {
    let event = generate::event(kind, seed, id, "urn:dk:akasse:3f", "urn:dk:jobcenter:0101", now());
    Bytes::from(event.to_string())
}

fn arrived(kind: &str, id: &str, seed: u64) -> Arrived {
    Arrived {
        receipt: ReceiptId::from_fresh(uuid::Uuid::now_v7()),
        party: "3f".into(),
        way: Way::Local,
        received: now(),
        sent: None,
        content_type: Some("application/cloudevents+json".into()),
        headers: vec![],
        raw: body(kind, id, seed),
        generation: 1,
        in_hand: None,
    }
}

/// Decoding, schema, rules, agreement, routing, rendering and reading back: everything before the store.
#[divan::bench(args = ["complaint", "recommendation", "job_order"])]
fn admission(bencher: Bencher<'_, '_>, kind: &str) {
    let (rules, arrived) = (rules(), arrived(kind, "bench-1", 7));
    bencher.bench(|| admit(black_box(&rules), black_box(arrived.clone())));
}

/// The finished parcel of a valid message in its kind's own format, read back and compared.
#[divan::bench(args = ["complaint", "recommendation", "job_order"])]
fn translation(bencher: Bencher<'_, '_>, kind: &str) {
    let examined = examine(&rules().kinds, &Limits::default(), &body(kind, "bench-1", 7), now());
    let event = examined.event.expect("what is generated is valid");
    let kind = kinds::find(&event.envelope.kind).expect("the kind is known");
    bencher.bench(|| kind.render(black_box(&event), kind.format()).expect("a valid message renders"));
}

/// A budget of whole days of working time over weekends and holidays: Christmas lies within 25 days.
#[divan::bench(args = [1, 5, 25])]
fn calendar_business(bencher: Bencher<'_, '_>, days: i64) {
    let office = Window::hours(8, 16).expect("a window");
    let calendar = Calendar::weekdays(&[office]).expect("a calendar");
    bencher.bench(|| calendar.add_business(black_box(now()), SignedDuration::from_hours(8 * days)));
}

#[divan::bench]
fn calendar_elapsed() -> Option<Timestamp> {
    add_elapsed(black_box(now()), SignedDuration::from_hours(24))
}

/// A store on disk with a runtime to ask it in.
struct Shelf {
    runtime: tokio::runtime::Runtime,
    store: Sqlite,
    rules: Arc<Rules>,
    _folder: tempfile::TempDir,
}

/// Messages in one call of the store.
const BATCH: u32 = 256;

impl Shelf {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Sqlite::open(&folder.path().join("bench.db"), Mode::Daemon).expect("a store");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { runtime, store, rules: rules(), _folder: folder }
    }

    /// A batch of messages that the store does not know yet, about as many citizens: nobody waits for another.
    fn batch(&self) -> Vec<Admission> {
        let kinds = generate::KINDS.iter().cycle().zip(0..u64::from(BATCH));
        let fresh = || uuid::Uuid::new_v4().to_string();
        kinds.map(|(kind, seed)| admit(&self.rules, arrived(kind, &fresh(), seed))).collect()
    }

    fn accept(&self, batch: Vec<Admission>) {
        let verdicts = self.runtime.block_on(self.store.accept(batch)).expect("the store works");
        assert!(verdicts.iter().all(|verdict| verdict.name() == "accepted"), "a message was not taken");
    }

    fn lease(&self) -> Vec<Lease> {
        let ask = LeaseAsk {
            receiver: "0101".to_owned(),
            most: BATCH,
            now: now(),
            until: now() + SignedDuration::from_mins(1),
            due_by: None,
            due_after: None,
            wake_all: false,
            probe: false,
        };
        self.runtime.block_on(self.store.lease_due(ask)).expect("the store works").leases
    }

    fn settle(&self, settlements: Vec<Settlement>) {
        self.runtime.block_on(self.store.settle(Arc::new(settlements))).expect("the store works");
    }
}

/// Everything leased was delivered.
fn delivered(leases: Vec<Lease>) -> Vec<Settlement> {
    let settlement = |lease| {
        let outcome = Outcome::Delivered(Proof { status: Some(202), ..Proof::default() });
        let record = AttemptRecord { started: now(), took: SignedDuration::from_millis(3), outcome };
        Settlement { lease, record, next: Next::Delivered, now: now() }
    };
    leases.into_iter().map(settlement).collect()
}

/// A batch into SQLite, committed and synced, per message.
#[divan::bench(sample_size = 1, sample_count = 40)]
fn store_accept(bencher: Bencher<'_, '_>) {
    let shelf = Shelf::new();
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| shelf.batch())
        .bench_local_values(|batch| shelf.accept(batch));
}

/// The same batch out again: read from the table and leased.
#[divan::bench(sample_size = 1, sample_count = 40)]
fn store_lease(bencher: Bencher<'_, '_>) {
    let (shelf, leased) = (Shelf::new(), Cell::new(Vec::new()));
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            // What the round before leased is settled: held rows would have to be passed over.
            let before = leased.take();
            if !before.is_empty() {
                shelf.settle(delivered(before));
            }
            shelf.accept(shelf.batch());
        })
        .bench_local_values(|()| leased.set(shelf.lease()));
    let last = leased.take();
    assert_eq!(last.len(), BATCH as usize, "not everything was leased");
}

/// What was leased is settled as delivered.
#[divan::bench(sample_size = 1, sample_count = 40)]
fn store_settle(bencher: Bencher<'_, '_>) {
    let shelf = Shelf::new();
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            shelf.accept(shelf.batch());
            delivered(shelf.lease())
        })
        .bench_local_values(|settlements| shelf.settle(settlements));
}

#[divan::bench]
fn retry_schedule() -> kassebro::domain::retry::Retry {
    let failure = Failure {
        attempts: black_box(5),
        now: now(),
        due: Some(now() + SignedDuration::from_hours(4)),
        retry_after: None,
        expires: None,
        jitter: 0.5,
    };
    RetryPolicy::default().after(black_box(&failure))
}

#[divan::bench]
fn steps_of_a_promise() -> usize {
    let course = Course::between(now(), now() + SignedDuration::from_hours(24));
    course.steps_due(0, black_box(now() + SignedDuration::from_hours(20))).count()
}

#[divan::bench]
fn danish_date() -> jiff::civil::Date {
    copenhagen_date(black_box(now()))
}
