//! A configuration file in a folder, and commands that read it.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::Path};

use serde_json::Value;

use super::command::{Ended, kassebro, run};

/// Runs a command with that configuration and `--json`.
pub(crate) fn with(folder: &Path, configuration: &str, arguments: &[&str]) -> Ended {
    fs::write(folder.join("site.toml"), configuration).unwrap();
    run(&mut kassebro(folder, &[&["--config", "site.toml", "--json"], arguments].concat()))
}

/// One a-kasse's queues at a broker.
pub(crate) fn configuration(uri: &str, more: &str) -> String {
    format!(
        "[amqp]\nurl = \"{uri}\"\nqueue_type = \"quorum\"\n{more}\n\n[[party]]\ncode = \"3f\"\namqp_user = \"3f\"\n"
    )
}

/// The doctor's finding about something.
pub(crate) fn finding(doctor: &Value, what: &str) -> Value {
    let findings = doctor.as_array().unwrap();
    findings.iter().find(|f| f["what"] == what).unwrap_or_else(|| panic!("{what}: {doctor}")).clone()
}
