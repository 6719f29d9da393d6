//! `kassebro receivers`: how it stands with those who receive, and a hand on their lanes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{local, local_or_dash, or_dash, span},
};
use crate::{
    config::{Settings, settings::Receiver},
    domain::{Fault, FaultCode, Format, Profile, circuit::Circuit, maintenance::Maintenance},
    gateway,
    store::{LaneState, views::Backlog},
};

mod maintain;
mod show;

use show::Ahead;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every configured receiver: circuit, pause, maintenance, what waits for it, its pace, and what will be late.
    #[command(after_help = "Example:\n  kassebro receivers list --json")]
    List,
    /// One receiver: how it stands, what lies ahead of it, and what that endangers.
    #[command(after_help = "Example:\n  kassebro receivers show kbh-klager\n\n\
                            Exit codes: 0 done, 4 no such receiver.")]
    Show { name: String },
    /// Plan its maintenance, and learn at once which deadlines that covers.
    #[command(after_help = maintain::EXAMPLES)]
    Maintain(maintain::Args),
    /// Send nothing to it until it is resumed. What is owed to it waits, and its promises run on.
    #[command(
        after_help = "Example:\n  kassebro receivers pause kbh-klager --reason 'their maintenance until 14'\n\n\
                            Exit codes: 0 paused, 4 no such receiver."
    )]
    Pause {
        name: String,
        #[arg(long)]
        reason: String,
    },
    /// Send to it again, nearest deadline first. One whose circuit is open is probed at once.
    #[command(after_help = "Example:\n  kassebro receivers resume kbh-klager\n\n\
                            Exit codes: 0 resumed, 4 no such receiver.")]
    Resume { name: String },
    /// Ask whether it can be reached, without sending a message.
    #[command(after_help = "Example:\n  kassebro receivers test kbh-klager\n\n\
                            Exit codes: 0 it can be reached, 1 it cannot, 4 no such receiver.")]
    Test { name: String },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    receiver: String,
    party: String,
    channel: &'static str,
    /// The system that it is, where that has rules of its own.
    profile: Option<&'static str>,
    /// The format that it gets instead of each kind's own.
    format: Option<&'static str>,
    already_have: Vec<u16>,
    /// `closed`, `open` or `recovering`.
    circuit: &'static str,
    /// Where the circuit is open: what opened it.
    fault: Option<Fault>,
    open_since: Option<Timestamp>,
    next_probe: Option<Timestamp>,
    /// Why a person paused it.
    paused: Option<String>,
    pending: i64,
    held: i64,
    dead: i64,
    oldest: Option<Timestamp>,
    nearest_deadline: Option<Timestamp>,
    #[serde(flatten)]
    ahead: Ahead,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List => list(context).await,
            Command::Show { name } => show::show(context, &name).await,
            Command::Maintain(args) => maintain::maintain(context, args).await,
            Command::Pause { name, reason } => pause(context, name, Some(reason)).await,
            Command::Resume { name } => pause(context, name, None).await,
            Command::Test { name } => test(context, &name).await,
        }
    })?
}

async fn list(context: &Context) -> Outcome {
    let settings = context.settings()?;
    let now = now();
    let shown = lines(&settings, now).await?;
    let columns = [
        "receiver",
        "party",
        "channel",
        "circuit",
        "paused",
        "maintenance",
        "pending",
        "held",
        "dead",
        "oldest",
        "left",
        "pace",
        "late",
    ];
    context.output.list(&shown, &columns, |l| {
        vec![
            l.receiver.clone(),
            l.party.clone(),
            l.profile.map_or_else(|| l.channel.to_owned(), |profile| format!("{} ({profile})", l.channel)),
            circuit_words(l),
            or_dash(l.paused.as_deref()),
            l.ahead
                .maintenance
                .first()
                .map_or_else(|| "-".to_owned(), |window| maintenance_words(window, now)),
            l.pending.to_string(),
            l.held.to_string(),
            l.dead.to_string(),
            local_or_dash(l.oldest),
            l.nearest_deadline.map_or_else(|| "-".to_owned(), |due| span(due.duration_since(now))),
            l.ahead.pace.map_or_else(|| "-".to_owned(), |pace| format!("{:.1}/s", pace.able)),
            l.ahead.predicted_misses.to_string(),
        ]
    });
    Ok(Exit::Done)
}

fn maintenance_words(window: &Maintenance, now: Timestamp) -> String {
    if window.covers(now) {
        format!("until {}", local(window.until))
    } else {
        format!("from {}", local(window.from))
    }
}

/// Every configured receiver, and those that are configured no more and still owed something.
async fn lines(settings: &Settings, now: Timestamp) -> Result<Vec<Line>, Failure> {
    let store = gateway::open_store(settings)?;
    let lanes: BTreeMap<_, _> =
        store.lanes().await?.into_iter().map(|lane| (lane.receiver.clone(), lane)).collect();
    let counted = store.backlogs().await?;
    let backlogs: BTreeMap<_, _> =
        counted.iter().map(|backlog| (backlog.receiver.as_str(), backlog)).collect();
    let names: Vec<&str> = settings.receiver.iter().map(|r| r.common.name()).collect();
    let ahead = show::ahead(&*store, &names, &counted, now).await?;
    let receivers = settings.receiver.iter().zip(ahead);
    let configured = receivers
        .map(|(r, ahead)| line(r, lanes.get(r.common.name()), backlogs.get(r.common.name()).copied(), ahead));
    let left = backlogs.values().filter(|b| b.pending > 0 && !names.contains(&b.receiver.as_str()));
    Ok(configured.chain(left.map(|backlog| gone(backlog))).collect())
}

fn line(receiver: &Receiver, lane: Option<&LaneState>, backlog: Option<&Backlog>, ahead: Ahead) -> Line {
    let circuit = lane.map(|lane| lane.circuit.clone()).unwrap_or_default();
    let (open_since, next_probe, fault) = match &circuit {
        Circuit::Open { since, probe_at, fault, .. } => (Some(*since), Some(*probe_at), Some(fault.clone())),
        Circuit::Closed { .. } | Circuit::Recovering { .. } => (None, None, None),
    };
    Line {
        receiver: receiver.common.name().to_owned(),
        party: receiver.common.party.clone(),
        channel: receiver.channel.name(),
        profile: receiver.common.profile.map(Profile::name),
        format: receiver.common.format.map(Format::name),
        already_have: receiver.already_have().to_vec(),
        circuit: circuit.name(),
        fault,
        open_since,
        next_probe,
        paused: lane.and_then(|lane| lane.paused.clone()),
        pending: backlog.map_or(0, |b| b.pending),
        held: backlog.map_or(0, |b| b.held),
        dead: backlog.map_or(0, |b| b.dead),
        oldest: backlog.and_then(|b| b.oldest),
        nearest_deadline: backlog.and_then(|b| b.nearest_deadline),
        ahead,
    }
}

/// Something waits for a receiver that is configured no more.
fn gone(backlog: &Backlog) -> Line {
    Line {
        receiver: backlog.receiver.clone(),
        party: "-".to_owned(),
        channel: "not configured",
        profile: None,
        format: None,
        already_have: vec![],
        circuit: "none",
        fault: None,
        open_since: None,
        next_probe: None,
        paused: None,
        pending: backlog.pending,
        held: backlog.held,
        dead: backlog.dead,
        oldest: backlog.oldest,
        nearest_deadline: backlog.nearest_deadline,
        ahead: Ahead::default(),
    }
}

fn circuit_words(line: &Line) -> String {
    let fault = line.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
    format!("{}{fault}", line.circuit)
}

fn configured<'a>(settings: &'a Settings, name: &str) -> Result<&'a Receiver, Failure> {
    settings.receiver.iter().find(|r| r.common.name() == name).ok_or_else(|| {
        let names: Vec<&str> = settings.receiver.iter().map(|r| r.common.name()).collect();
        Failure::not_found(format_args!("no receiver is called {name:?}; there are {}", names.join(", ")))
    })
}

async fn pause(context: &Context, name: String, reason: Option<String>) -> Outcome {
    let settings = context.settings()?;
    configured(&settings, &name)?;
    gateway::open_store(&settings)?.pause(name.clone(), reason.clone(), super::who(), now()).await?;
    if context.output.json {
        context.output.value(&serde_json::json!({ "receiver": name, "paused": reason }));
    }
    match reason {
        Some(_) => context.output.line(format_args!(
            "Nothing is sent to {name} from now on; its promises run on. `kassebro receivers resume {name}` ends it."
        )),
        None => context.output.line(format_args!("{name} is sent to again.")),
    }
    Ok(Exit::Done)
}

async fn test(context: &Context, name: &str) -> Outcome {
    let settings = context.settings()?;
    let probed = probe(configured(&settings, name)?).await?;
    if context.output.json {
        let fault = probed.as_ref().err();
        context
            .output
            .value(&serde_json::json!({ "receiver": name, "reachable": fault.is_none(), "fault": fault }));
    }
    match probed {
        Ok(()) => {
            context.output.line(format_args!("{name} can be reached."));
            Ok(Exit::Done)
        }
        Err(fault) => {
            context.output.line(format_args!("{name} cannot be reached: {fault}"));
            context.output.line(format_args!("`kassebro explain {}` says what to do.", fault.code));
            Ok(Exit::Failed)
        }
    }
}

/// Asks the receiver's channel, within the time of one attempt.
pub(super) async fn probe(receiver: &Receiver) -> Result<Result<(), Fault>, Failure> {
    let name = receiver.common.name();
    let channel = receiver.channel.build(name);
    let channel =
        channel.map_err(|problem| Failure::configuration(format_args!("receiver {name}: {problem}")))?;
    let patience = receiver.common.attempt_timeout;
    let probed = tokio::time::timeout(patience, channel.probe()).await;
    Ok(probed.unwrap_or_else(|_| {
        let detail = format!("it did not answer a probe within {} s", patience.as_secs());
        Err(Fault::new(FaultCode::ConnectFailed, detail))
    }))
}
