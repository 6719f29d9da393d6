//! Who is told of alerts, and when: targets and ladders as people write them, and what they come to.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde::Deserialize;

use super::Settings;
use crate::{
    channels::{
        amqp_publisher::Publisher,
        mail::{Post, ServerConfig},
    },
    domain::{
        alert::Urgency,
        ladder::{self, Ladders},
    },
    units,
    watch::notify::{
        Alertmanager, Amqp, Audience, Mail, Otherwise, Rhythm, Target as Told, Tell, Way, Webhook,
    },
    webhook_signature::WebhookSecret,
};

/// The names of the targets that `[alerts]` itself sets.
pub(super) const ALERTMANAGER: &str = "alertmanager";
pub(super) const WEBHOOK: &str = "webhook";
/// Between publishing a notice in a target's own queue and a party's: what begins the routing key.
const ALERT: &str = "alert";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    pub alertmanager: String,
    #[serde(with = "units::duration")]
    pub repeat: Duration,
    pub webhook: String,
    #[serde(with = "units::duration")]
    pub group_wait: Duration,
    #[serde(with = "units::duration")]
    pub group_interval: Duration,
    #[serde(with = "units::duration")]
    pub repeat_interval: Duration,
    #[serde(with = "units::duration")]
    pub heartbeat: Duration,
}

/// A target's own settings, and its way's beside them.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Target {
    pub common: TargetCommon,
    pub via: Via,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetCommon {
    pub name: String,
    #[serde(default)]
    pub tell: Tell,
    pub otherwise: Option<String>,
    #[serde(default = "after_tries")]
    pub after_tries: u32,
    #[serde(default)]
    pub group_wait: Option<Span>,
    #[serde(default)]
    pub group_interval: Option<Span>,
    #[serde(default)]
    pub repeat_interval: Option<Span>,
    #[serde(default)]
    pub heartbeat: Option<Span>,
}

impl TargetCommon {
    /// Every setting of it, by its name.
    pub(super) const KEYS: [&str; 8] = [
        "name",
        "tell",
        "otherwise",
        "after_tries",
        "group_wait",
        "group_interval",
        "repeat_interval",
        "heartbeat",
    ];
}

fn after_tries() -> u32 {
    3
}

/// A length of time, where it may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(with = "units::duration")] pub Duration);

/// How a target is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "via", rename_all = "lowercase")]
pub enum Via {
    Alertmanager(AlertmanagerConfig),
    Webhook(WebhookConfig),
    Mail(MailConfig),
    Amqp(AmqpConfig),
}

impl Via {
    /// Every word for one.
    pub(super) const NAMES: [&str; 4] = ["alertmanager", "webhook", "mail", "amqp"];
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    pub url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    pub url: String,
    pub secret_file: Option<PathBuf>,
}

/// Whom mail goes to, and beside that the server's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct MailConfig {
    pub from: String,
    pub to: Vec<String>,
    pub server: ServerConfig,
}

impl MailConfig {
    /// Its own settings beside the server's.
    pub(super) const KEYS: [&str; 2] = ["from", "to"];
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmqpConfig {
    /// Into that party's own queue, and none of the target's.
    pub party: Option<String>,
}

/// Takes what belongs to the first type out of the table.
fn part<T: serde::de::DeserializeOwned>(table: &mut toml::Table, keys: &[&str]) -> Result<T, String> {
    let own = keys.iter().filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?)));
    whole(own.collect())
}

fn whole<T: serde::de::DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| e.message().to_owned())
}

impl TryFrom<toml::Table> for Target {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        Ok(Self { common: part(&mut table, &TargetCommon::KEYS)?, via: whole(table)? })
    }
}

impl TryFrom<toml::Table> for MailConfig {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Addresses {
            from: String,
            to: Vec<String>,
        }
        let Addresses { from, to } = part(&mut table, &Self::KEYS)?;
        Ok(Self { from, to, server: whole(table)? })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    #[serde(default)]
    pub kinds: Vec<String>,
    #[serde(default)]
    pub agreements: Vec<String>,
    #[serde(default)]
    pub promises: Vec<String>,
    pub waive_needs_two: Option<bool>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub at: String,
    pub urgency: Urgency,
    pub targets: Option<Vec<String>>,
    pub climb_after: Option<Span>,
    #[serde(default)]
    pub then: Vec<String>,
}

impl Ladder {
    /// # Errors
    /// A sentence about a step, and its place.
    pub(super) fn build(&self, name: &str, waive_needs_two: bool) -> Result<ladder::Ladder, (usize, String)> {
        let steps = self.steps.iter().enumerate().map(|(place, step)| {
            Ok(ladder::Step {
                at: step.at.parse().map_err(|problem| (place, problem))?,
                urgency: step.urgency,
                targets: step.targets.as_ref().map(|targets| targets.iter().cloned().collect()),
                climb_after: step.climb_after.map(|Span(after)| signed(after)),
                then: step.then.iter().cloned().collect(),
            })
        });
        Ok(ladder::Ladder {
            name: name.to_owned(),
            kinds: self.kinds.iter().cloned().collect(),
            agreements: self.agreements.iter().cloned().collect(),
            promises: self.promises.iter().cloned().collect(),
            steps: steps.collect::<Result<_, _>>()?,
            waive_needs_two: self.waive_needs_two.unwrap_or(waive_needs_two),
        })
    }
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// Who is told when a promise comes into danger.
///
/// # Errors
/// A sentence that names the setting.
pub fn ladders(settings: &Settings) -> Result<Ladders, String> {
    let built = settings.ladder.iter().map(|(name, ladder)| {
        let built = ladder.build(name, settings.watch.waive_needs_two);
        built.map_err(|(place, problem)| format!("ladder.{name}.steps[{place}].at: {problem}"))
    });
    built.collect::<Result<_, _>>().map(Ladders::new)
}

/// Every target: those of `[alerts]`, and the others.
pub(super) fn all(settings: &Settings) -> Vec<Target> {
    let alerts = &settings.alerts;
    let common = |name: &str| TargetCommon {
        name: name.to_owned(),
        tell: Tell::All,
        otherwise: None,
        after_tries: after_tries(),
        group_wait: None,
        group_interval: None,
        repeat_interval: None,
        heartbeat: None,
    };
    let mut targets = Vec::new();
    if !alerts.alertmanager.is_empty() {
        let via = Via::Alertmanager(AlertmanagerConfig { url: alerts.alertmanager.clone() });
        targets.push(Target { common: common(ALERTMANAGER), via });
    }
    if !alerts.webhook.is_empty() {
        let via = Via::Webhook(WebhookConfig { url: alerts.webhook.clone(), secret_file: None });
        targets.push(Target { common: common(WEBHOOK), via });
    }
    targets.extend(settings.target.iter().cloned());
    targets
}

/// The targets that have a queue of their own: its name and its routing key.
pub(super) fn queues(settings: &Settings) -> Vec<(String, String)> {
    let own = settings.target.iter().filter(|t| matches!(&t.via, Via::Amqp(AmqpConfig { party: None })));
    own.map(|target| {
        let key = format!("{ALERT}.{}", target.common.name);
        (format!("{}.{key}", settings.amqp.queue_out_prefix), key)
    })
    .collect()
}

/// Makes every target. Reads the files that they name; connects to nobody.
///
/// # Errors
/// A sentence that names the target.
pub fn targets(
    settings: &Settings,
    client: &reqwest::Client,
    publisher: Option<&Arc<Publisher>>,
) -> Result<Vec<Told>, String> {
    let targets = all(settings);
    let mut ways: BTreeMap<&str, (Audience, Arc<dyn Way>)> = BTreeMap::new();
    for target in &targets {
        let name = &target.common.name;
        let way = way(settings, target, client, publisher).map_err(|why| format!("target {name}: {why}"))?;
        let wants_all = matches!(target.via, Via::Alertmanager(_));
        let audience = Audience { name: name.clone(), tell: target.common.tell, wants_all };
        ways.insert(name, (audience, way));
    }
    let told = targets.iter().map(|target| {
        let (audience, way) = ways[target.common.name.as_str()].clone();
        let otherwise = target.common.otherwise.as_deref().map(|name| {
            let found = ways.get(name).cloned();
            found.ok_or_else(|| format!("target {}: no target is called {name:?}", target.common.name))
        });
        let otherwise = otherwise.transpose()?.map(|(audience, way)| Otherwise {
            audience,
            way,
            after_tries: target.common.after_tries.max(1),
        });
        Ok(Told { rhythm: rhythm(settings, target), audience, way, otherwise })
    });
    told.collect()
}

fn rhythm(settings: &Settings, target: &Target) -> Rhythm {
    let (alerts, own) = (&settings.alerts, &target.common);
    let or = |own: Option<Span>, usual: Duration| own.map_or(usual, |Span(own)| own);
    if matches!(target.via, Via::Alertmanager(_)) {
        return Rhythm {
            group_wait: Duration::ZERO,
            group_interval: Duration::ZERO,
            repeat_interval: or(own.repeat_interval, alerts.repeat),
            heartbeat: None,
        };
    }
    Rhythm {
        group_wait: or(own.group_wait, alerts.group_wait),
        group_interval: or(own.group_interval, alerts.group_interval),
        repeat_interval: or(own.repeat_interval, alerts.repeat_interval),
        heartbeat: Some(or(own.heartbeat, alerts.heartbeat)).filter(|every| !every.is_zero()),
    }
}

fn way(
    settings: &Settings,
    target: &Target,
    client: &reqwest::Client,
    publisher: Option<&Arc<Publisher>>,
) -> Result<Arc<dyn Way>, String> {
    Ok(match &target.via {
        Via::Alertmanager(config) => {
            let repeat = rhythm(settings, target).repeat_interval;
            Arc::new(Alertmanager::new(client.clone(), &config.url, repeat))
        }
        Via::Webhook(config) => {
            let secrets = config.secret_file.as_deref().map(WebhookSecret::read_file).transpose();
            let secrets = secrets.map_err(|why| format!("secret_file: {why}"))?.unwrap_or_default();
            Arc::new(Webhook { client: client.clone(), url: config.url.clone(), secrets })
        }
        Via::Mail(config) => Arc::new(Mail(Post::new(&config.server, &config.from, &config.to)?)),
        Via::Amqp(config) => {
            let publisher = publisher.ok_or("amqp.url: no broker is configured")?;
            let routing_key = match &config.party {
                Some(party) => format!("{party}.{ALERT}"),
                None => format!("{ALERT}.{}", target.common.name),
            };
            let exchange = settings.amqp.exchange_answers.clone();
            Arc::new(Amqp { publisher: Arc::clone(publisher), exchange, routing_key })
        }
    })
}

/// Whether a target needs the broker.
pub fn wants_broker(settings: &Settings) -> bool {
    settings.target.iter().any(|target| matches!(target.via, Via::Amqp(_)))
}
