//! Answers to senders' queues: each party's log published in order, the confirmed part remembered.
//!
//! The log is the truth and the cursor its reader: an answer is recorded once under one id, and one that is
//! published twice (a confirm that got lost) repeats that id.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use tracing::warn;

use super::{Desk, POLL, watched::Told};
use crate::{
    channels::amqp_publisher::{Letter, Publisher},
    domain::{Party, message::TYPE_PREFIX},
    lifecycle::{Stop, crash},
    reconnect::Reconnect,
    store::{LoggedAnswer, StoreError, hints},
    telemetry::Part,
};

/// Answers published before their confirms are waited for.
const BATCH_MAX: u32 = 256;

/// One party's answers, and where they go.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub party: Party,
    /// The topic exchange; the routing key is `<party>.<outcome>`.
    pub exchange: String,
}

/// An answer as a `CloudEvent`.
pub fn event(party: &Party, logged: &LoggedAnswer) -> serde_json::Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": logged.answer.id(),
        "source": Party::Gateway.to_string(),
        "type": format!("{TYPE_PREFIX}answer.v1"),
        "time": logged.at,
        "receiver": party.to_string(),
        "datacontenttype": "application/json",
        "data": logged.answer,
    });
    if let Some(id) = &logged.answer.message_id {
        event["correlationid"] = id.clone().into();
    }
    event
}

/// Publishes one party's answers until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(
    desk: Desk,
    publisher: Arc<Publisher>,
    outbox: Outbox,
    stop: Stop,
) -> Result<(), StoreError> {
    let name = hints::answers(outbox.party.code());
    let bell = desk.store.hints().bell(&name);
    let mut reconnect = Reconnect::usual();
    while !stop.is_soft() {
        let wait = match publish(&desk, &publisher, &outbox, &name).await {
            Ok(Published::All { more: true }) => continue,
            Ok(Published::All { more: false }) => {
                reconnect.reset();
                POLL
            }
            Ok(Published::Stuck(why)) => {
                warn!(party = outbox.party.code(), error = %why, "Answers to {} wait: {why}", outbox.party);
                reconnect.next().max(Duration::from_millis(200))
            }
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(party = outbox.party.code(), error = %error, "Reading answers failed; trying again");
                POLL
            }
        };
        tokio::select! {
            () = bell.notified(), if wait == POLL => {}
            () = desk.clock.sleep(wait) => {}
            () = stop.soft() => {}
        }
    }
    Ok(())
}

enum Published {
    All { more: bool },
    Stuck(String),
}

/// Publishes what follows the cursor, and moves it over the confirmed beginning.
async fn publish(
    desk: &Desk,
    publisher: &Publisher,
    outbox: &Outbox,
    name: &str,
) -> Result<Published, StoreError> {
    let cursor = desk.store.cursor(name.to_owned()).await?;
    let party = outbox.party.code();
    let answers = desk.store.answers(party.to_owned(), cursor, BATCH_MAX).await?;
    let mut letters: Vec<Letter> = answers.iter().map(|a| letter(outbox, a)).collect();
    if letters.is_empty() {
        return Ok(Published::All { more: false });
    }
    // Another node may publish them, or have done so since the cursor was read.
    if !desk.store.lead(name.to_owned()).await? {
        return Ok(Published::All { more: false });
    }
    if desk.store.cursor(name.to_owned()).await? != cursor {
        return Ok(Published::All { more: true });
    }
    let traced = Told::begin(desk, outbox, &answers, &mut letters);
    let fates = publisher.publish(&letters).await;
    traced.end(desk, &fates);
    crash::point("answers.after-publish");
    let confirmed = fates.iter().take_while(|fate| fate.is_ok()).count();
    if let Some(last) = confirmed.checked_sub(1).and_then(|last| answers.get(last)) {
        desk.store.set_cursor(name.to_owned(), last.seq).await?;
        let part = Part { part: party.to_owned() };
        desk.metrics.answers_published.get_or_create(&part).inc_by(confirmed as u64);
    }
    Ok(match fates.into_iter().find_map(Result::err) {
        None => Published::All { more: answers.len() == BATCH_MAX as usize },
        Some(why) => Published::Stuck(why.to_string()),
    })
}

fn letter(outbox: &Outbox, logged: &LoggedAnswer) -> Letter {
    let event = event(&outbox.party, logged);
    Letter {
        exchange: outbox.exchange.clone(),
        routing_key: format!("{}.{}", outbox.party.code(), logged.answer.outcome.name()),
        message_id: logged.answer.id(),
        content_type: "application/cloudevents+json".to_owned(),
        event_type: format!("{TYPE_PREFIX}answer.v1"),
        correlation_id: logged.answer.message_id.clone(),
        headers: vec![],
        timestamp: logged.at,
        body: Bytes::from(event.to_string()),
    }
}
