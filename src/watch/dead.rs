//! Deliveries that died.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency},
    store::StoreError,
};

pub(super) struct Dead;

const DEAD: &str = "KassebroDeliveriesDead";

impl Watcher for Dead {
    fn names(&self) -> &'static [&'static str] {
        &[DEAD]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let backlogs = desk.backlogs().await?;
            let dead = backlogs.iter().filter(|backlog| backlog.dead > 0).map(|backlog| {
                let receiver = backlog.receiver.as_str();
                Condition::new(DEAD, Urgency::Warning, &[("receiver", receiver)], now)
                    .summary(format!("{} deliveries to {receiver} are dead and need a person", backlog.dead))
                    .description(format!("kassebro deliveries list --state dead --receiver {receiver}"))
            });
            Ok(dead.collect())
        }
        .boxed()
    }
}
