//! Every way that a notice goes: mail, RabbitMQ, Alertmanager; and another where one fails.

use std::time::Duration;

use jiff::SignedDuration;
use kassebro::store::Views;
use serde_json::Value;

use super::{CODE, command, ear, hears, notices, told, webhook};
use crate::support::{
    alertmanager::Alertmanager,
    broker::Broker,
    eventually::{eventually, stays},
    http,
    mail_server::{LOGIN, MailServer, Speaks},
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON},
};

const TO: &str = "duty@jobcenter.example";

fn mail(server: &MailServer, more: &str) -> String {
    format!(
        "[[target]]\nname = \"duty\"\nvia = \"mail\"\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"{}\"\nuser = \"{}\"\n\
         password_file = \"{}\"\nfrom = \"Kassebro <gateway@kassebro.example>\"\nto = [\"{TO}\"]\n{more}\n",
        server.port(),
        server.ca_file().display(),
        LOGIN.0,
        server.password_file().display(),
    )
}

/// A second jobcentre.
const OTHER: &str = "0707";

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_together_is_one_mail_without_a_person_or_content() {
    let server = MailServer::start(Speaks::StartTls).await;
    let down = Receiver::start(Plays::Answers(answer(503, "", "")));
    let plan = Plan::new().http(CODE, &down.url(), "").http(OTHER, &down.url(), "");
    let more = "tell = \"critical\"\ngroup_wait = \"3s\"\ngroup_interval = \"0s\"";
    let world = plan.and(&mail(&server, more)).start().await;
    for (id, to) in [("secret-1", CODE), ("secret-2", CODE), ("secret-3", OTHER)] {
        world.send_kind("complaint", id, to, SignedDuration::from_hours(21));
    }
    let mail = server.has(1).await.remove(0);
    assert_eq!(mail.header("Subject").as_deref(), Some("Kassebro: 2 alerts changed, 2 critical, 0 resolved"));
    assert_eq!(mail.header("To").as_deref(), Some(TO));
    for code in [CODE, OTHER] {
        assert!(mail.text.contains(&format!("complaint.v1 to {code} are due within 4h")), "{}", mail.text);
    }
    let receipt = world.view("secret-1").await.line.receipt_id.to_string();
    for word in ["secret", "cpr", receipt.as_str()] {
        assert!(!mail.text.contains(word), "{word}: {}", mail.text);
    }
    down.plays(Plays::Answers(answer(200, "", "")));
    let mails = server.has(2).await;
    assert!(mails[1].header("Subject").unwrap().ends_with("0 critical, 2 resolved"), "{:?}", mails[1]);
    let tried = command(&world, &["--json", "alerts", "test", "--target", "duty"]).exits(0).json();
    assert_eq!((&tried[0]["via"], &tried[0]["ok"]), (&"mail".into(), &true.into()));
    assert_eq!(
        server.has(3).await[2].header("Subject").as_deref(),
        Some("Kassebro: a test, nothing is wrong")
    );
    command(&world, &["alerts", "test", "--target", "nobody"]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_target_fails_another_is_told_in_its_place_and_both_hear_of_the_end() {
    let server = MailServer::start(Speaks::StartTls).await;
    let down = Receiver::start(Plays::Answers(answer(503, "", "")));
    let desk = ear();
    let targets = format!(
        "{}{}",
        webhook("desk", &desk, "otherwise = \"duty\"\nafter_tries = 2").replace("\"named\"", "\"critical\""),
        mail(&server, "tell = \"named\"\ngroup_wait = \"0s\"\ngroup_interval = \"0s\"")
    );
    desk.plays(Plays::Answers(answer(500, "", "")));
    let mut world = Plan::new().http(CODE, &down.url(), "").and(&targets).start().await;
    world.send_kind("complaint", "one", CODE, SignedDuration::from_hours(21));
    let mail = server.has(1).await.remove(0);
    assert!(mail.text.starts_with("The target desk could not be told. In its place:"), "{}", mail.text);
    let metrics = world.gateway.http().get("/metrics").unwrap().body;
    for line in [
        "kassebro_notifications_failed_total{part=\"desk\"}",
        "kassebro_notifications_total{part=\"duty\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let open = world.store().open_alerts().await.unwrap();
    let about_alerting = open.iter().any(|alert| alert.condition.summary.contains("desk"));
    assert!(!about_alerting, "an alert causes no alert: {open:?}");
    world.gateway.kill();
    desk.plays(Plays::Answers(answer(204, "", "")));
    let before = desk.taken().len();
    world.gateway.restart().await;
    eventually("the desk is told too", SOON, async || (desk.taken().len() > before).then_some(())).await;
    down.plays(Plays::Answers(answer(200, "", "")));
    let mails = server.has(2).await;
    assert!(mails[1].header("Subject").unwrap().ends_with("1 resolved"), "{:?}", mails[1]);
    let all = eventually("the desk hears of the end", SOON, async || {
        let told: Vec<String> = desk.taken()[before..]
            .iter()
            .flat_map(|taken| {
                let notice: Value = serde_json::from_slice(&taken.body).unwrap();
                notice["changes"].as_array().unwrap().clone()
            })
            .map(|change| change["change"].as_str().unwrap().to_owned())
            .collect();
        (told.last().is_some_and(|last| last == "resolved")).then_some(told)
    })
    .await;
    assert_eq!(all, ["opened", "resolved"], "each once");
    stays("and no more mail comes", Duration::from_secs(3), 2, async || server.mails().len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_lies_in_a_queue_of_the_targets_or_of_a_party_once_it_is_declared() {
    let broker = Broker::fresh().await;
    let down = Receiver::start(Plays::Answers(answer(503, "", "")));
    let plan = Plan::new().http(CODE, &down.url(), "").and(&format!("[amqp]\nurl = \"{}\"\n", broker.uri()));
    let pace = "group_wait = \"0s\"\ngroup_interval = \"0s\"\ntell = \"critical\"";
    let party = "[[party]]\ncode = \"0707\"\namqp_user = \"board\"\n";
    let targets = format!(
        "[[target]]\nname = \"board\"\nvia = \"amqp\"\n{pace}\n\n[[target]]\nname = \"theirs\"\nvia = \"amqp\"\nparty = \
         \"0707\"\n{pace}\n\n{party}"
    );
    let world = plan.and(&targets).start().await;
    world.send_kind("complaint", "one", CODE, SignedDuration::from_hours(21));
    eventually("that it lies nowhere is known", SOON, async || {
        let metrics = world.gateway.http().get("/metrics").ok()?.body;
        metrics.contains("kassebro_notifications_failed_total{part=\"board\"}").then_some(())
    })
    .await;
    let missing = command(&world, &["--json", "topology", "check"]).exits(1);
    assert!(missing.out.contains("kassebro.out.alert.board"), "{}", missing.out);
    command(&world, &["topology", "apply"]).exits(0);
    command(&world, &["topology", "check"]).exits(0);
    let document: Value =
        serde_json::from_str(&world.gateway.http().get("/asyncapi.json").unwrap().body).unwrap();
    let schema = jsonschema::validator_for(&document["components"]["schemas"]["AlertEvent"]).unwrap();
    for (queue, key, target) in
        [("kassebro.out.alert.board", "alert.board", "board"), ("kassebro.out.0707", "0707.alert", "theirs")]
    {
        let fetched =
            eventually(&format!("an event lies in {queue}"), SOON, async || broker.admin.fetch(queue).await)
                .await;
        assert_eq!(fetched.routing_key, key);
        let kind = fetched.properties.kind().as_ref().map(ToString::to_string);
        assert_eq!(kind.as_deref(), Some("dk.kassebro.alert.v1"));
        let event: Value = serde_json::from_slice(&fetched.body).unwrap();
        let errors: Vec<String> = schema.iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {event}");
        assert_eq!((&event["specversion"], &event["source"]), (&"1.0".into(), &"urn:dk:kassebro".into()));
        assert_eq!(
            (&event["type"], &event["data"]["target"]),
            (&"dk.kassebro.alert.v1".into(), &target.into())
        );
        assert_eq!(event["data"]["changes"][0]["alert"]["labels"]["step"], "4h-left");
        assert_eq!(
            fetched.properties.message_id().as_ref().map(ToString::to_string),
            event["id"].as_str().map(str::to_owned)
        );
    }
    let tried = command(&world, &["--json", "alerts", "test"]).exits(0).json();
    assert_eq!(tried.as_array().unwrap().len(), 2, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_has_every_step_and_what_is_snoozed_is_silenced_there_until_it_ends() {
    let alertmanager = Alertmanager::start().await;
    let server = http::Server::at(alertmanager.url().trim_start_matches("http://"));
    let down = Receiver::start(Plays::Answers(answer(503, "", "")));
    let alerts = format!("[alerts]\nalertmanager = \"{}\"\nrepeat = \"5s\"\n", alertmanager.url());
    let world = Plan::new().http(CODE, &down.url(), "").and(&alerts).start().await;
    for (id, waited) in [("risk", 19), ("four", 21), ("late", 25)] {
        world.send_kind("complaint", id, CODE, SignedDuration::from_hours(waited));
    }
    let steps = || -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = alertmanager
            .alerts()
            .iter()
            .filter(|alert| alert["labels"]["promise"] == "delivered")
            .map(|alert| (text(&alert["labels"]["step"]), text(&alert["status"]["state"])))
            .collect();
        found.sort();
        found
    };
    let stand = |expected: &[(&str, &str)]| {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        steps() == expected
    };
    eventually("three steps are alerts there", SOON, async || {
        stand(&[("100", "active"), ("4h-left", "active"), ("75", "active")]).then_some(())
    })
    .await;
    let key = "KassebroSlaBreached/complaint.v1/delivered/0101/100";
    command(&world, &["alerts", "snooze", key, "--until", "2h"]).exits(0);
    eventually("it is silenced there", SOON, async || {
        stand(&[("100", "suppressed"), ("4h-left", "active"), ("75", "active")]).then_some(())
    })
    .await;
    command(&world, &["alerts", "unsnooze", key]).exits(0);
    eventually("and not any more", SOON, async || {
        stand(&[("100", "active"), ("4h-left", "active"), ("75", "active")]).then_some(())
    })
    .await;
    command(&world, &["alerts", "snooze", key, "--until", "3h"]).exits(0);
    eventually("it is silenced again", SOON, async || {
        stand(&[("100", "suppressed"), ("4h-left", "active"), ("75", "active")]).then_some(())
    })
    .await;
    down.plays(Plays::Answers(answer(200, "", "")));
    eventually("all is resolved", SOON, async || steps().is_empty().then_some(())).await;
    eventually("and nothing is silenced", SOON, async || {
        let silences: Value = serde_json::from_str(&server.get("/api/v2/silences").ok()?.body).ok()?;
        let silences = silences.as_array()?;
        (silences.len() == 2 && silences.iter().all(|s| s["status"]["state"] == "expired")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_at_one_alertmanager_leave_each_others_silences_alone() {
    let alertmanager = Alertmanager::start().await;
    let down = Receiver::start(Plays::Answers(answer(503, "", "")));
    let alerts = format!("[alerts]\nalertmanager = \"{}\"\n", alertmanager.url());
    let late = async |code: &str| {
        let world = Plan::new().http(code, &down.url(), "").and(&alerts).start().await;
        world.send_kind("complaint", "late", code, SignedDuration::from_hours(25));
        let key = format!("KassebroSlaBreached/complaint.v1/delivered/{code}/100");
        eventually("it is an alert there", SOON, async || {
            let is_there = |alert: &Value| {
                alert["labels"]["alertname"] == "KassebroSlaBreached" && alert["labels"]["receiver"] == code
            };
            alertmanager.alerts().iter().any(is_there).then_some(())
        })
        .await;
        (world, key)
    };
    let (first, key) = late(CODE).await;
    command(&first, &["alerts", "snooze", &key, "--until", "2h"]).exits(0);
    let by = eventually("it is silenced there", SOON, async || alertmanager.silenced_by().pop()).await;
    assert!(by.starts_with("kassebro/") && by.ends_with("/alertmanager"), "{by}");
    // Its first post looks for silences of a process before it, and comes after that look.
    let (second, other_key) = late(OTHER).await;
    assert_eq!(alertmanager.silenced_by(), [by.as_str()]);
    command(&second, &["alerts", "snooze", &other_key, "--until", "2h"]).exits(0);
    eventually("both are silenced", SOON, async || (alertmanager.silenced_by().len() == 2).then_some(()))
        .await;
    command(&second, &["alerts", "unsnooze", &other_key]).exits(0);
    eventually("one is not any more", SOON, async || {
        (alertmanager.silenced_by() == [by.as_str()]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_visible_by_a_heartbeat() {
    let desk = ear();
    let mut world = Plan::new().and(&webhook("desk", &desk, "heartbeat = \"6h\"")).start().await;
    stays("there is nothing to tell", Duration::from_secs(2), 0, async || notices(&desk).len()).await;
    world.pass(SignedDuration::from_hours(6));
    let notice = eventually("a heartbeat comes", SOON, async || notices(&desk).pop()).await;
    assert_eq!((&notice["reason"], &notice["openCount"]), (&"heartbeat".into(), &0.into()));
    let alive = world.gateway.http().get("/metrics").unwrap().body;
    assert!(alive.contains("kassebro_notified_timestamp_seconds{part=\"desk\"} 1"), "{alive}");
    stays("one", Duration::from_secs(2), 1, async || notices(&desk).len()).await;
    hears(&desk, &[]).await;
    assert!(told(&desk).is_empty());
}
