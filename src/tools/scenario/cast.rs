//! Who receives in a scenario: each configured receiver, with its script in its channel's place.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::model::{Receiver, Scenario, Whom};
use crate::{
    channels::{ChannelConfig, given::Given, http::status::Meaning},
    clock::Clock,
    config::{self, Loaded, Problem, Settings, settings},
    domain::DeliveryId,
    tools::{
        demo,
        scripted::{Character, Script, Scripted},
    },
};

/// A receiver takes this long for an answer that is not said to be slow.
const ANSWERS_AFTER: Duration = Duration::from_millis(50);
/// A channel other than HTTP gives up so long before its lane would.
const BEFORE_THE_LANE: Duration = Duration::from_secs(5);

/// One receiver that is played.
pub(super) struct Part {
    pub(super) receiver: String,
    pub(super) party: String,
    pub(super) receipt_after: Option<Duration>,
    pub(super) refuses: Option<String>,
    scripted: Arc<Scripted>,
    /// So many of what it took were told.
    told: usize,
}

impl Part {
    /// What it took since it was asked last.
    pub(super) fn news(&mut self) -> Vec<(DeliveryId, Timestamp)> {
        let news = self.scripted.taken_after(self.told);
        self.told += news.len();
        news
    }
}

/// The configuration that the scenario names, cut off from the world: no broker, no HTTP, nobody to alert, no folders,
/// and a store in `folder`. What was loaded still has the settings that were read.
pub(super) fn loaded(scenario: &Scenario, folder: &Path) -> Result<(Loaded, Settings), config::Invalid> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let own = demo::configuration(folder, nowhere, "http://127.0.0.1:9", "");
    let own = config::read_text(demo::CONFIGURATION, &own)?;
    let store = own.settings.store.clone();
    let loaded = match &scenario.config {
        Some(file) => config::read(Some(file), &[])?,
        None => own,
    };
    let mut settings = loaded.settings.clone();
    let plain = config::from_text("defaults", "")?;
    settings.store = store;
    settings.amqp = plain.amqp;
    settings.http = plain.http;
    settings.http.listen.clear();
    settings.alerts = plain.alerts;
    settings.target.clear();
    settings.trace = plain.trace;
    settings.spool.clear();
    Ok((loaded, settings))
}

/// Puts a scripted receiver in the place of each that is reached; mailboxes stay what they are.
pub(super) fn cast(
    file: &Path,
    scenario: &Scenario,
    settings: &mut Settings,
    clock: &Arc<dyn Clock>,
    mut problems: Vec<Problem>,
) -> Result<Vec<Part>, Vec<Problem>> {
    for (script, line) in scenario.receivers.iter().zip(&scenario.lines.receivers) {
        let is_meant = |receiver: &&settings::Receiver| {
            is_for(script, receiver) && !matches!(receiver.channel, ChannelConfig::Mailbox(_))
        };
        if !settings.receiver.iter().any(|receiver| is_meant(&receiver)) {
            let known: Vec<&str> = settings.receiver.iter().map(|receiver| receiver.common.name()).collect();
            let whom = match &script.whom {
                Whom::Name(name) => format!("no receiver that is reached is called {name:?}"),
                Whom::Party(party) => format!("no receiver that is reached is of the party {party:?}"),
            };
            problems.push(Problem {
                file: file.display().to_string(),
                line: Some(*line),
                key: "receiver".to_owned(),
                problem: format!("{whom}; the receivers are {}", known.join(", ")),
                suggestion: None,
            });
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut parts = Vec::new();
    for receiver in &mut settings.receiver {
        if matches!(receiver.channel, ChannelConfig::Mailbox(_)) {
            continue;
        }
        // Of several that mean it the one that names it goes first.
        let named = scenario
            .receivers
            .iter()
            .find(|script| matches!(script.whom, Whom::Name(_)) && is_for(script, receiver));
        let script = named.or_else(|| scenario.receivers.iter().find(|script| is_for(script, receiver)));
        let steps = script.map(|script| script.steps.clone()).unwrap_or_default();
        let scripted =
            Scripted::new(character(receiver), Script::new(steps), Arc::clone(clock), scenario.start);
        let scripted = Arc::new(scripted);
        receiver.channel = ChannelConfig::Given(Given::new(scripted.clone()));
        parts.push(Part {
            receiver: receiver.common.name().to_owned(),
            party: receiver.common.party.clone(),
            receipt_after: script.and_then(|script| script.receipt_after),
            refuses: script.and_then(|script| script.refuses.clone()),
            scripted,
            told: 0,
        });
    }
    Ok(parts)
}

fn is_for(script: &Receiver, receiver: &settings::Receiver) -> bool {
    match &script.whom {
        Whom::Name(name) => receiver.common.name() == name,
        Whom::Party(party) => receiver.common.party == *party,
    }
}

/// What the receiver means by a status, and how long its channel waits for one.
fn character(receiver: &settings::Receiver) -> Character {
    let (origin, patience, already_have, receipt_follows) = match &receiver.channel {
        ChannelConfig::Http(http) => {
            (http.url.origin(), http.first_byte_timeout, http.already_have.clone(), http.receipt_follows)
        }
        other => {
            let patience = receiver.common.attempt_timeout.saturating_sub(BEFORE_THE_LANE);
            (other.name().to_owned(), patience, vec![], false)
        }
    };
    Character {
        meaning: Meaning { origin, already_have, receipt_follows },
        patience,
        answers_after: ANSWERS_AFTER,
    }
}
