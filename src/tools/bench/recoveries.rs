//! A receiver is down from a message's arrival and up again at any instant of the day: how many of those instants
//! miss the message's deadline although the receiver came back in time.
//!
//! The shipped lane runs, with its circuit, its time-outs, its chance and its table; the clock leaps and the receiver
//! follows a script. Before it is back all attempts fail alike, so one day of a receiver that stays down has every
//! attempt that any recovery could meet: what recovers at an instant takes the next attempt, whichever message's that
//! is, and then the message in question. That this is so is tried, by playing days in which the receiver does recover.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::{
    deployment::{Deployment, FUNDS, head},
    stock,
};
use crate::{
    channels::{ChannelConfig, given::Given, http::status::Meaning},
    clock::{Clock, Leaping},
    config, dispatch,
    domain::DeliveryId,
    lifecycle::{Stop, Tasks},
    store::{Accepted, Admission, Mode, Store, sqlite::Sqlite},
    telemetry::Metrics,
    tools::{
        hands::Hands,
        scripted::{Behaviour, Character, Script, Scripted, Seen, Step},
    },
};

mod peers;

pub use peers::{Peer, peers};

/// From the message's arrival to its deadline.
const DAY: Duration = Duration::from_hours(24);
/// How long the day is played beyond the deadline.
const BEYOND: Duration = Duration::from_mins(5);
/// So long the receiver takes for each parcel that it takes.
const ANSWERS_AFTER: Duration = Duration::from_millis(50);
/// The channel gives up so long after an attempt's start: the default of `first_byte_timeout`.
const PATIENCE: Duration = Duration::from_secs(20);
/// Half of the days that are played for proof end so shortly before the deadline.
const NEAR: Duration = Duration::from_mins(3);

/// How the receiver is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Down {
    /// It refuses connections.
    Refuses,
    /// It answers 503.
    Fails,
    /// It takes the message and says nothing until the time is up.
    Hangs,
}

impl Down {
    pub const ALL: [Self; 3] = [Self::Refuses, Self::Fails, Self::Hangs];

    pub fn words(self) -> &'static str {
        match self {
            Self::Refuses => "refuses connections",
            Self::Fails => "answers 503",
            Self::Hangs => "hangs for 20 s",
        }
    }

    fn behaviour(self) -> Behaviour {
        match self {
            Self::Refuses => Behaviour::Refuse,
            Self::Fails => Behaviour::Answer { status: 503, retry_after: None },
            Self::Hangs => Behaviour::Hang { breaks_off: None },
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Other messages that wait for the same receiver under the same deadline, and go before this one.
    pub others: Vec<u32>,
    /// Days played with a recovery, for proof.
    pub proofs: u32,
    /// The lane, which looks for probes each second, looks this often at the least. A probe comes so much later.
    pub step: Duration,
    pub seed: u64,
}

/// One day, and what follows from it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub down: Down,
    pub others: u32,
    /// Attempts within the day: of this message, and of all on the lane.
    pub attempts: usize,
    pub attempts_of_all: usize,
    /// The last attempt of any that still lets this message through in time, in seconds before its deadline.
    pub last_before_seconds: f64,
    /// From the attempt that met the recovered receiver to this message's delivery, the longest that was played.
    pub lag_seconds: f64,
    /// Of the day's instants of recovery.
    pub missed_percent: f64,
    /// Days played with a recovery, and those of them that missed although the receiver was back in time to be met.
    pub proofs: u32,
    pub proofs_wrong: u32,
}

/// The whole table.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub rows: Vec<Row>,
    pub peers: Vec<Peer>,
}

/// Measures what the plan says. To be run on a runtime of one thread. `told` is called with each row.
///
/// # Errors
/// The store cannot be written.
pub async fn measure(plan: &Plan, mut told: impl FnMut(&Row)) -> anyhow::Result<Measured> {
    let mut rows = Vec::new();
    for others in &plan.others {
        for down in Down::ALL {
            let row = row(plan, down, *others).await?;
            told(&row);
            rows.push(row);
        }
    }
    Ok(Measured { rows, peers: peers() })
}

async fn row(plan: &Plan, down: Down, others: u32) -> anyhow::Result<Row> {
    let day = Day { down, others, step: plan.step, seed: plan.seed };
    let stayed = day.play(None).await?;
    let begun = stayed.begun();
    // Played before the lag is known: those days say it.
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut played = Vec::new();
    for number in 0..plan.proofs {
        let latest = if number % 2 == 0 { DAY } else { NEAR };
        let recovers = DAY.saturating_sub(latest.mul_f64(chance.random()));
        let day = day.play(Some(recovers)).await?;
        played.push((recovers, day.met(recovers), day.taken));
    }
    let lag = played
        .iter()
        .filter_map(|(_, met, taken)| taken.zip(*met).map(|(taken, met)| taken.saturating_sub(met)))
        .max();
    let lag = lag.unwrap_or(ANSWERS_AFTER);
    let in_time = |begun: &Duration| *begun + lag <= DAY;
    let last = begun.iter().copied().filter(in_time).max().unwrap_or(Duration::ZERO);
    let left = DAY.saturating_sub(last);
    // Whoever is back at that instant or before is met by then.
    let wrong = played
        .iter()
        .filter(|(recovers, _, taken)| *recovers <= last && taken.is_none_or(|taken| taken > DAY))
        .count();
    Ok(Row {
        down,
        others,
        attempts: stayed.seen.iter().filter(|seen| stayed.is_ours(seen) && stayed.since(seen) <= DAY).count(),
        attempts_of_all: begun.iter().filter(|begun| **begun <= DAY).count(),
        last_before_seconds: left.as_secs_f64(),
        lag_seconds: lag.as_secs_f64(),
        missed_percent: left.as_secs_f64() / DAY.as_secs_f64() * 100.0,
        proofs: plan.proofs,
        proofs_wrong: u32::try_from(wrong)?,
    })
}

/// A day to be played.
struct Day {
    down: Down,
    others: u32,
    step: Duration,
    seed: u64,
}

/// What a day came to.
struct Played {
    start: Timestamp,
    seen: Vec<Seen>,
    ours: DeliveryId,
    /// When our message was taken, since its arrival.
    taken: Option<Duration>,
}

impl Played {
    fn is_ours(&self, seen: &Seen) -> bool {
        seen.delivery == self.ours
    }

    fn since(&self, seen: &Seen) -> Duration {
        since(self.start, seen.began)
    }

    /// When attempts began, of all messages, since the arrival.
    fn begun(&self) -> Vec<Duration> {
        self.seen.iter().map(|seen| self.since(seen)).collect()
    }

    /// When the first attempt met the receiver that was back.
    fn met(&self, recovers: Duration) -> Option<Duration> {
        self.begun().into_iter().filter(|begun| *begun >= recovers).min()
    }
}

fn since(start: Timestamp, at: Timestamp) -> Duration {
    at.duration_since(start).try_into().unwrap_or(Duration::ZERO)
}

impl Day {
    /// Plays the day until our message is taken, or is late.
    async fn play(&self, recovers: Option<Duration>) -> anyhow::Result<Played> {
        // Days follow one another, so one folder at a time is enough.
        let folder = std::env::temp_dir().join(format!("kassebro-recoveries-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder)?;
        let tasks = Tasks::new(Stop::new());
        let played = self.play_in(&folder, recovers, &tasks).await;
        tasks.stop().force();
        tasks.finish(Duration::ZERO).await;
        std::fs::remove_dir_all(&folder)?;
        played
    }

    async fn play_in(
        &self,
        folder: &Path,
        recovers: Option<Duration>,
        tasks: &Tasks,
    ) -> anyhow::Result<Played> {
        let start: Timestamp = "2026-03-02T11:00:00Z".parse()?;
        let clock = Leaping::starting_at(start, self.step, self.seed);
        let timed: Arc<dyn Clock> = Arc::new(clock.clone());
        let funds = FUNDS.map(str::to_owned);
        let deployment = Deployment { funds: &funds, receivers: 1, agreements: 0 };
        let toml = deployment.toml(|_| "http://127.0.0.1:9/".into(), "", "");
        let mut settings = config::from_text("recoveries.toml", &(head("sqlite:x.db", "") + &toml))?;
        let until = recovers.unwrap_or(Duration::MAX);
        let script = Script::new(vec![Step::between(self.down.behaviour(), Duration::ZERO, until)]);
        let character = Character {
            meaning: Meaning { origin: "http://jobcenter.example".into(), ..Meaning::default() },
            patience: PATIENCE,
            answers_after: ANSWERS_AFTER,
        };
        let receiver = Arc::new(Scripted::new(character, script, Arc::clone(&timed), start));
        settings.receiver.truncate(1);
        let place = settings.receiver.first_mut().ok_or_else(|| anyhow::anyhow!("nobody receives"))?;
        place.channel = ChannelConfig::Given(Given::new(receiver.clone()));
        let name = place.common.name().to_owned();
        let built = config::build(&settings, 1).map_err(|problem| anyhow::anyhow!(problem))?;

        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.join("day.db"), Mode::Daemon)?);
        let models = stock::models(&built.rules, &deployment.jobcentres()[0], start)?;
        let desk = dispatch::Desk { store: Arc::clone(&store), clock: timed, metrics: Metrics::new() };
        let lanes = dispatch::lanes(&desk, tasks).await?;
        for served in built.lanes {
            dispatch::start(&desk, served, &lanes, tasks);
        }
        let hands = Hands { clock, store };
        hands.idle().await;
        let messages: Vec<Accepted> =
            (0..=self.others).map(|number| owed(&models, number, &name, start)).collect();
        // The last of them: all the others go before it.
        let ours = messages.last().map(|message| message.arrived.receipt.delivery(1));
        let ours = ours.ok_or_else(|| anyhow::anyhow!("there is no message"))?;
        let batch = messages.into_iter().map(|message| Admission::Accepted(Box::new(message)));
        hands.store.accept(batch.collect()).await?;

        let end = start + SignedDuration::try_from(DAY + BEYOND)?;
        let taken = |receiver: &Scripted| receiver.taken(ours);
        while taken(&receiver).is_none() && hands.turn(end).await {}
        let taken = taken(&receiver).map(|at| since(start, at));
        Ok(Played { start, seen: receiver.seen(), ours, taken })
    }
}

/// A message that came at the start, to that receiver, due after a day.
fn owed(models: &[Accepted], number: u32, receiver: &str, start: Timestamp) -> Accepted {
    let mut message = stock::copy(models, number, true, start);
    for delivery in &mut message.deliveries {
        receiver.clone_into(&mut delivery.receiver);
        delivery.promise.course.starts = start;
        delivery.promise.course.due = start + SignedDuration::from_hours(24);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn under_a_thousandth_of_the_days_recoveries_is_missed() {
        // Looks each five minutes instead of each second: probes come later than in a gateway, and never sooner.
        let step = Duration::from_mins(5);
        for (others, proofs) in [(0, 4), (40, 2)] {
            let plan = Plan { others: vec![others], proofs, step, seed: 1 };
            for row in measure(&plan, |_| ()).await.unwrap().rows {
                assert!(row.missed_percent < 0.1, "{row:?}");
                assert_eq!(row.proofs_wrong, 0, "{row:?}");
                assert!(row.attempts_of_all > 20, "the lane did try: {row:?}");
            }
        }
    }

    #[tokio::test]
    async fn who_is_back_after_the_last_attempt_is_missed_and_who_is_back_for_it_is_not() {
        let day = Day { down: Down::Refuses, others: 0, step: Duration::from_mins(5), seed: 1 };
        let begun = day.play(None).await.unwrap().begun();
        let last = begun.into_iter().filter(|at| *at + ANSWERS_AFTER <= DAY).max().unwrap();
        let taken = async |recovers| day.play(Some(recovers)).await.unwrap().taken.unwrap();
        assert_eq!(taken(last).await, last + ANSWERS_AFTER, "it is met by that very attempt");
        assert!(taken(last + Duration::from_millis(1)).await > DAY);
    }
}
