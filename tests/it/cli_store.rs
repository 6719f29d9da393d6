//! Commands beside a gateway that serves: what they find, what they change, and what they exit with.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    tools::generate,
    units,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{
    command::{Ended, run},
    eventually::eventually,
    gateway::{Gateway, Setup},
    receiver::{Plays, Receiver, answer},
};

const KEY: &str = "the-key-of-3f";
const SOON: Duration = Duration::from_secs(20);

/// A gateway with a receiver that takes, one that refuses, and one that fetches.
struct Site {
    gateway: Gateway,
    takes: Receiver,
    refuses: Receiver,
}

fn configuration(takes: &Receiver, refuses: &Receiver) -> String {
    let hash = units::hex(&Sha256::digest(KEY.as_bytes()));
    format!(
        r#"
[[party]]
code = "3f"
api_key_sha256 = ["{hash}"]

[[receiver]]
name = "kbh-klager"
party = "0101"
kinds = ["complaint"]
channel = "http"
url = "{}"

[[receiver]]
name = "kbh"
party = "0101"
channel = "mailbox"

[[receiver]]
name = "norddjurs"
party = "0707"
channel = "http"
url = "{}"

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"

[[agreement]]
id = "norddjurs-3f"
akasse = "3f"
jobcenter = "0707"
valid_from = "2024-01-01"
"#,
        takes.url(),
        refuses.url()
    )
}

impl Site {
    async fn start() -> Self {
        let takes = Receiver::start(Plays::Answers(answer(200, "", "")));
        let refuses = Receiver::start(Plays::Answers(answer(422, "", "")));
        let gateway = Setup::new(&configuration(&takes, &refuses)).start().await;
        Self { gateway, takes, refuses }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(self.gateway.command(arguments).env("LC_ALL", "C"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json"], arguments].concat()).exits(0).json()
    }

    fn file(&self, name: &str, event: &Value) -> PathBuf {
        let file = self.gateway.folder().join(name);
        fs::write(&file, event.to_string()).unwrap();
        file
    }

    /// Sends an event; gives its receipt.
    fn send(&self, event: &Value, exits: i32) -> String {
        let file = self.file("sent.json", event).display().to_string();
        let to = format!("http://{}", self.gateway.address());
        let sent = self.run(&["--json", "send", "--to", &to, "--key", KEY, &file]).exits(exits).json();
        sent[0]["answer"]["receiptId"].as_str().unwrap_or_default().to_owned()
    }

    async fn state(&self, id: &str, state: &str) -> Value {
        eventually(&format!("message {id} is {state}"), SOON, async || {
            let message = self.json(&["messages", "show", id]);
            (message["state"] == state).then_some(message)
        })
        .await
    }
}

fn ago(hours: i64) -> Timestamp {
    System.now() - SignedDuration::from_hours(hours)
}

fn event(kind: &str, id: &str, jobcenter: &str, time: Timestamp) -> Value {
    generate::event(kind, 5, id, "urn:dk:akasse:3f", &format!("urn:dk:jobcenter:{jobcenter}"), time)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_answered_by_its_exit_code() {
    let site = Site::start().await;
    let complaint = event("complaint", "c-1", "0101", ago(1));
    let first = site.send(&complaint, 0);
    assert_eq!(site.send(&complaint, 0), first);
    let mut other = complaint.clone();
    other["data"]["citizen"]["name"] = "Ellen Eksempelsen".into();
    site.send(&other, 5);
    let mut wrong = event("complaint", "c-2", "0101", ago(1));
    wrong["data"]["surprise"] = true.into();
    site.send(&wrong, 6);
    let file = site.file("sent.json", &complaint).display().to_string();
    let to = format!("http://{}", site.gateway.address());
    let refused = site.run(&["send", "--to", &to, "--key", "a-wrong-key", &file]).exits(1);
    assert!(refused.out.contains("401"), "{}", refused.out);
    let away = site.run(&["send", "--to", "http://127.0.0.1:1", "--key", KEY, &file]).exits(1);
    assert!(away.err.contains("sending: "), "{}", away.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_and_tell_their_story_without_their_content() {
    let site = Site::start().await;
    let complaint = event("complaint", "c-1", "0101", ago(1));
    let receipt = site.send(&complaint, 0);
    let message = site.state(&receipt, "delivered").await;
    assert_eq!(message["deliveries"][0]["receiver"], "kbh-klager");
    assert_eq!(message["promises"][0]["standing"], "met");
    site.send(&event("job_order", "j-1", "0101", ago(1)), 0);
    for (arguments, count) in [
        (&["--state", "delivered"][..], 1),
        (&["--kind", "job_order"], 1),
        (&["--receiver", "0101"], 2),
        (&["--receiver", "kbh-klager"], 1),
        (&["--id", "c-1"], 1),
        (&["--party", "foa"], 0),
        (&["--limit", "1"], 1),
    ] {
        let listed = site.json(&[&["messages", "list"], arguments].concat());
        assert_eq!(listed.as_array().unwrap().len(), count, "{arguments:?}");
    }
    let text = site.run(&["messages", "show", "c-1"]).exits(0).out;
    assert!(text.contains("received over http from 3f: accepted"), "{text}");
    assert!(text.contains("attempt 1 to kbh-klager") && text.contains("delivered (status 200)"), "{text}");
    let cpr = complaint["data"]["citizen"]["cpr"].as_str().unwrap();
    assert!(!text.contains(cpr), "the content is shown");
    assert_eq!(site.run(&["messages", "show", "--raw", &receipt]).exits(0).out, complaint.to_string());
    assert!(site.run(&["messages", "show", "nothing"]).exits(4).err.contains("\"nothing\""));
    let told = site.run(&["sla", "explain", "c-1"]).exits(0).out;
    assert!(told.contains("waited at the a-kasse          1h00m"), "{told}");
    assert!(told.contains("the receiver has it: "), "{told}");
    let route = site.json(&["route", "explain", &receipt]);
    assert_eq!(route["receivers"][0]["chosen"], true);
    assert_eq!(site.takes.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_retried_or_cancelled_where_its_state_allows() {
    let site = Site::start().await;
    let dead = site.send(&event("complaint", "d-1", "0707", ago(1)), 0);
    let dead = site.state(&dead, "dead").await["deliveries"][0]["deliveryId"].as_str().unwrap().to_owned();
    assert_eq!(site.json(&["deliveries", "list", "--state", "dead"])[0]["deliveryId"], *dead);
    site.refuses.plays(Plays::Answers(answer(200, "", "")));
    assert_eq!(site.json(&["deliveries", "retry", &dead])[0]["outcome"], "done");
    let delivered = site.state("d-1", "delivered").await;
    assert!(delivered["history"].as_array().unwrap().iter().any(|e| e["what"] == "retried"));
    site.run(&["deliveries", "retry", &dead]).exits(5);
    let unknown = "019a4c10-7d00-7000-8000-000000000001";
    site.run(&["deliveries", "retry", unknown, &dead]).exits(5);
    site.run(&["deliveries", "retry", unknown]).exits(4);

    let held = site.send(&event("job_order", "j-1", "0101", ago(1)), 0);
    let held =
        site.json(&["messages", "show", &held])["deliveries"][0]["deliveryId"].as_str().unwrap().to_owned();
    site.run(&["deliveries", "cancel", &held]).exits(2);
    site.run(&["deliveries", "cancel", &held, "--reason", "sent by post"]).exits(0);
    site.state("j-1", "cancelled").await;
    assert!(site.run(&["messages", "show", "j-1"]).exits(0).out.contains(": sent by post"));
    site.run(&["deliveries", "cancel", &dead, "--reason", "late"]).exits(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breached_promise_is_found_by_its_exit_code() {
    let site = Site::start().await;
    site.send(&event("job_order", "fresh", "0101", ago(1)), 0);
    site.run(&["sla", "list", "--exit-code"]).exits(0);
    site.send(&event("job_order", "late", "0101", ago(30)), 0);
    let open = site.run(&["--json", "sla", "list", "--exit-code"]).exits(7).json();
    let standing = |place: usize| open[place]["standing"].as_str().unwrap().to_owned();
    assert_eq!([standing(0), standing(1)], ["breached", "on_track"]);
    assert_eq!(site.json(&["sla", "list", "--breached"]).as_array().unwrap().len(), 1);
    assert!(site.run(&["sla", "list"]).exits(0).out.contains("breached"));
    assert!(site.run(&["sla", "explain", "late"]).exits(0).out.contains("it lies in the mailbox"));
    site.run(&["sla", "explain", "nothing"]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_taken_again_once_its_reason_is_mended() {
    let site = Site::start().await;
    let configuration = site.gateway.folder().join("kassebro.toml");
    let receipt = site.send(&event("job_order", "r-1", "0810", ago(1)), 6);
    site.run(&["messages", "replay", &receipt]).exits(6);
    let more = "\n[[receiver]]\nparty = \"0810\"\nchannel = \"mailbox\"\n\n[[agreement]]\nid = \"b-3f\"\nakasse = \
                \"3f\"\njobcenter = \"0810\"\nvalid_from = \"2024-01-01\"\n";
    fs::write(&configuration, fs::read_to_string(&configuration).unwrap() + more).unwrap();
    let again = site.json(&["messages", "replay", &receipt]);
    assert_eq!(again["verdict"], "accepted");
    let again = again["answer"]["receiptId"].as_str().unwrap();
    assert_eq!(site.json(&["messages", "show", again])["way"], "local");
    assert_eq!(site.json(&["messages", "replay", &receipt])["verdict"], "duplicate");
    let first = site.run(&["messages", "show", &receipt]).exits(0).out;
    assert!(first.contains(&format!("had it taken again, as receipt {again}")), "{first}");
    site.run(&["messages", "replay", "019a4c10-7d00-7000-8000-000000000000"]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_corrected_by_another_or_given_up_and_both_are_kept() {
    let site = Site::start().await;
    let mut wrong = event("job_order", "e-1", "0101", ago(1));
    wrong["data"]["surprise"] = true.into();
    let first = site.send(&wrong, 6);
    let reason = ["--reason", "a field too many"];
    let edit = |receipt: &str, file: &PathBuf, exits: i32| {
        let file = file.display().to_string();
        site.run(&[&["--json", "messages", "edit", receipt, &file], &reason[..]].concat()).exits(exits)
    };
    edit(&first, &site.file("wrong.json", &wrong), 6);
    let mended = event("job_order", "e-1", "0101", ago(1));
    let corrected = edit(&first, &site.file("mended.json", &mended), 0).json();
    assert_eq!(corrected["verdict"], "accepted", "a refused message claims no id");
    let corrected = corrected["answer"]["receiptId"].as_str().unwrap().to_owned();
    let shown = site.json(&["messages", "show", &corrected]);
    assert_eq!((&shown["causationId"], &shown["party"]), (&first.as_str().into(), &"3f".into()));
    let kept = site.json(&["messages", "show", &first]);
    assert_eq!(kept["state"], "invalid");
    assert_eq!(site.run(&["messages", "show", "--raw", &first]).exits(0).out, wrong.to_string());
    let told = site.run(&["messages", "show", &first]).exits(0).out;
    assert!(told.contains(&format!("gave a corrected one, receipt {corrected}: a field too many")), "{told}");
    let mut other = mended.clone();
    other["subject"] = "sag-2".into();
    edit(&corrected, &site.file("other.json", &other), 5);
    edit("019a4c10-7d00-7000-8000-000000000000", &site.file("none.json", &mended), 4);
    site.run(&["messages", "edit", &first, "none.json"]).exits(2);

    site.run(&["messages", "discard", &corrected]).exits(2);
    let discard = |receipt: &str| site.run(&["messages", "discard", receipt, "--reason", "sent twice"]);
    discard(&corrected).exits(0);
    site.state("e-1", "cancelled").await;
    assert!(site.run(&["messages", "show", &corrected]).exits(0).out.contains(": sent twice"));
    discard(&corrected).exits(0);
    discard(&first).exits(5);
    discard("019a4c10-7d00-7000-8000-000000000000").exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waived_promise_is_breached_no_more() {
    let site = Site::start().await;
    site.send(&event("job_order", "late", "0101", ago(30)), 0);
    site.run(&["sla", "list", "--exit-code"]).exits(7);
    let late = site.json(&["messages", "show", "late"])["deliveries"][0]["deliveryId"].clone();
    let waive = |delivery: &str| site.run(&["sla", "waive", delivery, "--reason", "agreed by telephone"]);
    site.run(&["sla", "waive", late.as_str().unwrap()]).exits(2);
    waive(late.as_str().unwrap()).exits(0);
    waive(late.as_str().unwrap()).exits(0);
    site.run(&["sla", "list", "--exit-code"]).exits(0);
    let told = site.run(&["sla", "explain", "late"]).exits(0).out;
    assert!(told.contains("waived by cli:") && told.contains(": agreed by telephone"), "{told}");
    assert_eq!(site.json(&["sla", "list", "--all"])[0]["standing"], "waived");
    let met = site.send(&event("complaint", "met", "0101", ago(1)), 0);
    let met = site.state(&met, "delivered").await["deliveries"][0]["deliveryId"].clone();
    waive(met.as_str().unwrap()).exits(5);
    waive("019a4c10-7d00-7000-8000-000000000001").exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_of_the_same_is_tried_again_together() {
    let site = Site::start().await;
    for id in ["d-1", "d-2", "d-3"] {
        site.send(&event("complaint", id, "0707", ago(1)), 0);
        site.state(id, "dead").await;
    }
    let groups = site.json(&["groups", "list"]);
    let group = "norddjurs/complaint.v1/GW2001";
    assert_eq!((&groups[0]["group"], &groups[0]["count"]), (&group.into(), &3.into()), "{groups}");
    assert!(site.run(&["groups", "list"]).exits(0).out.contains("the receiver refused the message"));
    site.refuses.plays(Plays::Answers(answer(200, "", "")));
    assert_eq!(site.json(&["groups", "retry", group])["retried"], 3);
    for id in ["d-1", "d-2", "d-3"] {
        site.state(id, "delivered").await;
    }
    site.run(&["groups", "retry", group]).exits(4);
    site.run(&["groups", "retry", "norddjurs"]).exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_receiver_gets_nothing_until_it_is_resumed() {
    let site = Site::start().await;
    site.run(&["receivers", "pause", "kbh-klager", "--reason", "their maintenance"]).exits(0);
    let line = |name: &str| {
        let lines = site.json(&["receivers", "list"]);
        lines.as_array().unwrap().iter().find(|l| l["receiver"] == name).cloned().unwrap()
    };
    assert_eq!(line("kbh-klager")["paused"], "their maintenance");
    site.run(&["receivers", "resume", "kbh-klager"]).exits(0);
    assert_eq!(line("kbh-klager")["paused"], Value::Null);
    assert_eq!(line("kbh")["channel"], "mailbox");
    let unknown = site.run(&["receivers", "pause", "kbh-klage", "--reason", "x"]).exits(4);
    assert!(unknown.err.contains("there are kbh-klager, kbh, norddjurs"), "{}", unknown.err);
    site.run(&["receivers", "test", "kbh-klager"]).exits(0);
    site.takes.plays(Plays::Answers(answer(401, "", "")));
    let fault = site.run(&["--json", "receivers", "test", "kbh-klager"]).exits(1).json();
    assert_eq!(fault["fault"]["code"], "GW2051");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_while_the_gateway_serves_and_nothing_is_written_over() {
    let site = Site::start().await;
    let receipt = site.send(&event("complaint", "c-1", "0101", ago(1)), 0);
    let copied = site.json(&["backup", "copy.db"]);
    assert!(copied["bytes"].as_u64().unwrap() > 0, "{copied}");
    assert!(site.run(&["backup", "copy.db"]).exits(5).err.contains("copy.db exists"));
    let url = format!("sqlite:{}", site.gateway.folder().join("copy.db").display());
    let copy =
        run(site.gateway.command(&["--json", "messages", "show", "c-1"]).env("KASSEBRO__STORE__URL", url));
    assert_eq!(copy.exits(0).json()["receiptId"], *receipt);
}
