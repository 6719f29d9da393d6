//! A private Alertmanager, as operators run it beside the gateway.

use std::{fs, process::Command, time::Duration};

use jiff::Timestamp;
use kassebro::clock::{Clock, System};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{eventually::eventually, folder, free_port, http, process::Process, setting};

const READY: Duration = Duration::from_secs(30);

/// Sends nothing on.
const SILENT: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

/// Where alerts go on to: addresses of webhooks.
pub(crate) struct Routes<'a> {
    /// What gateways post: one notification of what is open for one receiver, and one more when that changes.
    pub(crate) desk: &'a str,
    /// The critical ones of them besides, each by itself, again about every second while it fires.
    pub(crate) pager: &'a str,
    /// What a Prometheus sends, by name and receiver.
    pub(crate) monitoring: &'a str,
}

impl Routes<'_> {
    /// The watchdog, which always fires, goes to nobody. Waits and intervals are of one second where operators have
    /// minutes.
    fn configuration(&self) -> String {
        let mut text = r#"route:
  receiver: nobody
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - receiver: nobody
      matchers: ['alertname="KassebroWatchdog"']
    - receiver: monitoring
      matchers: ['monitor="prometheus"']
      group_by: [alertname, receiver]
    - receiver: pager
      matchers: ['service="kassebro"', 'severity="critical"']
      group_by: [alertname, receiver, kind, step]
      repeat_interval: 1s
      continue: true
    - receiver: desk
      matchers: ['service="kassebro"']
      group_by: [receiver]
receivers:
  - name: nobody
"#
        .to_owned();
        for (name, url) in [("desk", self.desk), ("pager", self.pager), ("monitoring", self.monitoring)] {
            let webhook = format!("    webhook_configs: [{{ url: \"{url}\", send_resolved: true }}]\n");
            text.extend([format!("  - name: {name}\n"), webhook]);
        }
        text
    }
}

/// Takes alerts. Dropping it ends it.
pub(crate) struct Alertmanager {
    authority: String,
    process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    /// Sends nothing on.
    pub(crate) async fn start() -> Self {
        Self::configured(SILENT).await
    }

    pub(crate) async fn routing(routes: Routes<'_>) -> Self {
        Self::configured(&routes.configuration()).await
    }

    async fn configured(text: &str) -> Self {
        let folder = folder("alertmanager");
        let configuration = folder.path().join("alertmanager.yml");
        fs::write(&configuration, text).expect("the folder can be written");
        let authority = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(setting("KASSEBRO_TEST_ALERTMANAGER"));
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={authority}"))
            .arg("--cluster.listen-address=");
        let process = Process::spawn("alertmanager", &mut command, folder.path());
        let mut started = Self { authority, process, _folder: folder };
        eventually("Alertmanager is ready", READY, async || {
            let ended = started.process.ended();
            assert!(ended.is_none(), "Alertmanager ended at once: {}", started.process.log());
            let answer = started.server().get("/-/ready").ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        started
    }

    /// Where alerts are posted: the address before `/api/v2/alerts`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// `127.0.0.1:<port>`
    pub(crate) fn address(&self) -> &str {
        &self.authority
    }

    /// The alerts it holds now as active, each with `labels`, `annotations`, `startsAt` and `endsAt`. One
    /// that was resolved is not among them.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let answer = self.server().get("/api/v2/alerts?active=true").expect("Alertmanager answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("a list of alerts")
    }

    /// Silences what has these labels, as a person does at its page; gives the silence's id.
    pub(crate) fn silence(&self, labels: &[(&str, &str)], by: &str, until: Timestamp) -> String {
        let matchers: Vec<_> = labels
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value, "isRegex": false, "isEqual": true }))
            .collect();
        let silence = json!({
            "matchers": matchers,
            "startsAt": System.now(),
            "endsAt": until,
            "createdBy": by,
            "comment": "by hand",
        });
        let answer = self.server().call("POST", "/api/v2/silences", &silence.to_string());
        let answer = answer.expect("Alertmanager answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let made: Value = serde_json::from_str(&answer.body).expect("a silence");
        made["silenceID"].as_str().expect("its id").to_owned()
    }

    /// Ends a silence.
    pub(crate) fn unsilence(&self, id: &str) {
        let answer = self.server().call("DELETE", &format!("/api/v2/silence/{id}"), "");
        assert_eq!(answer.expect("Alertmanager answers").status, 200);
    }

    /// Who made the silences that are in force.
    pub(crate) fn silenced_by(&self) -> Vec<String> {
        let answer = self.server().get("/api/v2/silences").expect("Alertmanager answers");
        let silences: Vec<Value> = serde_json::from_str(&answer.body).expect("a list of silences");
        let active = silences.iter().filter(|silence| silence["status"]["state"] == "active");
        active.map(|silence| silence["createdBy"].as_str().expect("somebody").to_owned()).collect()
    }

    fn server(&self) -> http::Server {
        http::Server::at(&self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alert_that_was_posted_is_listed_until_it_is_resolved() {
        let alertmanager = Alertmanager::start().await;
        assert!(alertmanager.alerts().is_empty());
        let server = http::Server::at(alertmanager.url().trim_start_matches("http://"));
        let post = |alert: Value| {
            let answer = server.call("POST", "/api/v2/alerts", &Value::from(vec![alert]).to_string());
            assert_eq!(answer.expect("Alertmanager answers").status, 200);
        };
        let (starts, labels) = ("2026-01-01T00:00:00Z", serde_json::json!({ "alertname": "Late" }));
        post(serde_json::json!({ "labels": labels, "startsAt": starts }));
        let listed = eventually("the alert is listed", READY, async || alertmanager.alerts().pop()).await;
        assert_eq!(listed["labels"]["alertname"], "Late");
        post(serde_json::json!({ "labels": labels, "startsAt": starts, "endsAt": "2026-01-02T00:00:00Z" }));
        eventually("it is resolved", READY, async || alertmanager.alerts().is_empty().then_some(())).await;
    }
}
