//! How long a message is on its way at a steady rate: from just before it is published until the inbox has it.
//!
//! A message carries its number in its `traceparent`, which both the gateway and the reference hand on as a header;
//! so the inbox knows it without opening the body. Both read the same clock of the same machine.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use kassebro::{
    clock::{Clock, System},
    tools::bench::{figures::Latency, queues::Queues},
};
use serde::Serialize;

use crate::{STANDSTILL_MAX, contestants::Contestant, process::Process, rig::Rig, table};

/// Of the messages, the first of so many parts is left out.
const LEFT_OUT: u32 = 4;
/// How often the queue is asked whether somebody consumes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) contestant: &'static str,
    pub(crate) round: u32,
    pub(crate) rate: u32,
    pub(crate) latency: Latency,
    pub(crate) cpu_microseconds: f64,
    pub(crate) other_cores: Option<f64>,
}

pub(crate) async fn measure(rig: &Rig) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for round in 0..rig.plan.rounds {
        for contestant in rig.contestants() {
            runs.push(one(rig, contestant, round).await?);
        }
    }
    table::latency(&rig.plan, &runs)
}

async fn one(rig: &Rig, contestant: Contestant, round: u32) -> anyhow::Result<Run> {
    let folder = rig.folder()?;
    let queues = rig.fresh().await?;
    let jobcentres = rig.jobcentres(1);
    let database = rig.store_of(contestant).await?;
    let mut process = rig.start_contestant(contestant, folder.path(), database.as_ref())?;
    consumed(&queues, &mut process).await?;
    let before = rig.used(&process)?;
    let published = publish(rig, &queues, round, &jobcentres).await?;
    rig.seen(rig.plan.messages, &mut process).await?;
    let after = rig.used(&process)?;
    let latency = on_the_way(rig, &published, |_| true).await?;
    process.stop().await?;
    if let Some(database) = database {
        database.drop().await?;
    }
    queues.delete().await?;
    Ok(Run {
        contestant: contestant.name(),
        round,
        rate: rig.plan.rate,
        latency,
        cpu_microseconds: (after.contestant - before.contestant) * 1e6 / f64::from(rig.plan.messages),
        other_cores: after.other_cores_since(&before),
    })
}

/// Waits until somebody consumes the queue.
pub(crate) async fn consumed(queues: &Queues, process: &mut Process) -> anyhow::Result<()> {
    let until = System.monotonic() + STANDSTILL_MAX;
    while queues.state().await?.consumers == 0 {
        process.must_live()?;
        anyhow::ensure!(System.monotonic() < until, "nobody consumes the queue");
        System.sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Publishes at the plan's rate, whatever becomes of the messages. Gives the microsecond of each, by its number.
pub(crate) async fn publish(
    rig: &Rig,
    queues: &Queues,
    round: u32,
    jobcentres: &[String],
) -> anyhow::Result<HashMap<u32, i64>> {
    let bodies = rig.messages(round, jobcentres, true).make(System.now());
    let publisher = queues.publisher().await?;
    let gap = Duration::from_secs(1) / rig.plan.rate;
    let begin = System.monotonic();
    let (mut sent, mut confirms) = (HashMap::new(), FuturesUnordered::new());
    for (number, (party, body)) in (0..).zip(&bodies) {
        let mut pause = System.sleep((begin + gap * number).saturating_sub(System.monotonic()));
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(confirmed) = confirms.next() => check(confirmed)?,
            }
        }
        let now = System.now();
        sent.insert(number, now.as_microsecond());
        confirms.push(publisher.publish(party, body, now).await?);
    }
    while let Some(confirmed) = confirms.next().await {
        check(confirmed)?;
    }
    publisher.close().await?;
    Ok(sent)
}

fn check(confirmed: lapin::Result<lapin::Confirmation>) -> anyhow::Result<()> {
    anyhow::ensure!(confirmed?.is_ack(), "the broker did not take a message");
    Ok(())
}

/// How long the messages were on their way whose numbers `counts`, the first of them left out.
pub(crate) async fn on_the_way(
    rig: &Rig,
    published: &HashMap<u32, i64>,
    counts: impl Fn(u32) -> bool,
) -> anyhow::Result<Latency> {
    let first = rig.plan.messages / LEFT_OUT;
    let arrivals = rig.arrivals().await?;
    let counted = arrivals.iter().filter(|(number, _)| *number >= first && counts(*number));
    let times = counted.filter_map(|(number, at)| Some(at - published.get(number)?)).collect();
    Latency::of(times).ok_or_else(|| anyhow::anyhow!("nothing came that counts"))
}
