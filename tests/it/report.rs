//! `kassebro sla report`: what stands in the store is what stands in every form of the report, signed or not.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::Path, process::Command, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kassebro::{
    domain::{
        Envelope, Format, KindId, Parcel, Party, ReceiptId,
        answer::Subscription,
        figure::{Figure, Interview, Month, Timeliness},
        sla::{DELIVERED, Promise},
    },
    store::{
        Accepted, Admission, Arrived, NewDelivery, Store, Verdict, Way,
        sqlite::{Mode, Sqlite},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Ended, kassebro, run},
    folder,
};

/// A test number of the authority's.
const CPR: &str = "6707614285";
const NAME: &str = "Ellen Eksempelsen";
const AGREEMENT: &str = "=HYPERLINK(1)";

/// Who is measured by what.
const AGREEMENTS: &str = include_str!("report/agreements.toml");

/// A configuration with a store, and no gateway.
struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With these records in it: the sender, the receiver, how many, and whether in time.
    async fn with(records: &[(&str, &str, usize, Timeliness)]) -> Self {
        let folder = folder("report");
        let file = folder.path().join("kassebro.db");
        let toml = format!("[store]\nurl = \"sqlite:{}\"\n{AGREEMENTS}", file.display());
        fs::write(folder.path().join("site.toml"), toml).unwrap();
        let store = Sqlite::open(&file, Mode::Daemon).unwrap();
        let each = records.iter().flat_map(|record| std::iter::repeat_n(record, record.2));
        let batch =
            (1..).zip(each).map(|(number, (from, to, _, timeliness))| record(number, from, to, *timeliness));
        let verdicts = store.accept(batch.collect()).await.unwrap();
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted(_))));
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&mut kassebro(self.path(), &[&["--config", "site.toml"], arguments].concat()))
    }

    fn report(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["sla", "report"], arguments].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json", "sla", "report"], arguments].concat()).exits(0).json()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }
}

/// The record of an interview in November 2026, about a person.
fn record(number: u128, from: &str, to: &str, timeliness: Timeliness) -> Admission {
    record_of(11, number, from, to, timeliness)
}

fn record_of(month: i8, number: u128, from: &str, to: &str, timeliness: Timeliness) -> Admission {
    let received: Timestamp = format!("2026-{month:02}-10T08:00:00Z").parse().unwrap();
    let arrived = Arrived {
        receipt: ReceiptId::from_fresh(uuid::Uuid::from_u128(number << 8)),
        party: from.into(),
        way: Way::Http,
        received,
        sent: None,
        content_type: None,
        headers: vec![],
        raw: Bytes::from(format!("{{\"cpr\":\"{CPR}\",\"name\":\"{NAME}\"}}")),
        generation: 3,
        in_hand: None,
    };
    let envelope = Envelope {
        id: format!("m-{number}").parse().unwrap(),
        source: Party::from_code(from).unwrap(),
        kind: KindId::new("interview_record", 1),
        time: received - SignedDuration::from_hours(13),
        recorded: None,
        receiver: Party::from_code(to).unwrap(),
        agreement: None,
        subject: Some(NAME.into()),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        tracestate: None,
    };
    let owed = NewDelivery {
        receiver: "inbox".into(),
        parcel: Parcel {
            citizen: None,
            format: Format::Cloudevents,
            format_version: 1,
            content_type: "application/json".into(),
            body: Bytes::from_static(b"{}"),
        },
        ordering_key: None,
        promise: Arc::new(Promise::elapsed(DELIVERED, SignedDuration::from_hours(24))).clocked(envelope.time),
        further: vec![],
        expires: None,
        hold: None,
        other_way: None,
    };
    let figure =
        Figure { month: Month::at(received), interview: Interview::new("cvInterview").unwrap(), timeliness };
    Admission::Accepted(Box::new(Accepted {
        meets: None,
        renews: None,
        ends_placement: None,
        bearing: None,
        spends: None,
        figure: Some(figure),
        reply: None,
        arrived,
        envelope,
        hash: [0; 32],
        agreement: Some(AGREEMENT.into()),
        warnings: vec![],
        answers: Subscription::default(),
        deliveries: vec![owed],
    }))
}

/// Nine of ten at 3F, eight of ten at Krifa, and of the jobcenter's own nineteen of twenty.
async fn november() -> Desk {
    Desk::with(&[
        ("3f", "0101", 9, Timeliness::InTime),
        ("3f", "0101", 1, Timeliness::Late),
        ("3f", "0101", 2, Timeliness::NotHeld),
        ("krifa", "0707", 8, Timeliness::InTime),
        ("krifa", "0707", 2, Timeliness::Late),
        ("0101", "3f", 19, Timeliness::InTime),
        ("0101", "3f", 1, Timeliness::Late),
    ])
    .await
}

const MONTH: [&str; 2] = ["--month", "2026-11"];

#[tokio::test]
async fn an_empty_store_has_a_report_too_and_no_period_is_usage() {
    let desk = Desk::with(&[]).await;
    let text = desk.report(&[]).exits(0).out;
    assert!(text.contains("No interviews were recorded for the period."), "{text}");
    let figures = &desk.json(&["--year", "2025"])["figures"];
    assert_eq!((&figures["timeliness"], &figures["lastMessage"]), (&json!([]), &json!(0)));
    assert_eq!(desk.report(&["--csv"]).exits(0).out.lines().count(), 1, "a header");
    desk.report(&["--html", "page.html"]).exits(0);
    assert!(desk.read("page.html").contains("Ingen samtaler er registreret i perioden."));
    for wrong in [
        &["--month", "2026-13"][..],
        &["--month", "2026-11", "--year", "2026"],
        &["--from", "2026-11-02"],
        &["--from", "2026-11-02", "--to", "2026-11-01"],
        &["--from", "1990-01-01", "--to", "2026-11-01"],
        &["--jobcenter", "3f"],
        &["--akasse", "0101"],
        &["--sign", "key"],
        &["--kind", "interview_recrod"],
        &["--kind", "interview_record.v9"],
        &["--interview", "=cmd"],
    ] {
        desk.report(wrong).exits(2);
    }
    let told = desk.report(&["--agreement", "misspelt", "--kind", "interview_record.v1"]).exits(0).err;
    assert!(told.contains("no agreement \"misspelt\" is configured"), "{told}");
}

#[tokio::test]
async fn an_akasse_is_marked_below_its_agreements_goal_and_below_the_jobcenters_own() {
    let desk = november().await;
    let report = desk.json(&MONTH);
    let figures = &report["figures"];
    let line = |akasse: &str| {
        let lines = figures["timeliness"].as_array().unwrap();
        lines.iter().find(|line| line["akasse"] == akasse).cloned().unwrap()
    };
    assert_eq!(
        line("3f"),
        json!({
            "month": "2026-11", "jobcenter": "0101", "akasse": "3f", "interview": "cvInterview", "held": 10, "inTime": 9,
            "notHeld": 2, "share": "90.00", "goalPercent": 90, "goalAgreement": "kbh-3f", "belowGoal": false,
            "ownShare": "95.00", "belowOwn": true
        })
    );
    let krifa = line("krifa");
    assert_eq!(
        (&krifa["belowGoal"], &krifa["ownShare"], &krifa["belowOwn"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!((&figures["lastMessage"], &figures["generation"]), (&json!(42), &json!(3)));
    let sender = &figures["senders"][1];
    assert_eq!(
        (&sender["party"], &sender["messages"], &sender["halfUsed"]),
        (&json!("3f"), &json!(12), &json!(12))
    );
    assert_eq!(figures["volumes"][0]["accepted"], json!(42));
    assert_eq!(figures["outcomes"][0]["agreement"], json!(AGREEMENT));
    assert_eq!(desk.json(&["--month", "2026-10"])["figures"]["timeliness"], json!([]));
    let narrowed = desk.json(&["--quarter", "2026-Q4", "--akasse", "krifa"]);
    assert_eq!(narrowed["figures"]["summary"].as_array().unwrap().len(), 1);
    let csv = desk.report(&[&MONTH[..], &["--csv", "--table", "timeliness"]].concat()).exits(0).out;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    let head = "month,jobcenter,akasse,interview,held,in_time,not_held,share_percent,goal_percent,goal_agreement,below_goal,own_share_percent,below_own,figures_sha256";
    assert_eq!(lines[0], head);
    assert!(
        lines[1].starts_with("2026-11,0101,3f,cvInterview,10,9,2,90.00,90,kbh-3f,false,95.00,true,"),
        "{csv}"
    );
    let outcomes = desk.report(&[&MONTH[..], &["--csv", "--table", "outcomes"]].concat()).exits(0).out;
    assert!(outcomes.contains("\r\n'=HYPERLINK(1),"), "{outcomes}");
    let text = desk.report(&MONTH).exits(0).out;
    assert!(text.contains("90.00 %") && text.contains("80.00 %") && text.contains("yes"), "{text}");
}

/// 80 % in each: judged by 75 at Krifa while its agreement holds, and by nothing afterwards or where none is set.
#[tokio::test]
async fn a_pair_is_measured_by_the_target_of_its_own_agreement_while_that_is_in_force() {
    let desk = november().await;
    let store = Sqlite::open(&desk.path().join("kassebro.db"), Mode::Daemon).unwrap();
    let more = [(10, "krifa", 7, 3), (12, "krifa", 8, 2), (12, "3f", 8, 2)];
    let mut number = 1_000;
    let mut batch = Vec::new();
    for (month, akasse, in_time, late) in more {
        for (timeliness, count) in [(Timeliness::InTime, in_time), (Timeliness::Late, late)] {
            for _ in 0..count {
                number += 1;
                batch.push(record_of(month, number, akasse, "0707", timeliness));
            }
        }
    }
    store.accept(batch).await.unwrap();
    drop(store);
    let quarter = ["--quarter", "2026-Q4"];
    let figures = desk.json(&quarter)["figures"].clone();
    let line = |line: &Value| {
        let key = ["month", "akasse", "share", "goalPercent", "goalAgreement", "belowGoal"];
        key.map(|member| line[member].clone())
    };
    let lines: Vec<_> = figures["timeliness"].as_array().unwrap().iter().map(line).collect();
    let expected = [
        json!(["2026-10", "krifa", "70.00", 75, "norddjurs-krifa", true]),
        json!(["2026-11", "3f", "90.00", 90, "kbh-3f", false]),
        json!(["2026-11", "krifa", "80.00", 75, "norddjurs-krifa", false]),
        json!(["2026-12", "3f", "80.00", null, null, null]),
        json!(["2026-12", "krifa", "80.00", null, null, null]),
    ];
    assert_eq!(json!(lines), json!(expected));
    let sums: Vec<_> = figures["summary"].as_array().unwrap().iter().map(line).collect();
    let expected = [
        json!([null, "3f", "90.00", 90, "kbh-3f", false]),
        json!([null, "3f", "80.00", null, null, null]),
        json!([null, "krifa", "75.00", 75, "norddjurs-krifa", false]),
        json!([null, "krifa", "80.00", null, null, null]),
    ];
    assert_eq!(json!(sums), json!(expected), "one line for each target");
    let csv = desk.report(&[&quarter[..], &["--csv", "--table", "timeliness"]].concat()).exits(0).out;
    for line in [
        "2026-10,0707,krifa,cvInterview,10,7,0,70.00,75,norddjurs-krifa,true,,,",
        "2026-12,0707,krifa,cvInterview,10,8,0,80.00,,,,,,",
    ] {
        assert!(csv.contains(line), "{csv}");
    }
    let text = desk.report(&quarter).exits(0).out;
    assert!(
        text.lines().any(|l| l.contains("75 %") && l.contains("norddjurs-krifa") && l.contains("yes")),
        "{text}"
    );
    desk.report(&[&quarter[..], &["--html", "page.html"]].concat()).exits(0);
    let page = desk.read("page.html");
    for part in ["norddjurs-krifa", "75\u{a0}%", "Mål: 75\u{a0}%", "Mål: 90\u{a0}%", "mål 75 %", "Under mål"]
    {
        assert!(page.contains(part) != (part == "mål 75 %"), "{part}");
    }
}

#[tokio::test]
async fn the_page_is_whole_in_itself_and_no_form_tells_of_a_person() {
    let desk = november().await;
    desk.report(&[&MONTH[..], &["--html", "page.html"]].concat()).exits(0);
    let page = desk.read("page.html");
    for part in [
        "<caption>",
        "scope=\"col\"",
        "scope=\"row\"",
        "<svg ",
        "90,00\u{a0}%",
        "0101 København",
        "CV-samtale",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "http://", "https://", "<img", "<link", " style=", "url("] {
        assert!(!page.contains(part), "{part}");
    }
    let mut parser = Command::new("xmllint");
    let told =
        run(parser.args(["--html", "--noout", "--nowarning", "page.html"]).current_dir(desk.path())).err;
    // libxml2 knows the elements of HTML 4 only.
    let wrong: Vec<&str> =
        told.lines().filter(|line| line.contains("error") && !line.contains("invalid")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let forms = [
        page,
        desk.report(&MONTH).exits(0).out,
        desk.json(&MONTH).to_string(),
        desk.report(&[&MONTH[..], &["--csv"]].concat()).exits(0).out,
        desk.report(&[&MONTH[..], &["--csv", "--table", "senders"]].concat()).exits(0).out,
    ];
    for form in forms {
        assert!(!form.contains(CPR) && !form.contains(NAME), "{form}");
    }
}

#[tokio::test]
async fn a_signed_report_is_verified_by_us_and_by_openssl_and_a_changed_one_by_nobody() {
    let desk = november().await;
    desk.run(&["key", "--signing", "report.key"]).exits(0);
    desk.run(&["key", "--signing", "report.key"]).exits(1);
    let verify = |file: &str| desk.run(&["sla", "verify-report", file, "--key", "report.key.pub"]);
    for arguments in [&["--html", "r.html"][..], &["--out", "r.csv", "--csv"], &["--out", "r.txt"]] {
        desk.report(&[&MONTH[..], arguments, &["--sign", "report.key"]].concat()).exits(0);
        verify(arguments[1]).exits(0);
    }
    desk.run(
        &[&["--json", "sla", "report"], &MONTH[..], &["--out", "r.json", "--sign", "report.key"]].concat(),
    )
    .exits(0);
    verify("r.json").exits(0);
    let openssl = "base64 -d r.html.sig > r.bin && openssl pkeyutl -verify -pubin -inkey report.key.pub -rawin \
                   -in r.html -sigfile r.bin && openssl pkey -in report.key -noout -check";
    run(Command::new("sh").args(["-c", openssl]).current_dir(desk.path())).exits(0);

    let page = desk.read("r.html");
    fs::write(desk.path().join("r.html"), page.replace("90,00", "99,00")).unwrap();
    assert!(verify("r.html").exits(5).err.contains("not what was signed"));
    fs::write(desk.path().join("r.html"), &page).unwrap();
    verify("r.html").exits(0);
    fs::remove_file(desk.path().join("r.html.sig")).unwrap();
    verify("r.html").exits(4);
    desk.run(&["key", "--signing", "other.key"]).exits(0);
    desk.run(&["sla", "verify-report", "r.json", "--key", "other.key.pub"]).exits(5);

    // Signed by the right key, but with figures that are not those of its fingerprint.
    let mut report: Value = serde_json::from_str(&desk.read("r.json")).unwrap();
    report["figures"]["timeliness"][0]["inTime"] = json!(10);
    fs::write(desk.path().join("signed.json"), report.to_string()).unwrap();
    let sign = "printf '%s' \"$(openssl pkeyutl -sign -inkey report.key -rawin -in signed.json | base64 -w0)\" > signed.json.sig";
    run(Command::new("sh").args(["-c", sign]).current_dir(desk.path())).exits(0);
    assert!(verify("signed.json").exits(5).err.contains("another fingerprint"));
}
