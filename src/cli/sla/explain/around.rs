//! What went on around a message: when gateways were up, and when its receivers took nothing.

use jiff::Timestamp;

use crate::{
    domain::alert::{CIRCUIT_OPEN, Condition, Urgency},
    store::{
        Store, StoreError,
        views::{MessageView, RunView},
    },
};

/// What went on meanwhile.
#[derive(Debug, Default)]
pub(in crate::cli) struct Around {
    /// When gateways were up.
    pub(super) runs: Vec<RunView>,
    /// Receivers, and when their circuits opened and closed again: nothing is sent meanwhile, tried or not.
    pub(super) outages: Vec<(String, Timestamp, Option<Timestamp>)>,
}

impl Around {
    pub(in crate::cli) async fn read(
        store: &dyn Store,
        message: &MessageView,
        from: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut outages = Vec::new();
        for delivery in &message.deliveries {
            let receiver = &delivery.receiver;
            let labels = [("receiver", receiver.as_str())];
            let key = Condition::new(CIRCUIT_OPEN, Urgency::Warning, &labels, from).key;
            for alert in store.alerts_of(key, from).await? {
                outages.push((receiver.clone(), alert.condition.since, alert.resolved));
            }
        }
        Ok(Self { runs: store.runs(from).await?, outages })
    }
}
