//! What scenarios come to, the shipped ones and those that are wrong.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// An outage of an hour, with something of everything.
const OUTAGE: &str = r#"
title = "An outage"
length = "2h"

[[receiver]]
party = "0101"
script = ["down from 10m to 1h"]

[[receiver]]
name = "koebenhavn-complaint"
script = ["503 x2", "hang from 1m to 2m", "429 retry-after 1m from 2m to 5m", "down from 5m to 1h"]

[[message]]
name = "klage-1"
kind = "complaint"
from = "3f"
to = "0101"
waited = "22h"

[[message]]
name = "tilbud-1"
kind = "recommendation"
from = "krifa"
to = "0101"
at = "15m"

[[expect]]
message = "klage-1"
outcome = "delivered"
within = "24h"
attempts = "5..100"
answers = ["at_risk", "delivered"]
sla = "met"

[[expect]]
message = "tilbud-1"
outcome = "delivered"
within = "2h"

[[expect]]
alert = "KassebroCircuitOpen"
labels = { receiver = "koebenhavn-complaint" }
opens = "<= 1h"
resolves = "1h..2h"
"#;

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

async fn played(text: &str) -> Report {
    let (_folder, file) = written(text);
    play(&file, None).await.unwrap()
}

/// Line, key and problem of each.
async fn problems(text: &str) -> Vec<(Option<usize>, String, String)> {
    let (_folder, file) = written(text);
    let config::Invalid(problems) = play(&file, None).await.unwrap_err().downcast().unwrap();
    assert!(problems.iter().all(|problem| problem.file == file.display().to_string()));
    problems.into_iter().map(|problem| (problem.line, problem.key, problem.problem)).collect()
}

/// Each on a thread of its own: a day takes a while.
#[test]
fn the_scenarios_that_are_shipped_come_out_as_they_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(files.len() >= 4, "{files:?}");
    std::thread::scope(|scope| {
        for file in &files {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let report = runtime.block_on(play(file, None)).unwrap();
                let wrong: Vec<_> = report.checks.iter().filter(|check| !check.kept).collect();
                assert!(report.kept && !report.checks.is_empty(), "{}: {wrong:#?}", file.display());
            });
        }
    });
}

#[tokio::test]
async fn a_scenario_comes_to_the_same_every_time() {
    let (_folder, file) = written(OUTAGE);
    let first = play(&file, None).await.unwrap();
    assert!(first.kept, "{:#?}", first.checks);
    for _ in 1..20 {
        assert_eq!(play(&file, None).await.unwrap(), first);
    }
    let found = |report: Report| report.checks.into_iter().map(|check| check.found).collect::<Vec<_>>();
    let other = play(&file, Some(2)).await.unwrap();
    assert_ne!(found(other), found(first), "another seed is another day");
}

#[tokio::test]
async fn what_does_not_come_true_is_said() {
    let report = played(
        r#"
        length = "1h"
        [[receiver]]
        name = "koebenhavn-complaint"
        script = ["422"]
        [[message]]
        name = "klage-1"
        kind = "complaint"
        from = "3f"
        to = "0101"
        [[message]]
        name = "klage-2"
        kind = "complaint"
        from = "3f"
        to = "0101"
        at = "2h"
        [[expect]]
        message = "klage-1"
        outcome = "delivered"
        within = "1m"
        attempts = ">= 2"
        answers = ["delivered"]
        sla = "met"
        errors = [{ rule = "schema.required", pointer = "/data" }]
        [[expect]]
        message = "klage-2"
        outcome = "delivered"
        [[expect]]
        alert = "KassebroWatchdog"
        opens = "never"
        [[expect]]
        alert = "KassebroCircuitOpen"
        opens = "<= 1h"
        "#,
    )
    .await;
    let said: Vec<_> = report.checks.iter().map(|check| (check.what, &*check.found, check.kept)).collect();
    assert_eq!(
        said,
        [
            ("outcome", "dead", false),
            ("within", "not delivered", false),
            ("attempts", "1", false),
            ("answers", "failed", false),
            ("sla", "ended", false),
            ("errors", "none", false),
            ("outcome", "it was not: the play was over", false),
            ("opens", "after 0s", false),
            ("opens", "never", false),
        ]
    );
    assert!(!report.kept);
}

#[tokio::test]
async fn every_problem_of_a_file_is_told_with_its_line() {
    let found = problems(
        r#"length = "1h"
start = "tomorrow"
[[receiver]]
name = "koebenhavn"
script = ["503 x3", "sulk", "hang soon"]
[[message]]
name = "a"
kind = "complaint"
from = "3f"
[[message]]
name = "a"
kind = "grievance"
from = "3f"
to = "0101"
at = "soon"
[[message]]
name = "b"
from = "3f"
file = "nowhere.json"
colour = "red"
[[expect]]
message = "c"
outcome = "perfect"
[[expect]]
alert = "KassebroWatchdog"
"#,
    )
    .await;
    let places: Vec<_> = found.iter().map(|(line, key, _)| (line.unwrap(), key.as_str())).collect();
    let expected = [
        (20, "message[2]"),
        (2, "start"),
        (5, "script"),
        (5, "script"),
        (6, "message"),
        (11, "name"),
        (12, "kind"),
        (15, "at"),
        (23, "outcome"),
        (22, "message"),
        (24, "expect"),
    ];
    assert_eq!(places, expected, "{found:#?}");
}

#[tokio::test]
async fn who_is_not_in_the_configuration_is_told_with_its_line() {
    let found = problems(
        r#"[[receiver]]
name = "atlantis"
[[receiver]]
party = "9999"
[[message]]
name = "a"
kind = "complaint"
from = "hk"
to = "0101"
"#,
    )
    .await;
    let places: Vec<_> = found.iter().map(|(line, key, _)| (line.unwrap(), key.as_str())).collect();
    assert_eq!(places, [(5, "from"), (1, "receiver"), (3, "receiver")], "{found:#?}");
    assert!(found[1].2.contains("koebenhavn-complaint"), "the receivers are named: {}", found[1].2);
}

/// A configuration of one's own, in which a jobcentre says later what it makes of a message.
const CONFIGURATION: &str = r#"
[[party]]
code = "3f"
answers = ["accepted", "rejected", "delivered", "failed"]

[[receiver]]
name = "kbh"
party = "0101"
channel = "http"
url = "https://jobcenter.example/inbox"
header_files = { authorization = "/nowhere/token" }
receipt_follows = true

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"
"#;

#[tokio::test]
async fn a_receipt_comes_back_after_its_time_under_a_configuration_of_ones_own() {
    for (refuses, outcome, answers) in [
        ("", "delivered", r#"["accepted", "delivered"]"#),
        ("refuses = \"ukendt borger\"", "dead", r#"["accepted", "delivered", "failed"]"#),
    ] {
        let (folder, file) = written(&format!(
            r#"
            length = "5h"
            config = "site.toml"
            [[receiver]]
            name = "kbh"
            receipt_after = "3h"
            {refuses}
            [[message]]
            name = "klage-1"
            kind = "complaint"
            from = "3f"
            to = "0101"
            [[expect]]
            message = "klage-1"
            outcome = "{outcome}"
            answers = {answers}
            "#
        ));
        std::fs::write(folder.path().join("site.toml"), CONFIGURATION).unwrap();
        let report = play(&file, None).await.unwrap();
        assert!(report.kept, "{:#?}", report.checks);
    }
}
