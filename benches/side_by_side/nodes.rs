//! What a second gateway on the same PostgreSQL brings: beside one, with a quick inbox, where the machine's cores are the
//! bound, and with a slow one, where each node's permits are.

use kassebro::{
    clock::{Clock, System},
    tools::bench::{deployment::Deployment, usage},
};
use serde::Serialize;

use crate::{
    contestants::{Contestant, Gateway},
    inbox::{SLOW, SLOW_FOR},
    process::Process,
    rig::Rig,
    table,
    throughput::{AFTERMATH, WARM},
};

/// With the slow inbox, one of so many messages is sent.
const SLOW_PART: u32 = 4;

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) inbox: String,
    pub(crate) nodes: usize,
    pub(crate) round: u32,
    pub(crate) messages_per_second: f64,
    /// Of all nodes.
    pub(crate) cpu_microseconds: f64,
    pub(crate) postgres_cpu_microseconds: Option<f64>,
    pub(crate) other_cores: Option<f64>,
    pub(crate) left_in_queue: u32,
    pub(crate) duplicates: u64,
}

impl Run {
    pub(crate) fn name(&self) -> String {
        let nodes = if self.nodes == 1 { "one node" } else { "two nodes" };
        format!("{} inbox, {nodes}", self.inbox)
    }
}

pub(crate) async fn measure(rig: &Rig) -> anyhow::Result<()> {
    let slow = format!("{} ms", SLOW_FOR.as_millis());
    let inboxes = [("quick", "/inbox", rig.plan.messages), (&slow, SLOW, rig.plan.messages / SLOW_PART)];
    let mut runs = Vec::new();
    for round in 0..rig.plan.rounds {
        for (inbox, path, messages) in inboxes {
            for nodes in [1, 2] {
                let run = one(rig, round, nodes, (inbox, path), messages).await?;
                eprintln!("round {} {}: {:.0} messages/s", round + 1, run.name(), run.messages_per_second);
                runs.push(run);
            }
        }
    }
    table::nodes(&rig.plan, &runs)
}

async fn one(
    rig: &Rig,
    round: u32,
    nodes: usize,
    (inbox, path): (&str, &str),
    messages: u32,
) -> anyhow::Result<Run> {
    let (queues, database) = (rig.fresh().await?, rig.database().await?);
    let jobcentres = rig.jobcentres(1);
    let mut bodies = rig.messages(round, &jobcentres, false).make(System.now());
    bodies.truncate(messages as usize);
    queues.fill(&bodies, System.now()).await?;
    let url = |_: &str| format!("http://{}{path}", rig.inbox);
    let gateway = || Gateway {
        contestant: Contestant::GatewayPostgres,
        deployment: Deployment { funds: &rig.funds, receivers: 1, agreements: 0 },
        url: &url,
        listen: "",
        database: Some(&database.url),
    };
    let folders = (0..nodes).map(|_| rig.folder()).collect::<anyhow::Result<Vec<_>>>()?;
    let started = folders.iter().map(|folder| rig.start_gateway(&gateway(), folder.path()));
    let mut processes = started.collect::<anyhow::Result<Vec<Process>>>()?;
    rig.seen(messages / WARM, &mut processes[0]).await?;
    let begun = rig.counted().await?.unique;
    let (before, cpu_before) = (rig.used(&processes[0])?, cpu(&processes)?);
    rig.seen(messages, &mut processes[0]).await?;
    let (after, cpu_after) = (rig.used(&processes[0])?, cpu(&processes)?);
    let count = u32::try_from(u64::from(messages).saturating_sub(begun))?;
    anyhow::ensure!(count > 0, "everything was through before measuring began: take more messages");
    System.sleep(AFTERMATH).await;
    for process in processes {
        process.stop().await?;
    }
    let (state, counted) = (queues.state().await?, rig.counted().await?);
    queues.delete().await?;
    database.drop().await?;
    let each = |cpu: f64| cpu * 1e6 / f64::from(count);
    Ok(Run {
        inbox: inbox.to_owned(),
        nodes,
        round,
        messages_per_second: f64::from(count) / after.seconds_since(&before),
        cpu_microseconds: each(cpu_after - cpu_before),
        postgres_cpu_microseconds: after
            .postgres
            .zip(before.postgres)
            .map(|(after, before)| each(after - before)),
        other_cores: after.other_cores_since(&before),
        left_in_queue: state.messages,
        duplicates: counted.duplicates,
    })
}

/// CPU seconds of all of them.
fn cpu(processes: &[Process]) -> std::io::Result<f64> {
    processes.iter().map(|process| usage::cpu_of(process.id())).sum()
}
