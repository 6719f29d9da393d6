//! PostgreSQL, and several gateways on one: nothing is lost, doubled or settled by who lost the right to.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod circuit;
mod failover;
mod restarts;
mod roles;

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use kassebro::tools::inbox::Behaviour;
use serde_json::Value;

use crate::support::{
    certificates::Authority,
    database::{Database, Server},
    eventually::{eventually, stays},
    kept::Kept,
    scene::{Plan, SOON, Scene, body, messages},
};

/// Longer than a lease of the scene's receiver: its `attempt_timeout` and the margin after it.
const PAST_LEASE: SignedDuration = SignedDuration::from_secs(40);

const LEASED: &str = "SELECT count(*) FROM delivery WHERE lease_token IS NOT NULL";

fn on(database: &Database) -> Plan {
    Plan::new().with("STORE__URL", &database.url)
}

fn ids(sent: &[(String, Vec<u8>)]) -> Vec<String> {
    sent.iter().map(|(id, _)| id.clone()).collect()
}

async fn publish(scene: &Scene, sent: &[(String, Vec<u8>)]) {
    for (_, body) in sent {
        scene.fund.publish(body).await;
    }
}

async fn delivered(database: &Database, count: usize) -> Kept {
    eventually(&format!("{count} messages are delivered"), SOON, async || {
        let kept = database.kept().await;
        (kept.delivered() == count).then_some(kept)
    })
    .await
}

/// What lies at the receiver for so long that nobody waits for it.
fn slow(scene: &Scene, delay: Duration) {
    scene.inbox.handle.behave(Behaviour { delay, ..Behaviour::default() }).unwrap();
}

#[tokio::test]
async fn a_gateway_on_postgresql_takes_delivers_and_answers() {
    let database = Database::fresh().await;
    let mut scene = on(&database).start().await;
    let sent = messages(60, "m");
    publish(&scene, &sent).await;
    scene.fund.publish(&sent[0].1).await;
    scene.fund.publish(b"{").await;
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    for (id, body) in &sent {
        assert_eq!(kept.of(id)[0].raw, *body);
    }
    let answers = scene.answers(&scene.fund, sent.len() + 1).await;
    let told = |outcome: &str| answers.iter().filter(|a| a["data"]["outcome"] == outcome).count();
    assert_eq!((told("delivered"), told("rejected")), (sent.len(), 1));
    commands_read_it(&scene);
    scene.stop_with_nothing_left().await;
    let kept = database.kept().await;
    assert_eq!((kept.happened("duplicate"), kept.invalid().count(), kept.in_hand), (1, 1, 0));
}

/// The commands work beside the gateway as they do on a file.
fn commands_read_it(scene: &Scene) {
    let run = |arguments: &[&str]| scene.gateway.command(arguments).output().unwrap();
    let list = run(&["messages", "list", "--json", "--limit", "100"]);
    let listed: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(listed.len(), 61);
    for (arguments, says) in [
        (&["messages", "show", "m-7"][..], "delivered"),
        (&["deliveries", "list"], "delivered"),
        (&["sla", "list"], ""),
        (&["receivers", "list"], "0101"),
        (&["check"], "PostgreSQL at 127.0.0.1"),
        (&["doctor"], "schema version "),
    ] {
        let ran = run(arguments);
        let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert!(!text.contains("kassebro:"), "{arguments:?} shows a password: {text}");
    }
    let backup = run(&["backup", "copy.db"]);
    assert_eq!(backup.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&backup.stderr).contains("pg_basebackup"));
}

#[tokio::test]
async fn a_node_takes_over_what_a_dead_one_had_leased() {
    let database = Database::fresh().await;
    let mut scene = on(&database).start().await;
    slow(&scene, Duration::from_mins(1));
    let mut second = scene.another().await;
    // It leases nothing as yet, and is there: a node that starts would end the leases of a dead one at once.
    second.pause();
    let sent = messages(40, "m");
    publish(&scene, &sent).await;
    eventually("the first node has leased something", SOON, async || {
        (database.count(LEASED).await >= 8).then_some(())
    })
    .await;
    scene.gateway.kill();
    let holder = database.count("SELECT min(lease_node) FROM delivery").await;
    let held = format!("SELECT count(*) FROM delivery WHERE lease_node = {holder}");
    let count = database.count(&held).await;
    assert!(count >= 8, "{count}");
    second.resume();
    stays("a lease is not broken before its end", Duration::from_secs(1), count, async || {
        database.count(&held).await
    })
    .await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    second.set_clock(PAST_LEASE);
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    // The dead one comes back on the same database, and finds nothing left to do.
    scene.gateway.restart().await;
    assert_eq!(database.count(LEASED).await, 0);
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_node_that_wakes_after_its_lease_settles_nothing() {
    let database = Database::fresh().await;
    let mut scene = on(&database).start().await;
    slow(&scene, Duration::from_millis(2_500));
    scene.fund.publish(&body("complaint", 1, "one")).await;
    let attempts = async |count: u64| {
        eventually(&format!("attempt {count} is under way"), SOON, async || {
            (scene.inbox.handle.stats().attempts >= count).then_some(())
        })
        .await;
    };
    attempts(1).await;
    let mut second = scene.another().await;
    scene.gateway.pause();
    second.set_clock(PAST_LEASE);
    attempts(2).await;
    // Now the second holds the lease, and the first wakes with an outcome of its own.
    scene.gateway.resume();
    eventually("the first node knows that it lost its lease", SOON, async || {
        scene.gateway.log().contains("was lost before it was settled").then_some(())
    })
    .await;
    let kept = delivered(&database, 1).await;
    assert_eq!(
        (kept.happened("attempt"), kept.told("delivered")),
        (1, 1),
        "only the holder's settling counts"
    );
    assert_eq!(kept.of("one")[0].deliveries[0].attempts, 1);
    scene.assert_conserved(&kept, &["one".to_owned()]);
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn two_nodes_share_the_work_and_keep_each_promise_once() {
    let database = Database::fresh().await;
    let mut scene = on(&database).start().await;
    let mut second = scene.another().await;
    let sent = messages(200, "m");
    publish(&scene, &sent).await;
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    assert_eq!(kept.happened("attempt"), sent.len(), "no delivery was attempted by both");
    assert_eq!(kept.told("delivered"), sent.len());
    let answers = scene.answers(&scene.fund, sent.len()).await;
    let unique: BTreeSet<&str> = answers.iter().filter_map(|answer| answer["id"].as_str()).collect();
    assert_eq!((answers.len(), unique.len()), (sent.len(), sent.len()), "one node at a time publishes");
    // A promise is broken before the eyes of both.
    slow(&scene, Duration::from_mins(1));
    scene.fund.publish(&body("complaint", 1, "late")).await;
    eventually("it is taken", SOON, async || (database.kept().await.of("late").len() == 1).then_some(()))
        .await;
    scene.gateway.set_clock(SignedDuration::from_hours(25));
    second.set_clock(SignedDuration::from_hours(25));
    eventually("the breach is recorded", SOON, async || {
        (database.kept().await.told("late") > 0).then_some(())
    })
    .await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    let kept = delivered(&database, sent.len() + 1).await;
    assert_eq!((kept.happened("sla_step"), kept.told("late")), (4, 1), "each step once");
    let sql = "SELECT count(*) FROM alert WHERE resolved_at IS NULL GROUP BY key HAVING count(*) > 1";
    assert!(
        database.connect().await.query(sql, &[]).await.unwrap().is_empty(),
        "one alert for one condition"
    );
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}

#[tokio::test]
async fn a_database_that_is_killed_is_found_again_with_everything_in_it() {
    let server = Server::start().await;
    let database = Database::fresh_on(&server.url).await;
    let mut scene = on(&database).start().await;
    let sent = messages(60, "m");
    publish(&scene, &sent[..30]).await;
    server.kill().await;
    eventually("the gateway is not ready", SOON, async || {
        (scene.gateway.http().get("/readyz").ok()?.status == 503).then_some(())
    })
    .await;
    publish(&scene, &sent[30..]).await;
    let refused =
        scene.http_as(&scene.fund).call("POST", "/v1/messages", &String::from_utf8_lossy(&sent[59].1));
    assert_eq!(refused.unwrap().status, 503, "nothing is answered accepted meanwhile");
    server.start_again().await;
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    scene.gateway.ready().await;
    assert_eq!(kept.told("delivered"), sent.len());
    scene.stop_with_nothing_left().await;
    assert!(!scene.gateway.log().contains(server.url.split('@').next().unwrap()), "no password in the log");
}

#[tokio::test]
async fn a_database_over_tls_is_trusted_by_its_certificate_or_not_at_all() {
    let authority = Authority::new();
    let server = Server::start_tls(&authority).await;
    let database = Database::fresh_on(&server.url).await;
    let url = |mode: &str| format!("{}&sslmode={mode}", database.url);
    let ca_file = authority.ca_file().display().to_string();
    let plan = |mode: &str| Plan::new().with("STORE__URL", &url(mode));
    let mut scene = plan("verify-full").with("STORE__CA_FILE", &ca_file).start().await;
    scene.fund.publish(&body("complaint", 1, "one")).await;
    delivered(&database, 1).await;
    let sql = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid
               WHERE a.application_name LIKE 'kassebro%' AND NOT s.ssl";
    assert_eq!(database.count(sql).await, 0, "every connection of the gateway is encrypted");
    let doctor = scene.gateway.command(&["doctor"]).output().unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("connection encrypted"));
    scene.stop_with_nothing_left().await;
    for mode in ["require", "prefer"] {
        let mut scene = plan(mode).build().await;
        assert_eq!(scene.gateway.end().await.code(), Some(1), "{mode}: nobody vouches for the server");
        let log = scene.gateway.log();
        assert!(log.contains("certificate") || log.contains("UnknownIssuer"), "{log}");
    }
    let without = Database::fresh().await;
    let mut scene = Plan::new().with("STORE__URL", &format!("{}&sslmode=require", without.url)).build().await;
    assert_eq!(scene.gateway.end().await.code(), Some(1), "the server has no TLS");
}

#[tokio::test]
async fn a_start_without_its_database_says_where_and_who_and_no_password() {
    let database = Database { url: "postgres://kb:hunter2@127.0.0.1:9/kassebro".into() };
    let mut scene = on(&database).build().await;
    assert_eq!(scene.gateway.end().await.code(), Some(1));
    let log = scene.gateway.log();
    assert!(log.contains("PostgreSQL at 127.0.0.1:9, database kassebro, user kb"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}
