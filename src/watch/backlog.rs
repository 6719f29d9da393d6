//! Receivers whose oldest pending message has waited too long.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use super::{Desk, Watcher, forecast::clock};
use crate::{
    domain::alert::{Condition, Urgency},
    store::StoreError,
};

pub(super) struct Backlogs;

const BACKLOG: &str = "KassebroBacklogOld";

impl Watcher for Backlogs {
    fn names(&self) -> &'static [&'static str] {
        &[BACKLOG]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let patience = SignedDuration::try_from(desk.backlog_age).unwrap_or(SignedDuration::MAX);
            let backlogs = desk.backlogs().await?;
            let old = backlogs.iter().filter_map(|backlog| {
                let oldest = backlog.oldest?;
                (now.duration_since(oldest) > patience).then(|| {
                    let receiver = backlog.receiver.as_str();
                    Condition::new(BACKLOG, Urgency::Warning, &[("receiver", receiver)], oldest + patience)
                        .summary(format!(
                            "{} messages wait for {receiver}, the oldest since {}",
                            backlog.pending,
                            clock(oldest)
                        ))
                })
            });
            Ok(old.collect())
        }
        .boxed()
    }
}
