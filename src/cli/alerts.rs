//! `kassebro alerts`: what people are told, what they do about it, and whether it reaches them.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{local, local_or_dash, span},
};
use crate::{
    domain::alert::{Alert, Touch},
    gateway,
    store::Commanded,
    watch::notify,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What is open now.
    #[command(after_help = "Example:\n  kassebro alerts list --json")]
    List,
    /// Everything about an open alert: who was told, who did what, and to whom it goes on when.
    #[command(after_help = "Example:\n  kassebro alerts show KassebroCircuitOpen/kbh\n\n\
                            Exit codes: 0 done, 4 no open alert has this key.")]
    Show {
        /// The key, as `kassebro alerts list` shows it.
        key: String,
    },
    /// Say that somebody is looking at it: it climbs no further and is not repeated. It resolves by itself when its
    /// cause is gone.
    #[command(
        after_help = "Example:\n  kassebro alerts ack KassebroCircuitOpen/kbh --note 'they are rebooting'\n\n\
                            Exit codes: 0 acknowledged (or was so), 4 no open alert has this key."
    )]
    Ack {
        key: String,
        #[command(flatten)]
        who: Who,
    },
    /// Say whose it is. It climbs on until somebody acknowledges it.
    #[command(
        after_help = "Example:\n  kassebro alerts assign KassebroSlaAtRisk/complaint.v1/delivered/kbh/75 --to anna\n\n\
                            Exit codes: 0 assigned (or was so), 4 no open alert has this key."
    )]
    Assign {
        key: String,
        /// A name.
        #[arg(long, value_name = "NAME")]
        to: String,
        #[command(flatten)]
        who: Who,
    },
    /// Tell nobody of it again, and let it not climb, until then. Its end is told all the same, and so is a graver step.
    #[command(after_help = "Examples:\n  kassebro alerts snooze KassebroCircuitOpen/kbh --until 2h\n  \
                            kassebro alerts snooze KassebroCircuitOpen/kbh --until 2026-11-24T08:00+01:00\n\n\
                            Exit codes: 0 snoozed (or was so), 2 that time is past, 4 no open alert has this key.")]
    Snooze {
        key: String,
        /// How long from now, a time with its offset, or one by Danish clocks.
        #[arg(long, value_name = "TIME")]
        until: String,
        #[command(flatten)]
        who: Who,
    },
    /// End a snooze before its time.
    #[command(after_help = "Example:\n  kassebro alerts unsnooze KassebroCircuitOpen/kbh\n\n\
                            Exit codes: 0 it is not snoozed, 4 no open alert has this key.")]
    Unsnooze {
        key: String,
        #[command(flatten)]
        who: Who,
    },
    /// Tell every configured target of a test alert, and say what came back.
    #[command(after_help = "Examples:\n  kassebro alerts test\n  kassebro alerts test --target on-call\n\n\
                            Exit codes: 0 every target took it, 1 one did not, 3 none is configured, 4 none has that name.")]
    Test {
        /// Only this one.
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
    },
}

/// Who does something about an alert.
#[derive(Debug, clap::Args)]
pub(super) struct Who {
    /// Instead of your login name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Kept with the alert, and told to targets that take JSON.
    #[arg(long)]
    note: Option<String>,
}

#[derive(Serialize)]
struct Tried {
    target: String,
    via: &'static str,
    ok: bool,
    /// What came back, in words.
    says: String,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List => list(context).await,
            Command::Show { key } => show(context, &key).await,
            Command::Ack { key, who } => touch(context, key, Touch::Acknowledge, who, "acknowledged").await,
            Command::Assign { key, to, who } => {
                touch(context, key, Touch::Assign { to }, who, "assigned").await
            }
            Command::Snooze { key, until, who } => {
                let until = instant(&until, now())
                    .map_err(|problem| Failure::new(Exit::Usage, anyhow::anyhow!(problem)))?;
                touch(context, key, Touch::Snooze { until }, who, "snoozed").await
            }
            Command::Unsnooze { key, who } => {
                touch(context, key, Touch::Unsnooze, who, "not snoozed any more").await
            }
            Command::Test { target } => test(context, target.as_deref()).await,
        }
    })?
}

async fn list(context: &Context) -> Outcome {
    let alerts = context.store()?.open_alerts().await?;
    let now = now();
    let columns = ["key", "urgency", "since", "for", "acknowledged", "assigned to", "snoozed until", "what"];
    context.output.list(&alerts, &columns, |alert| {
        let handling = &alert.handling;
        vec![
            alert.condition.key.clone(),
            alert.condition.urgency.name().to_owned(),
            local(alert.condition.since),
            span(now.duration_since(alert.condition.since)),
            local_or_dash(handling.acknowledged),
            handling.assigned_to.clone().unwrap_or_else(|| "-".to_owned()),
            local_or_dash(handling.snoozed_until.filter(|_| handling.is_snoozed(now))),
            alert.condition.summary.clone(),
        ]
    });
    Ok(Exit::Done)
}

fn no_alert(key: &str) -> Failure {
    Failure::not_found(format!("no open alert has the key {key:?}; `kassebro alerts list` shows them"))
}

async fn show(context: &Context, key: &str) -> Outcome {
    let alerts = context.store()?.open_alerts().await?;
    let alert = alerts.iter().find(|alert| alert.condition.key == key).ok_or_else(|| no_alert(key))?;
    if context.output.json {
        context.output.value(alert);
        return Ok(Exit::Done);
    }
    for line in words(alert, now()) {
        context.output.line(line);
    }
    Ok(Exit::Done)
}

/// The alert's story.
fn words(alert: &Alert, now: Timestamp) -> Vec<String> {
    let Alert { condition, handling, opened, .. } = alert;
    let mut lines = vec![
        format!("{} ({})", condition.key, condition.urgency.name()),
        condition.summary.clone(),
        condition.description.clone(),
        format!("since {}, opened {}", local(condition.since), local(*opened)),
    ];
    let named =
        condition.targets.as_ref().map(|targets| targets.iter().cloned().collect::<Vec<_>>().join(", "));
    lines.push(format!(
        "told: {}",
        named.unwrap_or_else(|| "every target that hears of such alerts".to_owned())
    ));
    if let Some(at) = handling.acknowledged {
        let by = handling.acknowledged_by.as_deref().unwrap_or("somebody");
        lines.push(format!("acknowledged {} by {by}", local(at)));
    }
    lines.extend(handling.assigned_to.as_ref().map(|to| format!("assigned to {to}")));
    let snoozed = handling.snoozed_until.filter(|_| handling.is_snoozed(now));
    lines.extend(snoozed.map(|until| format!("snoozed until {}", local(until))));
    lines.extend(handling.note.as_ref().map(|note| format!("note: {note}")));
    if let Some((at, climb)) = handling.next_climb(&condition.climb, *opened) {
        let to = climb.targets.iter().cloned().collect::<Vec<_>>().join(", ");
        lines.push(format!("goes on to {to} at {} unless somebody acknowledges it", local(at)));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A time that is to come.
fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let at = super::instant::read(text, now)?;
    if at > now { Ok(at) } else { Err(format!("{text:?} is past")) }
}

async fn touch(context: &Context, key: String, touch: Touch, who: Who, done: &str) -> Outcome {
    let by = who.by.unwrap_or_else(super::who);
    let already = match context.store()?.touch_alert(key.clone(), touch, by, who.note, now()).await? {
        Commanded::Done => false,
        Commanded::Already => true,
        Commanded::NotFound | Commanded::NotNow => return Err(no_alert(&key)),
    };
    if context.output.json {
        context.output.value(&serde_json::json!({ "key": key, "already": already }));
    }
    let already = if already { " already" } else { "" };
    context.output.line(format_args!("It is {done}{already}."));
    Ok(Exit::Done)
}

async fn test(context: &Context, only: Option<&str>) -> Outcome {
    let mut targets = gateway::alert_targets(&context.settings()?)?;
    if targets.is_empty() {
        let what = "alerts.alertmanager, alerts.webhook and [[target]]: none is configured, so nobody is told of alerts";
        return Err(Failure::configuration(what));
    }
    if let Some(name) = only {
        targets.retain(|target| target.audience.name == name);
        if targets.is_empty() {
            return Err(Failure::not_found(format!("no target is called {name:?}")));
        }
    }
    let mut tried = Vec::with_capacity(targets.len());
    for target in &targets {
        let said = notify::try_out(target, now()).await;
        tried.push(Tried {
            target: target.audience.name.clone(),
            via: target.way.name(),
            ok: said.is_ok(),
            says: said.err().unwrap_or_else(|| "it took the alert".to_owned()),
        });
    }
    context.output.list(&tried, &["target", "via", "what came back"], |t| {
        vec![t.target.clone(), t.via.to_owned(), t.says.clone()]
    });
    Ok(if tried.iter().all(|t| t.ok) { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::alert::{Climb, Condition, Handling, Urgency};

    #[test]
    fn a_snooze_ends_at_a_time_or_after_one() {
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        assert_eq!(instant("2h", now), Ok("2026-11-02T14:00:00Z".parse().unwrap()));
        assert_eq!(instant("2026-11-03T08:00+01:00", now), Ok("2026-11-03T07:00:00Z".parse().unwrap()));
        for wrong in ["soon", "-2h", "2026-11-01T08:00Z", ""] {
            assert!(instant(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_alert_says_who_was_told_and_where_it_goes_on() {
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        let mut condition =
            Condition::new("KassebroSlaAtRisk", Urgency::Warning, &[("receiver", "kbh")], now);
        condition.targets = Some(["desk".to_owned()].into());
        let after = SignedDuration::from_mins(30);
        condition.climb = vec![Climb { after, targets: ["chief".to_owned()].into() }];
        let handling = Handling { assigned_to: Some("anna".into()), ..Handling::default() };
        let mut alert = Alert { number: 1, condition, opened: now, handling, resolved: None };
        let text = words(&alert, now).join("\n");
        assert!(
            text.contains("told: desk\nassigned to anna\ngoes on to chief at 2026-11-02 13:30"),
            "{text}"
        );
        alert.handling.touch(&Touch::Acknowledge, "bo", None, now).unwrap();
        let text = words(&alert, now).join("\n");
        assert!(text.contains("by bo") && !text.contains("goes on"), "{text}");
    }
}
