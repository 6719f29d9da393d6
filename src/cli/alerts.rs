//! `kassebro alerts`: what people are told, and whether it reaches them.

use jiff::SignedDuration;
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{local, local_or_dash, span},
};
use crate::{
    domain::alert::{Condition, Urgency},
    gateway,
    store::Commanded,
};

/// A test alert ends by itself after this.
const TEST_LASTS: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What is open now.
    #[command(after_help = "Example:\n  kassebro alerts list --json")]
    List,
    /// Say that somebody is looking at it. It resolves by itself when its cause is gone.
    #[command(after_help = "Example:\n  kassebro alerts ack KassebroReceiverDown/kbh\n\n\
                            Exit codes: 0 acknowledged (or was so), 4 no open alert has this key.")]
    Ack {
        /// The key, as `kassebro alerts list` shows it.
        key: String,
    },
    /// Post a test alert to the configured Alertmanager and webhook, and say what came back.
    #[command(after_help = "Example:\n  kassebro alerts test\n\n\
                            Exit codes: 0 every target took it, 1 one did not, 3 none is configured.")]
    Test,
}

#[derive(Serialize)]
struct Tried {
    target: &'static str,
    ok: bool,
    /// What came back, in words.
    says: String,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List => list(context).await,
            Command::Ack { key } => acknowledge(context, key).await,
            Command::Test => test(context).await,
        }
    })?
}

async fn list(context: &Context) -> Outcome {
    let alerts = context.store()?.open_alerts().await?;
    let now = now();
    let columns = ["key", "urgency", "since", "for", "acknowledged", "what"];
    context.output.list(&alerts, &columns, |alert| {
        vec![
            alert.condition.key.clone(),
            alert.condition.urgency.name().to_owned(),
            local(alert.condition.since),
            span(now.duration_since(alert.condition.since)),
            local_or_dash(alert.acknowledged),
            alert.condition.summary.clone(),
        ]
    });
    Ok(Exit::Done)
}

async fn acknowledge(context: &Context, key: String) -> Outcome {
    let told = context.store()?.acknowledge_alert(key.clone(), super::who(), now()).await?;
    let already = match told {
        Commanded::Done => false,
        Commanded::Already => true,
        Commanded::NotFound | Commanded::NotNow => {
            let what = format!("no open alert has the key {key:?}; `kassebro alerts list` shows them");
            return Err(Failure::not_found(what));
        }
    };
    if context.output.json {
        context.output.value(&serde_json::json!({ "key": key, "already": already }));
    }
    context.output.line(if already { "It was acknowledged already." } else { "Acknowledged." });
    Ok(Exit::Done)
}

async fn test(context: &Context) -> Outcome {
    let targets = gateway::alert_targets(&context.settings()?)?;
    let now = now();
    let condition = Condition::new("KassebroTest", Urgency::Info, &[], now)
        .summary("A test by `kassebro alerts test`; nothing is wrong")
        .description("It ends by itself within a minute.");
    let mut tried = Vec::new();
    if let Some(target) = targets.alertmanager {
        let ends = now.checked_add(TEST_LASTS).unwrap_or(jiff::Timestamp::MAX);
        tried.push(came_back("alertmanager", target.try_out(&condition, ends).await));
    }
    if let Some(target) = targets.webhook {
        tried.push(came_back("webhook", target.try_out(&condition, now).await));
    }
    if tried.is_empty() {
        let what = "alerts.alertmanager, alerts.webhook: neither is configured, so nobody is told of alerts";
        return Err(Failure::configuration(what));
    }
    context.output.list(&tried, &["target", "what came back"], |t| vec![t.target.to_owned(), t.says.clone()]);
    Ok(if tried.iter().all(|t| t.ok) { Exit::Done } else { Exit::Failed })
}

fn came_back(target: &'static str, told: Result<(), String>) -> Tried {
    match told {
        Ok(()) => Tried { target, ok: true, says: "it took the alert".to_owned() },
        Err(says) => Tried { target, ok: false, says },
    }
}
