//! Mail of plain text to people who are not receivers: notices of alerts.

use jiff::Timestamp;
use lettre::message::Mailbox;

use super::{ServerConfig, address, letter, server::Server};
use crate::domain::{Fault, FaultCode};

/// Whom mail goes to, and the server that takes it.
pub struct Post {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Post {
    /// Reads the files that the settings name. Connects to nobody.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(server: &ServerConfig, from: &str, to: &[String]) -> Result<Self, String> {
        if to.is_empty() {
            return Err("to: name at least one address".into());
        }
        Ok(Self {
            server: Server::new(server)?,
            from: address("from", from)?,
            to: to.iter().map(|to| address("to", to)).collect::<Result<_, _>>()?,
        })
    }

    /// Hands the server one mail to all of them.
    ///
    /// # Errors
    /// It did not take it, or not in time.
    pub async fn send(&self, subject: &str, text: String, now: Timestamp) -> Result<(), Fault> {
        let mail = letter::written(&self.from, &self.to, subject, text, now)
            .map_err(|error| Fault::new(FaultCode::AttemptCrashed, error))?;
        self.server.take(&mail).await.map_err(|refused| refused.fault)
    }
}
