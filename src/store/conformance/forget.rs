//! What the store forgets, and what it must not.

use super::{Office, fault, hours};
use crate::{
    domain::FaultCode,
    store::{Command, Commanded, Forget, Forgotten, Next, Stage, Verdict},
};

const LASTING: Stage = Stage::Lasting { after: 0, whole_before: None };

/// Forgets everything that came more than an hour ago, in slices of two; how many messages that were.
async fn forget(office: &Office, what: Stage) -> u64 {
    let (mut stage, mut count) = (what, 0);
    loop {
        let slice = Forget { what: stage, before: office.now - hours(1), most: 2 };
        let Forgotten { count: more, last } = office.store().forget(slice).await.unwrap();
        office.check().await;
        count += more;
        match (stage, last) {
            (_, None) => return count,
            (Stage::Lasting { whole_before, .. }, Some(after)) => {
                stage = Stage::Lasting { after, whole_before }
            }
            _ => {}
        }
    }
}

async fn has_content(office: &Office, id: &str) -> bool {
    let receipt = office.view(id).await.line.receipt_id;
    office.store().raw(receipt).await.unwrap().is_some()
}

/// Takes messages in and delivers them, and none that waits besides.
async fn delivered(office: &mut Office, ids: &[&str]) {
    for id in ids {
        office.taken(id).await;
        let (mine, others): (Vec<_>, Vec<_>) =
            office.lease(100).await.into_iter().partition(|lease| lease.message_id == *id);
        office.store().release(others).await.unwrap();
        for lease in mine {
            office.settle(lease, Next::Delivered).await;
        }
    }
}

pub(super) async fn content_is_forgotten_after_its_time_and_what_is_owed_is_kept(mut office: Office) {
    delivered(&mut office, &["one", "two", "three"]).await;
    office.taken("owed").await;
    office.pass(hours(2));
    delivered(&mut office, &["young"]).await;
    assert_eq!(forget(&office, Stage::Content).await, 3);
    for (id, kept) in [("one", false), ("two", false), ("three", false), ("owed", true), ("young", true)] {
        assert_eq!(has_content(&office, id).await, kept, "{id}");
    }
    let view = office.view("one").await;
    assert_eq!((view.line.state.as_str(), view.raw_bytes), ("delivered", 0), "its story is kept");
    assert!(!view.history.is_empty() && !view.promises.is_empty());
    assert_eq!(forget(&office, Stage::Content).await, 0, "once");
    let again = office.message("one");
    assert!(matches!(office.accept(again).await, Verdict::Duplicate(_)), "its identity is kept");
}

pub(super) async fn messages_are_forgotten_whole_and_their_ids_are_free(mut office: Office) {
    delivered(&mut office, &["one", "two"]).await;
    office.taken("owed").await;
    office.pass(hours(2));
    delivered(&mut office, &["young"]).await;
    assert_eq!(forget(&office, Stage::Messages).await, 2);
    for id in ["one", "two"] {
        assert!(office.store().message(id.into(), None, office.now).await.unwrap().is_none(), "{id}");
    }
    assert!(office.told("one").await.is_empty(), "nor is there an answer any more");
    assert_eq!(office.view("owed").await.line.state, "pending");
    let conservation = office.store().conservation().await.unwrap();
    assert_eq!((conservation.taken, conservation.delivered, conservation.pending), (2, 1, 1));
    let again = office.message("one");
    assert!(matches!(office.accept(again).await, Verdict::Accepted(_)));
}

pub(super) async fn what_outlasted_its_time_is_forgotten_when_it_has_ended(mut office: Office) {
    for id in ["first", "second"] {
        office.taken(id).await;
    }
    office.pass(hours(2));
    delivered(&mut office, &["young"]).await;
    assert_eq!(forget(&office, Stage::Content).await, 0);
    assert_eq!(forget(&office, LASTING).await, 0);
    office.attempt(Next::Delivered).await;
    assert_eq!(forget(&office, Stage::Content).await, 0, "they are passed already");
    assert_eq!(forget(&office, LASTING).await, 1);
    office.attempt(Next::Delivered).await;
    assert_eq!(forget(&office, LASTING).await, 1);
    for id in ["first", "second"] {
        assert!(!has_content(&office, id).await, "{id}");
    }
}

pub(super) async fn numbers_are_not_given_twice_after_everything_was_forgotten(mut office: Office) {
    delivered(&mut office, &["one", "two"]).await;
    let last = office.store().answers(super::PARTY.into(), 0, 100).await.unwrap().last().unwrap().seq;
    office.pass(hours(24 * 500));
    forget(&office, Stage::Messages).await;
    delivered(&mut office, &["three"]).await;
    let new = office.store().answers(super::PARTY.into(), last, 100).await.unwrap();
    assert!(!new.is_empty(), "who reads from a cursor is told of what came after it");
    office.pass(hours(24 * 500));
    delivered(&mut office, &["four"]).await;
    assert!(forget(&office, Stage::Messages).await > 0, "and what came later is forgotten too");
    assert_eq!(office.store().conservation().await.unwrap().taken, 1);
}

pub(super) async fn what_has_no_content_is_not_tried_again(mut office: Office) {
    let dead = office.taken("dead").await;
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    office.pass(hours(2));
    delivered(&mut office, &["young"]).await;
    assert_eq!(forget(&office, Stage::Content).await, 1);
    let told = office.store().command(Command::Retry(dead), "op".into(), office.now).await.unwrap();
    assert_eq!(told, Commanded::NotNow);
    assert_eq!(office.view("dead").await.line.state, "dead");
}

pub(super) async fn what_outlasted_both_times_is_forgotten_whole_when_it_has_ended(mut office: Office) {
    for id in ["old", "younger"] {
        office.taken(id).await;
        office.pass(hours(2));
    }
    let between = office.now - hours(3);
    office.pass(hours(2));
    delivered(&mut office, &["last"]).await;
    for stage in [Stage::Content, Stage::Messages, LASTING] {
        assert_eq!(forget(&office, stage).await, 0, "both are owed");
    }
    for _ in 0..2 {
        office.attempt(Next::Delivered).await;
    }
    assert_eq!(forget(&office, Stage::Lasting { after: 0, whole_before: Some(between) }).await, 2);
    assert!(office.store().message("old".into(), None, office.now).await.unwrap().is_none());
    assert!(!has_content(&office, "younger").await, "and of the other the content, with its story kept");
}

pub(super) async fn answers_of_all_parties_are_forgotten_oldest_first(mut office: Office) {
    for (id, party) in [("one", "krifa"), ("two", "hk"), ("three", "3f"), ("four", "hk"), ("five", "krifa")] {
        let mut message = office.message(id);
        message.arrived.party = party.into();
        office.accept(message).await;
    }
    office.pass(hours(2));
    let slice = Forget { what: Stage::Messages, before: office.now - hours(1), most: 2 };
    let mut left = Vec::new();
    for _ in 0..3 {
        office.store().forget(slice).await.unwrap();
        let mut ids = Vec::new();
        for party in ["3f", "hk", "krifa"] {
            let answers = office.store().answers(party.into(), 0, 99).await.unwrap();
            ids.extend(answers.into_iter().filter_map(|logged| logged.answer.message_id));
        }
        left.push(ids);
    }
    assert_eq!(left, [vec!["three", "four", "five"], vec!["five"], vec!["five"]], "the last of all stays");
}
