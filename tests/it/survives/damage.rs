//! The store's files are damaged, replaced or taken away while the gateway is stopped: it says so, and never
//! begins a new store over what is left.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use kassebro::{store::Views, tools::generate};
use rusqlite::Connection;

use crate::support::{
    command::run,
    eventually::eventually,
    receiver::{Plays, Receiver, answer},
    world::{FUND, Plan, SOON, World},
};

/// A gateway with three messages delivered, and the file of its store.
async fn with_messages() -> (World, Receiver, PathBuf) {
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let world = Plan::new().http("0101", &receiver.url(), "").start().await;
    for id in ["one", "two", "three"] {
        world.send(id, "0101");
        world.reaches(id, "delivered").await;
    }
    let store = world.gateway.folder().join("kassebro.db");
    (world, receiver, store)
}

/// It does not start, or stops at once; what it says why.
async fn refuses(world: &mut World) -> String {
    world.gateway.restart_unready();
    let status = world.gateway.end().await;
    assert!(!status.success(), "it serves nobody: {status}");
    world.gateway.log()
}

#[tokio::test]
async fn a_store_that_is_no_store_any_more_is_refused_and_left_as_it_is() {
    let (mut world, _receiver, store) = with_messages().await;
    assert!(world.gateway.stop().await.success());
    let text = "Dear operator, I have tidied up. ".repeat(1000);
    fs::write(&store, &text).unwrap();
    let said = refuses(&mut world).await;
    assert!(said.contains("kassebro.db: file is not a database"), "{said}");
    assert_eq!(fs::read_to_string(&store).unwrap(), text);
    let examined = run(&mut world.gateway.command(&["--json", "doctor"])).exits(1).out;
    assert!(examined.contains("put a backup in its place"), "{examined}");
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_begun_anew_over_its_remains() {
    let (mut world, _receiver, store) = with_messages().await;
    // Killed, its log is there; stopped, what was set aside.
    for killed in [true, false] {
        if killed {
            world.gateway.kill();
        } else {
            assert!(world.gateway.stop().await.success());
        }
        let whole = fs::read(&store).unwrap();
        for gone in [true, false] {
            if gone {
                fs::remove_file(&store).unwrap();
            } else {
                File::create(&store).unwrap();
            }
            let said = refuses(&mut world).await;
            assert!(said.contains("kassebro.db is gone or empty"), "{said}");
            assert_eq!(fs::metadata(&store).map_or(0, |file| file.len()), 0, "nothing was begun");
        }
        fs::write(&store, whole).unwrap();
        world.gateway.restart().await;
        assert_eq!(world.state("three").await, "delivered", "put back, it is as it was");
    }
}

#[tokio::test]
async fn a_damaged_page_stops_the_process_with_the_reason_and_doctor_names_it() {
    for table in ["message", "delivery", "deadline"] {
        let (mut world, _receiver, store) = with_messages().await;
        assert!(world.gateway.stop().await.success());
        let page: u32 = Connection::open(&store)
            .unwrap()
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
            .unwrap();
        let file = File::options().write(true).open(&store).unwrap();
        file.write_all_at(&[0xAA; 4096], u64::from(page - 1) * 4096).unwrap();
        world.gateway.restart_unready();
        let event =
            generate::event("complaint", 1, "four", "urn:dk:akasse:3f", "urn:dk:jobcenter:0101", world.now());
        let status = eventually(&format!("the damage to {table} is met"), SOON, async || {
            let answer = world.as_party(FUND).call("POST", "/v1/messages", &event.to_string());
            assert!(!answer.is_ok_and(|answer| answer.status == 202), "{table}: nothing is taken");
            world.gateway.ended()
        })
        .await;
        assert_eq!(status.code(), Some(70));
        let said = world.gateway.log();
        assert!(said.contains("database disk image is malformed"), "{table}: {said}");
        let examined = run(&mut world.gateway.command(&["--json", "doctor", "--deep"])).exits(1).out;
        assert!(examined.contains("stop the gateway and put a backup in its place"), "{table}: {examined}");
    }
}

/// What stood in the log alone is gone with it, and the start says so. Everything before is there, and taking
/// goes on.
#[tokio::test]
async fn a_log_that_was_deleted_is_missed() {
    let (mut world, receiver, store) = with_messages().await;
    assert!(world.gateway.stop().await.success());
    world.gateway.restart().await;
    let missed = "its log is gone";
    assert!(!world.gateway.log().contains(missed), "it stopped in order");
    // Nothing here looks into the store: whoever does folds the log into it.
    world.send("four", "0101");
    eventually("it is delivered", SOON, async || (receiver.taken().len() == 4).then_some(())).await;
    world.gateway.kill();
    fs::remove_file(store.with_extension("db-wal")).unwrap();
    world.gateway.restart().await;
    assert!(world.gateway.log().contains(missed), "{}", world.gateway.log());
    for id in ["one", "two", "three"] {
        assert_eq!(world.state(id).await, "delivered");
    }
    assert!(world.store().message("four".into(), None, world.now()).await.unwrap().is_none());
    world.send("four", "0101");
    world.reaches("four", "delivered").await;
}
