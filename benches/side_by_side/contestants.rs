//! Who is measured, and how each is started.

use std::{fs, path::Path, process::Command};

use clap::ValueEnum;
use kassebro::tools::bench::{
    deployment::{self, Deployment},
    queues,
};

use crate::{process::Process, rig::Rig};

/// What the names on the broker begin with.
pub(crate) const PREFIX: &str = "kassebro.side";
/// The a-kasse that sends.
pub(crate) const FUND: &str = "3f";
/// Nobody listens on this port of loopback.
pub(crate) const REFUSED: &str = "127.0.0.1:9";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// The bare program: no rules, promises, retries, answers or history.
    Reference,
    /// The gateway on SQLite; answers are logged, and fetched by those who want them.
    Gateway,
    /// The same, and answers are published to the party's queue.
    GatewayPublishing,
    /// The gateway on PostgreSQL; answers are logged.
    GatewayPostgres,
}

impl Contestant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Gateway => "gateway",
            Self::GatewayPublishing => "gateway, answers published",
            Self::GatewayPostgres => "gateway on PostgreSQL",
        }
    }
}

impl Rig {
    /// Those that the plan asks for, in the order in which they run.
    pub(crate) fn contestants(&self) -> Vec<Contestant> {
        let plan = &self.plan;
        let asked = |c: &Contestant| plan.only.is_empty() || plan.only.contains(c);
        let can = |c: &Contestant| *c != Contestant::GatewayPostgres || plan.postgres.is_some();
        Contestant::value_variants().iter().copied().filter(|c| asked(c) && can(c)).collect()
    }

    /// Starts a contestant whose only receiver is the inbox.
    pub(crate) fn start_contestant(&self, contestant: Contestant, folder: &Path) -> anyhow::Result<Process> {
        if contestant == Contestant::Reference {
            return self.start_reference(folder);
        }
        let url = |_: &str| format!("http://{}/inbox", self.inbox);
        let gateway = Gateway {
            contestant,
            deployment: Deployment { funds: &self.funds, receivers: 1, agreements: 0 },
            url: &url,
            listen: "",
        };
        self.start_gateway(&gateway, folder)
    }

    fn start_reference(&self, folder: &Path) -> anyhow::Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["reference", "--inbox", &self.inbox, "--amqp", &self.plan.amqp]);
        command.arg("--queue").arg(format!("{PREFIX}.in.{FUND}"));
        command.arg("--connections").arg(self.plan.connections.to_string());
        command.arg("--store").arg(folder.join("reference.db"));
        Process::start("reference", folder, &mut command)
    }

    /// Starts `kassebro run` in a folder, whose store it goes on with if there is one.
    pub(crate) fn start_gateway(&self, gateway: &Gateway<'_>, folder: &Path) -> anyhow::Result<Process> {
        let store = match (gateway.contestant, &self.plan.postgres) {
            (Contestant::GatewayPostgres, Some(url)) => url.clone(),
            _ => format!("sqlite:{}", folder.join("kassebro.db").display()),
        };
        let publish = gateway.contestant == Contestant::GatewayPublishing;
        let configuration = deployment::head(&store, gateway.listen)
            + &queues::settings(&self.plan.amqp, PREFIX)
            + &gateway.deployment.toml(
                gateway.url,
                &format!("permits = {}\n", self.plan.connections),
                &format!("publish_answers = {publish}\n"),
            );
        let file = folder.join("kassebro.toml");
        fs::write(&file, configuration)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_kassebro"));
        command.arg("run").arg("--config").arg(&file);
        Process::start("kassebro", folder, &mut command)
    }
}

/// A gateway to be started.
pub(crate) struct Gateway<'a> {
    pub(crate) contestant: Contestant,
    pub(crate) deployment: Deployment<'a>,
    /// Where each jobcentre takes its messages.
    pub(crate) url: &'a dyn Fn(&str) -> String,
    /// Where HTTP is served; empty: nowhere.
    pub(crate) listen: &'a str,
}
