//! How many messages pass in a second, and what each costs: contestants in turn, round by round.

use std::time::Duration;

use kassebro::{
    clock::{Clock, System},
    tools::bench::usage,
};
use serde::Serialize;

use crate::{contestants::Contestant, database::Database, process::Process, rig::Rig, table};

/// Of the messages, the first of so many parts is left out: starting is not measured.
pub(crate) const WARM: u32 = 10;
/// How long repeated deliveries are waited for after the last message came.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(700);

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) contestant: &'static str,
    pub(crate) round: u32,
    pub(crate) seconds: f64,
    pub(crate) messages_per_second: f64,
    pub(crate) cpu_microseconds: f64,
    pub(crate) broker_cpu_microseconds: Option<f64>,
    pub(crate) inbox_cpu_microseconds: f64,
    pub(crate) postgres_cpu_microseconds: Option<f64>,
    /// Bytes of PostgreSQL's log per message.
    pub(crate) wal_bytes: Option<f64>,
    /// Transactions per message.
    pub(crate) commits: Option<f64>,
    /// Cores in use by anything that has no part in this.
    pub(crate) other_cores: Option<f64>,
    pub(crate) peak_memory_mebibytes: f64,
    /// Messages in the queue after the end.
    pub(crate) left_in_queue: u32,
    pub(crate) duplicates: u64,
    /// Requests without a key.
    pub(crate) wrong: u64,
}

pub(crate) async fn measure(rig: &Rig) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for round in 0..rig.plan.rounds {
        for contestant in rig.contestants() {
            let run = one(rig, contestant, round).await?;
            eprintln!(
                "round {} {}: {:.0} messages/s, {:.0} us CPU",
                round + 1,
                run.contestant,
                run.messages_per_second,
                run.cpu_microseconds
            );
            runs.push(run);
        }
    }
    table::throughput(&rig.plan, &runs)
}

async fn one(rig: &Rig, contestant: Contestant, round: u32) -> anyhow::Result<Run> {
    let folder = rig.folder()?;
    let queues = rig.fresh().await?;
    let jobcentres = rig.jobcentres(1);
    queues.fill(&rig.messages(round, &jobcentres, false).make(System.now()), System.now()).await?;
    let database = rig.store_of(contestant).await?;
    let mut process = rig.start_contestant(contestant, folder.path(), database.as_ref())?;
    let measured = pass(rig, &mut process, database.as_ref()).await?;
    let peak = usage::memory_of(process.id())?.peak;
    System.sleep(AFTERMATH).await;
    process.stop().await?;
    if let Some(database) = database {
        database.drop().await?;
    }
    let (state, counted) = (queues.state().await?, rig.counted().await?);
    queues.delete().await?;
    let Passed { count, seconds, contestant: cpu, broker, inbox, postgres, wal, commits, other_cores } =
        measured;
    let each = |cpu: f64| cpu * 1e6 / count;
    Ok(Run {
        contestant: contestant.name(),
        round,
        seconds,
        messages_per_second: count / seconds,
        cpu_microseconds: each(cpu),
        broker_cpu_microseconds: broker.map(each),
        inbox_cpu_microseconds: each(inbox),
        postgres_cpu_microseconds: postgres.map(each),
        wal_bytes: wal.map(|bytes| bytes / count),
        commits: commits.map(|commits| commits / count),
        other_cores,
        peak_memory_mebibytes: peak,
        left_in_queue: state.messages,
        duplicates: counted.duplicates,
        wrong: counted.wrong,
    })
}

/// What was used between the first messages and the last.
struct Passed {
    count: f64,
    seconds: f64,
    contestant: f64,
    broker: Option<f64>,
    inbox: f64,
    postgres: Option<f64>,
    /// Bytes.
    wal: Option<f64>,
    commits: Option<f64>,
    other_cores: Option<f64>,
}

async fn pass(rig: &Rig, process: &mut Process, database: Option<&Database>) -> anyhow::Result<Passed> {
    let written = async || match database {
        Some(database) => database.written().await.map(Some),
        None => Ok(None),
    };
    rig.seen(rig.plan.messages / WARM, process).await?;
    // How many it is by now, for it goes on while we ask.
    let begun = rig.counted().await?.unique;
    let (before, wrote) = (rig.used(process)?, written().await?);
    rig.seen(rig.plan.messages, process).await?;
    let (after, written) = (rig.used(process)?, written().await?);
    let count = u32::try_from(u64::from(rig.plan.messages).saturating_sub(begun))?;
    anyhow::ensure!(count > 0, "everything was through before measuring began: take more messages");
    let between = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
    Ok(Passed {
        count: f64::from(count),
        seconds: after.seconds_since(&before),
        contestant: after.contestant - before.contestant,
        broker: between(after.broker, before.broker),
        inbox: after.inbox - before.inbox,
        postgres: between(after.postgres, before.postgres),
        wal: between(written.map(|w| w.bytes), wrote.map(|w| w.bytes)),
        commits: between(written.map(|w| w.commits), wrote.map(|w| w.commits)),
        other_cores: after.other_cores_since(&before),
    })
}
