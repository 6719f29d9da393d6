//! Prometheus Alertmanager, API v2: kept informed of everything that is open, posted again so that it keeps it.
//!
//! It knows no acknowledgement and no snooze. What is snoozed is silenced there until then, and the silence is taken
//! away before the end of the alert is posted: what ends is always told.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::{Alert, Change, Condition, Notice, Reason, Way, webhook::send};
use crate::domain::alert::Handling;

/// An alert that is not posted again within so many repeats ends by itself.
const REPEATS_KEPT: i32 = 4;
/// A test alert ends by itself after this.
const TEST_LASTS: SignedDuration = SignedDuration::from_mins(1);
/// Who made a silence, where it was us: this, the installation and the target.
const US: &str = "kassebro";

pub struct Alertmanager {
    client: Client,
    /// Base address, without a final slash.
    url: String,
    repeat: Duration,
    /// There may be silences of ours: true at first, for a process before this one may have made some.
    has_silences: AtomicBool,
}

impl Alertmanager {
    /// `repeat` is how often what is open is posted.
    pub fn new(client: Client, url: &str, repeat: Duration) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { client, url, repeat, has_silences: AtomicBool::new(true) }
    }

    async fn post(&self, notice: &Notice) -> Result<(), String> {
        let lasting =
            SignedDuration::try_from(self.repeat).unwrap_or(SignedDuration::MAX).saturating_mul(REPEATS_KEPT);
        let until = notice.at.checked_add(lasting).unwrap_or(Timestamp::MAX);
        let mut alerts: Vec<Value> =
            notice.open.iter().map(|alert| told(&alert.condition, Some(&alert.handling), until)).collect();
        for change in &notice.changes {
            let open_again = notice.open.iter().any(|alert| alert.condition.key == change.condition.key);
            if notice.reason == Reason::Test {
                alerts.push(told(&change.condition, None, notice.at + TEST_LASTS));
            } else if change.change == Change::Resolved && !open_again {
                alerts.push(told(&change.condition, None, change.at));
            }
        }
        let request = self.client.post(format!("{}/api/v2/alerts", self.url)).json(&alerts);
        send(request).await.map(|_| ())
    }

    /// Makes the silences of ours equal to what is snoozed.
    async fn silence(&self, notice: &Notice) -> Result<(), String> {
        let snoozed: BTreeMap<&str, &Alert> = notice
            .open
            .iter()
            .filter(|alert| alert.handling.is_snoozed(notice.at))
            .map(|alert| (alert.condition.key.as_str(), alert))
            .collect();
        if snoozed.is_empty() && !self.has_silences.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.has_silences.store(true, Ordering::Relaxed);
        let answer = send(self.client.get(format!("{}/api/v2/silences", self.url))).await?;
        let known: Vec<Value> = answer.json().await.map_err(|_| "its list of silences is not readable")?;
        let (mut missing, us) = (snoozed.clone(), format!("{US}/{}/{}", notice.installation, notice.target));
        for silence in
            known.iter().filter(|s| s["createdBy"] == us.as_str() && s["status"]["state"] != "expired")
        {
            let key = silence["comment"].as_str().unwrap_or_default();
            let ends: Option<Timestamp> = silence["endsAt"].as_str().and_then(|at| at.parse().ok());
            let wanted = snoozed.get(key).and_then(|alert| alert.handling.snoozed_until);
            if let (Some(wanted), Some(ends)) = (wanted, ends)
                && wanted.as_second() == ends.as_second()
            {
                missing.remove(key);
            } else if let Some(id) = silence["id"].as_str() {
                send(self.client.delete(format!("{}/api/v2/silence/{id}", self.url))).await?;
            }
        }
        for (key, alert) in missing {
            let labels = labels(&alert.condition);
            let matchers: Vec<Value> = labels
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value, "isRegex": false, "isEqual": true }))
                .collect();
            let silence = json!({
                "matchers": matchers,
                "startsAt": notice.at,
                "endsAt": alert.handling.snoozed_until,
                "createdBy": us,
                "comment": key,
            });
            send(self.client.post(format!("{}/api/v2/silences", self.url)).json(&silence)).await?;
        }
        self.has_silences.store(!snoozed.is_empty(), Ordering::Relaxed);
        Ok(())
    }
}

impl Way for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        async move {
            // Alerts matter more: a silence that cannot be made or taken away is tried again with the next post.
            if notice.reason != Reason::Test
                && let Err(says) = self.silence(notice).await
            {
                warn!(error = says, "Silences at Alertmanager are not as they should be; trying again");
            }
            self.post(notice).await
        }
        .boxed()
    }
}

/// The identity of an alert there.
fn labels(condition: &Condition) -> Map<String, Value> {
    let mut labels: Map<String, Value> =
        condition.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    labels.insert("alertname".into(), condition.name.clone().into());
    labels.insert("severity".into(), condition.urgency.name().into());
    labels.insert("service".into(), "kassebro".into());
    labels
}

/// One alert in Alertmanager's words.
fn told(condition: &Condition, handling: Option<&Handling>, ends: Timestamp) -> Value {
    let mut annotations = Map::new();
    let mut annotate = |name: &str, value: Option<String>| {
        annotations.extend(value.map(|value| (name.to_owned(), value.into())));
    };
    annotate("summary", Some(condition.summary.clone()));
    annotate("description", Some(condition.description.clone()));
    if let Some(handling) = handling {
        annotate("acknowledged", handling.acknowledged.map(|at| at.to_string()));
        annotate("acknowledged_by", handling.acknowledged_by.clone());
        annotate("assigned_to", handling.assigned_to.clone());
        annotate("snoozed_until", handling.snoozed_until.map(|at| at.to_string()));
    }
    json!({
        "labels": labels(condition),
        "annotations": annotations,
        "startsAt": condition.since,
        "endsAt": ends,
    })
}
