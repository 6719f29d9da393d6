//! RabbitMQ in: one supervised session per queue; a batch is acknowledged once it is committed.
//!
//! A session ends at the first trouble (closed channel, cancelled consumer, lost connection, a store that
//! cannot commit) and is built anew. What was not acknowledged the broker keeps and sends again. Nothing is
//! ever requeued as a retry, and nothing is negatively acknowledged.

use std::time::Duration;

use futures_util::{
    FutureExt, StreamExt,
    stream::{Fuse, FuturesOrdered},
};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tracing::{info, warn};

use super::{Intake, memory::Memory};
use crate::{
    amqp_client::{self, Broker, NotConnected},
    lifecycle::Stop,
    reconnect::Reconnect,
    store::StoreError,
    telemetry::Part,
};

mod judge;
mod prefetch;
mod pulse;
mod take;

use prefetch::{BODY_ASSUMED, PREFETCH_AFTER, better, prefetch};
use take::{Commit, Taken, take, take_one_by_one};

/// Batches that are being committed at one time: while one is, the next is judged.
const COMMITS_MAX: usize = 2;
/// Crashes in hand after which a message is set aside.
const CRASHES_MAX: u32 = 2;
/// The broker answers a channel operation within this, or the session is given up.
const OPERATION_MAX: Duration = Duration::from_secs(30);
/// For the end of a session that failed: a broker that owes an answer may hear of it later.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// How long a session that stood is sound, so that the next connection is tried at once.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// One queue, and the party whose it is.
#[derive(Debug, Clone)]
pub struct Queue {
    pub name: String,
    pub party: String,
    /// The AMQP user whose messages these are; `None`: the user is not checked (demonstration only).
    pub user: Option<String>,
    /// Messages in one batch.
    pub batch_max: usize,
    /// The host of the broker that it is read from and its port, for traces; set once it is served.
    pub server: Option<(String, u16)>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    #[error("the broker closed the channel or refused an operation")]
    Broker(#[from] lapin::Error),
    #[error("the broker did not answer within 30 s")]
    Silent,
    #[error("the queue does not answer: it has no leader, or most of the nodes that hold it are away")]
    NoMajority,
    #[error("the consumer was cancelled: the queue was deleted or moved")]
    Cancelled,
    #[error("the broker did not know the acknowledgement")]
    StaleAck,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Serves one queue until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(intake: Intake, broker: Broker, mut queue: Queue, stop: Stop) -> Result<(), StoreError> {
    let mut reconnect = Reconnect::usual();
    let mut memory = Memory::new(intake.rules().limits.body_bytes.max(BODY_ASSUMED));
    let part = Part { part: queue.name.clone() };
    while !stop.is_soft() {
        let (began, host) = (intake.clock.monotonic(), broker.first());
        intake.metrics.broker_sessions.get_or_create(&part).inc();
        let ended = session(&intake, &broker, &mut queue, &mut memory, &stop).await;
        intake.metrics.broker_connected.get_or_create(&part).set(0);
        intake.metrics.gauges.unacked_messages.get_or_create(&part).set(0);
        match ended {
            Ok(()) => break,
            Err(Ended::Store(error @ StoreError::Unusable(_))) => return Err(error),
            Err(ended) => {
                if matches!(ended, Ended::Store(_)) {
                    intake.metrics.intake_paused.set(1);
                }
                warn!(queue = %queue.name, error = %chain(&ended), "Consuming {} ended; connecting again", queue.name);
            }
        }
        if intake.clock.monotonic().saturating_sub(began) >= SOUND_AFTER {
            reconnect.reset();
        } else {
            // A node that is cut off from its cluster lets us in and lets us consume nothing.
            broker.pass_by(host);
        }
        wait_for_store(&intake, &stop).await?;
        stop.unless_soft(intake.clock.sleep(reconnect.next())).await;
    }
    memory.put_down_all(&intake).await;
    // After a reload it may be nobody's queue any more, and a queue that is shown unconsumed is an alert.
    intake.metrics.broker_connected.remove(&part);
    Ok(())
}

/// Nothing is consumed before the store can commit again.
async fn wait_for_store(intake: &Intake, stop: &Stop) -> Result<(), StoreError> {
    while !stop.is_soft() {
        match intake.store.check().await {
            Ok(()) => {
                intake.metrics.intake_paused.set(0);
                return Ok(());
            }
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                intake.metrics.intake_paused.set(1);
                warn!(error = %error, "The store cannot commit; nothing is taken until it can");
                stop.unless_soft(intake.clock.sleep(Duration::from_secs(1))).await;
            }
        }
    }
    Ok(())
}

/// The error with its causes, once.
fn chain(error: &dyn std::error::Error) -> String {
    let texts = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

/// One connection's life. `Ok`: the stop came, and what was prefetched is committed and acknowledged.
async fn session(
    intake: &Intake,
    broker: &Broker,
    queue: &mut Queue,
    memory: &mut Memory,
    stop: &Stop,
) -> Result<(), Ended> {
    let name = format!("kassebro in {}", queue.name);
    // Several hosts that say nothing take longer than a stop may.
    let Some(connected) = stop.unless_soft(amqp_client::connect(broker, &name)).await else { return Ok(()) };
    let connection = connected?;
    let (host, port) = broker.place();
    queue.server = Some((host.to_owned(), port));
    let channel = bounded(connection.create_channel()).await;
    let ended = match &channel {
        Ok(channel) => serve(intake, queue, (&connection, channel), memory, stop).await,
        Err(_) => Ok(()),
    };
    // One that is only dropped lives on while the broker owes it an answer: the consumer that comes of it later would
    // keep messages that nobody reads.
    let (closing, sound) = (connection.close(200, "done".into()), channel.is_ok() && ended.is_ok());
    let closed = if sound {
        bounded(closing).await
    } else {
        let _ = tokio::time::timeout(CLOSE_MAX, closing).await;
        Ok(())
    };
    channel?;
    ended?;
    closed
}

/// Consumes on a connection, with one consumer after the other as bodies grow and shrink.
async fn serve(
    intake: &Intake,
    queue: &Queue,
    (connection, channel): (&Connection, &Channel),
    memory: &mut Memory,
    stop: &Stop,
) -> Result<(), Ended> {
    let part = Part { part: queue.name.clone() };
    loop {
        let prefetch = prefetch(memory.largest);
        bounded(channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        // Fused: an end that comes while a batch is gathered is seen again by whoever waits for the next.
        let consumer = channel.basic_consume(
            queue.name.as_str().into(),
            "kassebro".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = tokio::time::timeout(pulse::ANSWER_MAX, consumer).await;
        let mut consumer = consumer.map_err(|_| Ended::NoMajority)??.fuse();
        intake.metrics.broker_connected.get_or_create(&part).set(1);
        info!(queue = %queue.name, prefetch, "Consuming {}", queue.name);
        if consume(intake, queue, (connection, channel), &mut consumer, prefetch, memory, stop).await? {
            return Ok(());
        }
    }
}

/// Waits for the broker, but not for ever.
async fn bounded<T>(operation: impl Future<Output = lapin::Result<T>>) -> Result<T, Ended> {
    match tokio::time::timeout(OPERATION_MAX, operation).await {
        Ok(done) => done.map_err(Ended::Broker),
        Err(_) => Err(Ended::Silent),
    }
}

/// Batch after batch. `Ok(true)`: the stop came. `Ok(false)`: another prefetch fits better.
async fn consume(
    intake: &Intake,
    queue: &Queue,
    (connection, channel): (&Connection, &Channel),
    consumer: &mut Fuse<Consumer>,
    prefetch: u16,
    memory: &mut Memory,
    stop: &Stop,
) -> Result<bool, Ended> {
    let (mut seen, mut largest_here) = (0, 0);
    let mut leaving = None;
    let mut commits: FuturesOrdered<Commit<'_>> = FuturesOrdered::new();
    loop {
        let (at_rest, takes_more) = (commits.is_empty(), commits.len() < COMMITS_MAX);
        let first = tokio::select! {
            biased;
            Some(committed) = commits.next() => {
                acknowledge(intake, queue, committed?).await?;
                continue;
            }
            () = stop.soft(), if leaving.is_none() => {
                leaving = Some(true);
                cancel(channel, consumer.get_ref()).await?;
                continue;
            }
            // Once it is cancelled by us, what was prefetched still comes, then the end.
            first = pulse::next(consumer, connection, queue, at_rest), if takes_more => first?,
        };
        let Some(first) = first else {
            finish(intake, queue, &mut commits).await?;
            return leaving.ok_or(Ended::Cancelled);
        };
        let batch = gather(first?, consumer, queue.batch_max)?;
        unacked(intake, queue, i64::try_from(batch.len()).unwrap_or(i64::MAX));
        seen += batch.len();
        largest_here = batch.iter().map(|d| d.data.len()).max().unwrap_or(0).max(largest_here);
        if leaving.is_none() && better(prefetch, largest_here, seen).is_some() {
            // Before the acknowledgement, which would bring as many again.
            leaving = Some(false);
            cancel(channel, consumer.get_ref()).await?;
        }
        if leaving == Some(false) {
            memory.largest = largest_here;
        } else if seen >= PREFETCH_AFTER {
            (seen, largest_here) = (0, largest_here / 2);
        }
        if batch.iter().any(|delivery| delivery.redelivered) {
            finish(intake, queue, &mut commits).await?;
            acknowledge(intake, queue, take_one_by_one(intake, queue, batch, memory).await?).await?;
        } else {
            commits.push_back(take(intake, queue, batch));
        }
    }
}

/// Ends what is being committed, in order.
async fn finish(
    intake: &Intake,
    queue: &Queue,
    commits: &mut FuturesOrdered<Commit<'_>>,
) -> Result<(), Ended> {
    while let Some(committed) = commits.next().await {
        acknowledge(intake, queue, committed?).await?;
    }
    Ok(())
}

/// Acknowledges a batch's last message and all before it.
async fn acknowledge(intake: &Intake, queue: &Queue, taken: Taken) -> Result<(), Ended> {
    let Taken { last, count, stored } = taken;
    let began = (!stored.is_empty()).then(|| intake.clock.now());
    if !bounded(last.ack(BasicAckOptions { multiple: true })).await? {
        return Err(Ended::StaleAck);
    }
    unacked(intake, queue, -i64::try_from(count).unwrap_or(i64::MAX));
    if let Some(began) = began {
        stored.acknowledged(intake, &format!("ack {}", queue.name), (began, intake.clock.now()), count);
    }
    Ok(())
}

/// Counts what lies unacknowledged.
fn unacked(intake: &Intake, queue: &Queue, more: i64) {
    let part = Part { part: queue.name.clone() };
    intake.metrics.gauges.unacked_messages.get_or_create(&part).inc_by(more);
}

async fn cancel(channel: &Channel, consumer: &Consumer) -> Result<(), Ended> {
    bounded(channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await
}

/// What has arrived: at least the first, at most `most`.
fn gather(first: Delivery, consumer: &mut Fuse<Consumer>, most: usize) -> Result<Vec<Delivery>, Ended> {
    let mut batch = vec![first];
    while batch.len() < most {
        match consumer.next().now_or_never() {
            Some(Some(next)) => batch.push(next?),
            Some(None) | None => break,
        }
    }
    Ok(batch)
}
