//! How the gateway bears a receiver that is gone: memory, the time to start again, and its neighbours' patience.

use std::{net::TcpListener, path::Path, time::Duration};

use bytes::Bytes;
use kassebro::{
    clock::{Clock, System},
    tools::bench::{
        deployment::Deployment,
        figures::Latency,
        queues::Queues,
        usage::{self, Memory},
    },
};
use serde::Serialize;

use crate::{
    STANDSTILL_MAX,
    contestants::{Contestant, Gateway, REFUSED},
    inbox::SILENT,
    latency,
    process::Process,
    rig::{self, Rig},
    table,
};

/// How often a gateway is asked whether it is ready, or how much it has taken.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The shares of the messages, in percent, at which memory is read.
const POINTS: [u32; 5] = [0, 10, 25, 50, 100];

impl Rig {
    /// Codes of the first jobcentres.
    pub(crate) fn jobcentres(&self, count: u16) -> Vec<String> {
        Deployment { funds: &self.funds, receivers: count, agreements: 0 }.jobcentres()
    }

    fn gateway<'a>(
        &'a self,
        receivers: u16,
        url: &'a dyn Fn(&str) -> String,
        listen: &'a str,
    ) -> Gateway<'a> {
        let deployment = Deployment { funds: &self.funds, receivers, agreements: 0 };
        Gateway { contestant: Contestant::Gateway, deployment, url, listen, database: None }
    }
}

/// Memory with so many messages pending.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Backlog {
    pub(crate) pending: u32,
    pub(crate) memory_mebibytes: Memory,
    pub(crate) store_mebibytes: f64,
}

pub(crate) async fn pending(rig: &Rig) -> anyhow::Result<()> {
    // Making a million takes longer than a broker waits for a sign of life.
    let jobcentres = rig.jobcentres(1);
    let bodies = rig.messages(0, &jobcentres, false).make(System.now());
    let folder = rig.folder()?;
    let queues = rig.fresh().await?;
    let address = free_address()?;
    let refused = |_: &str| format!("http://{REFUSED}/");
    let mut process = rig.start_gateway(&rig.gateway(1, &refused, &address), folder.path())?;
    ready(rig, &address, &mut process).await?;
    let mut found = Vec::new();
    let mut sent = 0;
    for percent in POINTS {
        let count = u32::try_from(u64::from(rig.plan.messages) * u64::from(percent) / 100)?;
        queues.fill(&bodies[sent as usize..count as usize], System.now()).await?;
        sent = count;
        taken(rig, &address, count, &mut process).await?;
        found.push(Backlog {
            pending: count,
            memory_mebibytes: usage::memory_of(process.id())?,
            store_mebibytes: rig::store_mebibytes(folder.path())?,
        });
    }
    process.stop().await?;
    queues.delete().await?;
    table::pending(&rig.plan, &found)
}

/// How long it took to be ready.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Restarted {
    pub(crate) pending: u32,
    pub(crate) ready_milliseconds: f64,
}

pub(crate) async fn restart(rig: &Rig) -> anyhow::Result<()> {
    let jobcentres = rig.jobcentres(1);
    let bodies = rig.messages(0, &jobcentres, false).make(System.now());
    let mut found = Vec::new();
    for pending in [&[], &bodies[..]] {
        let folder = rig.folder()?;
        let queues = rig.fresh().await?;
        found.extend(restart_with(rig, &queues, pending, folder.path()).await?);
        queues.delete().await?;
    }
    table::restart(&rig.plan, &found)
}

async fn restart_with(
    rig: &Rig,
    queues: &Queues,
    bodies: &[(String, Bytes)],
    folder: &Path,
) -> anyhow::Result<Vec<Restarted>> {
    let refused = |_: &str| format!("http://{REFUSED}/");
    let address = free_address()?;
    let pending = u32::try_from(bodies.len())?;
    let mut process = rig.start_gateway(&rig.gateway(1, &refused, &address), folder)?;
    ready(rig, &address, &mut process).await?;
    queues.fill(bodies, System.now()).await?;
    taken(rig, &address, pending, &mut process).await?;
    let mut found = Vec::new();
    for _ in 0..rig.plan.rounds {
        process.kill()?;
        // A port of its own each time: the old one may still be closing.
        let address = free_address()?;
        let begin = System.monotonic();
        process = rig.start_gateway(&rig.gateway(1, &refused, &address), folder)?;
        ready(rig, &address, &mut process).await?;
        let ready_milliseconds = System.monotonic().saturating_sub(begin).as_secs_f64() * 1000.0;
        found.push(Restarted { pending, ready_milliseconds });
    }
    process.stop().await?;
    Ok(found)
}

/// How long messages to the other four were on their way.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Neighbours {
    pub(crate) fifth: &'static str,
    pub(crate) round: u32,
    pub(crate) rate: u32,
    pub(crate) latency: Latency,
}

pub(crate) async fn dead_of_five(rig: &Rig) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for round in 0..rig.plan.rounds {
        for fifth in ["works", "never answers"] {
            found.push(neighbours(rig, round, fifth).await?);
        }
    }
    table::dead_of_five(&rig.plan, &found)
}

async fn neighbours(rig: &Rig, round: u32, fifth: &'static str) -> anyhow::Result<Neighbours> {
    let folder = rig.folder()?;
    let queues = rig.fresh().await?;
    let jobcentres = rig.jobcentres(5);
    let works = fifth == "works";
    let url = |code: &str| {
        let path = if works || *code != jobcentres[4] { "/inbox" } else { SILENT };
        format!("http://{}{path}", rig.inbox)
    };
    let mut process = rig.start_gateway(&rig.gateway(5, &url, ""), folder.path())?;
    latency::consumed(&queues, &mut process).await?;
    let published = latency::publish(rig, &queues, round, &jobcentres).await?;
    let messages = rig.messages(round, &jobcentres, true);
    let of_four = |number: u32| messages.jobcentre(number) != jobcentres[4];
    let arrive = (0..messages.count).filter(|number| works || of_four(*number)).count();
    rig.seen(u32::try_from(arrive)?, &mut process).await?;
    let latency = latency::on_the_way(rig, &published, of_four).await?;
    // What hangs would only be waited for.
    process.kill()?;
    queues.delete().await?;
    Ok(Neighbours { fifth, round, rate: rig.plan.rate, latency })
}

/// A port of loopback that was free just now.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}

/// Waits until the gateway says that it is ready.
async fn ready(rig: &Rig, address: &str, process: &mut Process) -> anyhow::Result<()> {
    let until = System.monotonic() + STANDSTILL_MAX;
    loop {
        // Nobody listens there before it has started.
        if rig.get(address, "readyz").await.is_ok_and(|(status, _)| status == 200) {
            return Ok(());
        }
        process.must_live()?;
        anyhow::ensure!(System.monotonic() < until, "the gateway does not get ready");
        System.sleep(LOOK_EVERY).await;
    }
}

/// Waits until the gateway has taken so many messages.
async fn taken(rig: &Rig, address: &str, messages: u32, process: &mut Process) -> anyhow::Result<()> {
    const NAME: &str = "kassebro_messages_received_total{";
    let (mut seen, mut progress) = (0, System.monotonic());
    loop {
        let (_, metrics) = rig.get(address, "metrics").await?;
        let lines = std::str::from_utf8(&metrics)?.lines().filter(|line| line.starts_with(NAME));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
        let count = counts.sum::<u32>();
        if count >= messages {
            return Ok(());
        }
        process.must_live()?;
        if count > seen {
            (seen, progress) = (count, System.monotonic());
        }
        let stands = System.monotonic().saturating_sub(progress);
        anyhow::ensure!(stands < STANDSTILL_MAX, "only {count} of {messages} messages were taken");
        System.sleep(LOOK_EVERY * 10).await;
    }
}
