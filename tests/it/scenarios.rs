//! `kassebro demo --scenario`: what a sender's build server sees.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::fs;

use crate::support::{
    command::{Ended, kassebro, run},
    folder,
};

const SCENARIO: &str = r#"
title = "A short day"
length = "10m"

[[message]]
name = "klage-1"
kind = "complaint"
from = "3f"
to = "0101"

[[expect]]
message = "klage-1"
outcome = "OUTCOME"
"#;

fn played(scenario: &str, more: &[&str]) -> (tempfile::TempDir, Ended) {
    let folder = folder("scenarios");
    fs::write(folder.path().join("day.toml"), scenario).unwrap();
    let ended = run(&mut kassebro(folder.path(), &[&["demo", "--scenario", "day.toml"], more].concat()));
    (folder, ended)
}

#[test]
fn a_scenario_says_what_came_true_in_words_in_json_and_for_a_build_server() {
    let (_folder, ended) = played(&SCENARIO.replace("OUTCOME", "delivered"), &[]);
    let text = ended.exits(0).out;
    assert!(text.contains("✓ as expected") && text.contains("1 of 1 as expected"), "{text}");

    let (folder, ended) =
        played(&SCENARIO.replace("OUTCOME", "rejected"), &["--json", "--junit", "day.xml", "--seed", "7"]);
    let report = ended.exits(1).json();
    assert_eq!((&report[0]["kept"], &report[0]["seed"]), (&false.into(), &7.into()));
    assert_eq!(report[0]["checks"][0]["found"], "delivered");
    let junit = fs::read_to_string(folder.path().join("day.xml")).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"1\""), "{junit}");
    assert!(junit.contains("expected rejected, found delivered"), "{junit}");
}

#[test]
fn a_scenario_that_is_not_valid_is_told_line_by_line() {
    let (_folder, ended) =
        played(&SCENARIO.replace("OUTCOME", "perfect").replace("complaint", "grievance"), &[]);
    let text = ended.exits(3).err;
    assert!(text.contains("day.toml:7: kind") && text.contains("day.toml:13: outcome"), "{text}");
}
