//! From settings to the parts of the program.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::SignedDuration;

use super::{
    Settings,
    calendar::{Calendars, calendars},
    promise,
    settings::Promise as PromiseSettings,
};
use crate::{
    amqp_client::{Broker, Tls},
    amqp_uri::AmqpUri,
    api::Access,
    channels::{Channel, ChannelConfig, file},
    codec::Limits,
    dispatch::LaneConfig,
    domain::{
        Party, Profile, answer::Subscription, circuit::CircuitPolicy, retry::RetryPolicy, route::Receiver,
    },
    intake::{KindPromise, Rules, Sender, broker::Queue, receipts, spool::Folder, topology::Topology},
    watch::retention::Retention,
};

/// A receiver's lane and its channel.
pub type Served = (LaneConfig, Arc<dyn Channel>);

/// What a configuration comes to.
pub struct Built {
    pub rules: Arc<Rules>,
    pub lanes: Vec<Served>,
    /// `None`: no queues are served.
    pub broker: Option<Broker>,
    pub queues: Vec<Queue>,
    pub topology: Topology,
    pub folders: Vec<Folder>,
    /// Where receivers that read files put their receipts.
    pub receipts: Vec<receipts::Folder>,
    /// Who may call over HTTP.
    pub access: Vec<Access>,
}

impl Built {
    /// The same as that generation. Its rules must not be shared yet.
    pub fn numbered(mut self, generation: u64) -> Self {
        Arc::get_mut(&mut self.rules).expect("the rules were built just now").generation = generation;
        self
    }
}

/// Builds everything the settings name. Reads the files they name; connects to nobody.
///
/// # Errors
/// A sentence that names the setting.
pub fn build(settings: &Settings, generation: u64) -> Result<Built, String> {
    let rules = rules(settings, generation)?.shared();
    Ok(Built {
        rules,
        access: access(settings)?,
        lanes: lanes(settings)?,
        broker: broker(settings)?,
        queues: queues(settings),
        topology: topology(settings),
        folders: settings
            .spool
            .iter()
            .map(|s| Folder { path: s.folder.clone(), party: s.party.clone() })
            .collect(),
        receipts: receipts(settings)?,
    })
}

/// How long the store keeps what.
pub fn retention(settings: &Settings) -> Retention {
    let kept = |period: super::settings::Period| period.ends().map(signed);
    Retention { content: kept(settings.retention.content), messages: kept(settings.retention.messages) }
}

/// Each party with its keys and its own receivers. A jobcenter that only fetches is a party too.
fn access(settings: &Settings) -> Result<Vec<Access>, String> {
    settings
        .party
        .iter()
        .map(|p| {
            let own = settings.receiver.iter().filter(|r| r.common.party == p.code);
            Ok(Access {
                party: party(&p.code)?,
                api_key_sha256: p.api_key_sha256.clone(),
                receivers: own.map(|r| r.common.name().to_owned()).collect(),
            })
        })
        .collect()
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn party(code: &str) -> Result<Party, String> {
    Party::from_code(code).map_err(|e| format!("{code}: {e}"))
}

/// What messages are judged by. Reads no file.
///
/// # Errors
/// A sentence that names the setting.
pub fn rules(settings: &Settings, generation: u64) -> Result<Rules, String> {
    let calendars = calendars(settings)?;
    let mut promises: BTreeMap<String, KindPromise> =
        settings.promise.iter().map(|(kind, p)| (kind.clone(), promised(kind, p, &calendars))).collect();
    let fallback = promises.remove("default").ok_or("promise.default: it is missing")?;
    let agreements: Vec<_> =
        settings.agreement.iter().map(|agreement| agreement.build(&calendars)).collect::<Result<_, _>>()?;
    Ok(Rules {
        generation,
        limits: Limits {
            body_bytes: settings.intake.body_bytes_max,
            depth: settings.intake.depth_max,
            nodes: settings.intake.nodes_max,
            ..Limits::default()
        },
        kinds: Rules::compile_kinds(),
        senders: senders(settings)?,
        awaited: Rules::awaited(promises.values().chain([&fallback]), &agreements),
        agreements,
        outside_validity: settings.intake.outside_validity,
        receivers: settings.receiver.iter().map(|r| receiver(&r.common)).collect::<Result<_, _>>()?,
        promises,
        promise: fallback,
        ahead_max: signed(settings.intake.ahead_max),
        age_max: signed(settings.intake.age_max),
    })
}

fn promised(kind: &str, settings: &PromiseSettings, calendars: &Calendars) -> KindPromise {
    let basis = || format!("setting promise.{kind}");
    let PromiseSettings { within, calendar, starts, also, .. } = settings;
    KindPromise {
        promise: promise::delivered(*within, calendar.as_deref(), &starts.0, basis(), calendars),
        further: also.iter().map(|also| also.build(basis(), calendars)).collect(),
        retry_window: settings.retry_window.ends().map(signed),
    }
}

fn senders(settings: &Settings) -> Result<BTreeMap<String, Sender>, String> {
    settings
        .party
        .iter()
        .map(|p| {
            let sender = Sender {
                party: party(&p.code)?,
                amqp_user: p.amqp_user.clone(),
                answers: p.answers.as_deref().map_or_else(Subscription::default, Subscription::of),
                headers: p.headers.iter().map(|(header, a)| (header.to_lowercase(), a.clone())).collect(),
                defaults: p.defaults.clone(),
            };
            Ok((p.code.clone(), sender))
        })
        .collect()
}

fn receiver(settings: &super::settings::ReceiverCommon) -> Result<Receiver, String> {
    Ok(Receiver {
        name: settings.name().to_owned(),
        party: party(&settings.party)?,
        kinds: settings.kinds.clone(),
        format: settings.format,
        distribution: settings.sf2900.clone(),
        fallback_only: settings.fallback_only,
    })
}

fn lanes(settings: &Settings) -> Result<Vec<Served>, String> {
    let share = f64::from(settings.retry.share_percent) / 100.0;
    let usual = RetryPolicy {
        first: signed(settings.retry.first),
        longest: signed(settings.retry.longest),
        share,
        last_before: signed(settings.retry.last_before),
        after_breach: signed(settings.retry.after_breach),
        ..RetryPolicy::default()
    };
    let circuit = CircuitPolicy {
        failures: settings.circuit.failures,
        probe_first: signed(settings.circuit.probe_first),
        probe_longest: signed(settings.circuit.probe_longest),
        share,
    };
    settings
        .receiver
        .iter()
        .map(|r| {
            let name = r.common.name().to_owned();
            let retry =
                RetryPolicy { doubling_until: r.common.profile.and_then(Profile::doubling_until), ..usual };
            let channel = r.channel.build(&name).map_err(|e| format!("receiver {name}: {e}"))?;
            let lane = LaneConfig {
                receiver: name,
                permits: r.common.permits,
                attempt_timeout: r.common.attempt_timeout,
                retry,
                circuit,
                give_way: signed(settings.circuit.give_way),
                ambiguous: r.common.ambiguous,
                stop_grace: settings.stop.grace,
            };
            Ok((lane, channel))
        })
        .collect()
}

/// One reader for each folder, for all receivers that name it.
fn receipts(settings: &Settings) -> Result<Vec<receipts::Folder>, String> {
    let mut folders: Vec<receipts::Folder> = Vec::new();
    for super::settings::Receiver { common, channel } in &settings.receiver {
        let ChannelConfig::File(file::Config { receipts: Some(path), .. }) = channel else { continue };
        let (owner, name) = (party(&common.party)?.to_string(), common.name().to_owned());
        match folders.iter_mut().find(|folder| folder.path == *path) {
            Some(folder) if folder.party == owner => folder.receivers.push(name),
            Some(_) => {
                let path = path.display();
                return Err(format!(
                    "receiver {name}: receipts in {path} are another party's: name a folder for each"
                ));
            }
            None => {
                folders.push(receipts::Folder { path: path.clone(), party: owner, receivers: vec![name] });
            }
        }
    }
    Ok(folders)
}

/// How the broker is reached, if one is. Reads the files with its password and those for TLS.
///
/// # Errors
/// A sentence that names the setting.
pub fn broker(settings: &Settings) -> Result<Option<Broker>, String> {
    let amqp = &settings.amqp;
    if amqp.url.is_empty() {
        return Ok(None);
    }
    let mut uri = AmqpUri::parse(&amqp.url).map_err(|e| format!("amqp.url: {e}"))?;
    if let Some(file) = &amqp.password_file {
        uri = uri.with_password_file(file).map_err(|e| format!("amqp.password_file: {e}"))?;
    }
    let tls = Tls::new(amqp.ca_file.clone(), amqp.client_certificate.clone(), amqp.client_key.clone());
    let tls = tls.map_err(|e| format!("amqp.client_certificate: {e}"))?;
    let broker = Broker::new(uri, tls, amqp.connect_timeout);
    broker.check().map_err(|e| format!("amqp: {e}"))?;
    Ok(Some(broker))
}

fn queues(settings: &Settings) -> Vec<Queue> {
    let amqp = &settings.amqp;
    settings
        .party
        .iter()
        .filter_map(|p| {
            let user = p.amqp_user.clone()?;
            Some(Queue {
                name: format!("{}.{}", amqp.queue_in_prefix, p.code),
                party: p.code.clone(),
                user: amqp.require_user_id.then_some(user),
                batch_max: amqp.batch_max,
                server: None,
            })
        })
        .collect()
}

/// What must exist on the broker.
pub fn topology(settings: &Settings) -> Topology {
    let amqp = &settings.amqp;
    Topology {
        exchange_in: amqp.exchange_in.clone(),
        exchange_answers: amqp.exchange_answers.clone(),
        queue_type: amqp.queue_type,
        replicas: amqp.queue_replicas,
        alerts: super::alerting::queues(settings),
        queues: settings
            .party
            .iter()
            .filter(|p| p.amqp_user.is_some())
            .map(|p| {
                let (inward, outward) = (&amqp.queue_in_prefix, &amqp.queue_out_prefix);
                (p.code.clone(), format!("{inward}.{}", p.code), format!("{outward}.{}", p.code))
            })
            .collect(),
    }
}
