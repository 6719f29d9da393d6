//! A breach in a real Alertmanager.
//!
//! Alertmanager refuses an alert that begins after its own now without an end, so the gateway's clock starts
//! in the past and is moved up to now.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::{
    alertmanager::Alertmanager,
    eventually::{eventually, stays},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON},
};

const CODE: &str = "0101";
/// After the breach too, so that the clock need not be moved past the present: what is resolved then would end
/// in Alertmanager's future.
const PACE: &str = r#"
[retry]
first = "200ms"
after_breach = "1s"
[circuit]
failures = 3
probe_first = "200ms"
[watch]
period = "100ms"
"#;
/// Of one receiver and kind.
const MESSAGES: usize = 50;

fn named(alertmanager: &Alertmanager, name: &str) -> Vec<Value> {
    let alerts = alertmanager.alerts();
    alerts.into_iter().filter(|alert| alert["labels"]["alertname"] == name).collect()
}

#[tokio::test]
async fn a_breach_of_many_is_one_alert_with_the_true_time_until_they_are_delivered() {
    let alertmanager = Alertmanager::start().await;
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let alerts = format!("[alerts]\nalertmanager = \"{}\"\nrepeat = \"5s\"\n", alertmanager.url());
    let plan = Plan::new().pace(PACE).http(CODE, &receiver.url(), "").and(&alerts);
    let past = SignedDuration::from_hours(-26);
    let mut world = plan.start_at(past).await;
    let mut first: Option<Timestamp> = None;
    for number in 0..MESSAGES {
        let answer = world.send(&format!("m{number}"), CODE);
        first.get_or_insert(answer["deadline"].as_str().unwrap().parse().unwrap());
    }
    let first = first.unwrap();
    world.alerted(&["KassebroCircuitOpen"]).await;
    assert!(named(&alertmanager, "KassebroSlaBreached").is_empty());
    world.set_clock(SignedDuration::ZERO);
    let all = format!("{MESSAGES} complaint.v1 to {CODE} missed the deadline");
    let alert = eventually("one alert tells of all", SOON, async || {
        let mut found = named(&alertmanager, "KassebroSlaBreached");
        assert!(found.len() <= 1, "{found:?}");
        found.pop().filter(|a| a["annotations"]["summary"].as_str().is_some_and(|s| s.starts_with(&all)))
    })
    .await;
    let starts: Timestamp = alert["startsAt"].as_str().unwrap().parse().unwrap();
    // Alertmanager keeps milliseconds.
    assert!(starts.duration_since(first).abs() < SignedDuration::from_millis(2), "{starts} is not {first}");
    assert_eq!(alert["labels"]["receiver"], CODE);
    assert_eq!(alert["labels"]["severity"], "critical");
    stays("it stays one while it is posted again", Duration::from_secs(3), 1, async || {
        named(&alertmanager, "KassebroSlaBreached").len()
    })
    .await;
    world.gateway.kill();
    world.gateway.restart().await;
    stays("and over a restart", Duration::from_secs(3), 1, async || {
        named(&alertmanager, "KassebroSlaBreached").len()
    })
    .await;
    receiver.plays(Plays::Answers(answer(200, "", "")));
    for number in 0..MESSAGES {
        let view = world.reaches(&format!("m{number}"), "delivered").await;
        assert_eq!(view.promises[0].standing, "met_late");
    }
    eventually("it is resolved", SOON, async || {
        named(&alertmanager, "KassebroSlaBreached").is_empty().then_some(())
    })
    .await;
    eventually("only the watchdog is left", SOON, async || {
        let left = alertmanager.alerts();
        left.iter().all(|alert| alert["labels"]["alertname"] == "KassebroWatchdog").then_some(())
    })
    .await;
    world.tells("m0", &["accepted", "late", "delivered"]).await;
}
