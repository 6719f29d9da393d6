//! Tells the world of alerts: Alertmanager is kept informed of what is open, a webhook gets each change.
//!
//! Both read the log of changes by cursor, so that a restart neither forgets nor repeats a resolution, and
//! both leave the process by a road of their own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};
use tracing::warn;

use super::Desk;
use crate::{
    domain::alert::{Change, Condition},
    lifecycle::Stop,
    store::StoreError,
    telemetry::Part,
};

/// How often the log of changes is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Changes told in one go.
const CHANGES_MAX: u32 = 200;
/// An alert that is not posted again within so many repeats ends by itself.
const REPEATS_KEPT: i32 = 4;

/// Prometheus Alertmanager, API v2.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    pub client: Client,
    /// Base address, without a final slash.
    pub url: String,
    /// Open alerts are posted again this often.
    pub repeat: Duration,
}

/// An address that gets each change of an alert as JSON.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub client: Client,
    pub url: String,
}

/// Keeps Alertmanager informed until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn alertmanager(desk: Desk, target: Alertmanager, stop: Stop) -> Result<(), StoreError> {
    const CURSOR: &str = "notify/alertmanager";
    let mut posted: Option<Duration> = None;
    while !stop.is_soft() {
        let after = desk.store.cursor(CURSOR.to_owned()).await;
        let told = match after {
            Ok(after) => {
                let again =
                    posted.is_none_or(|at| desk.clock.monotonic().saturating_sub(at) >= target.repeat);
                post(&desk, &target, after, again).await
            }
            Err(error) => Err(Trouble::Store(error)),
        };
        match told {
            Ok(None) => {}
            Ok(Some(last)) => {
                posted = Some(desk.clock.monotonic());
                if let Err(error @ StoreError::Unusable(_)) =
                    desk.store.set_cursor(CURSOR.to_owned(), last).await
                {
                    return Err(error);
                }
            }
            Err(Trouble::Store(error @ StoreError::Unusable(_))) => return Err(error),
            Err(trouble) => failed(&desk, "alertmanager", &trouble),
        }
        stop.unless_soft(desk.clock.sleep(LOOK_EVERY)).await;
    }
    Ok(())
}

/// Posts everything open and what was resolved since, when something changed or the repeat has come.
async fn post(desk: &Desk, target: &Alertmanager, after: i64, again: bool) -> Result<Option<i64>, Trouble> {
    let changes = desk.store.alert_changes(after, CHANGES_MAX).await.map_err(Trouble::Store)?;
    if changes.is_empty() && !again {
        return Ok(None);
    }
    let open = desk.store.open_alerts().await.map_err(Trouble::Store)?;
    let now = desk.clock.now();
    let lasting =
        SignedDuration::try_from(target.repeat).unwrap_or(SignedDuration::MAX).saturating_mul(REPEATS_KEPT);
    let until = now.checked_add(lasting).unwrap_or(Timestamp::MAX);
    let mut alerts: Vec<Value> = open.iter().map(|alert| told(&alert.condition, until)).collect();
    for (_, at, change, condition) in &changes {
        let open_again = open.iter().any(|alert| alert.condition.key == condition.key);
        if *change == Change::Resolved && !open_again {
            alerts.push(told(condition, *at));
        }
    }
    send(&target.client, &format!("{}/api/v2/alerts", target.url), &Value::Array(alerts)).await?;
    got_through(desk, "alertmanager");
    Ok(Some(changes.last().map_or(after, |(seq, ..)| *seq)))
}

/// One alert in Alertmanager's words.
fn told(condition: &Condition, ends: Timestamp) -> Value {
    let mut labels: serde_json::Map<String, Value> =
        condition.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    labels.insert("alertname".into(), condition.name.clone().into());
    labels.insert("severity".into(), condition.urgency.name().into());
    labels.insert("service".into(), "kassebro".into());
    json!({
        "labels": labels,
        "annotations": { "summary": condition.summary, "description": condition.description },
        "startsAt": condition.since,
        "endsAt": ends,
    })
}

/// Tells a webhook of each change, in order, until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn webhook(desk: Desk, target: Webhook, stop: Stop) -> Result<(), StoreError> {
    const CURSOR: &str = "notify/webhook";
    while !stop.is_soft() {
        match tell(&desk, &target, CURSOR).await {
            Ok(()) => {}
            Err(Trouble::Store(error @ StoreError::Unusable(_))) => return Err(error),
            Err(trouble) => failed(&desk, "webhook", &trouble),
        }
        stop.unless_soft(desk.clock.sleep(LOOK_EVERY)).await;
    }
    Ok(())
}

async fn tell(desk: &Desk, target: &Webhook, cursor: &str) -> Result<(), Trouble> {
    let after = desk.store.cursor(cursor.to_owned()).await.map_err(Trouble::Store)?;
    let changes = desk.store.alert_changes(after, CHANGES_MAX).await.map_err(Trouble::Store)?;
    // Another node may tell of them, or have done so since the cursor was read.
    if changes.is_empty()
        || !desk.store.lead(cursor.to_owned()).await.map_err(Trouble::Store)?
        || desk.store.cursor(cursor.to_owned()).await.map_err(Trouble::Store)? != after
    {
        return Ok(());
    }
    for (seq, at, change, condition) in changes {
        let body = json!({ "id": format!("alert-{seq}"), "at": at, "change": change, "alert": condition });
        send(&target.client, &target.url, &body).await?;
        got_through(desk, "webhook");
        desk.store.set_cursor(cursor.to_owned(), seq).await.map_err(Trouble::Store)?;
    }
    Ok(())
}

impl Alertmanager {
    /// Posts one alert that ends by itself at `ends`: for trying out whether it arrives.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn try_out(&self, condition: &Condition, ends: Timestamp) -> Result<(), String> {
        let alerts = Value::Array(vec![told(condition, ends)]);
        let sent = send(&self.client, &format!("{}/api/v2/alerts", self.url), &alerts).await;
        sent.map_err(|trouble| trouble.to_string())
    }
}

impl Webhook {
    /// Tells it of one alert that nobody opened: for trying out whether it arrives.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn try_out(&self, condition: &Condition, at: Timestamp) -> Result<(), String> {
        let body = json!({ "id": "alert-test", "at": at, "change": Change::Opened, "alert": condition });
        send(&self.client, &self.url, &body).await.map_err(|trouble| trouble.to_string())
    }
}

enum Trouble {
    Store(StoreError),
    Http(reqwest::Error),
    Status(u16),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Http(error) if error.is_timeout() => f.write_str("it did not answer in time"),
            Self::Http(error) if error.is_connect() => f.write_str("no connection"),
            Self::Http(_) => f.write_str("the request failed"),
            Self::Status(status) => write!(f, "it answered {status}"),
        }
    }
}

async fn send(client: &Client, url: &str, body: &Value) -> Result<(), Trouble> {
    let sent =
        client.post(url).timeout(Duration::from_secs(10)).json(body).send().await.map_err(Trouble::Http)?;
    if sent.status().is_success() { Ok(()) } else { Err(Trouble::Status(sent.status().as_u16())) }
}

fn got_through(desk: &Desk, part: &str) {
    desk.metrics.gauges.notifications.get_or_create(&Part { part: part.to_owned() }).inc();
}

fn failed(desk: &Desk, part: &str, trouble: &Trouble) {
    desk.metrics.notifications_failed.get_or_create(&Part { part: part.to_owned() }).inc();
    warn!(part, error = %trouble, "Telling {part} of alerts failed; trying again");
}
