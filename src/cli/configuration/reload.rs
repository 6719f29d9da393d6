//! `kassebro config reload`: asks in the store, and waits for every node's word.

use std::time::Duration;

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Outcome, now, who},
    clock,
    store::{
        Store,
        generations::{How, NodeReport, Order, ReloadAsked},
    },
    units,
};

pub(in crate::cli) const EXAMPLES: &str = "It is asked for in the store, where every node looks: it need not run \
    on this machine. SIGHUP asks one process alone. What is not valid, or needs a restart, changes nothing: the node \
    goes on with what it runs, says so here, and is alerted (KassebroConfigReloadFailed) until a reading works.\n\n\
    Examples:\n  kassebro check && kassebro config reload\n  kassebro config reload --node gw1:4711 --json\n\n\
    Exit codes: 0 every node runs what its files say, 1 no gateway runs or one did not answer in time, 3 a node found \
    its configuration not valid, 5 something changed that needs a restart.";

/// How often the nodes' word is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only this node, as `kassebro config generations` names it.
    #[arg(long)]
    node: Option<String>,
    /// How long to wait for the nodes; attempts that are under way may have to end first.
    #[arg(long, default_value = "2m", value_parser = units::parse_duration)]
    wait: Duration,
}

/// What became of it on one node.
#[derive(Debug, Serialize)]
struct Became {
    node: String,
    generation: u64,
    /// `reloaded`, `invalid`, `needs-restart`, `store` or `no-answer`.
    outcome: String,
    problems: Vec<String>,
}

pub(in crate::cli) async fn run(context: &Context, args: Args) -> Outcome {
    let store = super::open(context)?;
    ask(context, &*store, (How::Reload, None), args.node, args.wait).await
}

/// Asks for a reload, waits for what becomes of it, and prints it.
pub(super) async fn ask(
    context: &Context,
    store: &dyn Store,
    (how, of): (How, Option<u64>),
    node: Option<String>,
    wait: Duration,
) -> Outcome {
    let clock = clock::from_environment();
    let mut there = super::nodes(store).await?;
    there.retain(|one| node.as_ref().is_none_or(|node| one.node == *node));
    if there.is_empty() {
        context.output.note("no such gateway runs on this store: the next start reads the configuration");
        return Ok(Exit::Failed);
    }
    let ask = ReloadAsked { seq: 0, at: now(), by: who(), how, of, node };
    let seq = store.configure(Order::Ask(Box::new(ask))).await?;
    let until = clock.monotonic() + wait;
    let became = loop {
        let nodes = store.nodes().await?;
        let found: Vec<Option<&NodeReport>> =
            there.iter().map(|one| nodes.iter().find(|node| node.node == one.node)).collect();
        let answered = found.iter().all(|node| node.is_none_or(|node| node.asked >= seq));
        if answered || clock.monotonic() >= until {
            break there.iter().zip(found).map(|(one, node)| became(one, node, seq)).collect::<Vec<_>>();
        }
        clock.sleep(LOOK_EVERY).await;
    };
    context.output.list(&became, &["node", "outcome", "generation", "problems"], |b| {
        vec![b.node.clone(), b.outcome.clone(), b.generation.to_string(), b.problems.join("\n")]
    });
    let any = |outcomes: &[&str]| became.iter().any(|b| outcomes.contains(&b.outcome.as_str()));
    Ok(if any(&["invalid"]) {
        Exit::ConfigInvalid
    } else if any(&["needs-restart"]) {
        Exit::Conflict
    } else if any(&["store", "no-answer"]) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn became(asked: &NodeReport, node: Option<&NodeReport>, seq: i64) -> Became {
    let answered = node.filter(|node| node.asked >= seq);
    let Some(NodeReport { node, generation, failed, .. }) = answered else {
        let (node, generation) = (asked.node.clone(), asked.generation);
        return Became { node, generation, outcome: "no-answer".to_owned(), problems: vec![] };
    };
    let problems = failed["problems"].as_array().into_iter().flatten();
    Became {
        node: node.clone(),
        generation: *generation,
        outcome: failed["kind"].as_str().unwrap_or("reloaded").to_owned(),
        problems: problems.filter_map(|problem| problem.as_str().map(str::to_owned)).collect(),
    }
}
