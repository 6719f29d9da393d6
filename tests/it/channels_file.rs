//! What the file channel leaves in a folder: a whole file under its final name, once.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use kassebro::{
    channels::{Channel, Consignment, file},
    domain::{FaultCode, Outcome},
};

use crate::support::consignment;

fn channel(folder: &Path) -> file::Folder {
    file::Folder::new(&file::Config::of(folder), "kbh").unwrap()
}

fn place(folder: &Path, consignment: &Consignment) -> PathBuf {
    folder.join(format!("{}.json", consignment.delivery))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn code(outcome: &Outcome) -> Option<FaultCode> {
    match outcome {
        Outcome::Fault { fault, .. } => Some(fault.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_file_is_whole_private_and_named_by_its_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let consignment = consignment::saying("æøå");
    let outcome = channel(folder.path()).send(&consignment).await;
    let Outcome::Delivered(proof) = outcome else { panic!("{outcome:?}") };
    assert!(proof.receipt_follows && !proof.already_had_it);
    let file = place(folder.path(), &consignment);
    assert_eq!(fs::read(&file).unwrap(), "æøå".as_bytes());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o007, 0, "not for everybody to read");
    assert_eq!(names(folder.path()).len(), 1, "nothing unfinished is left");
}

#[tokio::test]
async fn a_second_attempt_finds_the_file_and_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (channel, consignment) = (channel(folder.path()), consignment::saying("once"));
    assert!(channel.send(&consignment).await.is_delivered());
    let before = fs::metadata(place(folder.path(), &consignment)).unwrap().ino();
    let outcome = channel.send(&consignment).await;
    assert!(matches!(&outcome, Outcome::Delivered(proof) if proof.already_had_it), "{outcome:?}");
    assert_eq!(fs::metadata(place(folder.path(), &consignment)).unwrap().ino(), before);
}

#[tokio::test]
async fn what_a_kill_left_unfinished_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let consignment = consignment::saying("whole");
    fs::write(
        folder.path().join(format!(".{}.json.tmp", consignment.delivery)),
        "who, and much more besides",
    )
    .unwrap();
    assert!(channel(folder.path()).send(&consignment).await.is_delivered());
    assert_eq!(fs::read(place(folder.path(), &consignment)).unwrap(), b"whole");
    assert_eq!(names(folder.path()).len(), 1);
}

#[tokio::test]
async fn another_file_of_that_name_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let consignment = consignment::saying("ours");
    for other in ["", "our", "ours and more", "OURS"] {
        fs::write(place(folder.path(), &consignment), other).unwrap();
        let outcome = channel(folder.path()).send(&consignment).await;
        assert_eq!(code(&outcome), Some(FaultCode::ReceiverBusy), "{other:?}");
        assert_eq!(fs::read_to_string(place(folder.path(), &consignment)).unwrap(), other);
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for wrong in [missing.clone(), file] {
        let channel = channel(&wrong);
        assert_eq!(code(&channel.send(&consignment::saying("x")).await), Some(FaultCode::ReceiverUnroutable));
        assert_eq!(channel.probe().await.err().map(|fault| fault.code), Some(FaultCode::ReceiverUnroutable));
    }
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_probe_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(channel(folder.path()).probe().await, Ok(()));
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn many_at_once_are_all_whole() {
    let folder = tempfile::tempdir().unwrap();
    let channel = channel(folder.path());
    let consignments: Vec<_> = (0..50).map(|n| consignment::saying(&format!("parcel {n}"))).collect();
    let sends = consignments.iter().map(|consignment| channel.send(consignment));
    assert!(futures_util::future::join_all(sends).await.iter().all(Outcome::is_delivered));
    for (n, consignment) in consignments.iter().enumerate() {
        assert_eq!(fs::read_to_string(place(folder.path(), consignment)).unwrap(), format!("parcel {n}"));
    }
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_ne!(mode, 0, "the folder itself is untouched");
}

/// A folder for each kind, and a marker.
fn marking(folder: &Path) -> file::Folder {
    let config =
        file::Config { folder_per_kind: true, marker: Some(".ok".into()), ..file::Config::of(folder) };
    file::Folder::new(&config, "kbh").unwrap()
}

#[tokio::test]
async fn a_marker_stands_only_beside_a_whole_file_and_a_missing_one_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let (channel, consignment) = (marking(folder.path()), consignment::saying("ours"));
    let below = folder.path().join("complaint");
    let (file, marker) =
        (place(&below, &consignment), below.join(format!("{}.json.ok", consignment.delivery)));
    fs::create_dir(&below).unwrap();
    fs::write(&file, "another").unwrap();
    assert_eq!(code(&channel.send(&consignment).await), Some(FaultCode::ReceiverBusy));
    assert!(!marker.exists(), "nobody is told to read what is not ours");
    fs::remove_file(&file).unwrap();
    assert!(channel.send(&consignment).await.is_delivered());
    assert_eq!((fs::read(&file).unwrap(), fs::read(&marker).unwrap()), (b"ours".to_vec(), vec![]));
    // A death between the two.
    fs::remove_file(&marker).unwrap();
    let outcome = channel.send(&consignment).await;
    assert!(matches!(&outcome, Outcome::Delivered(proof) if proof.already_had_it), "{outcome:?}");
    assert!(marker.exists());
    assert_eq!(names(&below).len(), 2);
}

#[tokio::test]
async fn a_kinds_folder_is_made_in_a_folder_that_is_there_and_not_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let outcome = marking(&missing).send(&consignment::saying("x")).await;
    assert_eq!(code(&outcome), Some(FaultCode::ReceiverUnroutable));
    assert!(!missing.exists());
    assert!(marking(folder.path()).send(&consignment::saying("x")).await.is_delivered());
    assert_eq!(names(folder.path()), ["complaint"]);
}
