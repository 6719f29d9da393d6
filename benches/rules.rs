//! What the pure parts of a message's way cost: `cargo bench`.

use bytes::Bytes;
use divan::{Bencher, black_box};
use jiff::{SignedDuration, Timestamp};
use kassebro::{
    config,
    domain::{
        ReceiptId,
        calendar::copenhagen_date,
        retry::{Failure, RetryPolicy},
        sla::steps_due,
    },
    intake::{Rules, admit},
    store::{Arrived, Way},
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

fn rules() -> std::sync::Arc<Rules> {
    let settings = config::from_text("bench.toml", DEPLOYMENT).expect("the deployment is valid");
    config::build(&settings, 1).expect("the deployment builds").rules
}

fn arrived(kind: &str) -> Arrived {
    let event = generate::event(kind, 7, "bench-1", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101", now());
    Arrived {
        receipt: ReceiptId::from_fresh(uuid::Uuid::from_bytes([1; 16])),
        party: "3f".into(),
        way: Way::Local,
        received: now(),
        sent: None,
        content_type: Some("application/cloudevents+json".into()),
        headers: vec![],
        raw: Bytes::from(event.to_string()),
        generation: 1,
    }
}

/// Decoding, schema, rules, agreement, routing, rendering and reading back: everything before the store.
#[divan::bench(args = ["complaint", "recommendation", "job_order"])]
fn admission(bencher: Bencher<'_, '_>, kind: &str) {
    let (rules, arrived) = (rules(), arrived(kind));
    bencher.bench(|| admit(black_box(&rules), black_box(arrived.clone())));
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
    steps_due(
        now(),
        now() + SignedDuration::from_hours(24),
        0,
        black_box(now() + SignedDuration::from_hours(20)),
    )
    .count()
}

#[divan::bench]
fn danish_date() -> jiff::civil::Date {
    copenhagen_date(black_box(now()))
}
