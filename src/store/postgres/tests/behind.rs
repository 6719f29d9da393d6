//! One transaction is begun behind another: nobody who hands messages in can tell.

use super::{Schema, connect, cuts};
use crate::store::{Admission, Verdict, conformance::Office};

/// So many messages in a batch that two of them go into two transactions, the second begun behind the first.
const MANY: usize = 200;

fn office(schema: &Schema) -> Office {
    let schema = schema.clone();
    Office::open(Box::new(move || std::sync::Arc::new(schema.open())))
}

/// As many messages, each with an ordering key of its own.
fn batch(office: &mut Office, name: &str, messages: usize) -> Vec<Admission> {
    let keys = (1..).take(messages);
    let message = |key: i64| {
        let mut message = office.message(&format!("{name}-{key}"));
        message.deliveries[0].ordering_key = Some(key);
        Admission::Accepted(Box::new(message))
    };
    keys.map(message).collect()
}

fn names(verdicts: &[Verdict]) -> Vec<&'static str> {
    verdicts.iter().map(Verdict::name).collect()
}

#[tokio::test]
async fn what_was_begun_behind_a_transaction_that_failed_is_stored_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let mut office = office(&schema);
    let (first, second) = (batch(&mut office, "first", MANY), batch(&mut office, "second", MANY));
    let other = connect(&schema.url()).await;
    let lock = "SELECT pg_advisory_lock(hashtextextended(current_schema(), 0) # 1801519106)";
    other.batch_execute(lock).await.unwrap();
    let (store, other) = (office.store(), &other);
    let waits = async || {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND (classid, objid) IN (SELECT classid, objid FROM pg_locks WHERE pid = pg_backend_pid())";
        other.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
    };
    // The log is locked until the first has waited for it in vain.
    let held = async {
        while !waits().await {}
        while waits().await {}
        other.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    };
    let (one, two, ()) = tokio::join!(store.accept(first), store.accept(second), held);
    assert_eq!(names(&one.unwrap()), vec!["accepted"; MANY]);
    assert_eq!(names(&two.unwrap()), vec!["accepted"; MANY]);
    heads_are(&office).await;
}

#[tokio::test]
async fn what_was_begun_behind_a_commit_in_doubt_is_stored_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut office, proxy, _direct) = cuts::behind_a_proxy(folder.path());
    let (first, second) = (batch(&mut office, "first", MANY), batch(&mut office, "second", MANY));
    proxy.cuts_the_next_commit();
    let store = office.store();
    let (one, two) = tokio::join!(store.accept(first), store.accept(second));
    assert_eq!(names(&one.unwrap()), vec!["accepted"; MANY]);
    assert_eq!(names(&two.unwrap()), vec!["accepted"; MANY]);
    heads_are(&office).await;
}

/// The first batch's messages are at the heads of their keys.
async fn heads_are(office: &Office) {
    let heads = office.lease(u32::MAX).await;
    let mut ids: Vec<_> =
        heads.iter().map(|lease| (lease.ordering_key.unwrap(), lease.message_id.clone())).collect();
    ids.sort();
    let wanted = (1..).take(MANY).map(|key: i64| (key, format!("first-{key}")));
    assert_eq!(ids, wanted.collect::<Vec<_>>());
}
