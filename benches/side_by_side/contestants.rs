//! Who is measured, and how each is started.

use std::{fs, path::Path, process::Command};

use clap::ValueEnum;
use kassebro::tools::bench::{
    deployment::{self, Deployment},
    queues,
};

use crate::{database::Database, process::Process, rig::Rig};

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
    /// The bare program on PostgreSQL.
    ReferencePostgres,
    /// The gateway on PostgreSQL; answers are logged.
    GatewayPostgres,
    /// A pipeline in Node.js that keeps nothing.
    Node,
    /// The same, which keeps message and receipt in PostgreSQL.
    NodePostgres,
}

impl Contestant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Gateway => "gateway",
            Self::GatewayPublishing => "gateway, answers published",
            Self::ReferencePostgres => "reference on PostgreSQL",
            Self::GatewayPostgres => "gateway on PostgreSQL",
            Self::Node => "Node.js",
            Self::NodePostgres => "Node.js on PostgreSQL",
        }
    }

    pub(crate) fn is_on_postgres(self) -> bool {
        matches!(self, Self::ReferencePostgres | Self::GatewayPostgres | Self::NodePostgres)
    }

    fn is_in_node(self) -> bool {
        matches!(self, Self::Node | Self::NodePostgres)
    }

    /// The bare program on the same store as that contestant.
    pub(crate) fn reference_of(name: &str) -> Self {
        if Self::runs_on_postgres(name) { Self::ReferencePostgres } else { Self::Reference }
    }

    /// The pipeline in Node.js beside that contestant.
    pub(crate) fn node_of(name: &str) -> Self {
        if Self::runs_on_postgres(name) { Self::NodePostgres } else { Self::Node }
    }

    fn runs_on_postgres(name: &str) -> bool {
        Self::value_variants()
            .iter()
            .any(|contestant| contestant.is_on_postgres() && contestant.name() == name)
    }
}

impl Rig {
    /// Those that the plan asks for, in the order in which they run.
    pub(crate) fn contestants(&self) -> Vec<Contestant> {
        let plan = &self.plan;
        let asked = |c: &Contestant| plan.only.is_empty() || plan.only.contains(c);
        let can = |c: &Contestant| {
            (!c.is_on_postgres() || plan.postgres.is_some()) && (!c.is_in_node() || plan.node.is_some())
        };
        Contestant::value_variants().iter().copied().filter(|c| asked(c) && can(c)).collect()
    }

    /// An empty store for a contestant on PostgreSQL.
    pub(crate) async fn store_of(&self, contestant: Contestant) -> anyhow::Result<Option<Database>> {
        Ok(if contestant.is_on_postgres() { Some(self.database().await?) } else { None })
    }

    /// Starts a contestant whose only receiver is the inbox, with that store, or one in the folder.
    pub(crate) fn start_contestant(
        &self,
        contestant: Contestant,
        folder: &Path,
        database: Option<&Database>,
    ) -> anyhow::Result<Process> {
        let database = database.map(|database| database.url.as_str());
        if matches!(contestant, Contestant::Reference | Contestant::ReferencePostgres) {
            return self.start_reference(folder, database);
        }
        if contestant.is_in_node() {
            return self.start_node(folder, database);
        }
        let url = |_: &str| format!("http://{}/inbox", self.inbox);
        let gateway = Gateway {
            contestant,
            deployment: Deployment { funds: &self.funds, receivers: 1, agreements: 0 },
            url: &url,
            listen: "",
            database,
        };
        self.start_gateway(&gateway, folder)
    }

    fn start_reference(&self, folder: &Path, database: Option<&str>) -> anyhow::Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["reference", "--inbox", &self.inbox, "--amqp", &self.plan.amqp]);
        command.arg("--queue").arg(format!("{PREFIX}.in.{FUND}"));
        command.arg("--connections").arg(self.plan.connections.to_string());
        match database {
            Some(url) => command.args(["--postgres", url]),
            None => command.arg("--store").arg(folder.join("reference.db")),
        };
        Process::start("reference", folder, &mut command)
    }

    fn start_node(&self, folder: &Path, database: Option<&str>) -> anyhow::Result<Process> {
        let node = self.plan.node.as_deref().ok_or_else(|| anyhow::anyhow!("where is it? --node FOLDER"))?;
        let mut command = Command::new("node");
        command.arg(node.join("pipeline.js")).args(["--inbox", &self.inbox, "--amqp", &self.plan.amqp]);
        command.arg("--queue").arg(format!("{PREFIX}.in.{FUND}"));
        command.arg("--schemas").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"));
        command.arg("--connections").arg(self.plan.connections.to_string());
        if let Some(url) = database {
            command.args(["--postgres", url]);
        }
        Process::start("node", folder, &mut command)
    }

    /// Starts `kassebro run` in a folder, whose store it goes on with if there is one.
    pub(crate) fn start_gateway(&self, gateway: &Gateway<'_>, folder: &Path) -> anyhow::Result<Process> {
        let file = || format!("sqlite:{}", folder.join("kassebro.db").display());
        let store = gateway.database.map_or_else(file, str::to_owned);
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
    /// A store on PostgreSQL; `None`: a file in the folder.
    pub(crate) database: Option<&'a str>,
}
