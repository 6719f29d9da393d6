//! What no single setting can see: settings that contradict each other or name what is not there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, Settings, layers::Layers, profiles, settings::Receiver};
use crate::{channels::ChannelConfig, domain::Party, kinds, units};

mod agreements;
mod alerting;
mod fallbacks;
mod limits;
mod particulars;
mod ways;

/// The largest body that may be configured.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(super) struct Check<'a> {
    pub(super) layers: &'a Layers,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn problem(&mut self, key: impl AsRef<str>, problem: impl Into<String>) {
        self.problems.push(Problem { problem: problem.into(), ..self.layers.at(key.as_ref()) });
    }

    /// Where another setting stands, for a sentence about this one: `site.toml:7`.
    pub(super) fn place(&self, key: impl AsRef<str>) -> String {
        let Problem { file, line, .. } = self.layers.at(key.as_ref());
        line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    }

    fn party(&mut self, key: &str, code: &str) -> Option<Party> {
        let party = Party::from_code(code).ok();
        if party.is_none() {
            self.problem(key, format!("{code:?} is neither an a-kasse's code nor a jobcenter's four digits"));
        }
        party
    }

    pub(super) fn kind(&mut self, key: &str, name: &str) {
        if !kinds::KINDS.iter().any(|k| k.name == name) {
            let known: Vec<&str> = kinds::KINDS.iter().map(|k| k.name).collect();
            self.problem(key, format!("no kind is called {name:?}; the kinds are {}", known.join(", ")));
        }
    }
}

/// Every contradiction that can be found.
pub(super) fn check(settings: &Settings, layers: &Layers) -> Vec<Problem> {
    let mut check = Check { layers, problems: Vec::new() };
    simple(settings, &mut check);
    super::calendar::check(settings, &mut check);
    super::promise::check(settings, &mut check);
    let parties = parties(settings, &mut check);
    receivers(settings, &mut check);
    profiles::check(settings, &mut check);
    agreements::check(settings, Some(&parties), &mut check);
    ways::check(settings, &mut check);
    fallbacks::check(settings, &mut check);
    limits::check(settings, &mut check);
    alerting::check(settings, &mut check);
    for (place, spool) in settings.spool.iter().enumerate() {
        if !parties.contains(&spool.party) {
            check
                .problem(format!("spool[{place}].party"), format!("no party has the code {:?}", spool.party));
        }
    }
    check.problems
}

/// What agreements contradict by themselves, whoever the parties are.
pub(super) fn agreements_alone(settings: &Settings, layers: &Layers) -> Vec<Problem> {
    let mut check = Check { layers, problems: Vec::new() };
    agreements::check(settings, None, &mut check);
    check.problems
}

fn simple(settings: &Settings, check: &mut Check<'_>) {
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|known| settings.store.url.starts_with(known))
    {
        check.problem("store.url", "the store's address begins with sqlite: or postgres://");
    }
    if !settings.http.listen.is_empty() && settings.http.listen.parse::<std::net::SocketAddr>().is_err() {
        check.problem("http.listen", "write an address and a port, such as 127.0.0.1:8080");
    }
    if let Err(problem) = settings.http.check() {
        check.problem("http", problem);
    }
    if !settings.amqp.url.is_empty()
        && let Err(problem) = crate::amqp_uri::AmqpUri::parse(&settings.amqp.url)
    {
        check.problem("amqp.url", problem);
    }
    if let Err(problem) = settings.amqp.check_replicas() {
        check.problem("amqp.queue_replicas", problem);
    }
    let management = &settings.amqp.management_url;
    if !management.is_empty() && !management.starts_with("http://") && !management.starts_with("https://") {
        check.problem("amqp.management_url", "write an address that begins with http:// or https://");
    }
    if management.starts_with("http://") && settings.amqp.url.starts_with("amqps://") {
        check.problem(
            "amqp.management_url",
            "the broker is reached over TLS, and so is its management: https://",
        );
    }
    if !management.is_empty() && settings.amqp.url.is_empty() {
        check.problem("amqp.management_url", "it belongs to a broker, and amqp.url names none");
    }
    if !(1..=10_000).contains(&settings.amqp.batch_max) {
        check.problem("amqp.batch_max", "a batch has 1 to 10000 messages");
    }
    if !(1024..=BODY_BYTES_MAX).contains(&settings.intake.body_bytes_max) {
        check.problem("intake.body_bytes_max", "a body has 1024 to 8388608 bytes");
    }
    if !(1..=100).contains(&settings.retry.share_percent) {
        check.problem("retry.share_percent", "a share is 1 to 100 percent");
    }
    if settings.retry.first > settings.retry.longest {
        check.problem("retry.first", "the first gap is longer than retry.longest");
    }
    if settings.circuit.failures == 0 {
        check.problem("circuit.failures", "at least one failure opens a circuit");
    }
    if settings.watch.period.is_zero() {
        check.problem("watch.period", "a period is longer than nothing");
    }
    let (content, messages) = (settings.retention.content.ends(), settings.retention.messages.ends());
    if messages.is_some_and(|kept| kept < settings.intake.age_max) {
        check.problem(
            "retention.messages",
            "message ids are remembered as long as intake.age_max says, or a second copy would count as new",
        );
    }
    if let Some(messages) = messages
        && content.is_none_or(|content| content > messages)
    {
        check.problem("retention.content", "content is not kept longer than its message");
    }
    if !settings.watch.agreement_expiry.as_secs().is_multiple_of(86_400) {
        check.problem("watch.agreement_expiry", "write whole days, such as \"60d\"");
    }
}

fn parties(settings: &Settings, check: &mut Check<'_>) -> BTreeSet<String> {
    let (mut codes, mut users, mut keys) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    for (place, party) in settings.party.iter().enumerate() {
        let at = |setting: &str| format!("party[{place}].{setting}");
        check.party(&at("code"), &party.code);
        if !codes.insert(party.code.clone()) {
            check.problem(at("code"), format!("{:?} is configured twice", party.code));
        }
        if let Some(other) = party.amqp_user.as_ref().and_then(|user| users.insert(user.clone(), &party.code))
        {
            check.problem(at("amqp_user"), format!("the same AMQP user belongs to {other}"));
        }
        for (number, key) in party.api_key_sha256.iter().enumerate() {
            let setting = at(&format!("api_key_sha256[{number}]"));
            if key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
                check.problem(
                    &setting,
                    "write the SHA-256 of the key as 64 hexadecimal digits (`kassebro key` makes one)",
                );
            }
            if let Some(other) = keys.insert(key.to_lowercase(), &party.code) {
                check.problem(&setting, format!("the same key belongs to {other}"));
            }
        }
    }
    codes
}

fn receivers(settings: &Settings, check: &mut Check<'_>) {
    let mut names = BTreeSet::new();
    for (place, Receiver { common, channel }) in settings.receiver.iter().enumerate() {
        let at = |setting: &str| format!("receiver[{place}].{setting}");
        check.party(&at("party"), &common.party);
        if !names.insert(common.name().to_owned()) {
            check.problem(
                at("name"),
                format!("{:?} is configured twice; give each receiver a name", common.name()),
            );
        }
        let fits = (1..=60).contains(&common.name().len())
            && common
                .name()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if !fits {
            check.problem(at("name"), "a name is 1-60 of a-z, 0-9, dot, underscore and hyphen");
        }
        for (number, kind) in common.kinds.iter().enumerate() {
            check.kind(&at(&format!("kinds[{number}]")), kind);
        }
        if !(1..=1024).contains(&common.permits) {
            check.problem(at("permits"), "a receiver has 1 to 1024 permits");
        }
        if let Some(longest) = channel.longest()
            && longest >= common.attempt_timeout
        {
            let longest = units::duration_text(longest);
            check.problem(
                at("attempt_timeout"),
                format!("an attempt lasts longer than the channel's own time-outs together ({longest})"),
            );
        }
        if let ChannelConfig::Mail(_) = channel {
            let key = format!("receiver[{place}].channel");
            mailbox(settings, &common.party, &key, check);
        }
    }
}

/// Who is told by mail that something waits must be able to fetch it.
fn mailbox(settings: &Settings, code: &str, key: &str, check: &mut Check<'_>) {
    let has_key = settings.party.iter().any(|p| p.code == code && !p.api_key_sha256.is_empty());
    if !has_key {
        check.problem(
            key,
            format!(
                "nobody can fetch what the mail tells of: party {code} has no api_key_sha256 (`kassebro key` \
                 makes a key)"
            ),
        );
    }
    if settings.http.listen.is_empty() {
        check.problem(key, "nobody can fetch what the mail tells of: http.listen is empty");
    }
}
