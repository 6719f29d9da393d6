//! Many reloads under load: nothing is lost, doubled or refused wrongly.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use kassebro::tools::inbox::Behaviour;

use super::{metric, rewrite};
use crate::support::{
    command::run,
    database::Database,
    eventually::eventually,
    kept::Kept,
    rounds,
    scene::{Plan, SOON, Scene, body, messages},
};

/// What one reload after the other changes: lanes, consumers, rules, parties, routes.
const CHANGES: [(&str, &str); 5] = [
    ("confirm_timeout = \"10s\"", "confirm_timeout = \"10s\"\nbatch_max = 7"),
    ("attempt_timeout = \"8s\"", "attempt_timeout = \"8s\"\npermits = 3"),
    ("grace = \"10s\"", "grace = \"11s\""),
    ("[circuit]", "[promise.complaint]\nwithin = \"12h\"\nretry_window = \"never\"\n\n[circuit]"),
    ("first = \"200ms\"", "first = \"201ms\""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn reloads_under_load_lose_double_and_refuse_nothing() {
    let scene = Plan::new().start().await;
    reloads(scene, async |scene| scene.kept()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn reloads_under_load_lose_double_and_refuse_nothing_on_postgresql() {
    let database = Database::fresh().await;
    let scene = Plan::new().with("STORE__URL", &database.url).start().await;
    reloads(scene, async |_| database.kept().await).await;
}

async fn reloads(mut scene: Scene, kept: impl AsyncFn(&Scene) -> Kept) {
    // So slow that every reload finds attempts under way.
    scene
        .inbox
        .handle
        .behave(Behaviour { delay: Duration::from_millis(30), ..Behaviour::default() })
        .unwrap();
    let done = AtomicBool::new(false);
    let publishing = async {
        let mut ids = Vec::new();
        while !done.load(Ordering::Relaxed) {
            for (id, body) in messages(20, &format!("b{}", ids.len())) {
                scene.fund.publish(&body).await;
                ids.push(id);
            }
            let id = format!("h{}", ids.len());
            assert_eq!(scene.post(&body("complaint", 1, &id)), Some(202), "taken over HTTP at any time");
            ids.push(id);
        }
        ids
    };
    let reloading = async {
        for round in 0..rounds(12) {
            let (off, on) = CHANGES[round % CHANGES.len()];
            rewrite(&scene.gateway, |text| {
                if text.contains(on) { text.replace(on, off) } else { text.replace(off, on) }
            });
            receiver_comes_and_goes(&scene, round);
            let mut command = scene.gateway.command(&["config", "reload", "--json"]);
            let ended = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
            let told = ended.exits(0).json();
            assert_eq!(told[0]["generation"], round + 2, "{told}");
        }
        done.store(true, Ordering::Relaxed);
    };
    let (ids, ()) = tokio::join!(publishing, reloading);
    let last = rounds(12) + 1;
    assert_eq!(metric(&scene.gateway, "kassebro_config_generation"), last.to_string());
    let found = eventually("everything is delivered", SOON * 2, async || {
        let kept = kept(&scene).await;
        (kept.delivered() == ids.len()).then_some(kept)
    })
    .await;
    scene.assert_conserved(&found, &ids);
    assert_eq!(found.invalid().count(), 0, "nothing is refused: {found}");
    assert!(found.accepted().flat_map(|m| &m.deliveries).all(|d| d.attempts == 1), "nothing is sent twice");
    let stats = scene.inbox.handle.stats();
    assert_eq!((stats.attempts, stats.unique), (ids.len() as u64, ids.len() as u64));
    let judged: BTreeSet<u64> = judged(&scene, &ids);
    assert!(judged.len() > rounds(12) / 2 && *judged.last().unwrap() <= last as u64, "{judged:?}");
    scene.stop_with_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_taken_out_is_not_shown_as_unconsumed() {
    let mut scene = Plan::new().start().await;
    let queue = "kassebro_broker_connected{part=\"kassebro.in.krifa\"}";
    let shown = || scene.gateway.http().get("/metrics").expect("it serves").body.contains(queue);
    let reload = || run(&mut scene.gateway.command(&["config", "reload"])).exits(0);
    // Nobody has declared it.
    let party = "\n[[party]]\ncode = \"krifa\"\namqp_user = \"krifa\"\n";
    rewrite(&scene.gateway, |text| text.to_owned() + party);
    reload();
    eventually("it is shown", SOON, async || shown().then_some(())).await;
    assert_eq!(metric(&scene.gateway, queue), "0");
    rewrite(&scene.gateway, |text| text.replace(party, ""));
    reload();
    eventually("it is gone", SOON, async || (!shown()).then_some(())).await;
    scene.stop_with_nothing_left().await;
}

/// Complaints have a receiver of their own in every second round, and at the end.
fn receiver_comes_and_goes(scene: &Scene, round: usize) {
    let url = &scene.inbox.url;
    let block = format!(
        "\n[[receiver]]\nname = \"complaints\"\nparty = \"0101\"\nkinds = [\"complaint\"]\nchannel = \"http\"\nurl = \"{url}\"\n"
    );
    let last = round + 1 == rounds(12);
    rewrite(&scene.gateway, |text| {
        let without = text.replace(&block, "");
        // Something is changed in any case: a comment.
        if round.is_multiple_of(2) || last {
            format!("{without}{block}# {round}\n")
        } else {
            format!("{without}# {round}\n")
        }
    });
}

/// The generations that some of the messages were judged by.
fn judged(scene: &Scene, ids: &[String]) -> BTreeSet<u64> {
    let of = |id: &String| {
        let shown = run(&mut scene.gateway.command(&["messages", "show", "--json", id])).exits(0).json();
        shown["generation"].as_u64().expect("a number")
    };
    ids.iter().step_by((ids.len() / 60).max(1)).map(of).collect()
}
