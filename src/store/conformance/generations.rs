//! Configurations as they came into force, nodes, and promises that get another deadline.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Office, delivery,
    handed::{all, enter, ids},
    hours,
};
use crate::{
    domain::sla::{Clocked, Course, Promise},
    store::{
        Command, Next,
        generations::{How, Move, NewGeneration, NodeReport, OpenPromise, Order, Recompute, ReloadAsked},
    },
};

const FIRST: (i64, i64) = (i64::MIN, i64::MIN);

fn new(hash: &str, how: How, of: Option<u64>) -> NewGeneration {
    NewGeneration {
        hash: hash.into(),
        by: "cli:karen".into(),
        how,
        of,
        node: "gw1:7".into(),
        source: json!({ "files": [{ "path": "/etc/k.toml", "text": "a = \"æøå\"" }] }),
        effective: json!({ "a": hash }),
    }
}

async fn activate(office: &Office, hash: &str, how: How, of: Option<u64>) -> i64 {
    let order = Order::Activate { generation: Box::new(new(hash, how, of)), now: office.now };
    office.store().configure(order).await.unwrap()
}

pub(super) async fn the_same_configuration_is_the_same_generation_and_another_the_next(mut office: Office) {
    assert!(office.store().generation(None).await.unwrap().is_none());
    assert_eq!(activate(&office, "one", How::Start, None).await, 1);
    assert_eq!(activate(&office, "one", How::Reload, None).await, 1, "nothing changed");
    office.crash();
    assert_eq!(activate(&office, "one", How::Start, None).await, 1);
    assert_eq!(activate(&office, "two", How::Reload, None).await, 2);
    office.pass(hours(1));
    assert_eq!(activate(&office, "one", How::Rollback, Some(1)).await, 3, "numbers never go back");
    let lines = office.store().generations(2).await.unwrap();
    let told: Vec<_> = lines.iter().map(|l| (l.number, l.how, l.of, l.hash.as_str())).collect();
    assert_eq!(told, [(3, How::Rollback, Some(1), "one"), (2, How::Reload, None, "two")]);
    assert_eq!((lines[0].activated, lines[0].by.as_str()), (office.now, "cli:karen"));
}

pub(super) async fn a_generation_is_kept_as_it_was(mut office: Office) {
    activate(&office, "one", How::Start, None).await;
    activate(&office, "two", How::Start, None).await;
    office.crash();
    let kept = office.store().generation(Some(1)).await.unwrap().expect("it is kept");
    assert_eq!(
        (kept.line.number, &kept.effective, &kept.source),
        (1, &json!({ "a": "one" }), &new("one", How::Start, None).source)
    );
    assert_eq!(office.store().generation(None).await.unwrap().expect("the newest").line.number, 2);
    assert!(office.store().generation(Some(3)).await.unwrap().is_none());
}

fn report(node: &str, generation: u64, seen: Timestamp, failed: Value) -> Order {
    Order::Report(Box::new(NodeReport {
        node: node.into(),
        generation,
        roles: "intake, watch".into(),
        started: seen,
        since: seen,
        seen,
        asked: 4,
        failed,
    }))
}

pub(super) async fn a_node_is_there_as_long_as_it_says_so(mut office: Office) {
    let began = office.now;
    for order in [report("a:1", 1, began, Value::Null), report("b:2", 1, began, Value::Null)] {
        office.store().configure(order).await.unwrap();
    }
    office.pass(SignedDuration::from_mins(2));
    let failed = json!({ "at": office.now, "problems": ["k.toml:3: no"] });
    office.store().configure(report("a:1", 2, office.now, failed.clone())).await.unwrap();
    let nodes = office.store().nodes().await.unwrap();
    let there: Vec<_> =
        nodes.iter().map(|n| (n.node.as_str(), n.generation, n.is_there(office.now))).collect();
    assert_eq!(there, [("a:1", 2, true), ("b:2", 1, false)]);
    assert_eq!((nodes[0].started, &nodes[0].failed, nodes[0].asked), (began, &failed, 4));
    office.pass(hours(1));
    office.store().configure(report("a:1", 2, office.now, Value::Null)).await.unwrap();
    let nodes = office.store().nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|n| (&*n.node, n.failed.is_null())).collect::<Vec<_>>(), [("a:1", true)]);
    office.store().configure(Order::Leave { node: "a:1".into() }).await.unwrap();
    assert!(office.store().nodes().await.unwrap().is_empty());
}

pub(super) async fn a_request_for_a_reload_is_numbered_and_audited(mut office: Office) {
    let asked = async |office: &Office, node: &str, after| {
        office.store().reload_asked(node.into(), after).await.unwrap()
    };
    assert!(asked(&office, "gw1:7", 0).await.is_none());
    let ask = |how, of, node: Option<&str>| ReloadAsked {
        seq: 0,
        at: office.now,
        by: "cli:karen".into(),
        how,
        of,
        node: node.map(str::to_owned),
    };
    let first = office.store().configure(Order::Ask(Box::new(ask(How::Reload, None, None)))).await.unwrap();
    let second = ask(How::Rollback, Some(3), Some("gw1:7"));
    let seq = office.store().configure(Order::Ask(Box::new(second.clone()))).await.unwrap();
    assert!(seq > first);
    office.crash();
    assert_eq!(asked(&office, "gw1:7", 0).await, Some(ReloadAsked { seq, ..second }));
    assert_eq!(asked(&office, "gw1:7", seq).await, None, "it has worked on it");
}

pub(super) async fn each_node_hears_of_the_requests_to_it_whoever_is_asked_after_it(mut office: Office) {
    let ask = |node: Option<&str>, at| {
        let (by, node) = ("cli:karen".to_owned(), node.map(str::to_owned));
        Order::Ask(Box::new(ReloadAsked { seq: 0, at, by, how: How::Reload, of: None, node }))
    };
    let order = async |office: &Office, node| office.store().configure(ask(node, office.now)).await.unwrap();
    let first = order(&office, Some("a:1")).await;
    let second = order(&office, Some("b:2")).await;
    let seen = async |office: &Office, node: &str, after| {
        office.store().reload_asked(node.into(), after).await.unwrap().map(|ask| ask.seq)
    };
    for (node, expected) in [("a:1", Some(first)), ("b:2", Some(second)), ("c:3", None)] {
        assert_eq!(seen(&office, node, 0).await, expected, "{node}");
    }
    let third = order(&office, None).await;
    let fourth = order(&office, Some("a:1")).await;
    for (node, expected) in [("a:1", Some(fourth)), ("b:2", Some(third)), ("c:3", Some(third))] {
        assert_eq!(seen(&office, node, first).await, expected, "{node}: one reading answers both");
    }
    office.pass(hours(25));
    let fifth = order(&office, Some("b:2")).await;
    assert!(fifth > fourth);
    assert_eq!(seen(&office, "a:1", 0).await, None, "what is a day old is forgotten");
    office.pass(hours(25));
    assert_eq!(seen(&office, "b:2", 0).await, Some(fifth), "the newest stays");
    assert!(order(&office, None).await > fifth, "so that no number is given twice");
}

async fn open(office: &Office) -> Vec<OpenPromise> {
    office.store().open_promises(FIRST, 1_000).await.unwrap()
}

pub(super) fn to(open: &OpenPromise, due: Timestamp) -> Move {
    let promise = Arc::new(Promise::elapsed(&open.promise, due.duration_since(open.starts)));
    Move {
        number: open.number,
        to: Clocked { promise, course: Course::between(open.starts, due) },
        old_due: open.due,
        expires: Some(due + hours(10)),
    }
}

pub(super) async fn recompute(office: &Office, moves: Vec<Move>) -> i64 {
    let all = Recompute {
        moves,
        generation: 7,
        by: "cli:karen".into(),
        reason: "a new agreement".into(),
        now: office.now,
    };
    let count = office.store().configure(Order::Recompute(Box::new(all))).await.unwrap();
    office.check().await;
    count
}

pub(super) async fn an_open_promise_gets_another_deadline_and_keeps_its_steps(mut office: Office) {
    let starts = office.now;
    office.taken("one").await;
    office.taken("two").await;
    office.pass(hours(19));
    assert_eq!(office.advance().await.len(), 4, "50 and 75 percent of both");
    let found = open(&office).await;
    let one = found.iter().find(|p| p.message_id == "one").expect("it is open");
    assert_eq!(
        (one.kind.as_str(), one.starts, one.due, one.occurred),
        ("complaint.v1", starts, starts + hours(24), starts)
    );
    assert_eq!(recompute(&office, vec![to(one, starts + hours(100))]).await, 1);
    office.crash();
    let promise = office.promise("one").await;
    assert_eq!((promise.due, promise.standing.as_str()), (starts + hours(100), "on_track"));
    let view = office.view("one").await;
    assert_eq!(view.deliveries[0].due, starts + hours(100), "the order of sending follows");
    let event = view.history.iter().find(|e| e.what == "recomputed").expect("it is told");
    assert_eq!(
        (&event.data["reason"], &event.data["by"], &event.data["generation"]),
        (&json!("a new agreement"), &json!("cli:karen"), &json!(7))
    );
    assert_eq!(office.due().await, ["two", "one"], "who is due first goes first");
    office.now = starts + hours(101);
    let passed = office.advance().await;
    let steps: Vec<_> = passed.iter().map(|p| (p.step, p.due_at)).collect();
    assert_eq!(steps.len(), 4, "90 and 100 percent of both, and none twice: {steps:?}");
    assert!(
        steps.contains(&(90, starts + hours(90))) && steps.contains(&(100, starts + hours(100))),
        "{steps:?}"
    );
    assert_eq!(office.told("one").await, ["accepted", "at_risk", "late"], "each once");
}

pub(super) async fn an_earlier_deadline_comes_at_once_if_it_lies_behind(mut office: Office) {
    let starts = office.now;
    office.taken("one").await;
    office.pass(hours(3));
    let found = open(&office).await;
    assert_eq!(recompute(&office, vec![to(&found[0], starts + hours(2))]).await, 1);
    assert_eq!(office.promise("one").await.standing, "breached");
    let steps: Vec<_> = office.advance().await.iter().map(|p| p.step).collect();
    assert_eq!(steps, [50, 75, 90, 100]);
    assert_eq!(office.told("one").await, ["accepted", "late"]);
}

pub(super) async fn what_is_not_open_or_changed_meanwhile_is_not_moved(mut office: Office) {
    let starts = office.now;
    for id in ["met", "waived", "ended", "breached", "open"] {
        office.taken(id).await;
    }
    let found = open(&office).await;
    let of = |id: &str| found.iter().find(|p| p.message_id == id).expect("it was open").clone();
    for id in ["waived", "ended"] {
        let delivery = office.view(id).await.deliveries[0].delivery_id;
        let command = match id {
            "waived" => Command::Waive { delivery, reason: "agreed".into() },
            _ => Command::Cancel { delivery, reason: None },
        };
        office.store().command(command, "karen".into(), office.now).await.unwrap();
    }
    let lease = office.lease(9).await;
    for lease in lease {
        if lease.message_id == "met" {
            office.settle(lease, Next::Delivered).await;
        } else {
            office.store().release(vec![lease]).await.unwrap();
        }
    }
    let stale = Move { old_due: starts + hours(23), ..to(&of("open"), starts + hours(50)) };
    assert_eq!(recompute(&office, vec![stale]).await, 0, "it has another deadline than was thought");
    assert_eq!(recompute(&office, vec![to(&of("open"), starts + hours(50))]).await, 1);
    office.pass(hours(25));
    office.advance().await;
    let moves = ["met", "waived", "ended", "breached"].map(|id| to(&of(id), starts + hours(99)));
    assert_eq!(recompute(&office, moves.to_vec()).await, 0);
    for (id, standing) in [("met", "met"), ("waived", "waived"), ("ended", "ended"), ("breached", "breached")]
    {
        let promise = office.promise(id).await;
        assert_eq!((promise.standing.as_str(), promise.due), (standing, starts + hours(24)), "{id}");
    }
}

pub(super) async fn open_promises_come_in_pages_and_each_once(mut office: Office) {
    for (number, within) in [5, 9, 2, 9, 9, 4, 1].into_iter().enumerate() {
        let mut message = office.message(&format!("m{number}"));
        message.deliveries = vec![delivery(office.now, hours(within))];
        office.accept(message).await;
    }
    let (mut after, mut seen) = (FIRST, Vec::new());
    loop {
        let page = office.store().open_promises(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.place;
        seen.extend(page.into_iter().map(|p| p.message_id));
    }
    assert_eq!(seen, ["m6", "m2", "m5", "m0", "m1", "m3", "m4"], "by their next step, and then by their age");
}

pub(super) async fn what_is_handed_over_as_a_lane_ends_is_handed_back(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    office.taken("one").await;
    office.taken("two").await;
    let left = handed.leave().await;
    assert_eq!(ids(&left), ["one", "two"]);
    office.taken("three").await;
    assert_eq!(all(&mut handed).len(), 0, "nobody hands over to a lane that has gone");
    office.store().release(left).await.unwrap();
    assert_eq!(office.due().await, ["one", "two", "three"]);
    // Whoever comes after it is another.
    let mut next = enter(&office, 10).await;
    drop(handed);
    office.taken("four").await;
    assert_eq!(ids(&all(&mut next)), ["four"]);
}

pub(super) async fn nodes_that_start_together_come_to_one_generation(office: Office) {
    let other = (office.open)();
    let order =
        |hash: &str| Order::Activate { generation: Box::new(new(hash, How::Start, None)), now: office.now };
    for (round, hash) in (1..).zip(["a", "b", "c", "d"]) {
        let (mine, theirs) =
            tokio::join!(office.store().configure(order(hash)), other.configure(order(hash)));
        assert_eq!((mine.unwrap(), theirs.unwrap()), (round, round), "{hash}");
    }
}
