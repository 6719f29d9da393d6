//! The alert that always fires: when it stops coming, the gateway or its alerting is silent.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency, WATCHDOG},
    store::StoreError,
};

pub(super) struct Watchdog;

impl Watcher for Watchdog {
    fn names(&self) -> &'static [&'static str] {
        &[WATCHDOG]
    }

    fn conditions<'a>(
        &'a self,
        _desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        let watchdog = Condition::new(WATCHDOG, Urgency::Info, &[], now)
            .summary("Always firing: if this stops, the gateway or its alerting is silent");
        async move { Ok(vec![watchdog]) }.boxed()
    }
}
