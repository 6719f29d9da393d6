//! A receiver that is told by e-mail that something waits for it, and fetches it from the mailbox.
//!
//! The mail names deliveries by their numbers, with the time each must be fetched by and the address to fetch
//! from: no person, no content and no kind, for a subject is never encrypted and a mailbox has many readers. A
//! delivery is laid in the mailbox once the mail server has taken the mail that names it; the receiver has it
//! when it acknowledges it there. So a mail never meets a promise, and none is laid down unannounced.

use std::{path::PathBuf, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use lettre::message::Mailbox;
use serde::Deserialize;

use super::{Channel, Consignment, http::HttpUrl};
use crate::{
    clock::{Clock, System},
    domain::{Fault, FaultCode, Outcome},
    units,
};
use letter::{Letter, Line};
use round::Round;
use server::Server;

mod letter;
mod post;
mod round;
mod server;

pub use post::Post;

/// The longest address of the gateway's that is put into a mail: it fits on one line of it (RFC 5322, 2.1.1).
const FETCH_AT_MAX: usize = 200;

/// A receiver that is told by e-mail.
///
/// ```toml
/// [[receiver]]
/// party = "0707"
/// channel = "mail"
/// host = "smtp.kassebro.example"
/// tls = "starttls"
/// user = "kassebro"
/// password_file = "/run/credentials/kassebro/smtp"
/// from = "Kassebro <kassebro@kassebro.example>"
/// to = "jobcenter@kommune.example"
/// fetch_at = "https://kassebro.example/v1/mailbox"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server that takes our mail.
    pub host: String,
    /// Without it: 587, or 465 for `tls = "implicit"`.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: Tls,
    /// With `password_file`. Said only over TLS.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Who the mail is from, and who is told where it cannot be brought: a mailbox that somebody reads.
    pub from: String,
    /// The receiver's own address.
    pub to: String,
    /// The gateway's address that is shown in the mail: where to fetch.
    pub fetch_at: String,
    /// PEM with the only authorities to be trusted with the mail server. Without it: the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// For name and connection.
    #[serde(default = "connect_timeout", with = "units::duration")]
    pub connect_timeout: Duration,
    /// From the connection until the server has taken the mail.
    #[serde(default = "total_timeout", with = "units::duration")]
    pub total_timeout: Duration,
    /// At most one mail in this time; deliveries that come meanwhile wait for the next and share it, as many as
    /// the receiver has permits. For each node by itself. `0s`: a mail for each delivery.
    #[serde(default = "at_most_every", with = "units::duration")]
    pub at_most_every: Duration,
}

/// The server that takes our mail, and how it is reached. Its settings are those of [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    pub host: String,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    #[serde(default = "connect_timeout", with = "units::duration")]
    pub connect_timeout: Duration,
    #[serde(default = "total_timeout", with = "units::duration")]
    pub total_timeout: Duration,
}

/// How a connection becomes one over TLS, of version 1.2 at least. There is no third way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// By the command of that name (RFC 3207), and not a word more where the server does not know it.
    #[default]
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
}

fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn total_timeout() -> Duration {
    Duration::from_secs(30)
}

fn at_most_every() -> Duration {
    Duration::from_mins(1)
}

impl Config {
    pub fn port(&self) -> u16 {
        self.server().port()
    }

    /// The server alone.
    pub fn server(&self) -> ServerConfig {
        ServerConfig {
            host: self.host.clone(),
            port: self.port,
            tls: self.tls,
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            ca_file: self.ca_file.clone(),
            connect_timeout: self.connect_timeout,
            total_timeout: self.total_timeout,
        }
    }

    /// How long a delivery may be under way to its mail: an attempt must last longer.
    pub fn longest(&self) -> Duration {
        self.at_most_every + self.total_timeout
    }
}

impl ServerConfig {
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::StartTls => 587,
            Tls::Implicit => 465,
        })
    }
}

/// One receiver's address, and the server that takes mail for it.
pub struct Mail {
    server: Server,
    from: Mailbox,
    to: Mailbox,
    fetch_at: String,
    round: Round,
}

impl Mail {
    /// Reads the files the configuration names. Connects to nobody.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(config: &Config) -> Result<Self, String> {
        let shown = HttpUrl::parse(&config.fetch_at).map_err(|problem| format!("fetch_at: {problem}"));
        shown?;
        if config.fetch_at.len() > FETCH_AT_MAX || config.fetch_at.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(format!(
                "fetch_at is at most {FETCH_AT_MAX} characters of plain ASCII, without spaces"
            ));
        }
        Ok(Self {
            server: Server::new(&config.server())?,
            from: address("from", &config.from)?,
            to: address("to", &config.to)?,
            fetch_at: config.fetch_at.clone(),
            round: Round::new(config.at_most_every),
        })
    }

    /// Writes one mail for all these and hands it to the server.
    async fn write(&self, lines: Vec<Line>) -> Result<(), Refused> {
        let now = System.now();
        let letter = Letter { from: &self.from, to: &self.to, fetch_at: &self.fetch_at, lines, now };
        let letter = letter.written().map_err(|error| Fault::new(FaultCode::AttemptCrashed, error))?;
        self.server.take(&letter).await
    }
}

/// Why the server did not take the mail, with its own code where it gave one.
#[derive(Debug, Clone)]
struct Refused {
    fault: Fault,
    status: Option<u16>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, status: None }
    }
}

/// An address of plain ASCII: every server takes it.
fn address(setting: &str, text: &str) -> Result<Mailbox, String> {
    let mailbox: Mailbox =
        text.parse().map_err(|error| format!("{setting}: {text:?} is no e-mail address: {error}"))?;
    if text.is_ascii() { Ok(mailbox) } else { Err(format!("{setting}: write the address in plain ASCII")) }
}

impl Channel for Mail {
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        let line = Line { delivery: consignment.delivery, due: consignment.due };
        async move {
            match self.round.told(line, |lines| self.write(lines)).await {
                Ok(()) => Outcome::Deposited,
                Err(Refused { fault, status }) => Outcome::Fault { fault, status, retry_after: None },
            }
        }
        .boxed()
    }

    /// Greets the server, over TLS and with our login, and takes leave.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        async { self.server.greet().await.map_err(|refused| refused.fault) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: &str) -> Result<Config, String> {
        let usual = [
            "host = \"smtp.example\"",
            "from = \"Kassebro <gw@example.dk>\"",
            "to = \"jobcenter@example.dk\"",
            "fetch_at = \"https://gw.example/v1/mailbox\"",
        ];
        let key = change.split(' ').next().unwrap_or_default();
        let kept = usual.iter().filter(|line| !line.starts_with(key) || key.is_empty());
        let text: Vec<&str> = kept.copied().chain([change]).collect();
        toml::from_str(&text.join("\n")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn mail_is_sent_over_tls_or_not_at_all() {
        for (text, port) in [("", 587), ("tls = \"starttls\"", 587), ("tls = \"implicit\"", 465)] {
            let config = config(text).unwrap();
            assert_eq!(config.port(), port, "{text}");
            assert!(Mail::new(&config).is_ok(), "{text}");
        }
        assert!(config("tls = \"none\"").is_err());
    }

    #[test]
    fn what_is_wrong_is_said_by_its_setting() {
        for (text, says) in [
            ("to = \"nobody\"", "to: "),
            ("to = \"bøde@example.dk\"", "to: "),
            ("from = \"\"", "from: "),
            ("fetch_at = \"gw.example\"", "fetch_at: "),
            ("fetch_at = \"https://u:p@gw.example/\"", "fetch_at: "),
            ("fetch_at = \"https://gw.example/a b\"", "fetch_at "),
            ("user = \"gw\"", "password_file"),
            ("password_file = \"/dev/null\"", "user"),
            ("ca_file = \"/dev/null\"", "holds no certificates"),
            ("connect_timeout = \"0s\"", "connect_timeout"),
            ("total_timeout = \"1s\"", "connect_timeout"),
        ] {
            let error = Mail::new(&config(text).unwrap()).err().unwrap_or_default();
            assert!(error.contains(says), "{text}: {error:?}");
        }
    }
}
