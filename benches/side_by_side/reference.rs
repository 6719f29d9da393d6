//! The bare reference: takes a message, checks its schema, writes XML, commits, acknowledges, posts, keeps the
//! receipt. It knows one receiver, and no rules, agreements, promises, retries, answers or history.
//!
//! It groups what it commits as well as anybody can: whatever waits becomes one transaction, and one
//! acknowledgement. What the gateway costs beyond it is what its promises cost. Its store is SQLite or PostgreSQL, with
//! the same two tables.

use std::{collections::HashMap, path::PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jsonschema::{PatternOptions, Validator};
use kassebro::{
    kinds::KINDS,
    lifecycle::{Stop, Tasks},
};
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

mod postgres;
mod store;
mod xml;

use store::{Group, Operation, Row, Writer};

/// Messages that the broker hands over ahead of the acknowledgement.
const PREFETCH: u16 = 1000;
/// Messages between queue and receipt at one time. Every channel holds as many, so that none ever blocks.
const UNDER_WAY_MAX: usize = 1000;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    amqp: String,
    #[arg(long)]
    queue: String,
    /// Host and port.
    #[arg(long)]
    inbox: String,
    /// A file for SQLite.
    #[arg(long, required_unless_present = "postgres")]
    store: Option<PathBuf>,
    /// An empty store on PostgreSQL.
    #[arg(long, conflicts_with = "store")]
    postgres: Option<String>,
    #[arg(long)]
    connections: u16,
}

/// A committed message on its way to the inbox.
pub(crate) struct Job {
    pub(crate) number: i64,
    pub(crate) id: Uuid,
    pub(crate) parcel: Bytes,
    pub(crate) traceparent: Option<String>,
}

/// What follows a commit.
struct Next {
    jobs: mpsc::Sender<Job>,
    tags: mpsc::Sender<u64>,
    slots: std::sync::Arc<Semaphore>,
}

impl Next {
    /// Acknowledges what is committed, sends it on, and makes room for as much as is done. The channels hold as much as
    /// may be under way, and are never full.
    fn tell(&self, group: Group, numbers: Vec<Option<i64>>) -> anyhow::Result<()> {
        let (mut tag, mut done) = (None, group.receipts.len());
        for (row, number) in group.rows.into_iter().zip(numbers) {
            tag = Some(row.tag);
            match number {
                Some(number) => {
                    let Row { id, parcel, traceparent, .. } = row;
                    self.jobs.try_send(Job { number, id, parcel, traceparent })?;
                }
                None => done += 1,
            }
        }
        if let Some(tag) = tag {
            self.tags.try_send(tag)?;
        }
        self.slots.add_permits(done);
        Ok(())
    }
}

/// Works until it is killed, or fails.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let connection = Connection::connect(&args.amqp, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let slots = std::sync::Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let (operations, work) = mpsc::channel(2 * UNDER_WAY_MAX);
    let (jobs, committed) = mpsc::channel(UNDER_WAY_MAX);
    let (tags, acknowledge) = mpsc::channel(UNDER_WAY_MAX);
    let next = Next { jobs, tags, slots: std::sync::Arc::clone(&slots) };
    let (failed, failure) = tokio::sync::oneshot::channel();
    let (store, postgres) = (args.store.clone(), args.postgres.clone());
    // A thread for the store, whichever it is.
    std::thread::spawn(move || {
        let served = match (store, postgres) {
            (Some(path), _) => Writer::open(&path, next).and_then(|writer| writer.serve(work)),
            (None, Some(url)) => postgres::serve(&url, &next, work),
            (None, None) => Err(anyhow::anyhow!("no store")),
        };
        drop(failed.send(served));
    });
    let tasks = Tasks::new(Stop::new());
    let posted = post(args, committed, operations.clone(), &tasks);
    tokio::select! {
        ended = consume(args, &channel, &slots, operations) => ended,
        ended = posted => ended,
        ended = acknowledging(&channel, acknowledge) => ended,
        ended = failure => ended?,
    }
}

/// From the queue to the writer: parsed, checked, translated.
async fn consume(
    args: &Args,
    channel: &Channel,
    slots: &Semaphore,
    operations: mpsc::Sender<Operation>,
) -> anyhow::Result<()> {
    let schemas = schemas()?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer =
        channel.basic_consume(args.queue.as_str().into(), "reference".into(), options, none).await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        slots.acquire().await?.forget();
        let event: Value = serde_json::from_slice(&delivery.data)?;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(id), Some(kind)) = (text("id"), text("type")) else { anyhow::bail!("no id or no type") };
        let schema = schemas.get(kind).ok_or_else(|| anyhow::anyhow!("an unknown type {kind}"))?;
        anyhow::ensure!(schema.is_valid(&event["data"]), "a message does not fit its schema");
        let row = Row {
            tag: delivery.delivery_tag,
            id: Uuid::try_parse(id)?,
            parcel: xml::document(&event)?,
            traceparent: text("traceparent").map(str::to_owned),
            raw: delivery.data,
        };
        operations.send(Operation::Store(row)).await?;
    }
    anyhow::bail!("the broker ended it")
}

/// The schemas of every kind, by the type on the wire.
fn schemas() -> anyhow::Result<HashMap<String, Validator>> {
    let compiled = KINDS.iter().map(|kind| {
        let document: Value = serde_json::from_str(kind.schema)?;
        let options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        let validator = options.build(&document).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok((kind.id().event_type(), validator))
    });
    compiled.collect()
}

/// One acknowledgement for everything up to a tag.
async fn acknowledging(channel: &Channel, mut tags: mpsc::Receiver<u64>) -> anyhow::Result<()> {
    while let Some(tag) = tags.recv().await {
        channel.basic_ack(tag, BasicAckOptions { multiple: true }).await?;
    }
    anyhow::bail!("nothing is committed any more")
}

type Sender = SendRequest<Full<Bytes>>;

/// From the commit to the inbox, and the receipt back to the writer.
async fn post(
    args: &Args,
    mut jobs: mpsc::Receiver<Job>,
    operations: mpsc::Sender<Operation>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let mut idle = Vec::new();
    for _ in 0..args.connections {
        let stream = tokio::net::TcpStream::connect(&args.inbox).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tasks.spawn("connection", connection);
        idle.push(sender);
    }
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(done) = under_way.next() => {
                let (sender, number, receipt) = done?;
                idle.push(sender);
                operations.send(Operation::Receipt { number, receipt }).await?;
            }
            job = jobs.recv(), if !idle.is_empty() => {
                let (Some(job), Some(sender)) = (job, idle.pop()) else { anyhow::bail!("nothing is committed any more") };
                under_way.push(send(sender, &args.inbox, job));
            }
        }
    }
}

async fn send(mut sender: Sender, host: &str, job: Job) -> anyhow::Result<(Sender, i64, Bytes)> {
    sender.ready().await?;
    let mut request = hyper::Request::post("/inbox")
        .header("host", host)
        .header("content-type", "application/xml")
        .header("idempotency-key", job.id.to_string());
    if let Some(traceparent) = job.traceparent {
        request = request.header("traceparent", traceparent);
    }
    let answer = sender.send_request(request.body(Full::new(job.parcel))?).await?;
    anyhow::ensure!(answer.status().is_success(), "the inbox answered {}", answer.status());
    let receipt = answer.into_body().collect().await?.to_bytes();
    Ok((sender, job.number, receipt))
}
