//! Messages through the whole path on this machine: taken, validated, committed, delivered, settled, answered.
//!
//! Sender, gateway and inbox are one process, so the cost named is the whole of it: what the inbox and the
//! sender need is in the figure. `benches/side_by_side` measures them apart.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use serde::Serialize;

pub mod deployment;
pub mod figures;
pub mod messages;
pub mod queues;
pub mod records;
pub mod recoveries;
pub mod stock;
pub mod timers;
pub mod usage;

use super::inbox;
use crate::{
    clock::Clock,
    config,
    gateway::{self, Gateway},
    intake::RawMessage,
    lifecycle::{Stop, Tasks},
    store::Way,
};
use deployment::{Deployment, FUNDS};
use figures::Latency;
use messages::{Ids, Messages};
use queues::Queues;
use stock::Stock;

/// What the names on the broker begin with.
const PREFIX: &str = "kassebro.bench";
/// Messages handed to the intake in one batch, as a broker session would gather them.
const BATCH: usize = 256;
/// One in so many messages is through before measuring begins, so that starting is left out.
const WARM: u32 = 10;
/// Of the messages at a steady rate, the first of so many parts is left out.
const LEFT_OUT: u32 = 4;
/// How often the inbox is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Attempts under way to all receivers together, at the most: more connections than the inbox takes at one time
/// would wait until others have been idle for long.
const ATTEMPTS_MAX: u16 = 480;
/// The default of a receiver's permits.
const PERMITS: u16 = 16;
/// After so many looks without anything new, something is wrong.
const LOOKS_MAX: u32 = 12_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    pub messages: u32,
    /// The same seed makes the same content.
    pub seed: u64,
    pub ids: Ids,
    /// The messages lie in queues of that broker when the gateway starts; `None`: they are handed to the intake.
    pub amqp: Option<String>,
    /// Messages a second, handed over one by one; `None`: as fast as they are taken.
    pub rate: Option<u32>,
    pub receivers: u16,
    pub agreements: u32,
    pub stock: Stock,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub messages: u32,
    pub receivers: u16,
    pub agreements: usize,
    pub stock: Stock,
    pub seconds: f64,
    pub messages_per_second: f64,
    /// User and system time of this process, per message.
    pub cpu_microseconds_per_message: f64,
    /// Since the stock was laid; the messages to be sent are in it.
    pub peak_memory_mebibytes: f64,
    pub store_mebibytes: f64,
    pub delivered: i64,
    /// Deliveries the inbox saw twice.
    pub duplicates_at_inbox: u64,
    /// From handing over to the inbox; only where a rate was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// Measures what the plan says.
///
/// # Errors
/// Something does not start, or the messages stop coming through.
pub async fn measure(plan: &Plan, clock: Arc<dyn Clock>) -> anyhow::Result<Measured> {
    let folder = std::env::temp_dir().join(format!("kassebro-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let tasks = Tasks::new(Stop::new());
    let measured = measure_in(&folder, plan, &clock, &tasks).await;
    tasks.stop().request();
    tasks.finish(Duration::from_secs(10)).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure_in(
    folder: &std::path::Path,
    plan: &Plan,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> anyhow::Result<Measured> {
    let inbox = inbox::Inbox::bind(([127, 0, 0, 1], 0).into(), vec![]).await?;
    let (url, handle) = (inbox.url(), inbox.handle());
    let stop = tasks.stop().clone();
    tasks.spawn("inbox", async move { inbox.serve(async move { stop.soft().await }).await });

    let funds = FUNDS.map(str::to_owned);
    let deployment = Deployment { funds: &funds, receivers: plan.receivers, agreements: plan.agreements };
    let jobcentres = deployment.jobcentres();
    let store = folder.join("kassebro.db");
    let permits = (ATTEMPTS_MAX / plan.receivers).clamp(1, PERMITS);
    let broker = plan.amqp.as_deref().map(|uri| queues::settings(uri, PREFIX));
    let text = deployment::head(&format!("sqlite:{}", store.display()), "127.0.0.1:0")
        + &broker.unwrap_or_default()
        + &deployment.toml(|code| format!("{url}/{code}"), &format!("permits = {permits}\n"), "");
    let loaded = config::read_text("bench.toml", &text)?;
    let settings = loaded.settings.clone();
    if plan.stock != Stock::default() {
        let rules = config::rules(&settings, 1).map_err(|problem| anyhow::anyhow!(problem))?;
        stock::lay(&store, plan.stock, &rules, &jobcentres[0], clock.now()).await?;
    }
    let messages = Messages {
        count: plan.messages,
        seed: plan.seed,
        parties: &funds,
        jobcentres: &jobcentres,
        ids: plan.ids,
        numbered: false,
    };
    let bodies = messages.make(clock.now());
    let queues = match &plan.amqp {
        Some(uri) => {
            let queues = Queues::declare(uri, PREFIX, &funds).await?;
            queues.fill(&bodies, clock.now()).await?;
            Some(queues)
        }
        None => None,
    };
    usage::forget_peak();
    let gateway = gateway::start(loaded, &gateway::Roles::default(), Arc::clone(clock), tasks).await?;
    let run = Run { plan, gateway, inbox: handle, clock };
    let passed = run.pass(&bodies).await?;
    let delivered = run.settled().await?;
    if let Some(queues) = queues {
        queues.delete().await?;
    }
    Ok(Measured {
        messages: plan.messages,
        receivers: plan.receivers,
        agreements: settings.agreement.len(),
        stock: plan.stock,
        seconds: passed.seconds,
        messages_per_second: passed.count / passed.seconds,
        cpu_microseconds_per_message: passed.cpu * 1e6 / passed.count,
        peak_memory_mebibytes: usage::memory_of(std::process::id())?.peak,
        store_mebibytes: mebibytes(std::fs::metadata(&store)?.len()),
        delivered,
        duplicates_at_inbox: run.inbox.stats().duplicates,
        latency: passed.latency,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a file of 2^52 bytes is not measured")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// A gateway with its inbox.
struct Run<'a> {
    plan: &'a Plan,
    gateway: Gateway,
    inbox: inbox::Handle,
    clock: &'a Arc<dyn Clock>,
}

/// What passing the messages took, the first of them left out.
struct Passed {
    count: f64,
    seconds: f64,
    cpu: f64,
    latency: Option<Latency>,
}

impl Run<'_> {
    async fn pass(&self, bodies: &[(String, Bytes)]) -> anyhow::Result<Passed> {
        let (messages, warm) = (self.plan.messages, self.plan.messages / WARM);
        let watch = async {
            self.seen(warm).await?;
            let begin = (self.clock.monotonic(), usage::cpu_of(std::process::id())?);
            let arrived = self.seen(messages).await?;
            let seconds = self.clock.monotonic().saturating_sub(begin.0).as_secs_f64();
            anyhow::Ok((seconds, usage::cpu_of(std::process::id())? - begin.1, arrived))
        };
        let feed = async {
            match (self.plan.rate, &self.plan.amqp) {
                (Some(rate), _) => self.feed_at(rate, bodies).await,
                (None, None) => self.feed(bodies).await.map(|()| HashMap::new()),
                (None, Some(_)) => Ok(HashMap::new()),
            }
        };
        let (handed_over, (seconds, cpu, arrived)) = tokio::try_join!(feed, watch)?;
        let on_the_way = handed_over.iter().filter_map(|(key, at)| {
            arrived
                .get(key)
                .map(|arrived| arrived.duration_since(*at).as_micros().try_into().unwrap_or(i64::MAX))
        });
        let latency = Latency::of(on_the_way.collect());
        Ok(Passed { count: f64::from(messages - warm), seconds, cpu, latency })
    }

    /// Hands everything over in batches.
    async fn feed(&self, bodies: &[(String, Bytes)]) -> anyhow::Result<()> {
        for batch in bodies.chunks(BATCH) {
            let raws = batch.iter().map(|(party, body)| raw(party, body)).collect();
            self.gateway.intake.take(raws, Way::Local).await?;
        }
        Ok(())
    }

    /// Hands one message after the other over at a steady rate; none waits for the one before. Says when each
    /// was handed over, by the key of its delivery, without the first.
    async fn feed_at(
        &self,
        rate: u32,
        bodies: &[(String, Bytes)],
    ) -> anyhow::Result<HashMap<String, Timestamp>> {
        let gap = Duration::from_secs(1) / rate;
        let begin = self.clock.monotonic();
        let mut under_way = FuturesUnordered::new();
        let mut handed_over = HashMap::new();
        for (number, (party, body)) in (0..).zip(bodies) {
            let wait = (begin + gap * number).saturating_sub(self.clock.monotonic());
            let mut pause = self.clock.sleep(wait);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some(taken) = under_way.next() => note(&mut handed_over, taken)?,
                }
            }
            under_way.push(async move {
                let at = self.clock.now();
                let verdicts = self.gateway.intake.take(vec![raw(party, body)], Way::Local).await?;
                anyhow::Ok((number, at, verdicts[0].answer().receipt_id.delivery(1).to_string()))
            });
        }
        while let Some(taken) = under_way.next().await {
            note(&mut handed_over, taken)?;
        }
        let first = self.plan.messages / LEFT_OUT;
        Ok(handed_over
            .into_iter()
            .filter(|(_, (number, _))| *number >= first)
            .map(|(key, (_, at))| (key, at))
            .collect())
    }

    /// Waits until the inbox has seen so many messages. Where a rate was asked for, says when each key came.
    async fn seen(&self, messages: u32) -> anyhow::Result<HashMap<String, Timestamp>> {
        let mut arrived = HashMap::new();
        let (mut after, mut seen, mut looks) = (0, 0, 0);
        loop {
            if self.plan.rate.is_some() {
                for delivery in self.inbox.deliveries(after) {
                    after = delivery.number;
                    arrived.entry(delivery.key).or_insert(delivery.at);
                }
            }
            let unique = self.inbox.stats().unique;
            if unique >= u64::from(messages) && (self.plan.rate.is_none() || arrived.len() as u64 >= unique) {
                return Ok(arrived);
            }
            looks = if unique > seen { 0 } else { looks + 1 };
            seen = unique;
            anyhow::ensure!(looks < LOOKS_MAX, "only {unique} of {messages} messages reached the inbox");
            self.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until every message that was sent is settled; says how many were delivered.
    async fn settled(&self) -> anyhow::Result<i64> {
        let Stock { finished, promises, .. } = self.plan.stock;
        let until = self.clock.monotonic() + Duration::from_mins(1);
        loop {
            let found = self.gateway.store.conservation().await?;
            let delivered = found.delivered - i64::from(finished);
            if found.pending == i64::from(promises) && delivered >= i64::from(self.plan.messages) {
                return Ok(delivered);
            }
            anyhow::ensure!(self.clock.monotonic() < until, "not everything was settled in time: {found:?}");
            self.clock.sleep(LOOK_EVERY * 10).await;
        }
    }
}

type HandedOver = HashMap<String, (u32, Timestamp)>;

fn note(handed_over: &mut HandedOver, taken: anyhow::Result<(u32, Timestamp, String)>) -> anyhow::Result<()> {
    let (number, at, key) = taken?;
    handed_over.insert(key, (number, at));
    Ok(())
}

fn raw(party: &str, body: &Bytes) -> RawMessage {
    RawMessage {
        party: party.to_owned(),
        content_type: Some("application/cloudevents+json".into()),
        headers: vec![],
        body: body.clone(),
        sent: None,
    }
}
