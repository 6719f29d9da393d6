//! Messages through the whole path on this machine: taken, validated, committed, delivered, settled, answered.
//!
//! Sender, gateway and inbox are one process, so the cost named is the whole of it: what the inbox and the
//! sender need is in the figure.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;

mod queues;

use super::{
    demo::{self, Demo, FUNDS, JOBCENTRES, Plan},
    generate,
};
use crate::{
    clock::Clock,
    intake::RawMessage,
    lifecycle::{Stop, Tasks},
    store::Way,
};

/// What the names on the broker begin with.
const PREFIX: &str = "kassebro.bench";
/// Messages handed to the intake in one batch, as a broker session would gather them.
const BATCH: usize = 256;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub messages: u32,
    pub seconds: f64,
    pub messages_per_second: f64,
    /// User and system time of this process, per message.
    pub cpu_microseconds_per_message: f64,
    pub peak_memory_mebibytes: f64,
    pub delivered: i64,
    /// Deliveries the inbox saw twice.
    pub duplicates_at_inbox: u64,
}

/// One in so many messages is through before measuring begins, so that starting is left out.
const WARM: u32 = 10;

/// Measures `messages` through the whole path. With `amqp` they lie in queues of that broker when the gateway
/// starts; without, they are handed to the intake by this process.
///
/// # Errors
/// Something does not start, or not everything was delivered in ten minutes.
pub async fn measure(
    messages: u32,
    seed: u64,
    amqp: Option<&str>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Measured> {
    let folder = std::env::temp_dir().join(format!("kassebro-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let tasks = Tasks::new(Stop::new());
    let more = amqp.map_or_else(String::new, broker_settings);
    let plan = Plan { messages, seed, listen: ([127, 0, 0, 1], 0).into(), more };
    let measured = measure_in(&folder, &plan, amqp, &clock, &tasks).await;
    tasks.stop().request();
    tasks.finish(Duration::from_secs(10)).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn broker_settings(uri: &str) -> String {
    format!(
        "\n[amqp]\nurl = \"{uri}\"\nrequire_user_id = false\nexchange_in = \"{PREFIX}.messages\"\n\
         exchange_answers = \"{PREFIX}.answers\"\nqueue_in_prefix = \"{PREFIX}.in\"\nqueue_out_prefix = \"{PREFIX}.out\"\n"
    )
}

async fn measure_in(
    folder: &std::path::Path,
    plan: &Plan,
    amqp: Option<&str>,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> anyhow::Result<Measured> {
    let bodies = bodies(plan, clock);
    let queues = match amqp {
        Some(uri) => Some(queues::Queues::fill(uri, &bodies, clock.now()).await?),
        None => None,
    };
    let demo = demo::start(folder, plan, Arc::clone(clock), tasks).await?;
    let warm = u64::from(plan.messages / WARM);
    let feed = async {
        if queues.is_none() {
            for batch in bodies.chunks(BATCH) {
                let raws = batch.iter().map(|(party, body)| raw(party, body)).collect();
                demo.gateway.intake.take(raws, Way::Local).await?;
            }
        }
        anyhow::Ok(())
    };
    let watch = async {
        seen(&demo, warm).await?;
        let start = (clock.monotonic(), cpu_seconds()?);
        seen(&demo, u64::from(plan.messages)).await?;
        let (began, cpu) = start;
        anyhow::Ok((clock.monotonic().saturating_sub(began).as_secs_f64(), cpu_seconds()? - cpu))
    };
    let ((), (seconds, cpu)) = tokio::try_join!(feed, watch)?;
    let summary = demo.settled(plan.messages, Duration::from_mins(1)).await?;
    if let Some(queues) = queues {
        queues.delete().await?;
    }
    let count = f64::from(plan.messages - plan.messages / WARM);
    Ok(Measured {
        messages: plan.messages,
        seconds,
        messages_per_second: count / seconds,
        cpu_microseconds_per_message: cpu * 1e6 / count,
        peak_memory_mebibytes: peak_memory()?,
        delivered: summary.delivered,
        duplicates_at_inbox: demo.inbox.stats().duplicates,
    })
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

/// The messages, made before the clock starts.
fn bodies(plan: &Plan, clock: &Arc<dyn Clock>) -> Vec<(String, Bytes)> {
    let time = clock.now();
    (0..plan.messages)
        .map(|number| {
            let place = number as usize;
            let (code, _) = FUNDS[place % FUNDS.len()];
            let (jobcenter, _) = JOBCENTRES[place / 2 % JOBCENTRES.len()];
            let kind = generate::KINDS[place % generate::KINDS.len()];
            let (source, receiver) =
                (format!("urn:dk:akasse:{code}"), format!("urn:dk:jobcenter:{jobcenter}"));
            let id = uuid::Uuid::now_v7().to_string();
            let event = generate::event(kind, plan.seed + u64::from(number), &id, &source, &receiver, time);
            (code.to_owned(), Bytes::from(event.to_string()))
        })
        .collect()
}

/// Waits until the inbox has seen so many messages.
async fn seen(demo: &Demo, messages: u64) -> anyhow::Result<()> {
    let mut looks = 0;
    while demo.inbox.stats().unique < messages {
        looks += 1;
        anyhow::ensure!(looks < 120_000, "not every message reached the inbox in ten minutes");
        demo.wait(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// User and system time of this process so far.
fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 =
        fields.get(11).unwrap_or(&"0").parse::<f64>()? + fields.get(12).unwrap_or(&"0").parse::<f64>()?;
    // Linux counts these in hundredths of a second on every platform that Rust supports.
    Ok(ticks / 100.0)
}

fn peak_memory() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("VmHWM: 0 kB");
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(kibibytes / 1024.0)
}
