//! Commands that talk to others: the broker, Alertmanager, receivers, and the reference inbox itself.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use crate::support::{
    alertmanager::Alertmanager,
    broker::Broker,
    command::{Ended, kassebro, run},
    eventually::eventually,
    folder, free_port,
    gateway::Setup,
    http,
    process::Process,
    receiver::{Plays, Receiver, answer},
};

const SOON: Duration = Duration::from_secs(20);

fn with(folder: &Path, configuration: &str, arguments: &[&str]) -> Ended {
    fs::write(folder.join("site.toml"), configuration).unwrap();
    run(&mut kassebro(folder, &[&["--config", "site.toml", "--json"], arguments].concat()))
}

#[tokio::test]
async fn a_topology_is_declared_compared_and_its_differences_are_named() {
    let (broker, folder) = (Broker::fresh().await, folder("topology"));
    let configuration = |queue_type: &str| {
        format!(
            "[amqp]\nurl = \"{}\"\nqueue_type = \"{queue_type}\"\n\n[[party]]\ncode = \"3f\"\namqp_user = \"3f\"\n",
            broker.uri()
        )
    };
    let classic = configuration("classic");
    let missing = with(folder.path(), &classic, &["topology", "check"]).exits(1).json();
    assert_eq!(missing.as_array().unwrap().len(), 4, "{missing}");
    assert_eq!(missing[2]["what"], "queue kassebro.in.3f");
    with(folder.path(), &classic, &["topology", "apply"]).exits(0);
    with(folder.path(), &classic, &["topology", "apply"]).exits(0);
    assert_eq!(with(folder.path(), &classic, &["topology", "check"]).exits(0).json(), serde_json::json!([]));
    let other = with(folder.path(), &configuration("quorum"), &["topology", "check"]).exits(1).json();
    assert_eq!(other.as_array().unwrap().len(), 2, "{other}");
    with(folder.path(), &configuration("quorum"), &["topology", "apply"]).exits(1);
    let doctor = with(folder.path(), &classic, &["doctor"]).exits(0).json();
    assert_eq!(finding(&doctor, "broker")["standing"], "ok");
}

#[tokio::test]
async fn a_test_alert_reaches_alertmanager_and_the_webhook_or_says_why_not() {
    let (alertmanager, folder) = (Alertmanager::start().await, folder("alerts"));
    let webhook = Receiver::start(Plays::Answers(answer(204, "", "")));
    let configuration =
        format!("[alerts]\nalertmanager = \"{}\"\nwebhook = \"{}\"\n", alertmanager.url(), webhook.url());
    let tried = with(folder.path(), &configuration, &["alerts", "test"]).exits(0).json();
    assert_eq!(tried.as_array().unwrap().len(), 2, "{tried}");
    let listed = eventually("the test alert is listed", SOON, async || alertmanager.alerts().pop()).await;
    assert_eq!(listed["labels"]["alertname"], "KassebroTest");
    let told: Value = serde_json::from_slice(&webhook.taken()[0].body).unwrap();
    assert_eq!(told["changes"][0]["alert"]["name"], "KassebroTest");
    assert_eq!(told["reason"], "test");
    webhook.plays(Plays::Answers(answer(500, "", "")));
    let tried = with(folder.path(), &configuration, &["alerts", "test"]).exits(1).json();
    assert_eq!(tried[1]["says"], "it answered 500");
    assert!(with(folder.path(), "", &["alerts", "test"]).exits(3).err.contains("alerts.alertmanager"));
}

/// The finding about something.
fn finding(doctor: &Value, what: &str) -> Value {
    let findings = doctor.as_array().unwrap();
    findings.iter().find(|f| f["what"] == what).unwrap_or_else(|| panic!("{what}: {doctor}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let configuration = format!(
        "[[party]]\ncode = \"3f\"\n\n[[receiver]]\nname = \"kbh\"\nparty = \"0101\"\nchannel = \"http\"\nurl = \"{}\"\n",
        receiver.url()
    );
    let gateway = Setup::new(&configuration).start().await;
    let doctor = |code: i32| run(&mut gateway.command(&["--json", "doctor", "--deep"])).exits(code).json();
    let well = doctor(0);
    for what in ["configuration", "store", "store's pages", "SQLite", "receiver kbh"] {
        assert_eq!(finding(&well, what)["standing"], "ok", "{well}");
    }
    assert_eq!(finding(&well, &format!("gateway at {}", gateway.address()))["standing"], "ok");
    receiver.plays(Plays::Answers(answer(403, "", "")));
    let ill = doctor(1);
    let kbh = finding(&ill, "receiver kbh");
    assert_eq!(kbh["standing"], "fail");
    assert!(kbh["do"].as_str().unwrap().contains("kassebro explain GW2051"), "{kbh}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_listed_and_acknowledged_once() {
    let gateway = Setup::new("").start().await;
    let listed = eventually("the watchdog's alert is open", SOON, async || {
        let alerts = run(&mut gateway.command(&["--json", "alerts", "list"])).exits(0).json();
        alerts[0]["key"].as_str().map(str::to_owned)
    });
    let key = listed.await;
    let acknowledge =
        |key: &str, code: i32| run(&mut gateway.command(&["--json", "alerts", "ack", key])).exits(code);
    assert_eq!(acknowledge(&key, 0).json()["already"], false);
    assert_eq!(acknowledge(&key, 0).json()["already"], true);
    acknowledge("nothing", 4);
}

#[tokio::test]
async fn the_inbox_prints_a_line_for_each_delivery_and_ends_in_order() {
    let folder = folder("inbox");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = kassebro(folder.path(), &["--json", "inbox", "--listen", &address]);
    let mut inbox = Process::spawn("inbox", &mut command, folder.path());
    let server = http::Server::at(&address);
    eventually("the inbox answers", SOON, async || server.get("/stats").ok()).await;
    assert_eq!(server.call("POST", "/inbox", "{\"secret\":1}").unwrap().status, 400);
    inbox.terminate();
    assert_eq!(inbox.end(SOON).await.code(), Some(0));
    let log = inbox.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["url"], format!("http://{address}/inbox"));
    assert_eq!(lines[1]["wrong"], 1, "{log}");
    assert!(!log.contains("secret"), "{log}");
    let taken = Receiver::start(Plays::Hangs);
    let listen = taken.address().to_string();
    let ended = run(&mut kassebro(folder.path(), &["inbox", "--listen", &listen])).exits(1);
    assert!(ended.err.contains(&format!("listening on {listen}")), "{}", ended.err);
}
