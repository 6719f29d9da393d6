//! Deliveries that were held because no agreement was in force: let go once the rules hold them no more.
//!
//! The agreement in force at a message's own time decides, so nothing but other rules can free one: they are
//! judged again once, at the start and at each reload, and whoever is in a hurry has `kassebro deliveries retry`.

use std::time::Duration;

use tracing::{info, warn};

use super::{Intake, Rules, admit};
use crate::{
    domain::{DeliveryId, HoldReason},
    lifecycle::Stop,
    store::{Accepted, Admission, Arrived, Command, Commanded, StoreError, Way, views::Which},
};

/// Deliveries looked at in one go.
const BATCH_MAX: u32 = 100;
/// How long to wait for a store that cannot answer.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Judges every held delivery's message by the rules of now, and lets go what they would not hold.
///
/// # Errors
/// The store cannot be used any more.
pub async fn release(intake: Intake, stop: Stop) -> Result<(), StoreError> {
    let rules = intake.rules();
    let mut after = None;
    while !stop.is_soft() {
        match batch(&intake, &rules, after).await {
            Ok(None) => return Ok(()),
            Ok(last) => after = last,
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(error = %error, "Looking for deliveries that an agreement frees failed; trying again");
                stop.unless_soft(intake.clock.sleep(AGAIN_AFTER)).await;
            }
        }
    }
    Ok(())
}

/// Looks at the next ones; says which was the last, or that there are none.
async fn batch(
    intake: &Intake,
    rules: &Rules,
    after: Option<DeliveryId>,
) -> Result<Option<DeliveryId>, StoreError> {
    let held = intake.store.which(Which::Held(HoldReason::Agreement), after, BATCH_MAX).await?;
    for delivery in &held {
        let Some(message) = judged(intake, rules, *delivery).await? else { continue };
        if message.deliveries.iter().any(|d| matches!(d.hold, Some((HoldReason::Agreement, _)))) {
            continue;
        }
        let by =
            message.agreement.map_or_else(|| "gateway".to_owned(), |id| format!("gateway (agreement {id})"));
        let let_go = intake.store.command(Command::Retry(*delivery), by, intake.clock.now()).await?;
        if let_go == Commanded::Done {
            info!(delivery.id = %delivery, "Delivery {delivery} was held for want of an agreement and goes now");
        }
    }
    Ok(held.last().copied())
}

/// What its message comes to now; nothing where it would be refused.
async fn judged(
    intake: &Intake,
    rules: &Rules,
    delivery: DeliveryId,
) -> Result<Option<Box<Accepted>>, StoreError> {
    let Some(stored) = intake.store.raw(delivery.receipt()).await? else { return Ok(None) };
    let arrived = Arrived {
        receipt: delivery.receipt(),
        party: stored.party,
        way: Way::Local,
        received: stored.received,
        sent: None,
        content_type: stored.content_type,
        headers: stored.headers,
        raw: stored.raw,
        generation: rules.generation,
        in_hand: None,
    };
    Ok(match admit(rules, arrived) {
        Admission::Accepted(message) => Some(message),
        Admission::Invalid(_) => None,
    })
}
