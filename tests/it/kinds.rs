//! Every example of every kind, through the binary that senders use: what is valid, and what is said of the rest.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the repository's own")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::command::{kassebro, run};

/// The examples of all kinds whose names begin so, sorted.
fn examples(beginning: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples");
    let kinds = fs::read_dir(folder).unwrap().map(|kind| kind.unwrap().path());
    let files = kinds.flat_map(|kind| fs::read_dir(kind).unwrap().map(|file| file.unwrap().path()));
    let mut files: Vec<_> = files
        .filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            name.starts_with(beginning) && !name.ends_with(".expected")
        })
        .collect();
    files.sort();
    files
}

/// A minute after it happened, where the file says when: an example does not age.
fn soon_after(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let time = serde_json::from_str::<Value>(&text).ok();
    let time = time.and_then(|event| event["time"].as_str()?.parse::<Timestamp>().ok());
    let at = time.unwrap_or_else(|| "2026-11-03T08:46:00+01:00".parse().unwrap());
    (at + SignedDuration::from_mins(1)).to_string()
}

/// What is said of each file. Those of one time go through one process, which compiles every schema at its start.
fn validate(files: Vec<PathBuf>, code: i32) -> Vec<(PathBuf, Value)> {
    let mut at_once: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        at_once.entry(soon_after(&file)).or_default().push(file);
    }
    let mut said = Vec::new();
    for (at, files) in at_once {
        let mut command = kassebro(Path::new("."), &["validate", "--json", "--at", &at]);
        let Value::Array(validated) = run(command.args(&files)).exits(code).json() else {
            panic!("no array")
        };
        assert_eq!(validated.len(), files.len());
        said.extend(files.into_iter().zip(validated));
    }
    said
}

/// `<pointer> <tab> <rule>` for each finding, sorted.
fn lines(validated: &Value) -> Vec<String> {
    let errors = validated["errors"].as_array().unwrap();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let mut lines: Vec<_> =
        errors.iter().map(|error| format!("{}\t{}", text(error, "pointer"), text(error, "rule"))).collect();
    lines.sort();
    lines
}

#[test]
fn every_valid_example_is_valid() {
    let files = examples("valid-");
    assert!(files.len() >= 12, "{files:?}");
    for (file, validated) in validate(files, 0) {
        assert_eq!(validated["valid"], true, "{}", file.display());
    }
}

#[test]
fn every_invalid_example_has_exactly_the_violations_beside_it() {
    let files = examples("invalid-");
    assert!(files.len() >= 24, "{files:?}");
    for (file, validated) in validate(files, 6) {
        assert_eq!(validated["file"], file.display().to_string());
        assert_eq!(validated["valid"], false, "{}", file.display());
        let expected = fs::read_to_string(file.with_extension("expected")).unwrap();
        assert_eq!(lines(&validated), expected.lines().collect::<Vec<_>>(), "{}", file.display());
    }
}

#[test]
fn every_violation_is_told_in_both_languages() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/complaint.v1/invalid-several.json");
    let file = file.display().to_string();
    let told = |language: &str| {
        run(&mut kassebro(Path::new("."), &["validate", "--lang", language, &file])).exits(6).out
    };
    let (danish, english) = (told("da"), told("en"));
    assert!(danish.contains(": 3 fejl\n") && danish.contains("CPR-nummerets seks første cifre"), "{danish}");
    assert!(english.contains(": 3 errors\n") && english.contains("first six digits"), "{english}");
    for pointer in ["/subject", "/data/citizen/cpr", "/data/attachments/1/content"] {
        assert!(danish.contains(pointer) && english.contains(pointer), "{pointer}");
    }
}
