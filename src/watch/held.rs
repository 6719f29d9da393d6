//! Deliveries that wait for a person: nothing sends them before somebody decides, and their deadlines run on.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use super::{Desk, Watcher};
use crate::{
    domain::alert::{Condition, Urgency},
    store::{StoreError, views::HeldGroup},
};

pub(super) struct Held;

const HELD: &str = "KassebroDeliveriesHeld";
/// A deadline that is no further away makes it critical: that of a complaint always is.
const NEAR: SignedDuration = SignedDuration::from_hours(24);

impl Watcher for Held {
    fn names(&self) -> &'static [&'static str] {
        &[HELD]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move { Ok(desk.held().await?.iter().map(|group| condition(group, now)).collect()) }.boxed()
    }
}

fn condition(group: &HeldGroup, now: Timestamp) -> Condition {
    let HeldGroup { receiver, kind, code, count, earliest_due } = group;
    let urgency = if earliest_due.duration_since(now) <= NEAR { Urgency::Critical } else { Urgency::Warning };
    let labels = [("receiver", receiver.as_str()), ("kind", kind), ("code", &code.to_string())];
    Condition::new(HELD, urgency, &labels, now)
        .summary(format!(
            "{count} {kind} to {receiver} wait for a person and are not sent before: {}",
            code.title()
        ))
        .description(format!(
            "the first is due at {earliest_due}; kassebro deliveries list --state held --receiver {receiver}; kassebro \
             explain {code}"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FaultCode;

    #[test]
    fn what_is_due_within_a_day_is_critical_and_the_reason_is_said() {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let told = |hours| {
            let group = HeldGroup {
                receiver: "kbh".into(),
                kind: "complaint.v1".into(),
                code: FaultCode::NumberInText,
                count: 2,
                earliest_due: now + SignedDuration::from_hours(hours),
            };
            condition(&group, now)
        };
        let condition = told(24);
        assert_eq!((condition.urgency, told(25).urgency), (Urgency::Critical, Urgency::Warning));
        assert_eq!(told(-1).urgency, Urgency::Critical, "also when it is over");
        assert_eq!(condition.key, told(25).key, "it is one alert");
        assert!(condition.summary.contains(FaultCode::NumberInText.title()), "{}", condition.summary);
        assert!(condition.description.contains("GW1109"), "{}", condition.description);
    }
}
