//! Who is told when a promise comes into danger: steps of a ladder, what people do about an alert, and its end.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, time::Duration};

use jiff::SignedDuration;
use kassebro::{store::Views, webhook_signature::WebhookSecret};
use serde_json::Value;

use crate::support::{
    command::{Ended, run},
    eventually::{eventually, stays},
    folder,
    receiver::{Plays, Receiver, Taken, answer},
    world::{Plan, SOON, World},
};

mod ways;

const CODE: &str = "0101";
/// 24 bytes, as published with the standard's reference libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A target that is told at once, of what names it.
pub(crate) fn webhook(name: &str, ear: &Receiver, more: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\nvia = \"webhook\"\nurl = \"{}\"\ntell = \"named\"\ngroup_wait = \"0s\"\n\
         group_interval = \"0s\"\n{more}\n",
        ear.url()
    )
}

pub(crate) fn ear() -> Receiver {
    Receiver::start(Plays::Answers(answer(204, "", "")))
}

pub(crate) fn notices(ear: &Receiver) -> Vec<Value> {
    ear.taken().iter().map(|taken| serde_json::from_slice(&taken.body).unwrap()).collect()
}

/// What somebody was told so far: each change with its step.
fn told(ear: &Receiver) -> Vec<String> {
    let notices = notices(ear);
    let changes = notices.iter().flat_map(|notice| notice["changes"].as_array().unwrap());
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    changes.map(|c| format!("{} {}", words(&c["change"]), words(&c["alert"]["labels"]["step"]))).collect()
}

async fn hears(ear: &Receiver, expected: &[&str]) {
    eventually(&format!("{expected:?} was told, and not {:?}", told(ear)), SOON, async || {
        (told(ear) == expected).then_some(())
    })
    .await;
}

pub(crate) fn command(world: &World, arguments: &[&str]) -> Ended {
    run(&mut world.gateway.command(arguments))
}

const FOUR_HOURS: &str = "KassebroSlaAtRisk/complaint.v1/delivered/0101/4h-left";

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_in_time_in_words_and_signed_and_an_alert_climbs_until_somebody_looks_at_it() {
    let (desk, chief, secrets) = (ear(), ear(), folder("secrets"));
    let file = secrets.path().join("secret");
    fs::write(&file, SECRET).unwrap();
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let ladder = "[ladder.complaint]\nsteps = [\n\
        { at = \"4h left\", urgency = \"critical\", targets = [\"desk\"], climb_after = \"30m\", then = [\"chief\"] },\n\
        { at = \"breach\", urgency = \"critical\", targets = [\"desk\"] },\n]\n";
    let signed = webhook("desk", &desk, &format!("secret_file = \"{}\"", file.display()));
    let plan = Plan::new().http(CODE, &receiver.url(), "").and(&signed).and(&webhook("chief", &chief, ""));
    let mut world = plan.and(ladder).start_at(SignedDuration::from_hours(-30)).await;
    for number in 0..3 {
        world.send(&format!("m{number}"), CODE);
    }
    world.attempted("m0", 3).await;
    assert!(told(&desk).is_empty());
    world.pass(SignedDuration::from_mins(20 * 60 + 1));
    hears(&desk, &["opened 4h-left"]).await;
    let notice = notices(&desk).remove(0);
    let alert = notice["changes"][0]["alert"].clone();
    let summary = eventually("all are counted", SOON, async || {
        let open = world.store().open_alerts().await.unwrap();
        let found = open.into_iter().find(|alert| alert.condition.key == FOUR_HOURS)?.condition.summary;
        found.starts_with("3 ").then_some(found)
    })
    .await;
    let due = world.view("m0").await.promises[0]
        .due
        .to_zoned(jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap());
    let first = format!("3 complaint.v1 to {CODE} are due within 4h, the first at ");
    assert!(summary.starts_with(&first) && summary.contains(&due.strftime("%H:%M").to_string()), "{summary}");
    assert!(summary.contains("; the receiver's circuit is open since "), "{summary}");
    assert_eq!((alert["urgency"].as_str(), notice["target"].as_str()), (Some("critical"), Some("desk")));
    check_signature(&desk.taken()[0]);

    let snooze =
        |until: &str| command(&world, &["alerts", "snooze", FOUR_HOURS, "--until", until, "--by", "anna"]);
    snooze("1h").exits(0);
    snooze("-1h").exits(2);
    world.pass(SignedDuration::from_mins(40));
    hears(&desk, &["opened 4h-left", "snoozed 4h-left"]).await;
    stays("snoozed, it does not climb", Duration::from_secs(2), true, async || told(&chief).is_empty()).await;
    world.pass(SignedDuration::from_mins(30));
    hears(&chief, &["escalated 4h-left"]).await;
    command(&world, &["alerts", "assign", FOUR_HOURS, "--to", "bo"]).exits(0);
    let acknowledge = ["alerts", "ack", FOUR_HOURS, "--by", "bo", "--note", "they reboot"];
    command(&world, &acknowledge).exits(0);
    command(&world, &acknowledge).exits(0);
    command(&world, &["alerts", "ack", "KassebroSlaAtRisk/x"]).exits(4);
    let shown = command(&world, &["alerts", "show", FOUR_HOURS]).exits(0).out;
    for part in ["told: chief, desk", "by bo", "assigned to bo", "note: they reboot"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(
        command(&world, &["--json", "alerts", "show", FOUR_HOURS]).exits(0).json()["acknowledgedBy"],
        "bo"
    );
    eventually("the acknowledgement is told with who and why", SOON, async || {
        let notices = notices(&desk);
        let changes = notices.last()?["changes"].as_array()?.clone();
        let found = changes.into_iter().find(|c| c["change"] == "acknowledged")?;
        ((&found["by"], &found["note"]) == (&"bo".into(), &"they reboot".into())).then_some(())
    })
    .await;
    // The breach is told all the same, also over a restart.
    world.gateway.kill();
    world.gateway.restart().await;
    world.pass(SignedDuration::from_hours(4));
    eventually("the breach is told", SOON, async || {
        told(&desk).contains(&"opened 100".to_owned()).then_some(())
    })
    .await;
    eventually("whoever heard of it hears of its end", SOON, async || {
        told(&chief).contains(&"resolved 4h-left".to_owned()).then_some(())
    })
    .await;
    receiver.plays(Plays::Answers(answer(200, "", "")));
    eventually("the breach is resolved", SOON, async || {
        told(&desk).contains(&"resolved 100".to_owned()).then_some(())
    })
    .await;
    let all = told(&desk);
    let once = |what: &str| all.iter().filter(|told| *told == what).count();
    for what in ["opened 4h-left", "escalated 4h-left", "resolved 4h-left", "opened 100", "resolved 100"] {
        assert_eq!(once(what), 1, "{what}: {all:?}");
    }
    assert!(!told(&chief).contains(&"opened 100".to_owned()), "{:?}", told(&chief));
}

fn check_signature(taken: &Taken) {
    let header = |name: &str| taken.header(name).unwrap_or_else(|| panic!("{name}: {}", taken.head));
    let (id, at) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
    let secret = WebhookSecret::parse(SECRET).unwrap();
    assert!(secret.verify(header("webhook-signature"), id, at, &taken.body));
    let body: Value = serde_json::from_slice(&taken.body).unwrap();
    assert_eq!(body["id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_are_needed_one_asks_to_waive_and_another_agrees() {
    let desk = ear();
    let everything = webhook("desk", &desk, "").replace("\"named\"", "\"all\"");
    let plan = Plan::new().receiver(CODE, "channel = \"mailbox\"\n").and(&everything);
    let decided = "{ name = \"decided\", within = \"48h\", starts = \"delivered\", stops = \"decided\" }";
    let world = plan
        .and("[ladder.complaint]\nwaive_needs_two = true\n")
        .and("[ladder.decided]\npromises = [\"decided\"]\nwaive_needs_two = true\nsteps = [{ at = \"breach\", urgency = \"critical\" }]\n")
        .and(&format!("[promise.risk_notice]\nwithin = \"24h\"\nretry_window = \"30d\"\nalso = [{decided}]\n"))
        .start()
        .await;
    world.send("one", CODE);
    world.send_kind("recommendation", "other", CODE, SignedDuration::from_secs(1));
    world.send_kind("risk_notice", "begins-later", CODE, SignedDuration::from_secs(2));
    let delivery = async |id: &str| world.view(id).await.deliveries[0].delivery_id.to_string();
    let (one, other) = (delivery("one").await, delivery("other").await);
    let waive = |delivery: &str, by: &str| {
        command(&world, &["sla", "waive", delivery, "--reason", "agreed by telephone", "--by", by])
    };
    let approve = |by: &str| command(&world, &["sla", "approve", &one, "--by", by]);
    approve("bo").exits(5);
    waive(&one, "anna").exits(0);
    assert_eq!(world.view("one").await.promises[0].standing, "on_track");
    let listed = command(&world, &["sla", "list"]).exits(0);
    assert!(listed.err.contains("anna asked") && listed.err.contains(&one), "{}", listed.err);
    eventually("the second person is told", SOON, async || {
        let open = world.store().open_alerts().await.unwrap();
        open.iter().any(|alert| alert.condition.name == "KassebroWaiverRequested").then_some(())
    })
    .await;
    let refused = approve("anna").exits(5);
    assert!(refused.err.contains("another person"), "{}", refused.err);
    approve("bo").exits(0);
    assert_eq!(world.view("one").await.promises[0].standing, "waived");
    let explained = command(&world, &["sla", "explain", "one"]).exits(0).out;
    assert!(explained.contains("waived by bo: agreed by telephone"), "{explained}");
    waive(&other, "anna").exits(0);
    assert_eq!(world.view("other").await.promises[0].standing, "waived", "one is enough for another ladder");
    waive(&delivery("begins-later").await, "anna").exits(0);
    let standing = world.view("begins-later").await.promises[0].standing.clone();
    assert_eq!(standing, "on_track", "what begins with the delivery is given up with it, and needs two");
    eventually("that is told, and that it is done", SOON, async || {
        let taken = desk.taken();
        let texts: Vec<_> = taken.iter().map(|taken| String::from_utf8_lossy(&taken.body)).collect();
        let of_it = |what: &str| {
            texts.iter().any(|text| text.contains("KassebroWaiverRequested") && text.contains(what))
        };
        (of_it("\"opened\"") && of_it("\"resolved\"")).then_some(())
    })
    .await;
}
