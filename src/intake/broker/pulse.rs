//! Whether a queue that brings nothing is empty, or has lost the majority of its members.
//!
//! A consumer of a quorum queue hears nothing of that loss: the node it came in by may well live, and lead what is left.
//! So a queue that has brought nothing for a while is asked for something that its members must agree on: a second
//! consumer, which is cancelled at once. It has a lower priority, and is asked for only while ours takes whatever comes,
//! so that it gets no message; and it has a channel of its own, so that one that it did get would come back to us.

use std::time::Duration;

use futures_util::{StreamExt, stream::Fuse};
use lapin::{
    Connection, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};

use super::{Ended, Queue};

/// Nothing came for so long.
const IDLE: Duration = Duration::from_secs(10);
/// A queue whose leader was just lost has another within seconds. One that was asked in between may never answer, and
/// does when it is asked again.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the consumer brings next; while it brings nothing, and `at_rest`, the queue is asked again and again.
///
/// It is not asked while something may take this future away: a consumer that was asked for and is not there yet cannot
/// be given up, and would take a message one day.
///
/// # Errors
/// The queue does not answer, or the broker refuses. The connection is of no more use.
pub(super) async fn next(
    consumer: &mut Fuse<Consumer>,
    connection: &Connection,
    queue: &Queue,
    at_rest: bool,
) -> Result<Option<lapin::Result<Delivery>>, Ended> {
    loop {
        if !at_rest {
            return Ok(consumer.next().await);
        }
        if let Ok(next) = tokio::time::timeout(IDLE, consumer.next()).await {
            return Ok(next);
        }
        match tokio::time::timeout(ANSWER_MAX, ask(connection, &queue.name)).await {
            Ok(asked) => asked?,
            Err(_) => return Err(Ended::NoMajority),
        }
    }
}

async fn ask(connection: &Connection, queue: &str) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-priority".into(), AMQPValue::LongInt(-1));
    let tag = "kassebro pulse";
    channel.basic_consume(queue.into(), tag.into(), BasicConsumeOptions::default(), arguments).await?;
    channel.basic_cancel(tag.into(), BasicCancelOptions::default()).await?;
    channel.close(200, "done".into()).await
}
