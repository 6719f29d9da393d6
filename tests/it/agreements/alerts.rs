//! An agreement that runs out, and a complaint that was carried under none, are alerted in time and resolved.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use jiff::{SignedDuration, Timestamp};
use kassebro::clock::{Clock, System};

use super::agreement;
use crate::support::world::{Plan, World};

const EXPIRING: &str = "KassebroAgreementExpiring";
const OUTSIDE: &str = "KassebroOutsideAgreement";

/// What waits in a mailbox for hours is nothing to alert here.
const PATIENT: &str = "[watch]\nperiod = \"100ms\"\nbacklog_age = \"10h\"\n";

/// København with a mailbox.
const RECEIVER: &str = "[[receiver]]\nparty = \"0101\"\nchannel = \"mailbox\"\n\n";

async fn world(text: &str, at: &str) -> World {
    let at: Timestamp = at.parse().unwrap();
    let plan = Plan::new().pace(PATIENT).and(&format!("{RECEIVER}{text}"));
    plan.start_at(at.duration_since(System.now())).await
}

fn move_to(world: &mut World, at: &str) {
    let at: Timestamp = at.parse().unwrap();
    world.set_clock(at.duration_since(System.now()));
}

#[tokio::test]
async fn an_agreement_that_nothing_follows_is_alerted_sixty_days_before_its_last_day_until_it_is_past() {
    let ends = agreement("ends", "valid_from = \"2024-01-01\"\nvalid_to = \"2025-12-31\"");
    let mut world = world(&ends, "2025-10-31T22:00:00Z").await;
    assert_eq!(world.alerted(&[]).await, []);
    move_to(&mut world, "2025-11-02T10:00:00Z");
    let since = world.alerted(&[EXPIRING]).await;
    assert_eq!(
        since,
        ["2025-10-31T23:00:00Z".parse::<Timestamp>().unwrap()],
        "the beginning of the Danish day"
    );
    move_to(&mut world, "2025-12-31T23:00:00Z");
    assert_eq!(world.alerted(&[]).await, [], "it is past");
}

#[tokio::test]
async fn the_alert_is_resolved_by_the_renewal() {
    let ends = agreement("ends", "valid_from = \"2024-01-01\"\nvalid_to = \"2025-12-31\"");
    let mut world = world(&ends, "2025-12-01T10:00:00Z").await;
    world.alerted(&[EXPIRING]).await;
    let file = world.gateway.folder().join("kassebro.toml");
    let renewed = agreement("renewed", "valid_from = \"2026-01-01\"");
    std::fs::write(&file, format!("{}\n{renewed}", std::fs::read_to_string(&file).unwrap())).unwrap();
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    assert_eq!(world.alerted(&[]).await, []);
}

#[tokio::test]
async fn a_complaint_under_no_agreement_is_alerted_for_an_hour_also_over_a_restart() {
    let past = agreement("past", "valid_from = \"2020-01-01\"\nvalid_to = \"2020-12-31\"");
    let mut world = world(&past, "2025-06-01T10:00:00Z").await;
    world.send("carried", "0101");
    let first = world.view("carried").await.line.received;
    assert_eq!(world.alerted(&[OUTSIDE]).await, [first]);
    world.gateway.kill();
    world.gateway.restart().await;
    world.pass(SignedDuration::from_mins(58));
    assert_eq!(world.alerted(&[OUTSIDE]).await, [first]);
    world.pass(SignedDuration::from_mins(4));
    assert_eq!(world.alerted(&[]).await, []);
}
