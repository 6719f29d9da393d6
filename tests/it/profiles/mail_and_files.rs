//! What the stand-ins for job centres that are told by mail, or read files, catch by hand.

use std::fs;

use crate::support::{
    folder,
    mail_server::Mail,
    stand_ins::{
        importer::{Importer, MARKER},
        mail_office,
    },
};

const FETCH_AT: &str = "https://kassebro.example/v1/mailbox";
const DELIVERY: &str = "0190ffff-0000-7000-8000-000000000001";
const OTHER: &str = "0190ffff-0000-7000-8000-000000000002";

#[test]
fn the_mail_office_catches_whatever_says_more_than_that_something_waits() {
    let good = format!(
        "Received: from gateway (TLS1.3) tls ECDHE by mail.jobcenter.example\nContent-Type: text/plain; charset=utf-8\n\
         Auto-Submitted: auto-generated\nSubject: Kassebro: nyt / something to fetch\n\n{DELIVERY}  2026-03-03 12:00 \
         (UTC+01:00)\n{FETCH_AT}\n"
    );
    let check = |raw: &str| mail_office::check(&Mail::of(raw), FETCH_AT);
    assert_eq!(check(&good), Ok(()));
    let instead = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        check(&good.replace(from, to))
    };
    for (found, deviation) in [
        (instead("(TLS1.3) tls ECDHE ", ""), "it came without TLS 1.2 or newer"),
        (instead("TLS1.3", "TLS1.1"), "it came without TLS 1.2 or newer"),
        (instead("text/plain", "multipart/mixed"), "more than plain text"),
        (instead("auto-generated", "no"), "it does not say that a program wrote it"),
        (instead("nyt /", "nyt 3 /"), "a number in the subject"),
        (instead("12:00", "12:00 251248-9996"), "a citizen's number"),
        (instead("12:00", "12:00 (2512489996)"), "a citizen's number"),
        (instead("nyt /", "ny klage /"), "a kind, a party or a matter"),
        (instead("12:00", "12:00 urn:dk:akasse:3f"), "a kind, a party or a matter"),
        (instead(FETCH_AT, "https://elsewhere.example"), "no address to fetch from"),
        (instead(DELIVERY, "something"), "no delivery's number"),
    ] {
        assert_eq!(found, Err(deviation));
    }
}

#[test]
fn the_importer_catches_whatever_is_not_as_it_was_agreed() {
    let name = |kind: &str, delivery: &str| format!("complaint/0101_{kind}_20260302_{delivery}.xml");
    let good = [(name("complaint", DELIVERY), "<a><b/></a>"), (name("complaint", DELIVERY) + MARKER, "")];
    let read = |files: &[(String, &str)]| {
        let root = folder("import");
        for (name, content) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let importer = Importer { folder: root.path(), receiver: "0101" };
        importer.read().map(|files| files.len())
    };
    assert_eq!(read(&good), Ok(1));
    let draft = (format!("complaint/.{DELIVERY}.tmp"), "<a>");
    assert_eq!(read(&[good.as_slice(), &[draft]].concat()), Ok(1), "a draft is nobody's yet");
    let both = |file: String, content: &'static str| vec![(file.clone(), content), (file + MARKER, "")];
    for (files, deviation) in [
        (good[..1].to_vec(), "a file without its marker"),
        (good[1..].to_vec(), "a marker without its file"),
        (vec![good[0].clone(), (good[1].0.clone(), "ok")], "a marker that is not empty"),
        (both(name("complaint", DELIVERY), "<a><b>"), "content that is not whole"),
        (both(name("complaint", DELIVERY), ""), "content that is not whole"),
        (both(name("complaint", DELIVERY).replace(".xml", ".json"), "{\"a\":"), "content that is not whole"),
        (both(name("complaint", DELIVERY).replace(".xml", ".txt"), "x"), "an ending that was not agreed"),
        (both(name("job_order", DELIVERY), "<a/>"), "a name that is not the agreed one"),
        (both(name("complaint", "251248-9996"), "<a/>"), "a name without its delivery"),
        (both(name("complaint", DELIVERY).replace("20260302", "today"), "<a/>"), "a name without its day"),
        (both(format!("0101_complaint_20260302_{OTHER}.xml"), "<a/>"), "a file beside the kinds' folders"),
        (
            [good.to_vec(), both(name("complaint", DELIVERY).replace("0302", "0303"), "<a/>")].concat(),
            "two files of one delivery",
        ),
    ] {
        assert_eq!(read(&files), Err(deviation), "{files:?}");
    }
}
