//! Processes that share the work by its kind.

use std::time::Duration;

use jiff::SignedDuration;
use kassebro::tools::inbox::Behaviour;
use serde_json::{Value, json};

use super::{delivered, ids, on, slow};
use crate::support::{
    database::Database,
    eventually::{eventually, stays},
    gateway::{Gateway, Setup},
    scene::{SOON, body},
};

const ROLES: &str = "KASSEBRO_ROLES";

/// What a process says that it does.
fn roles(gateway: &Gateway) -> Value {
    let answer = gateway.http().get("/readyz").unwrap();
    serde_json::from_str::<Value>(&answer.body).unwrap()["roles"].take()
}

#[tokio::test]
async fn one_process_watches_what_another_takes_and_delivers() {
    let database = Database::fresh().await;
    let mut scene = on(&database).with("WATCH__PERIOD", "100ms").start().await;
    assert_eq!(roles(&scene.gateway), json!(["intake", "dispatch", "watch", "api"]));
    let mut watcher = scene.another().await;
    assert!(watcher.stop().await.success());
    watcher.set(ROLES, "watch");
    assert!(scene.gateway.stop().await.success());
    scene.gateway.set(ROLES, "dispatch,intake");
    scene.gateway.restart().await;
    assert_eq!(roles(&scene.gateway), json!(["intake", "dispatch"]));
    assert_eq!(scene.post(&body("complaint", 9, "unheard")), Some(404), "it answers for its health only");
    assert_eq!(scene.gateway.http().get("/metrics").unwrap().status, 200);
    slow(&scene, Duration::from_mins(1));
    scene.fund.publish(&body("complaint", 1, "late")).await;
    eventually("it is taken", SOON, async || (database.kept().await.of("late").len() == 1).then_some(()))
        .await;
    scene.gateway.set_clock(SignedDuration::from_hours(25));
    let steps = async || database.kept().await.happened("sla_step");
    stays("who does not watch records no step", Duration::from_secs(2), 0, steps).await;
    watcher.set_clock(SignedDuration::from_hours(25));
    watcher.restart().await;
    assert_eq!(roles(&watcher), json!(["watch"]));
    eventually("every step is recorded", SOON, async || (steps().await == 4).then_some(())).await;
    let open = "SELECT count(*) FROM alert WHERE name = 'KassebroSlaBreached' AND resolved_at IS NULL";
    eventually("the breach is alerted", SOON, async || (database.count(open).await == 1).then_some(())).await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    let kept = delivered(&database, 1).await;
    scene.assert_conserved(&kept, &["late".to_owned()]);
    eventually("the alert is resolved", SOON, async || (database.count(open).await == 0).then_some(())).await;
    let answers = scene.answers(&scene.fund, 2).await;
    let outcomes: Vec<_> = answers.iter().filter_map(|answer| answer["data"]["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["late", "delivered"], "what one records the other tells");
    // Alone, the watcher takes nothing.
    scene.stop_with_nothing_left().await;
    let next = [("next".to_owned(), body("complaint", 2, "next"))];
    scene.fund.publish(&next[0].1).await;
    stays("who watches takes nothing", Duration::from_secs(2), 1, async || {
        database.kept().await.messages.len()
    })
    .await;
    scene.gateway.restart().await;
    let kept = delivered(&database, 2).await;
    scene.assert_conserved(&kept, &[vec!["late".to_owned()], ids(&next)].concat());
    assert!(watcher.stop().await.success());
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_part_of_the_work_on_a_file_is_refused_with_the_reason() {
    let mut gateway = Setup::new("").env(ROLES, "watch").start_unready();
    assert_eq!(gateway.end().await.code(), Some(3));
    let log = gateway.log();
    assert!(log.contains("only watch") && log.contains("SQLite") && log.contains("store.url"), "{log}");
    let unknown = gateway.command(&["run", "--roles", "intake,lookout"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("lookout") && said.contains("dispatch"), "{said}");
}
