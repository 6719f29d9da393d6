//! `kassebro agreements`: what people and machines are shown, and what is asked beforehand.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::fs;

use kassebro::tools::generate;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Ended, kassebro, run},
    folder,
};

/// A folder with the agreements that ship, and a configuration that reads them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = folder("agreements");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/agreements");
        fs::create_dir(folder.path().join("agreements")).unwrap();
        for file in fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path()) {
            fs::copy(&file, folder.path().join("agreements").join(file.file_name().unwrap())).unwrap();
        }
        let desk = Self(folder);
        let parties = ["3f", "foa", "hk", "krifa"].map(|code| format!("[[party]]\ncode = \"{code}\"\n"));
        desk.write("site.toml", &format!("agreement_files = [\"agreements/*.toml\"]\n{}", parties.concat()));
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&mut kassebro(self.0.path(), &[&["agreements"], arguments].concat()))
    }

    fn configured(&self, arguments: &[&str]) -> Ended {
        self.run(&[arguments, &["--config", "site.toml"]].concat())
    }
}

#[test]
fn an_agreement_is_shown_whole_for_people_and_for_machines() {
    let desk = Desk::new();
    let text = desk.configured(&["show", "koebenhavn-hk-2009", "--at", "2009-09-01"]).exits(0).out;
    for words in [
        &["Between", "hk and 0101"][..],
        &["Valid", "2009-08-01 until terminated: in force"],
        &["A ", "30-59", "26 weeks", "4. Målgrupper"],
        &["B ", "60-", "16 weeks", "4. Målgrupper"],
        &["complaint ", "24h", "this agreement", "5. Klagesagsbehandling"],
        &["handover_report", "1d", "until the receiver has it", "the general promise"],
        &["course_referral", "/data/hours", "at most 30", "refused", "4. Jobsøgningsforløb"],
        &["3 months; on breach 1 month (8. Opsigelse af aftalen)"],
        &["interviews held in time", "90 %", "3. Resultatmål"],
        &["0101", "arbejdsmarkedscentret@koebenhavn.example"],
        &["report to the committee and the forum", "12 months", "2. Formål"],
        &["set each year", "course_referral", "6. Økonomi"],
    ] {
        let told = text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told, "{words:?}\n{text}");
    }
    let json = desk.configured(&["show", "lo-koebenhavn-2009", "--json"]).exits(0).json();
    assert_eq!(json["akasser"], json!(["3f", "foa", "tib", "metal"]));
    assert_eq!((&json["validTo"], &json["standing"]), (&json!("2010-12-31"), &json!("expired")));
    assert_eq!(json["groups"][0]["limit"], "6 months");
    assert_eq!(json["caps"][0]["kroner"], 500_000);
    assert_eq!(json["specialEffort"], "Forudsætninger: specialindsats");
    let json = desk.configured(&["show", "norddjurs-foa-2024", "--json"]).exits(0).json();
    let clocks: Vec<&str> =
        json["promises"].as_array().unwrap().iter().filter_map(|promise| promise["clock"].as_str()).collect();
    for clock in [
        "to the end of transitionDate, until handover_report",
        "from the registration, until 3 × interview_record",
    ] {
        assert!(clocks.contains(&clock), "{clocks:?}");
    }
    assert_eq!(json["rules"]["job_order"]["format"], "jobag");
    assert_eq!(json["contacts"][0]["email"], "jobcenter@norddjurs.dk");
    let list = desk.configured(&["list", "--at", "2009-12-01"]).exits(0).out;
    let regional = list.lines().find(|line| line.contains("regional-2009")).unwrap();
    assert!(regional.contains("every one") && regional.contains("in force"), "{list}");
}

#[test]
fn files_are_checked_among_themselves_and_every_contradiction_names_both_places() {
    let desk = Desk::new();
    assert_eq!(desk.configured(&["check"]).exits(0).out, "6 agreements, and no contradiction.\n");
    let file = "agreements/norddjurs-2024.toml";
    assert_eq!(desk.run(&["check", file, "--json"]).exits(0).json(), json!({"agreements": 1}));
    let copy = fs::read_to_string(desk.0.path().join(file)).unwrap();
    desk.write("more.toml", &copy.replace("norddjurs-foa-2024", "again").replace("\"90 %\"", ""));
    let told = desk.run(&["check", file, "more.toml"]).exits(3).err;
    let line = copy.lines().position(|line| line.starts_with("id = ")).unwrap() + 1;
    assert!(
        told.starts_with(&format!(
            "more.toml:{line}: agreement[1].id: again and norddjurs-foa-2024 ({file}:{line})"
        )),
        "{told}"
    );
    desk.write("wrong.toml", "[[agreement]]\nid = \"x\"\n");
    assert!(desk.run(&["check", "wrong.toml"]).exits(3).err.contains("valid_from"));
    desk.run(&["check", "none.toml"]).exits(3);
}

#[test]
fn a_message_is_asked_about_as_if_it_had_happened_at_another_time() {
    let desk = Desk::new();
    let order = generate::event(
        "job_order",
        1,
        "m-1",
        "urn:dk:akasse:foa",
        "urn:dk:jobcenter:0707",
        "2025-12-31T12:00:00Z".parse().unwrap(),
    );
    desk.write("order.json", &order.to_string());
    let asked = |more: &[&str]| desk.configured(&[&["check", "--message", "order.json"], more].concat());
    assert_eq!(asked(&["--json"]).exits(0).json()["agreement"], "norddjurs-foa-2024");
    let late = asked(&["--json", "--at", "2026-01-01"]).exits(6).json();
    assert_eq!(
        (&late["agreement"], &late["errors"][0]["rule"]),
        (&Value::Null, &json!("agreement.validity"))
    );
    let text = asked(&["--at", "2010-06-01T12:00:00+02:00", "--lang", "da"]).exits(6).out;
    for words in
        ["Happened   2010-06-01 12:00:00", "Agreement  none", "Nærmest er aftalen norddjurs-foa-2024"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let one = desk.run(&["check", "agreements/norddjurs-2024.toml", "--message", "order.json", "--json"]);
    assert_eq!(one.exits(0).json()["agreement"], "norddjurs-foa-2024");
    desk.run(&["check", "--at", "2026-01-01"]).exits(2);
}

#[test]
fn a_group_and_a_phase_are_asked_about_too() {
    let desk = Desk::new();
    let text = "[[agreement]]\nid = \"phased\"\nakasser = [\"foa\"]\njobcenters = [\"0707\"]\nvalid_from = \
                \"2020-01-01\"\n[[agreement.group]]\ncode = \"old\"\nfrom_age = 100\nclause = \"§ 3\"\n\
                [[agreement.phase]]\nname = \"second\"\nfrom = \"2024-01-01\"\nkinds = [\"job_order\"]\n\
                clause = \"§ 7\"\n";
    desk.write("phased.toml", text);
    let asked = |kind: &str, at: &str, code: i32| {
        let now = "2023-06-01T12:00:00Z".parse().unwrap();
        let event = generate::event(kind, 1, "m-1", "urn:dk:akasse:foa", "urn:dk:jobcenter:0707", now);
        desk.write("message.json", &event.to_string());
        let told = desk.run(&["check", "phased.toml", "--message", "message.json", "--at", at, "--json"]);
        let errors = told.exits(code).json()["errors"].clone();
        errors
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (e["rule"].clone(), e["message"]["da"].clone()))
            .collect::<Vec<_>>()
    };
    let told = asked("recommendation", "2024-01-01", 6);
    assert_eq!(told[0].0, "agreement.group");
    assert!(told[0].1.as_str().unwrap().starts_with("Aftalen phased (§ 3): "), "{told:?}");
    let told = asked("job_order", "2023-12-31", 6);
    assert_eq!(told[0].0, "agreement.phase");
    assert!(told[0].1.as_str().unwrap().starts_with("Aftalen phased (§ 7): "), "{told:?}");
    assert_eq!(asked("job_order", "2024-01-01", 0), []);
    assert_eq!(asked("complaint", "2024-01-01", 0), []);
}
