//! A private Prometheus that scrapes one gateway and evaluates the rules that ship with it.

use std::{fmt::Write, fs, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    alertmanager::Alertmanager, eventually::eventually, folder, free_port, http, process::Process, setting,
};

const READY: Duration = Duration::from_secs(30);

/// Where monitoring's files are.
pub(crate) fn monitoring() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/monitoring")
}

fn shipped_rules() -> String {
    fs::read_to_string(monitoring().join("kassebro.rules.yml")).expect("the rules are there")
}

/// `promtool` with these arguments and this input: whether it was content, and what it said.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let folder = folder("promtool");
    let file = folder.path().join("input");
    fs::write(&file, input).expect("the folder can be written");
    let mut command = Command::new(setting("KASSEBRO_TEST_PROMTOOL"));
    command.args(arguments).stdin(fs::File::open(&file).expect("it was written"));
    let output = command.output().expect("promtool starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}

/// Scrapes every second. Dropping it ends it.
pub(crate) struct Prometheus {
    authority: String,
    process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes the gateway at that address, `127.0.0.1:8080`.
    pub(crate) async fn scraping(gateway: &str) -> Self {
        Self::started(gateway, &shipped_rules(), "").await
    }

    /// The same, and it tells that Alertmanager what its rules find, with the label `monitor="prometheus"`. What the
    /// rules wait for with `for:` lasts a second.
    pub(crate) async fn telling(gateway: &str, alertmanager: &Alertmanager) -> Self {
        let rules = shipped_rules();
        let hasty = |line: &str| match line.split_once("for: ") {
            Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 1s\n"),
            _ => format!("{line}\n"),
        };
        let rules: String = rules.lines().map(hasty).collect();
        let to = format!(
            "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [\"{}\"]\n",
            alertmanager.address()
        );
        Self::started(gateway, &rules, &to).await
    }

    async fn started(gateway: &str, rules: &str, alerting: &str) -> Self {
        let folder = folder("prometheus");
        let configuration = folder.path().join("prometheus.yml");
        fs::write(folder.path().join("rules.yml"), rules).expect("the folder can be written");
        let text = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n  external_labels:\n    monitor: prometheus\n\
             {alerting}rule_files:\n  - rules.yml\nscrape_configs:\n  - job_name: kassebro\n    static_configs:\n      \
             - targets: [\"{gateway}\"]\n"
        );
        fs::write(&configuration, text).expect("the folder can be written");
        let authority = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(setting("KASSEBRO_TEST_PROMETHEUS"));
        command
            .arg(format!("--config.file={}", configuration.display()))
            // What it found before it knew Alertmanager is told again so soon.
            .arg("--rules.alert.resend-delay=5s")
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={authority}"));
        let process = Process::spawn("prometheus", &mut command, folder.path());
        let mut started = Self { authority, process, _folder: folder };
        eventually("Prometheus is ready", READY, async || {
            let ended = started.process.ended();
            assert!(ended.is_none(), "Prometheus ended at once: {}", started.process.log());
            let answer = http::Server::at(&started.authority).get("/-/ready").ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        started
    }

    /// What an expression comes to now: the values of its series. An error is what Prometheus says of it.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<f64>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = http::Server::at(&self.authority).get(&path).map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        if said["status"] != "success" {
            return Err(said["error"].to_string());
        }
        let value = |value: &Value| value[1].as_str().and_then(|text| text.parse().ok());
        Ok(match said["data"]["resultType"].as_str() {
            Some("vector") => {
                let series = said["data"]["result"].as_array().expect("a list of series");
                series.iter().filter_map(|series| value(&series["value"])).collect()
            }
            _ => value(&said["data"]["result"]).into_iter().collect(),
        })
    }
}

/// For a query: everything but letters and digits as %xx.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a text does not fail");
        }
    }
    encoded
}
