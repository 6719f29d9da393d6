//! The settings as people write them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

pub use super::{
    agreement::Agreement,
    alerting::{Alerts, Ladder, Target},
    calendar::Calendar,
    promise::Settled as Promise,
};
use crate::{
    api,
    channels::ChannelConfig,
    dispatch::Ambiguous,
    domain::{AnswerOutcome, Format, Profile, agreement::OutsideValidity, distribution::Distribution},
    intake::topology::QueueType,
    otlp,
    telemetry::LogFormat,
    units,
};

/// All of them. What has no default in `config/default.toml` is optional here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Files with agreements, seen from the configuration's folder; their `[[agreement]]` are among `agreement`.
    pub agreement_files: Vec<String>,
    pub store: Store,
    pub http: api::Config,
    pub amqp: Amqp,
    pub intake: Intake,
    pub retry: Retry,
    pub circuit: Circuit,
    pub watch: Watch,
    pub alerts: Alerts,
    pub ladder: BTreeMap<String, Ladder>,
    pub log: Log,
    pub trace: otlp::Config,
    pub stop: Stop,
    pub retention: Retention,
    pub promise: BTreeMap<String, Promise>,
    pub calendar: BTreeMap<String, Calendar>,
    #[serde(default)]
    pub party: Vec<Party>,
    #[serde(default)]
    pub receiver: Vec<Receiver>,
    #[serde(default)]
    pub agreement: Vec<Agreement>,
    #[serde(default)]
    pub spool: Vec<Spool>,
    /// Who is told of alerts.
    #[serde(default)]
    pub target: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub url: String,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amqp {
    pub url: String,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub client_certificate: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub management_url: String,
    pub management_password_file: Option<PathBuf>,
    #[serde(with = "units::duration")]
    pub connect_timeout: Duration,
    #[serde(with = "units::duration")]
    pub confirm_timeout: Duration,
    pub batch_max: usize,
    pub require_user_id: bool,
    pub exchange_in: String,
    pub exchange_answers: String,
    pub queue_in_prefix: String,
    pub queue_out_prefix: String,
    pub queue_type: QueueType,
    pub queue_replicas: u8,
}

impl Amqp {
    /// # Errors
    /// A sentence.
    pub(super) fn check_replicas(&self) -> Result<(), &'static str> {
        match self.queue_replicas {
            0 => Ok(()),
            _ if self.queue_type == QueueType::Classic => Err("a classic queue has no replicas"),
            1..=9 => Ok(()),
            _ => Err("a queue has up to 9 replicas"),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    pub body_bytes_max: usize,
    pub depth_max: usize,
    pub nodes_max: usize,
    #[serde(with = "units::duration")]
    pub ahead_max: Duration,
    #[serde(with = "units::duration")]
    pub age_max: Duration,
    pub outside_validity: OutsideValidity,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    #[serde(with = "units::duration")]
    pub first: Duration,
    #[serde(with = "units::duration")]
    pub longest: Duration,
    pub share_percent: u8,
    #[serde(with = "units::duration")]
    pub last_before: Duration,
    #[serde(with = "units::duration")]
    pub after_breach: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    pub failures: u32,
    #[serde(with = "units::duration")]
    pub probe_first: Duration,
    #[serde(with = "units::duration")]
    pub probe_longest: Duration,
    #[serde(with = "units::duration")]
    pub give_way: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    #[serde(with = "units::duration")]
    pub period: Duration,
    #[serde(with = "units::duration")]
    pub backlog_age: Duration,
    #[serde(with = "units::duration")]
    pub agreement_expiry: Duration,
    pub waive_needs_two: bool,
}

impl Watch {
    /// `agreement_expiry` in days.
    pub fn agreement_expiry_days(&self) -> u16 {
        u16::try_from(self.agreement_expiry.as_secs() / 86_400).unwrap_or(u16::MAX)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    #[serde(with = "units::duration")]
    pub grace: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub content: Period,
    pub messages: Period,
}

/// A time that may have no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Period {
    Never,
    After(Duration),
}

impl Period {
    /// `None` where it has no end.
    pub fn ends(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::After(time) => Some(time),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" { Ok(Self::Never) } else { units::parse_duration(&text).map(Self::After) }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub amqp_user: Option<String>,
    #[serde(default)]
    pub api_key_sha256: Vec<String>,
    pub answers: Option<Vec<AnswerOutcome>>,
    /// Are answers published to the party's queue, or fetched over HTTP only?
    #[serde(default = "yes")]
    pub publish_answers: bool,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
}

/// A receiver's own settings, and its channel's beside them.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Receiver {
    pub common: ReceiverCommon,
    pub channel: ChannelConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverCommon {
    pub name: Option<String>,
    pub party: String,
    #[serde(default)]
    pub kinds: Vec<String>,
    /// It takes nothing but what an agreement sends it as a second way.
    #[serde(default)]
    pub fallback_only: bool,
    /// The system that it is, where that has rules of its own.
    pub profile: Option<Profile>,
    pub format: Option<Format>,
    /// For the profile `sf2900`: what the distributor is told of every parcel.
    pub sf2900: Option<Distribution>,
    #[serde(default = "permits")]
    pub permits: u32,
    #[serde(default = "attempt_timeout", with = "units::duration")]
    pub attempt_timeout: Duration,
    #[serde(default)]
    pub ambiguous: Ambiguous,
}

fn yes() -> bool {
    true
}

fn permits() -> u32 {
    16
}

fn attempt_timeout() -> Duration {
    Duration::from_secs(45)
}

impl ReceiverCommon {
    /// What is the receiver's own; every other key is its channel's.
    pub(super) const KEYS: [&str; 10] = [
        "name",
        "party",
        "kinds",
        "fallback_only",
        "profile",
        "format",
        "sf2900",
        "permits",
        "attempt_timeout",
        "ambiguous",
    ];

    /// With every default, for that party.
    pub(super) fn of(party: &str) -> Self {
        Self {
            name: None,
            party: party.to_owned(),
            kinds: vec![],
            fallback_only: false,
            profile: None,
            format: None,
            sf2900: None,
            permits: permits(),
            attempt_timeout: attempt_timeout(),
            ambiguous: Ambiguous::default(),
        }
    }

    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.party)
    }
}

impl Receiver {
    /// The HTTP statuses by which it says that it has the message already.
    pub fn already_have(&self) -> &[u16] {
        match &self.channel {
            ChannelConfig::Http(http) => &http.already_have,
            _ => &[],
        }
    }
}

impl TryFrom<toml::Table> for Receiver {
    type Error = String;

    fn try_from(mut channel: toml::Table) -> Result<Self, String> {
        let mut common = toml::Table::new();
        let says_how_long = channel.contains_key("attempt_timeout");
        for key in ReceiverCommon::KEYS {
            if let Some(value) = channel.remove(key) {
                common.insert(key.to_owned(), value);
            }
        }
        let mut common: ReceiverCommon =
            toml::Value::Table(common).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        if let Some(profile) = common.profile {
            common.format = common.format.or_else(|| profile.formats().first().copied());
            add_defaults(profile, &mut channel);
        }
        let channel: ChannelConfig =
            toml::Value::Table(channel).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        if let ChannelConfig::Mail(mail) = &channel
            && !says_how_long
        {
            // It may wait for the next mail before it is sent.
            common.attempt_timeout = mail.longest() + attempt_timeout();
        }
        Ok(Self { common, channel })
    }
}

/// Gives a channel that can carry the profile its name, and the profile's defaults where nothing else is set. To
/// another channel it means nothing: the check says so.
fn add_defaults(profile: Profile, channel: &mut toml::Table) {
    let word = channel.get("channel").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    if !profile.channels().contains(&word.as_str()) {
        return;
    }
    channel.insert("profile".into(), profile.name().into());
    let mut default = |key: &str, value: toml::Value| {
        channel.entry(key).or_insert(value);
    };
    default("receipt_follows", profile.receipt_follows().into());
    match word.as_str() {
        "http" => {
            let statuses: Vec<_> = profile.already_have().iter().map(|s| i64::from(*s).into()).collect();
            default("already_have", toml::Value::Array(statuses));
        }
        "amqp" => default("exchange", crate::channels::amqp::BESKEDFORDELER.into()),
        _ => {}
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    pub folder: PathBuf,
    pub party: String,
}
