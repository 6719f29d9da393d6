//! Maintenance windows that cover the deadline of something pending: told at once, while a window can still be moved.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{
    Desk, Watcher,
    forecast::{Forecast, clock, first_receipt, in_window},
};
use crate::{
    domain::{
        alert::{Condition, Urgency},
        forecast::Cause,
    },
    store::StoreError,
};

pub(super) struct Windows;

const COVERS: &str = "KassebroMaintenanceCoversDeadline";

impl Watcher for Windows {
    fn names(&self) -> &'static [&'static str] {
        &[COVERS]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let forecasts = desk.survey.forecasts(&*desk.store, &*desk.clock).await?;
            Ok(forecasts.iter().filter_map(|forecast| condition(forecast, now)).collect())
        }
        .boxed()
    }
}

fn condition(forecast: &Forecast, now: Timestamp) -> Option<Condition> {
    let receiver = forecast.receiver.as_str();
    let group = forecast.of(in_window)?;
    let Cause::Maintenance { until } = group.cause else { return None };
    Some(
        Condition::new(COVERS, Urgency::Warning, &[("receiver", receiver)], now)
            .summary(format!(
                "The maintenance of {receiver} until {} covers the deadline of {} {}, the first due {}",
                clock(until),
                group.count,
                group.what,
                clock(group.first.due)
            ))
            .description(format!(
                "{}; first message {}; one attempt is made shortly before each deadline; \
                 kassebro receivers maintain {receiver} --cancel, or agree on another window",
                group.kinds(),
                first_receipt(group.first)
            )),
    )
}
