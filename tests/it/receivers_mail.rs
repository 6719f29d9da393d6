//! A receiver that is told by e-mail: laid in the mailbox once the mail is taken, had when it says so.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{
    eventually::eventually,
    folder,
    mail_server::{MailServer, NOBODY, Speaks},
    site::{finding, with},
    stand_ins::mail_office,
    world::{Plan, SOON, World},
};

const CODE: &str = "0101";
const TO: &str = "jobcenter@jobcenter.example";
const FETCH_AT: &str = "fetch_at = \"https://kassebro.example/v1/mailbox\"\nat_most_every = \"1s\"";

async fn told_by(server: &MailServer, to: &str) -> World {
    Plan::new().receiver(CODE, &format!("{}{FETCH_AT}", server.settings(to))).start().await
}

/// The numbers of what lies in the mailbox.
fn fetched(world: &World) -> Vec<String> {
    let answer = world.as_party(CODE).get("/v1/mailbox").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page: Value = serde_json::from_str(&answer.body).unwrap();
    let parcels = page["parcels"].as_array().unwrap().iter();
    parcels.map(|parcel| parcel["deliveryId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_mail_meets_no_promise_and_the_acknowledgement_does() {
    let server = MailServer::start(Speaks::StartTls).await;
    let world = told_by(&server, TO).await;
    world.send("one", CODE);
    let mail = server.has(1).await.remove(0);
    let view = world.view("one").await;
    let delivery = view.deliveries[0].delivery_id.to_string();
    assert!(mail.text.contains(&delivery), "{}", mail.text);
    assert_eq!(mail_office::check(&mail, "https://kassebro.example/v1/mailbox"), Ok(()), "{}", mail.raw);
    let due = view.promises[0].due.to_zoned(jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap());
    assert!(mail.text.contains(&due.strftime("%Y-%m-%d %H:%M").to_string()), "{}", mail.text);
    eventually("it lies in the mailbox", SOON, async || {
        (fetched(&world) == [delivery.clone()]).then_some(())
    })
    .await;
    let view = world.view("one").await;
    assert_eq!((view.line.state.as_str(), view.promises[0].standing.as_str()), ("pending", "on_track"));
    assert_eq!(world.told("one"), ["accepted"]);
    let ack = format!("/v1/mailbox/{delivery}/ack");
    assert_eq!(world.as_party(CODE).call("POST", &ack, "").unwrap().status, 204);
    let view = world.view("one").await;
    assert_eq!((view.line.state.as_str(), view.promises[0].standing.as_str()), ("delivered", "met"));
    world.tells("one", &["accepted", "delivered"]).await;
    assert_eq!(server.mails().len(), 1, "one mail for one delivery");
}

#[tokio::test]
async fn nothing_is_laid_down_before_its_mail_is_taken() {
    let mut server = MailServer::start(Speaks::StartTls).await;
    server.stop();
    let mut world = told_by(&server, TO).await;
    world.send("one", CODE);
    world.send_kind("recommendation", "two", CODE, SignedDuration::from_secs(1));
    world.attempted("one", 2).await;
    assert!(fetched(&world).is_empty(), "nobody was told of it");
    world.gateway.kill();
    world.gateway.restart().await;
    server.restart().await;
    let lies = eventually("both lie there", SOON, async || {
        let lies = fetched(&world);
        (lies.len() == 2).then_some(lies)
    })
    .await;
    for delivery in lies {
        // What the server has taken it puts into its mailbox in its own time.
        eventually(&format!("{delivery} was announced"), SOON, async || {
            server.mails().iter().any(|mail| mail.text.contains(&delivery)).then_some(())
        })
        .await;
    }
    world.alerted(&[]).await;
}

#[tokio::test]
async fn an_address_that_is_refused_holds_the_lane_and_kills_nothing() {
    let server = MailServer::start(Speaks::StartTls).await;
    let world = told_by(&server, NOBODY).await;
    world.send("one", CODE);
    world.attempted("one", 2).await;
    world.alerted(&["KassebroCircuitOpen"]).await;
    assert_eq!(world.state("one").await, "pending");
    assert_eq!(world.told("one"), ["accepted"]);
    assert!(!world.gateway.log().contains(NOBODY), "no address in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_try_the_server_and_send_nothing() {
    let server = MailServer::start(Speaks::StartTls).await;
    let world = told_by(&server, TO).await;
    let command = |arguments: &[&str]| world.gateway.command(arguments).output().unwrap();
    assert_eq!(command(&["receivers", "test", CODE]).status.code(), Some(0));
    let doctor = command(&["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(finding(&found, &format!("receiver {CODE}"))["standing"], "ok", "{found}");
    let certificate = finding(&found, &format!("receiver {CODE}'s certificate"));
    assert_eq!(certificate["standing"], "ok", "{certificate}");
    assert!(server.mails().is_empty() && !server.log().contains("<= "), "{}", server.log());
    let plain = MailServer::start(Speaks::Plain).await;
    let world = told_by(&plain, TO).await;
    let refused = world.gateway.command(&["receivers", "test", CODE]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("GW2053"), "{refused:?}");
}

#[test]
fn a_mail_that_nobody_can_follow_is_refused_at_load() {
    let folder = folder("check");
    let receiver = format!(
        "[[receiver]]\nparty = \"{CODE}\"\nchannel = \"mail\"\nhost = \"smtp.example\"\nfrom = \"gw@example.dk\"\nto = \
         \"{TO}\"\nfetch_at = \"https://kassebro.example/v1/mailbox\"\n"
    );
    let key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let party = |keys: &str| format!("[[party]]\ncode = \"{CODE}\"\napi_key_sha256 = [{keys}]\n\n");
    let says = |text: &str| with(folder.path(), text, &["check"]);
    says(&format!("{}{receiver}", party(&format!("{key:?}")))).exits(0);
    for (text, what) in [
        (receiver.clone(), "nobody can fetch"),
        (format!("{}{receiver}", party("")), "api_key_sha256"),
        (format!("[http]\nlisten = \"\"\n\n{}{receiver}", party(&format!("{key:?}"))), "http.listen"),
        (format!("{}{receiver}attempt_timeout = \"90s\"\n", party(&format!("{key:?}"))), "own time-outs"),
    ] {
        let ended = says(&text).exits(3);
        assert!(ended.out.contains(what) || ended.err.contains(what), "{what}: {ended:?}");
    }
}
