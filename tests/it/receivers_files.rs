//! Receivers that read files in an agreed layout, and answer with files.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{
    eventually::eventually,
    folder,
    site::with,
    stand_ins::importer::Importer,
    world::{Plan, SOON, World},
};

const CODE: &str = "0101";

/// The files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

/// As the jobcentre does it: written, and then renamed.
fn drop_receipt(folder: &Path, name: &str, reason: &str) {
    let draft = folder.join(format!("{name}.tmp"));
    fs::write(&draft, reason).unwrap();
    fs::rename(draft, folder.join(name)).unwrap();
}

async fn delivered(world: &World, id: &str) -> String {
    world.reaches(id, "delivered").await.deliveries[0].delivery_id.to_string()
}

#[tokio::test]
async fn files_lie_where_it_was_agreed_and_the_marker_comes_last() {
    let out = folder("out");
    let settings = format!(
        "channel = \"file\"\nfolder = \"{}\"\nfile_name = \"{{receiver}}_{{kind}}_{{time:%Y%m%d}}_{{delivery}}\"\n\
         folder_per_kind = true\nmarker = \".ok\"",
        out.path().display()
    );
    let world = Plan::new().receiver(CODE, &settings).start().await;
    world.send("one", CODE);
    world.send_kind("job_order", "two", CODE, SignedDuration::from_secs(1));
    let mut expected = Vec::new();
    for (id, kind, ending) in [("one", "complaint", "xml"), ("two", "job_order", "json")] {
        let delivery = delivered(&world, id).await;
        let given: kassebro::domain::DeliveryId = delivery.parse().unwrap();
        let day = kassebro::domain::calendar::in_denmark(given.given()).strftime("%Y%m%d").to_string();
        let file = out.path().join(kind).join(format!("{CODE}_{kind}_{day}_{delivery}.{ending}"));
        let marker = PathBuf::from(format!("{}.ok", file.display()));
        assert_eq!(fs::metadata(&marker).unwrap().len(), 0, "{marker:?}");
        assert!(fs::metadata(&file).unwrap().len() > 0);
        let times = [&file, &marker].map(|file| fs::metadata(file).unwrap().modified().unwrap());
        assert!(times.is_sorted(), "the marker is younger");
        expected.extend([file, marker]);
    }
    expected.sort();
    assert_eq!(files(out.path()), expected);
    let importer = Importer { folder: out.path(), receiver: CODE };
    assert_eq!(importer.read().map(|read| read.len()), Ok(2));
}

#[tokio::test]
async fn a_receipt_in_a_folder_meets_the_promise_and_a_refusal_reaches_the_sender() {
    let (out, receipts) = (folder("out"), folder("receipts"));
    let receipts = receipts.path();
    let settings = format!(
        "channel = \"file\"\nfolder = \"{}\"\nreceipts = \"{}\"",
        out.path().display(),
        receipts.display()
    );
    let plan = Plan::new().receiver(CODE, &settings).receiver("0707", "channel = \"mailbox\"");
    let mut world = plan.start().await;
    for id in ["one", "two"] {
        world.send(id, CODE);
    }
    let (one, two) = (delivered(&world, "one").await, delivered(&world, "two").await);
    assert_eq!(world.view("one").await.promises[0].standing, "on_track", "a folder is nobody's word");
    drop_receipt(receipts, &format!("{one}.MODTAGET"), "");
    let moved = |place: &str, name: String| {
        let file = receipts.join(place).join(name);
        async move {
            eventually(&format!("{} is there", file.display()), SOON, async || file.exists().then_some(()))
                .await;
        }
    };
    moved("done", format!("{one}.MODTAGET")).await;
    assert_eq!(world.view("one").await.promises[0].standing, "met");
    world.tells("one", &["accepted", "delivered"]).await;
    // What comes while nobody looks is taken at the next start; what comes twice changes nothing.
    world.gateway.kill();
    drop_receipt(receipts, &format!("{two}.AFVIST"), "Forkert kommune.\r\n");
    drop_receipt(receipts, &format!("{one}.ACCEPTERET"), "");
    world.gateway.restart().await;
    moved("done", format!("{two}.AFVIST")).await;
    moved("done", format!("{one}.ACCEPTERET")).await;
    let refused = world.reaches("two", "dead").await;
    let fault = serde_json::to_string(&refused.deliveries[0]).unwrap();
    assert!(fault.contains("answered AFVIST: Forkert kommune."), "{fault}");
    eventually("the sender is told that it failed", SOON, async || {
        (world.told("two").last().map(String::as_str) == Some("failed")).then_some(())
    })
    .await;
    assert_eq!(world.state("one").await, "delivered");
    // What is no receipt of ours is set aside with the reason, and a CPR number goes no further.
    drop_receipt(receipts, "0190ffff-0000-7000-8000-000000000001.MODTAGET", "");
    drop_receipt(receipts, "note.AFVIST", "");
    world.send("theirs", "0707");
    let theirs = world.view("theirs").await.deliveries[0].delivery_id.to_string();
    drop_receipt(receipts, &format!("{theirs}.MODTAGET"), "");
    drop_receipt(receipts, &format!("{one}.FEJLET"), "Nancy 251248-9996");
    fs::write(receipts.join("note.txt"), "not for you").unwrap();
    let refused = [
        "0190ffff-0000-7000-8000-000000000001.MODTAGET".to_owned(),
        "note.AFVIST".to_owned(),
        format!("{theirs}.MODTAGET"),
        format!("{one}.FEJLET"),
    ];
    for name in refused {
        moved("refused", name.clone()).await;
        let answer = fs::read(receipts.join("refused").join(format!("{name}.answer.json"))).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(answer["da"].is_string() && answer["en"].is_string(), "{answer}");
    }
    assert!(receipts.join("note.txt").exists(), "what is named otherwise stays");
    let history = serde_json::to_string(&world.view("one").await.history).unwrap();
    assert!(!history.contains("251248") && !world.gateway.log().contains("251248"));
    assert_eq!(world.state("one").await, "delivered");
    assert_eq!(world.state("theirs").await, "pending", "nobody receipts for another");
}

#[test]
fn a_layout_that_cannot_be_kept_is_refused_at_load() {
    let folder = folder("check");
    let receiver = |party: &str, more: &str| {
        format!(
            "[[receiver]]\nparty = \"{party}\"\nchannel = \"file\"\nfolder = \"/srv/out/{party}\"\n{more}\n"
        )
    };
    for (text, what) in [
        (receiver(CODE, "file_name = \"{kind}\""), "without {delivery}"),
        (receiver(CODE, "file_name = \"{cpr}_{delivery}\""), "{cpr} is none of"),
        (receiver(CODE, "marker = \"ok\""), "marker"),
        (receiver(CODE, "receipts = \"in\""), "receipts in is not an absolute path"),
        (
            receiver(CODE, "receipts = \"/srv/in\"") + &receiver("0707", "receipts = \"/srv/in\""),
            "another party's",
        ),
    ] {
        let ended = with(folder.path(), &text, &["check"]).exits(3);
        assert!(ended.out.contains(what) || ended.err.contains(what), "{what}: {ended:?}");
    }
    with(folder.path(), &receiver(CODE, "receipts = \"/srv/in\"\nmarker = \".done\""), &["check"]).exits(0);
}
