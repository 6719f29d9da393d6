//! What receivers read fits the XML schemas that we publish, judged by someone else's validator.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    domain::{Envelope, Event, Format, KindId},
    formats::beskedmodul,
    kinds,
    tools::generate,
};
use serde_json::Value;

/// Generated messages of each of the two kinds beside the examples: ten thousand together.
const GENERATED: i64 = 5_000;

/// Files per call of the validator, well within the limit of a command line.
const FILES_MAX: usize = 1_000;

#[test]
fn every_recommendation_fits_the_message_modules_schema_and_its_attachments() {
    let folder = tempfile::tempdir().unwrap();
    let (mut messages, mut attachments) = (Vec::new(), Vec::new());
    for (number, event) in events("recommendation").into_iter().enumerate() {
        let body = rendered(&event, Format::Beskedmodul);
        let attachment = beskedmodul::read_attachment(&body).expect("the message has its attachment");
        messages.push(write(folder.path(), &format!("besked-{number}.xml"), &body));
        attachments.push(write(folder.path(), &format!("indstilling-{number}.xml"), &attachment));
    }
    assert_fits("beskedmodul.v1.xsd", &messages);
    assert_fits("indstilling.v1.xsd", &attachments);
}

#[test]
fn every_complaint_fits_the_case_documents_schema() {
    let folder = tempfile::tempdir().unwrap();
    let documents: Vec<_> = events("complaint")
        .into_iter()
        .enumerate()
        .map(|(number, event)| {
            write(folder.path(), &format!("klagesag-{number}.xml"), &rendered(&event, Format::Klagesag))
        })
        .collect();
    assert_fits("klagesag.v1.xsd", &documents);
}

#[test]
fn a_document_with_something_missing_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let event = &events("complaint")[0];
    let body = String::from_utf8(rendered(event, Format::Klagesag)).unwrap();
    let (before, rest) = body.split_once("<KlageformKode>").unwrap();
    let (_, after) = rest.split_once("</KlageformKode>").unwrap();
    let file = write(folder.path(), "uden-form.xml", format!("{before}{after}").as_bytes());
    assert!(validate("klagesag.v1.xsd", &[file]).is_err());
}

/// The valid examples of a kind, and generated messages over half a year and more.
fn events(kind: &str) -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/examples/{kind}.v1"));
    let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let valid = files.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("valid-") && name.ends_with(".json")
    });
    let mut events: Vec<_> = valid
        .map(|path| event(&serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()))
        // The module's pattern leaves replacement numbers out; such a delivery waits for a person.
        .filter(|event| {
            kind != "recommendation"
                || !event.data["citizen"]["cpr"].as_str().unwrap().starts_with(['6', '7', '8', '9'])
        })
        .collect();
    assert!(events.len() >= 3, "{} holds too few valid examples", folder.display());
    let start: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    for seed in 0..GENERATED {
        let time = start + SignedDuration::from_hours(seed);
        let id = format!("m-{seed}");
        let seed = u64::try_from(seed).unwrap();
        events.push(event(&generate::event(
            kind,
            seed,
            &id,
            "urn:dk:akasse:3f",
            "urn:dk:jobcenter:0101",
            time,
        )));
    }
    events
}

fn event(value: &Value) -> Event {
    let text = |name: &str| value[name].as_str();
    let optional = |name: &str| text(name).map(str::to_owned);
    Event {
        envelope: Envelope {
            id: text("id").unwrap().parse().unwrap(),
            source: text("source").unwrap().parse().unwrap(),
            kind: KindId::from_event_type(text("type").unwrap()).unwrap(),
            time: text("time").unwrap().parse().unwrap(),
            recorded: text("recordedtime").map(|at| at.parse().unwrap()),
            receiver: text("receiver").unwrap().parse().unwrap(),
            agreement: optional("agreement"),
            subject: optional("subject"),
            correlation_id: optional("correlationid"),
            causation_id: optional("causationid"),
            traceparent: optional("traceparent"),
            tracestate: optional("tracestate"),
        },
        data: value["data"].clone(),
    }
}

fn rendered(event: &Event, format: Format) -> Vec<u8> {
    let kind = kinds::find(&event.envelope.kind).unwrap();
    kind.render(event, format).unwrap_or_else(|violations| panic!("{violations:?}")).body.to_vec()
}

fn write(folder: &Path, name: &str, body: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, body).unwrap();
    path
}

fn assert_fits(schema: &str, files: &[PathBuf]) {
    for files in files.chunks(FILES_MAX) {
        validate(schema, files).unwrap_or_else(|errors| panic!("{schema}: {errors}"));
    }
}

/// Runs xmllint over the files; its words where one of them does not fit.
fn validate(schema: &str, files: &[PathBuf]) -> Result<(), String> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(schema);
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .args(files)
        .output()
        .expect("this test needs xmllint: install it with `apt-get install -y libxml2-utils`");
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().filter(|line| !line.ends_with(" validates")).take(10).collect::<Vec<_>>().join("\n"))
}
