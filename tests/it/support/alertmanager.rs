//! A private Alertmanager, as operators run it beside the gateway.

use std::{fs, process::Command, time::Duration};

use serde_json::Value;
use tempfile::TempDir;

use super::{eventually::eventually, folder, free_port, http, process::Process, setting};

const READY: Duration = Duration::from_secs(30);

/// Takes alerts, and sends nothing on. Dropping it ends it.
pub(crate) struct Alertmanager {
    authority: String,
    process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    pub(crate) async fn start() -> Self {
        let folder = folder("alertmanager");
        let configuration = folder.path().join("alertmanager.yml");
        fs::write(&configuration, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
            .expect("the folder can be written");
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

    /// The alerts it holds now as active, each with `labels`, `annotations`, `startsAt` and `endsAt`. One
    /// that was resolved is not among them.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let answer = self.server().get("/api/v2/alerts?active=true").expect("Alertmanager answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("a list of alerts")
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
