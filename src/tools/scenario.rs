//! A day of trouble, played in a moment: messages, receivers that follow a script, a clock that leaps, and what is
//! expected to come of it.
//!
//! The gateway is the shipped one, with its store, intake, lanes and watch; only the time and the receivers are made
//! up. It has no broker, no HTTP and nobody to alert. With the same seed a scenario comes to the same each time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    clock::{Clock, Leaping},
    config::{self, Problem, Settings},
    domain::{AnswerOutcome, DeliveryId, ReceiptId, alert::AlertChange, receipt::Business},
    gateway::{self, Gateway},
    intake::RawMessage,
    lifecycle::{Stop, Tasks},
    store::{Command, Way},
    tools::hands::Hands,
};

mod body;
pub mod bound;
mod cast;
mod judge;
pub mod junit;
pub mod model;
mod read;

use body::Making;
use cast::Part;
use judge::Became;
pub use judge::Check;
use model::{About, Scenario};
pub use read::read;

/// Answers, and changes of alerts, that are read at once.
const PAGE: u32 = 500;

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub title: String,
    pub file: String,
    pub seed: u64,
    /// Every expectation was met.
    pub kept: bool,
    pub checks: Vec<Check>,
}

/// Plays the scenario. To be run on a runtime of one thread. `seed` goes before the file's own.
///
/// # Errors
/// [`config::Invalid`] with every problem of the file or of the configuration it names; or the store cannot be
/// written.
pub async fn play(file: &Path, seed: Option<u64>) -> anyhow::Result<Report> {
    let mut scenario = read(file).map_err(config::Invalid)?;
    scenario.seed = seed.unwrap_or(scenario.seed);
    let folder = std::env::temp_dir().join(format!("kassebro-scenario-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder)?;
    let tasks = Tasks::new(Stop::new());
    let checks = play_in(&folder, file, &scenario, &tasks).await;
    tasks.stop().force();
    let end = tasks.finish(Duration::ZERO).await;
    std::fs::remove_dir_all(&folder)?;
    if let Some(crash) = end.crash {
        anyhow::bail!("the gateway stopped: {}: {}", crash.task, crash.reason);
    }
    let checks = checks?;
    Ok(Report {
        title: scenario.title,
        file: file.display().to_string(),
        seed: scenario.seed,
        kept: checks.iter().all(|check| check.kept),
        checks,
    })
}

async fn play_in(
    folder: &Path,
    file: &Path,
    scenario: &Scenario,
    tasks: &Tasks,
) -> anyhow::Result<Vec<Check>> {
    let clock = Leaping::starting_at(scenario.start, scenario.step, scenario.seed);
    let timed: Arc<dyn Clock> = Arc::new(clock.clone());
    let (loaded, mut settings) = cast::loaded(scenario, folder)?;
    let problems = unknown_senders(file, scenario, &settings);
    let parts = cast::cast(file, scenario, &mut settings, &timed, problems).map_err(config::Invalid)?;
    let loaded = loaded.in_a_world_of(settings);
    let gateway = gateway::start(loaded, &gateway::Roles::default(), timed, tasks).await?;
    let hands = Hands { clock, store: Arc::clone(&gateway.store) };
    let stage = Stage { scenario, gateway, hands, parts, sent: BTreeMap::new(), acts: BinaryHeap::new() };
    stage.play().await
}

/// Who sends must be a party of the configuration.
fn unknown_senders(file: &Path, scenario: &Scenario, settings: &Settings) -> Vec<Problem> {
    let unknown = scenario
        .messages
        .iter()
        .zip(&scenario.lines.messages)
        .filter(|(message, _)| !settings.party.iter().any(|party| party.code == message.from));
    let problem = |(message, line): (&model::Message, &usize)| Problem {
        file: file.display().to_string(),
        line: Some(*line),
        key: "from".to_owned(),
        problem: format!("no party has the code {:?}", message.from),
        suggestion: None,
    };
    unknown.map(problem).collect()
}

/// What happens at a time, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    /// The message of that place is sent.
    Send(usize),
    /// The receiver of that place sends its receipt.
    Receipt(usize, DeliveryId),
}

/// A message that was sent.
struct Sent {
    verdict: &'static str,
    receipt: ReceiptId,
    from: String,
}

struct Stage<'a> {
    scenario: &'a Scenario,
    gateway: Gateway,
    hands: Hands,
    parts: Vec<Part>,
    sent: BTreeMap<String, Sent>,
    acts: BinaryHeap<Reverse<(Timestamp, Act)>>,
}

impl Stage<'_> {
    async fn play(mut self) -> anyhow::Result<Vec<Check>> {
        let start = self.scenario.start;
        let end = later(start, self.scenario.length);
        for (place, message) in self.scenario.messages.iter().enumerate() {
            if message.after_delivery_of.is_none() {
                self.acts.push(Reverse((later(start, message.at), Act::Send(place))));
            }
        }
        loop {
            self.follow_up();
            let next = self.acts.peek().map_or(end, |Reverse((at, _))| *at).min(end);
            if self.hands.turn(next).await {
                continue;
            }
            match self.acts.pop() {
                Some(Reverse((at, act))) if at <= end => self.act(act).await?,
                _ => return self.judge().await,
            }
        }
    }

    /// What receivers took since the last look leads to receipts, and to messages that waited for it.
    fn follow_up(&mut self) {
        for (place, part) in self.parts.iter_mut().enumerate() {
            for (delivery, at) in part.news() {
                if let Some(after) = part.receipt_after {
                    self.acts.push(Reverse((later(at, after), Act::Receipt(place, delivery))));
                }
                let of = self.sent.iter().find(|(_, sent)| sent.receipt == delivery.receipt());
                let Some((of, _)) = of else { continue };
                for (place, message) in self.scenario.messages.iter().enumerate() {
                    if message.after_delivery_of.as_ref() == Some(of) {
                        self.acts.push(Reverse((later(at, message.at), Act::Send(place))));
                    }
                }
            }
        }
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let now = self.hands.clock.now();
        match act {
            Act::Send(place) => {
                let message = &self.scenario.messages[place];
                let seed = self.scenario.seed.wrapping_add(place as u64);
                let body = body::body(message, Making { seed, now })
                    .map_err(|problem| anyhow::anyhow!("{}: {problem}", message.name))?;
                let raw = RawMessage {
                    party: message.from.clone(),
                    content_type: Some("application/cloudevents+json".into()),
                    headers: vec![],
                    body: body.into(),
                    sent: None,
                };
                for verdict in self.gateway.intake.take(vec![raw], Way::Http).await? {
                    let (verdict, receipt) = (verdict.name(), verdict.answer().receipt_id);
                    self.sent
                        .insert(message.name.clone(), Sent { verdict, receipt, from: message.from.clone() });
                }
            }
            Act::Receipt(place, delivery) => {
                let part = &self.parts[place];
                let by = part.party.clone();
                let command = match &part.refuses {
                    None => Command::Confirm { delivery, receipt: Some("scenario".into()), by: by.clone() },
                    Some(reason) => {
                        let fault = Business::Afvist.refusal(&part.receiver, Some(reason), None);
                        Command::Refuse { delivery, fault, by: by.clone() }
                    }
                };
                self.gateway.store.command(command, by, now).await?;
            }
        }
        Ok(())
    }

    async fn judge(self) -> anyhow::Result<Vec<Check>> {
        let now = self.hands.clock.now();
        let store = &self.gateway.store;
        let mut changes: Vec<AlertChange> = Vec::new();
        loop {
            let after = changes.last().map_or(0, |change| change.seq);
            let page = store.alert_changes(after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            changes.extend(page);
        }
        let mut checks = Vec::new();
        for expectation in &self.scenario.expectations {
            let became = match &expectation.about {
                About::Message(name) => self.became(name, now).await?,
                About::Alert { .. } => None,
            };
            checks.extend(judge::judge(expectation, became.as_ref(), &changes, self.scenario.start));
        }
        Ok(checks)
    }

    async fn became(&self, name: &str, now: Timestamp) -> anyhow::Result<Option<Became>> {
        let Some(sent) = self.sent.get(name) else { return Ok(None) };
        let view = self.gateway.store.message(sent.receipt.to_string(), None, now).await?;
        let view = view.ok_or_else(|| anyhow::anyhow!("the store does not know {name}"))?;
        Ok(Some(Became { verdict: sent.verdict, view, answers: self.answers(sent).await? }))
    }

    /// What its sender was told of a message.
    async fn answers(&self, sent: &Sent) -> anyhow::Result<Vec<AnswerOutcome>> {
        let (mut answers, mut after) = (Vec::new(), 0);
        loop {
            let page = self.gateway.store.answers(sent.from.clone(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(answers) };
            after = last.seq;
            let own = page.into_iter().filter(|logged| logged.answer.receipt_id == sent.receipt);
            answers.extend(own.map(|logged| logged.answer.outcome));
        }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
