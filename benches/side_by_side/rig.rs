//! What every measurement stands on: the broker's queues, the inbox, and the clocks of all processes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use kassebro::{
    clock::{Clock, System},
    http_client,
    tools::bench::{messages::Messages, queues::Queues, usage},
};

use crate::{
    Plan, STANDSTILL_MAX,
    contestants::{FUND, PREFIX},
    inbox::Counted,
    process::Process,
};

/// How often the inbox is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Rig {
    pub(crate) plan: Plan,
    /// Host and port of the inbox.
    pub(crate) inbox: String,
    pub(crate) funds: [String; 1],
    inbox_process: Process,
    client: reqwest::Client,
    /// Ends with the rig, and takes the inbox's log along.
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn start(plan: Plan) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("kassebro-side-").tempdir_in(&plan.folder)?;
        let mut command = Command::new(std::env::current_exe()?);
        let (mut inbox_process, output) =
            Process::start_talking("inbox", folder.path(), command.arg("inbox"))?;
        let mut inbox = String::new();
        BufReader::new(output).read_line(&mut inbox)?;
        inbox_process.must_live()?;
        let client = http_client::build(&http_client::Settings {
            connect_timeout: Duration::from_secs(5),
            ca_file: None,
            client_identity_file: None,
            allow_private_addresses: true,
        })?;
        let rig = Self {
            plan,
            inbox: inbox.trim().to_owned(),
            funds: [FUND.to_owned()],
            inbox_process,
            client,
            _folder: folder,
        };
        rig.counted().await?;
        Ok(rig)
    }

    /// A folder for one run.
    pub(crate) fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::Builder::new().prefix("kassebro-side-").tempdir_in(&self.plan.folder)?)
    }

    /// Fresh queues, and an inbox that has seen nothing.
    pub(crate) async fn fresh(&self) -> anyhow::Result<Queues> {
        self.post("reset").await?;
        Queues::declare(&self.plan.amqp, PREFIX, &self.funds).await
    }

    /// Messages of a run; rounds differ in content, contestants of a round do not.
    pub(crate) fn messages<'a>(
        &'a self,
        round: u32,
        jobcentres: &'a [String],
        numbered: bool,
    ) -> Messages<'a> {
        Messages {
            count: self.plan.messages,
            seed: self.plan.seed + u64::from(round) * u64::from(self.plan.messages),
            parties: &self.funds,
            jobcentres,
            ids: self.plan.ids.into(),
            numbered,
        }
    }

    /// What the inbox has counted.
    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        Ok(serde_json::from_slice(&self.get(&self.inbox, "stats").await?.1)?)
    }

    /// Number and microsecond of each numbered message that came.
    pub(crate) async fn arrivals(&self) -> anyhow::Result<Vec<(u32, i64)>> {
        let (_, lines) = self.get(&self.inbox, "arrivals").await?;
        let read = |line: &str| {
            let (number, at) =
                line.split_once(' ').ok_or_else(|| anyhow::anyhow!("{line:?} is no arrival"))?;
            Ok((number.parse()?, at.parse()?))
        };
        std::str::from_utf8(&lines)?.lines().map(read).collect()
    }

    /// Status and body of what a server of ours says.
    pub(crate) async fn get(&self, address: &str, path: &str) -> anyhow::Result<(u16, Bytes)> {
        let answer = self.client.get(format!("http://{address}/{path}")).send().await?;
        Ok((answer.status().as_u16(), answer.bytes().await?))
    }

    async fn post(&self, path: &str) -> anyhow::Result<()> {
        self.client.post(format!("http://{}/{path}", self.inbox)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until the inbox has seen so many.
    pub(crate) async fn seen(&self, messages: u32, contestant: &mut Process) -> anyhow::Result<()> {
        let (mut seen, mut progress) = (0, System.monotonic());
        loop {
            let unique = self.counted().await?.unique;
            if unique >= u64::from(messages) {
                return Ok(());
            }
            contestant.must_live()?;
            if unique > seen {
                (seen, progress) = (unique, System.monotonic());
            }
            let stands = System.monotonic().saturating_sub(progress);
            anyhow::ensure!(stands < STANDSTILL_MAX, "only {unique} of {messages} messages came through");
            System.sleep(LOOK_EVERY).await;
        }
    }

    /// What everybody has used until now.
    pub(crate) fn used(&self, contestant: &Process) -> anyhow::Result<Used> {
        let of = |pid: Option<u32>| pid.map(usage::cpu_of).transpose();
        Ok(Used {
            contestant: usage::cpu_of(contestant.id())?,
            inbox: usage::cpu_of(self.inbox_process.id())?,
            broker: of(self.plan.broker_pid)?,
            postgres: of(self.plan.postgres_pid)?,
            // Our own descendants are the contestant and the inbox.
            ours: usage::cpu_of(std::process::id())?,
            machine: usage::cpu_of_machine()?,
            at: System.monotonic(),
        })
    }
}

/// CPU seconds until a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) contestant: f64,
    pub(crate) inbox: f64,
    pub(crate) broker: Option<f64>,
    pub(crate) postgres: Option<f64>,
    ours: f64,
    machine: f64,
    pub(crate) at: Duration,
}

impl Used {
    pub(crate) fn seconds_since(&self, before: &Self) -> f64 {
        self.at.saturating_sub(before.at).as_secs_f64()
    }

    /// Cores that everything else on the machine was using. `None` where the broker is not known: its work
    /// would count as noise.
    pub(crate) fn other_cores_since(&self, before: &Self) -> Option<f64> {
        let known = |used: &Self| Some(used.ours + used.broker? + used.postgres.unwrap_or(0.0));
        let others = (self.machine - before.machine) - (known(self)? - known(before)?);
        Some(others.max(0.0) / self.seconds_since(before))
    }
}

/// The size of the gateway's store in a folder, its log included.
pub(crate) fn store_mebibytes(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("kassebro.db") {
            bytes += entry.metadata()?.len();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a store of 2^52 bytes is not measured")]
    let bytes = bytes as f64;
    Ok(bytes / (1024.0 * 1024.0))
}
