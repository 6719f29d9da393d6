//! Messages that lay in a queue whose owner did not put them there: somebody errs, or somebody tries.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher, lately};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{StoreError, views::Astray},
};

pub(super) struct Strays;

const ASTRAY: &str = "KassebroMessagesAstray";

impl Watcher for Strays {
    fn names(&self) -> &'static [&'static str] {
        &[ASTRAY]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move { Ok(desk.store.astray(lately(now)).await?.iter().map(condition).collect()) }.boxed()
    }
}

fn condition(group: &Astray) -> Condition {
    let Astray { queue_of, party, count, first, example } = group;
    let labels = [("party", party.as_str()), ("queue_of", queue_of)];
    Condition::new(ASTRAY, Urgency::Warning, &labels, *first)
        .summary(format!(
            "{count} messages in the queue of {queue_of} within the hour were not from its user; they are refused, \
             filed under {party} and not answered there"
        ))
        .description(format!("the latest is {example}; kassebro messages show {example}"))
}
