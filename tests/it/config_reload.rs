//! Another configuration while the gateway runs: all of it, or nothing, and what it means for what is open.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod effect;
mod generations;
mod load;
mod nodes;

use std::{fs, os::unix::net::UnixDatagram, time::Duration};

use serde_json::Value;

use crate::support::{
    command::{Ended, run},
    eventually::eventually,
    gateway::Gateway,
    receiver::{Plays, Receiver, answer},
    world::{Plan, SOON},
};

const CODE: &str = "0101";

/// Changes the gateway's file.
fn rewrite(gateway: &Gateway, change: impl Fn(&str) -> String) {
    let file = gateway.folder().join("kassebro.toml");
    let text = fs::read_to_string(&file).unwrap();
    let new = change(&text);
    assert_ne!(new, text, "something is changed");
    fs::write(file, new).unwrap();
}

fn command(gateway: &Gateway, arguments: &[&str]) -> Ended {
    run(&mut gateway.command(arguments))
}

fn reload(gateway: &Gateway) -> Ended {
    command(gateway, &["config", "reload", "--json"])
}

/// One line of the gateway's metrics.
fn metric(gateway: &Gateway, name: &str) -> String {
    let text = gateway.http().get("/metrics").unwrap().body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).map(str::to_owned);
    line.unwrap_or_else(|| panic!("{name} is not among:\n{text}"))
}

async fn generation(gateway: &Gateway, number: u64) {
    eventually(&format!("generation {number} is in force"), SOON, async || {
        (metric(gateway, "kassebro_config_generation") == number.to_string()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_valid_changes_nothing_and_is_told_until_a_reading_works() {
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    let gateway = &world.gateway;
    assert_eq!(metric(gateway, "kassebro_config_last_reload_successful"), "1");
    rewrite(gateway, |text| text.replace("first = \"200ms\"", "first = \"soon\"\nlongst = \"1h\""));
    let told = reload(gateway).exits(3).json();
    assert_eq!((&told[0]["outcome"], &told[0]["generation"]), (&"invalid".into(), &1.into()));
    let problems = told[0]["problems"].to_string();
    for says in ["kassebro.toml:", "retry.first", "not a duration", "retry.longst", "did you mean `longest`?"]
    {
        assert!(problems.contains(says), "{says}: {problems}");
    }
    world.alerted(&["KassebroConfigReloadFailed"]).await;
    assert_eq!(metric(gateway, "kassebro_config_last_reload_successful"), "0");
    assert_eq!(metric(gateway, "kassebro_config_generation"), "1");
    let ready = gateway.http().get("/readyz").unwrap();
    let says: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((ready.status, &says["status"]), (200, &"warn".into()), "it goes on: {says}");
    world.send("m1", CODE);
    rewrite(gateway, |text| text.replace("first = \"soon\"\nlongst = \"1h\"", "first = \"300ms\""));
    gateway.hang_up();
    generation(gateway, 2).await;
    world.alerted(&[]).await;
    assert_eq!(metric(gateway, "kassebro_config_last_reload_successful"), "1");
    world.send("m2", CODE);
    let judged_by = async |id: &str| world.view(id).await.generation;
    assert_eq!((judged_by("m1").await, judged_by("m2").await), (1, 2));
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_with_both_values() {
    let mut world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    let address = world.gateway.address().to_owned();
    rewrite(&world.gateway, |text| {
        text.replace("first = \"200ms\"", "first = \"300ms\"")
            .replace("[http]\n", "[http]\nrequests_max = 31\n")
    });
    let told = reload(&world.gateway).exits(5).json();
    assert_eq!(told[0]["outcome"], "needs-restart");
    let problems = told[0]["problems"].to_string();
    assert!(
        problems.contains("http.requests_max: it needs a restart: 32 is in force, 31 is written"),
        "{problems}"
    );
    assert_eq!(metric(&world.gateway, "kassebro_config_generation"), "1", "and nothing of it is in force");
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    assert_eq!(world.gateway.address(), address);
    assert_eq!(metric(&world.gateway, "kassebro_config_generation"), "2");
    let ended = command(&world.gateway, &["config", "generations", "--json"]).exits(0).json();
    let how: Vec<&str> = ended.as_array().unwrap().iter().map(|g| g["how"].as_str().unwrap()).collect();
    assert_eq!(how, ["start", "start"]);
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    assert_eq!(
        metric(&world.gateway, "kassebro_config_generation"),
        "2",
        "the same settings are the same generation"
    );
    assert!(world.gateway.stop().await.success());
    reload(&world.gateway).exits(1);
}

#[tokio::test]
async fn a_receiver_that_is_taken_out_keeps_what_waits_for_it() {
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let named = format!(
        "name = \"kbh\"\nchannel = \"http\"\nurl = \"{}\"\nconnect_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\ntotal_timeout = \"2s\"\nattempt_timeout = \"4s\"\n",
        receiver.url()
    );
    let world = Plan::new().receiver(CODE, &named).start().await;
    let gateway = &world.gateway;
    world.send("m1", CODE);
    world.attempted("m1", 1).await;
    let block = format!("[[receiver]]\nparty = \"{CODE}\"\n{named}");
    let circuit = async |shown: bool| {
        eventually(&format!("its circuit is shown: {shown}"), SOON, async || {
            let metrics = gateway.http().get("/metrics").unwrap().body;
            (metrics.contains("kassebro_circuit_state{receiver=\"kbh\"") == shown).then_some(())
        })
        .await;
    };
    circuit(true).await;
    rewrite(gateway, |text| text.replace(&block, ""));
    reload(gateway).exits(0);
    world.alerted(&["KassebroReceiverGone"]).await;
    circuit(false).await;
    let list = command(gateway, &["receivers", "list", "--json"]).exits(0).json();
    let gone =
        list.as_array().unwrap().iter().find(|line| line["receiver"] == "kbh").expect("it is shown").clone();
    assert_eq!((&gone["channel"], &gone["pending"]), (&"not configured".into(), &1.into()));
    receiver.plays(Plays::Answers(answer(200, "", "")));
    let tried = receiver.taken().len();
    // What comes now goes to the mailbox of the party, who has a key.
    world.send("m2", CODE);
    assert_eq!(world.view("m2").await.deliveries[0].receiver, CODE);
    rewrite(gateway, |text| format!("{text}\n{block}"));
    reload(gateway).exits(0);
    world.reaches("m1", "delivered").await;
    assert_eq!(receiver.taken().len(), tried + 1);
}

#[tokio::test]
async fn keys_and_parties_come_and_go_with_a_reload() {
    let world = Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await;
    let gateway = &world.gateway;
    let as_new = || world.as_party("hk").get("/v1/answers?after=0").unwrap().status;
    assert_eq!(as_new(), 401);
    let key = kassebro::units::hex(&<sha2::Sha256 as sha2::Digest>::digest(crate::support::world::key("hk")));
    let block = format!("\n[[party]]\ncode = \"hk\"\napi_key_sha256 = [\"{key}\"]\n");
    rewrite(gateway, |text| text.to_owned() + &block);
    reload(gateway).exits(0);
    assert_eq!(as_new(), 200);
    rewrite(gateway, |text| text.replace(&block, ""));
    reload(gateway).exits(0);
    assert_eq!(as_new(), 401);
}

#[tokio::test]
async fn a_supervisor_is_told_that_the_configuration_is_read_again() {
    let folder = crate::support::folder("notify");
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let setup = crate::support::gateway::Setup::new("")
        .env("NOTIFY_SOCKET", folder.path().join("notify").to_str().unwrap());
    let gateway = setup.start().await;
    let next = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).expect("the supervisor is told something");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert!(next().contains("READY=1"));
    gateway.hang_up();
    let told = next();
    let since: u64 = told
        .lines()
        .find_map(|l| l.strip_prefix("MONOTONIC_USEC="))
        .expect("the time is told")
        .parse()
        .unwrap();
    assert!(told.contains("RELOADING=1") && since > 0, "{told}");
    assert!(next().contains("READY=1"), "also when nothing changed");
}
