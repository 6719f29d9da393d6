//! What was in doubt keeps its place before what came after it.

use super::cuts;
use crate::store::{Admission, Verdict, conformance::Office};

/// So many messages in a batch that two of them go into two transactions.
const MANY: usize = 200;

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
async fn what_comes_after_a_commit_in_doubt_is_stored_after_it() {
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
