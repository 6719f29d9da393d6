//! Mail of plain text to people who are not receivers: notices of alerts.

use std::time::Duration;

use jiff::Timestamp;
use lettre::message::Mailbox;

use super::{ServerConfig, address, letter, server::Server};
use crate::domain::{Fault, FaultCode};

/// Whom mail goes to, and the server that takes it.
pub struct Post {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
    total_timeout: Duration,
}

impl Post {
    /// Reads the files that the settings name. Connects to nobody.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(server: &ServerConfig, from: &str, to: &[String]) -> Result<Self, String> {
        if server.connect_timeout.is_zero() || server.connect_timeout > server.total_timeout {
            return Err("connect_timeout and total_timeout are over 0 and grow in that order".into());
        }
        if to.is_empty() {
            return Err("to: name at least one address".into());
        }
        Ok(Self {
            server: Server::new(server)?,
            from: address("from", from)?,
            to: to.iter().map(|to| address("to", to)).collect::<Result<_, _>>()?,
            total_timeout: server.total_timeout,
        })
    }

    /// Hands the server one mail to all of them.
    ///
    /// # Errors
    /// It did not take it, or not in time.
    pub async fn send(&self, subject: &str, text: String, now: Timestamp) -> Result<(), Fault> {
        let mail = letter::written(&self.from, &self.to, subject, text, now)
            .map_err(|error| Fault::new(FaultCode::AttemptCrashed, error))?;
        let taken = tokio::time::timeout(self.total_timeout, self.server.take(&mail)).await;
        let Ok(taken) = taken else {
            let detail = format!("{} was not done with it when the time was up", self.server);
            return Err(Fault::new(FaultCode::ConnectFailed, detail));
        };
        taken.map_err(|refused| refused.fault)
    }
}
