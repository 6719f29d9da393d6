//! A batch of a queue: judged, stored, and told to the broker once it is committed.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use lapin::{Acker, message::Delivery, types::ShortString};
use sha2::{Digest, Sha256};
use tracing::info;

use super::{
    CRASHES_MAX, Queue,
    judge::{Brought, judge, set_aside},
};
use crate::{
    codec::envelope::holds_cpr,
    intake::{
        Intake, RawMessage, headers,
        measured::{Batch, Came, Lap, Stored},
        memory::Memory,
        rules::Rules,
    },
    store::{Admission, StoreError, Way},
    telemetry::trace::{Kind, Span},
};

/// A batch that is committed: its last message, which is acknowledged with all before it.
pub(super) struct Taken {
    pub(super) last: Acker,
    pub(super) count: usize,
    pub(super) stored: Stored,
}

/// A batch on its way into the store.
pub(super) type Commit<'a> = BoxFuture<'a, Result<Taken, StoreError>>;

/// Bytes of a routing key that a trace shows.
const KEY_SHOWN: usize = 100;

/// Judges a batch, and commits it while the next one is judged.
pub(super) fn take<'a>(intake: &'a Intake, queue: &Queue, batch: Vec<Delivery>) -> Commit<'a> {
    let (rules, last, count) = (intake.rules(), last(&batch), batch.len());
    let desk = Desk::new(intake, queue, &rules, count);
    let mut judged = Batch::new(intake, count);
    for delivery in batch {
        let (brought, facts) = desk.brought(delivery);
        desk.judge(&mut judged, brought, &facts, |brought, lap| judge(&rules, queue, brought, lap));
    }
    async move { judged.accept().await.map(|(_, stored)| Taken { last, count, stored }) }.boxed()
}

/// Judges and commits a batch in which some are redelivered. Each of those is judged by itself behind a committed
/// mark, because it may be what stopped the process; its neighbours are innocent. The mark goes with the commit.
pub(super) async fn take_one_by_one(
    intake: &Intake,
    queue: &Queue,
    batch: Vec<Delivery>,
    memory: &mut Memory,
) -> Result<Taken, StoreError> {
    let (rules, last, count) = (intake.rules(), last(&batch), batch.len());
    let desk = Desk::new(intake, queue, &rules, count);
    let mut stored = Stored::default();
    let mut together = Batch::new(intake, count);
    for delivery in batch {
        let suspect = delivery.redelivered.then(|| fingerprint(&queue.name, &delivery));
        let (mut brought, facts) = desk.brought(delivery);
        let Some(key) = suspect else {
            desk.judge(&mut together, brought, &facts, |brought, lap| judge(&rules, queue, brought, lap));
            continue;
        };
        stored.join(std::mem::replace(&mut together, Batch::new(intake, count)).accept().await?.1);
        let crashes = memory.take_in_hand(intake, &brought.arrived, key).await?;
        if crashes >= CRASHES_MAX && intake.store.has_taken(brought.arrived.clone()).await? {
            // It was taken before it was in hand at any death, so that its sender is owed no other answer.
            info!(queue = %queue.name, crashes, "A message that was in hand at {crashes} crashes was taken before");
            memory.put_down(intake, key).await?;
            continue;
        }
        brought.arrived.in_hand = Some(key);
        let mut alone = Batch::new(intake, 1);
        desk.judge(&mut alone, brought, &facts, |brought, lap| {
            if crashes < CRASHES_MAX {
                judge(&rules, queue, brought, lap)
            } else {
                set_aside(&rules, queue, brought, crashes)
            }
        });
        stored.join(alone.accept().await?.1);
        memory.committed(key);
    }
    stored.join(together.accept().await?.1);
    Ok(Taken { last, count, stored })
}

/// What the judging of a batch needs.
struct Desk<'b> {
    intake: &'b Intake,
    queue: &'b Queue,
    rules: &'b Rules,
    name: String,
    count: usize,
}

/// What the broker says of a message, for its trace.
struct Facts {
    exchange: ShortString,
    routing_key: ShortString,
    tag: u64,
    bytes: usize,
}

impl<'b> Desk<'b> {
    fn new(intake: &'b Intake, queue: &'b Queue, rules: &'b Rules, count: usize) -> Self {
        Self { intake, queue, rules, name: format!("process {}", queue.name), count }
    }

    fn brought(&self, delivery: Delivery) -> (Brought, Facts) {
        let properties = &delivery.properties;
        let sent = properties
            .timestamp()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let headers = headers::amqp(properties);
        let named = headers::named(properties, &headers);
        let user = properties.user_id().as_ref().map(ToString::to_string);
        let raw = RawMessage {
            party: self.queue.party.clone(),
            content_type: properties.content_type().as_ref().map(ToString::to_string),
            headers,
            body: delivery.data.into(),
            sent,
        };
        let facts = Facts {
            exchange: delivery.exchange,
            routing_key: delivery.routing_key,
            tag: delivery.delivery_tag,
            bytes: raw.body.len(),
        };
        (Brought { arrived: self.intake.receive(raw, Way::Amqp, self.rules), user, named }, facts)
    }

    fn judge(
        &self,
        batch: &mut Batch<'_>,
        brought: Brought,
        facts: &Facts,
        judge: impl FnOnce(Brought, &Lap<'_>) -> Admission,
    ) {
        let header = |named: &str| {
            let found = brought.arrived.headers.iter().find(|(name, _)| name == named);
            found.map(|(_, value)| value.clone())
        };
        let (traceparent, tracestate) = (header("traceparent"), header("tracestate"));
        let (traceparent, tracestate) = (traceparent.as_deref(), tracestate.as_deref());
        let came = Came { traceparent, tracestate, kind: Kind::Consumer, name: &self.name };
        batch.judge(&came, |lap| judge(brought, lap), |span| self.describe(span, facts));
    }

    /// By the conventions for RabbitMQ: `<exchange>:<routing key>:<queue>`, the last two as one where they are equal.
    fn describe(&self, span: &mut Span, facts: &Facts) {
        let exchange =
            if facts.exchange.as_str().is_empty() { "amq.default" } else { facts.exchange.as_str() };
        // A routing key is the sender's own word: one that could be a person is not shown.
        let key = facts.routing_key.as_str();
        let key = if key.len() > KEY_SHOWN || holds_cpr(key) { "(masked)" } else { key };
        let queue = &self.queue.name;
        let destination =
            if key == queue { format!("{exchange}:{queue}") } else { format!("{exchange}:{key}:{queue}") };
        span.set("messaging.system", "rabbitmq");
        span.set("messaging.operation.name", "process");
        span.set("messaging.operation.type", "process");
        span.set("messaging.destination.name", destination);
        span.set("messaging.rabbitmq.destination.routing_key", key);
        span.set("messaging.rabbitmq.message.delivery_tag", i64::try_from(facts.tag).unwrap_or(i64::MAX));
        span.set("messaging.message.body.size", i64::try_from(facts.bytes).unwrap_or(i64::MAX));
        span.set("messaging.batch.message_count", i64::try_from(self.count).unwrap_or(i64::MAX));
        if let Some((host, port)) = &self.queue.server {
            span.set("server.address", host.clone());
            span.set("server.port", i64::from(*port));
        }
    }
}

fn last(batch: &[Delivery]) -> Acker {
    batch.last().expect("a batch has a first").acker.clone()
}

/// What makes two deliveries of the broker the same message, whatever is in it.
fn fingerprint(queue: &str, delivery: &Delivery) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(queue.as_bytes());
    hash.update([0]);
    if let Some(id) = delivery.properties.message_id() {
        hash.update(id.as_str().as_bytes());
    }
    hash.update([0]);
    hash.update(&delivery.data);
    hash.finalize().into()
}
