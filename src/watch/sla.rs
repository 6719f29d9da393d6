//! Promises at risk or breached, one alert per receiver, kind and step: a storm of messages is one alert.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{StoreError, views::Endangered},
};

pub(super) struct Sla;

const BREACHED: &str = "KassebroSlaBreached";
const AT_RISK: &str = "KassebroSlaAtRisk";

impl Watcher for Sla {
    fn names(&self) -> &'static [&'static str] {
        &[BREACHED, AT_RISK]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move { Ok(desk.store.endangered().await?.iter().map(condition).collect()) }.boxed()
    }
}

fn condition(group: &Endangered) -> Condition {
    let Endangered { receiver, kind, promise, step, count, earliest, reached, example } = group;
    let step_text = step.to_string();
    let labels =
        [("kind", kind.as_str()), ("promise", promise), ("receiver", receiver), ("step", &step_text)];
    let description =
        format!("earliest due {earliest}; first message {example}; kassebro sla explain {example}");
    if *step >= 100 {
        Condition::new(BREACHED, Urgency::Critical, &labels, *earliest)
            .summary(format!("{count} {kind} to {receiver} missed the deadline; attempts go on"))
            .description(description)
    } else {
        Condition::new(AT_RISK, Urgency::Warning, &labels, *reached)
            .summary(format!("{count} {kind} to {receiver} have used {step} % of their time"))
            .description(description)
    }
}
