//! Commands that need neither a store nor a network: their exit codes, their JSON, and what they say is wrong.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::Path};

use kassebro::tools::generate;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Ended, kassebro, run, run_with_input},
    folder,
};

const SITE: &str = r#"
[[party]]
code = "3f"
name = "3F's a-kasse"
amqp_user = "3f"

[[receiver]]
name = "kbh-klager"
party = "0101"
kinds = ["complaint"]
channel = "mailbox"

[[receiver]]
name = "kbh"
party = "0101"
format = "cloudevents"
channel = "mailbox"

[[agreement]]
id = "kbh-3f-old"
akasse = "3f"
jobcenter = "0101"
valid_from = "2020-01-01"
valid_to = "2023-12-31"
promises = { complaint = "12h" }

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"
"#;

/// A folder with a configuration and a message in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = folder("cli");
        fs::write(folder.path().join("site.toml"), SITE).unwrap();
        let desk = Self { folder };
        desk.write("message.json", &message("complaint").to_string());
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&mut kassebro(self.path(), arguments))
    }

    fn configured(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["--config", "site.toml"], arguments].concat())
    }
}

fn message(kind: &str) -> Value {
    let time = "2026-11-02T09:15:00Z".parse().unwrap();
    generate::event(kind, 3, "m-1", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101", time)
}

const AT: &str = "2026-11-02T09:16:00Z";

#[test]
fn a_wrong_command_line_is_usage_and_help_is_not() {
    let desk = Desk::new();
    for arguments in [
        &["frobnicate"][..],
        &["messages"],
        &["messages", "list", "--state", "asleep"],
        &["messages", "list", "--limit", "0"],
        &["deliveries", "retry", "not-an-id"],
        &["inbox", "--behave", "{\"sloth\":1}"],
        &["send", "message.json", "--to", "http://127.0.0.1:1"],
    ] {
        desk.run(arguments).exits(2);
    }
    for arguments in [&["--help"][..], &["--version"], &["completions", "bash"]] {
        assert!(!desk.run(arguments).exits(0).out.is_empty());
    }
}

#[test]
fn every_command_has_its_manual_page() {
    let desk = Desk::new();
    desk.run(&["man", "--dir", "share/man1"]).exits(0);
    let page = |name: &str| {
        let file = desk.folder.path().join("share/man1").join(format!("{name}.1"));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    for (name, says) in [
        ("kassebro", "7 a breached promise was found"),
        ("kassebro-run", "SIGTERM stops it in order"),
        ("kassebro-messages-edit", "a corrected message"),
        ("kassebro-sla-waive", "agreed by telephone"),
    ] {
        let page = page(name);
        assert!(page.contains(".TH ") && page.contains(says), "{name}: {page}");
    }
    desk.run(&["man"]).exits(2);
    desk.run(&["man", "--dir", "/dev/null/man1"]).exits(1);
}

#[test]
fn every_command_shows_an_example() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).exits(0).out;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<String> = commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let help = desk.run(&[&command, "--help"]).exits(0).out;
        if !help.contains("Commands:") {
            assert!(help.contains("Example"), "{command}: {help}");
            continue;
        }
        let below = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in below.take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().unwrap();
            if name == "help" || line.starts_with("   ") {
                continue;
            }
            let help = desk.run(&[&command, name, "--help"]).exits(0).out;
            assert!(help.contains("Example"), "{command} {name}: {help}");
        }
    }
}

#[test]
fn a_wrong_configuration_is_told_with_line_and_suggestion_by_every_command() {
    let desk = Desk::new();
    desk.write("wrong.toml", "[http]\nlisten = \"127.0.0.1:1\"\nlisen = \"x\"\n");
    for command in [&["check"][..], &["doctor"], &["messages", "list"], &["run"]] {
        let ended = desk.run(&[&["--config", "wrong.toml"], command].concat()).exits(3);
        assert!(ended.err.contains("wrong.toml:3: http.lisen"), "{}", ended.err);
        assert!(ended.err.contains("(did you mean `listen`?)"), "{}", ended.err);
    }
    let json = desk.run(&["--config", "wrong.toml", "--json", "check"]).exits(3).json();
    assert_eq!((&json[0]["line"], &json[0]["key"]), (&json!(3), &json!("http.lisen")));
    assert!(desk.run(&["--config", "none.toml", "check"]).exits(3).err.starts_with("none.toml: "));
}

#[test]
fn a_file_that_the_configuration_names_and_is_not_there_is_found() {
    let desk = Desk::new();
    desk.write("wrong.toml", "[amqp]\nurl = \"amqp://u@127.0.0.1\"\npassword_file = \"none\"\n");
    let ended = desk.run(&["--config", "wrong.toml", "check"]).exits(3);
    assert!(ended.err.contains("wrong.toml: amqp.password_file: reading none"), "{}", ended.err);
}

#[test]
fn a_valid_configuration_is_summed_up() {
    let desk = Desk::new();
    let json = desk.configured(&["--json", "check"]).exits(0).json();
    assert_eq!(json["parties"][0]["amqpUser"], "3f");
    assert_eq!(json["receivers"][0]["kinds"], json!(["complaint"]));
    assert_eq!(json["agreements"][0]["standing"], "expired");
    assert_eq!(json["agreements"][1]["standing"], "in_force");
    assert_eq!(json["queues"], json!(["kassebro.in.3f", "kassebro.out.3f"]));
    let text = desk.configured(&["check"]).exits(0).out;
    for word in ["kbh-klager", "mailbox", "not yet", "expired", "in force"] {
        assert_eq!(text.contains(word), word != "not yet", "{word}: {text}");
    }
}

#[test]
fn a_message_is_validated_by_itself_and_by_the_configuration() {
    let desk = Desk::new();
    desk.run(&["validate", "message.json"]).exits(0);
    desk.configured(&["validate", "--at", AT, "message.json"]).exits(0);
    let early = desk.configured(&["validate", "--json", "--at", "2026-11-01T09:00:00Z", "message.json"]);
    assert_eq!(early.exits(6).json()[0]["errors"][0]["rule"], "time.ahead");

    let mut strange = message("recommendation");
    strange["source"] = json!("urn:dk:akasse:foa");
    desk.write("strange.json", &strange.to_string());
    desk.run(&["validate", "strange.json"]).exits(0);
    let judged = desk.configured(&["validate", "--json", "--at", AT, "message.json", "strange.json"]);
    let json = judged.exits(6).json();
    assert_eq!((&json[0]["valid"], &json[1]["valid"]), (&json!(true), &json!(false)));
    let rules: Vec<_> =
        json[1]["errors"].as_array().unwrap().iter().map(|e| e["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["party.source", "agreement.validity"]);
    assert_eq!(json[1]["errors"][0]["code"], "GW1106");
}

#[test]
fn a_message_is_read_from_standard_input_and_a_missing_file_is_a_failure() {
    let desk = Desk::new();
    let body = message("job_order").to_string();
    let ended = run_with_input(&mut kassebro(desk.path(), &["validate", "-"]), body.as_bytes()).exits(0);
    assert_eq!(ended.out, "standard input: valid\n");
    let ended = run_with_input(&mut kassebro(desk.path(), &["validate", "-"]), b"{\"a\":").exits(6);
    assert!(ended.out.contains("GW1001"), "{}", ended.out);
    assert!(desk.run(&["validate", "none.json"]).exits(1).err.contains("reading none.json"));
}

#[test]
fn a_transformation_gives_the_bytes_that_a_receiver_gets() {
    let desk = Desk::new();
    let xml = desk.run(&["transform", "message.json"]).exits(0).out;
    assert!(xml.starts_with("<?xml") && xml.contains("<Klagesag"), "{xml}");
    desk.run(&["transform", "--format", "cloudevents", "--out", "out.json", "message.json"]).exits(0);
    let event: Value = serde_json::from_slice(&fs::read(desk.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(event["data"], message("complaint")["data"]);
    let json = desk.run(&["transform", "--json", "message.json"]).exits(0).json();
    assert_eq!((&json["contentType"], &json["body"]), (&json!("application/xml"), &json!(xml)));
    let refused = desk.run(&["transform", "--format", "jobag", "message.json"]).exits(6);
    assert!(refused.out.is_empty() && refused.err.contains("format.not-offered"), "{refused:?}");
}

#[test]
fn agreements_are_listed_and_shown_as_they_stand_on_a_day() {
    let desk = Desk::new();
    let standing = |at: &str| {
        let json = desk.configured(&["--json", "agreements", "list", "--at", at]).exits(0).json();
        [0, 1].map(|place: usize| json[place]["standing"].as_str().unwrap().to_owned())
    };
    assert_eq!(standing("2023-12-31"), ["in_force", "not_yet"]);
    assert_eq!(standing("2024-01-01"), ["expired", "in_force"]);
    let json = desk.configured(&["--json", "agreements", "show", "kbh-3f-old"]).exits(0).json();
    let complaint = json["promises"].as_array().unwrap().iter().find(|p| p["kind"] == "complaint").unwrap();
    assert_eq!((&complaint["within"], &complaint["from"]), (&json!("12h"), &json!("agreement")));
    assert!(desk.configured(&["agreements", "show", "none"]).exits(4).err.contains("agreements list"));
}

#[test]
fn a_route_says_who_was_considered_and_why() {
    let desk = Desk::new();
    let json = desk.configured(&["--json", "route", "explain", "message.json"]).exits(0).json();
    assert_eq!(json["agreement"]["id"], "kbh-3f");
    let chosen: Vec<_> = json["receivers"].as_array().unwrap().iter().map(|r| r["chosen"] == true).collect();
    assert_eq!(chosen, [true, false]);
    assert_eq!(json["receivers"][0]["format"], "klagesag");
    assert_eq!(
        json["receivers"][1]["because"],
        "another receiver of urn:dk:jobcenter:0101 takes complaint by name"
    );
    desk.write("order.json", &message("job_order").to_string());
    let json = desk.configured(&["--json", "route", "explain", "order.json"]).exits(0).json();
    assert_eq!(json["receivers"][1]["format"], "cloudevents");
}

#[test]
fn codes_schemas_and_keys_need_nothing_at_all() {
    let desk = Desk::new();
    assert!(desk.run(&["explain", "gw1101"]).exits(0).out.starts_with("# GW1101: "));
    assert!(desk.run(&["explain", "GW0000"]).exits(4).err.contains("`kassebro explain` lists them"));
    assert!(desk.run(&["--json", "explain"]).exits(0).json().as_array().unwrap().len() > 30);
    let schema = desk.run(&["schemas", "show", "complaint"]).exits(0).json();
    assert_eq!(schema["type"], "object");
    desk.run(&["schemas", "show", "poem"]).exits(4);
    let listed = desk.run(&["--json", "schemas", "list"]).exits(0).json();
    assert_eq!(listed.as_array().unwrap().len(), kassebro::kinds::KINDS.len());
    let key = desk.run(&["--json", "key"]).exits(0).json();
    assert_eq!(key["key"].as_str().unwrap().len(), 43);
    assert_eq!(key["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_topology_is_printed_without_a_broker_and_needs_one_to_be_applied() {
    let desk = Desk::new();
    let json = desk.configured(&["--json", "topology", "apply", "--dry-run"]).exits(0).json();
    assert_eq!(json.as_array().unwrap().len(), 4);
    assert_eq!(json[2]["what"], "queue kassebro.in.3f");
    for command in ["apply", "check"] {
        assert!(desk.configured(&["topology", command]).exits(3).err.contains("amqp.url"));
    }
}

#[test]
fn a_store_that_is_not_there_is_said_and_not_made() {
    let desk = Desk::new();
    let ended = desk.configured(&["messages", "list"]).exits(1);
    assert!(ended.err.contains("there is no store at kassebro.db"), "{}", ended.err);
    assert!(!desk.path().join("kassebro.db").exists());
}
