//! Forgets what need not be kept any more: content first, whole messages later, a slice at a time.
//!
//! How long each is kept is the site's to say. What is still owed is kept whatever its age.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Desk;
use crate::{
    lifecycle::Stop,
    store::{Forget, Forgotten, Stage, StoreError},
};

/// Messages looked at in one transaction.
const SLICE: u32 = 200;
/// Between two slices, so that what is taken and delivered meanwhile does not wait.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two rounds.
const ROUND: Duration = Duration::from_mins(10);
/// One process of several does it.
const LEAD: &str = "forget/lead";

/// How long is kept what; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The bytes of messages, as they came and as they were delivered.
    pub content: Option<SignedDuration>,
    /// Messages with their history and identity.
    pub messages: Option<SignedDuration>,
}

/// Forgets until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(desk: Desk, retention: Retention, stop: Stop) -> Result<(), StoreError> {
    while !stop.is_soft() {
        match round(&desk, retention, &stop).await {
            Ok(0) => {}
            Ok(count) => info!(count, "Messages, or their content, were forgotten: their time was over"),
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => warn!(error = %error, "Forgetting what is old failed; trying again"),
        }
        stop.unless_soft(desk.clock.sleep(ROUND)).await;
    }
    Ok(())
}

/// Each stage from where it stands to its end; how many messages it was.
async fn round(desk: &Desk, retention: Retention, stop: &Stop) -> Result<u64, StoreError> {
    if !desk.store.lead(LEAD.to_owned()).await? {
        return Ok(0);
    }
    let now = desk.clock.now();
    let before = |kept: Option<SignedDuration>| kept.and_then(|kept| now.checked_sub(kept).ok());
    let (content, whole_before) = (before(retention.content), before(retention.messages));
    let mut count = 0;
    if let Some(before) = content {
        count += stage(desk, Stage::Content, before, stop).await?;
        count += stage(desk, Stage::Lasting { after: 0, whole_before }, before, stop).await?;
    }
    if let Some(before) = whole_before {
        count += stage(desk, Stage::Messages, before, stop).await?;
    }
    Ok(count)
}

async fn stage(desk: &Desk, what: Stage, before: Timestamp, stop: &Stop) -> Result<u64, StoreError> {
    let (mut what, mut count) = (what, 0);
    while !stop.is_soft() {
        let Forgotten { count: more, last } = desk.store.forget(Forget { what, before, most: SLICE }).await?;
        count += more;
        match (what, last) {
            (_, None) => break,
            (Stage::Lasting { whole_before, .. }, Some(after)) => {
                what = Stage::Lasting { after, whole_before }
            }
            (Stage::Content | Stage::Messages, Some(_)) => {}
        }
        stop.unless_soft(desk.clock.sleep(PAUSE)).await;
    }
    Ok(count)
}
