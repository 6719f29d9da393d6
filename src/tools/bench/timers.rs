//! Promises against the clock beside a great many others: how late a step is recorded, what is caught up after a
//! downtime, and what the gateway uses while nothing happens.
//!
//! The clock is this machine's and the gateway is whole; it has nobody to deliver to. That a deadline passed is seen
//! from outside: by the answer `late` in the sender's log, which is committed with the step.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    deployment::{Deployment, FUNDS, head},
    figures::Latency,
    stock, usage,
};
use crate::{
    clock::Clock,
    config::{self, Settings},
    domain::{AnswerOutcome, ReceiptId},
    gateway::{self, Gateway, Roles},
    lifecycle::{Stop, Tasks},
    store::{Accepted, Admission, Mode, Store, views::MessageView},
};

/// All deadlines of a round lie within so long a time.
const WITHIN_MICROSECONDS: i64 = 1_000_000;
/// The gateway has so long to settle before something is measured.
const QUIET: Duration = Duration::from_secs(5);
/// How often the log of answers is read.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The configuration's name in problems.
const NAME: &str = "timers.toml";
/// Answers read at once.
const PAGE: u32 = 4096;
/// Nothing takes longer; else something is wrong.
const PATIENCE: Duration = Duration::from_mins(5);
/// Of so many promises the history is read.
const SAMPLE: usize = 200;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Open promises that are due in 300 days.
    pub promises: u32,
    /// Promises that are due within one second, twice: with the gateway running, and while it is not.
    pub due: u32,
    /// How long the gateway is watched doing nothing.
    pub idle: Duration,
    /// Address of an empty store; `None`: a SQLite file of its own.
    pub store: Option<String>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub promises: u32,
    pub due: u32,
    /// How long laying the promises took.
    pub laid_seconds: f64,
    /// CPU time of the whole gateway while nothing changes, in percent of one core.
    pub idle_cpu_percent: f64,
    /// From each deadline until its breach was committed and seen.
    pub late: Latency,
    /// After a downtime in which they fell due: from the gateway's start until all were recorded.
    pub caught_up_seconds: f64,
    /// Recorded in the order of their deadlines, in both rounds.
    pub in_order: bool,
    /// The history has the true instants, of those that were looked at.
    pub true_instants: bool,
}

/// Measures what the plan says.
///
/// # Errors
/// The store cannot be written, or deadlines are not recorded at all.
pub async fn measure(plan: &Plan, clock: Arc<dyn Clock>) -> anyhow::Result<Measured> {
    let folder = std::env::temp_dir().join(format!("kassebro-timers-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure_in(&folder, plan, clock).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure_in(folder: &Path, plan: &Plan, clock: Arc<dyn Clock>) -> anyhow::Result<Measured> {
    let own = format!("sqlite:{}", folder.join("timers.db").display());
    let url = plan.store.clone().unwrap_or(own);
    let funds = FUNDS.map(str::to_owned);
    let deployment = Deployment { funds: &funds, receivers: 1, agreements: 0 };
    let toml = deployment.toml(|_| "http://127.0.0.1:9/".into(), "", "");
    let text = head(&url, "") + &toml;
    let settings = config::from_text(NAME, &text)?;
    let rules = config::rules(&settings, 1).map_err(|problem| anyhow::anyhow!(problem))?;
    let models = stock::models(&rules, &deployment.jobcentres()[0], clock.now())?;
    let rig = Rig { text, settings, models, clock };

    let begin = rig.clock.monotonic();
    rig.lay_far(plan.promises).await?;
    let laid_seconds = rig.clock.monotonic().saturating_sub(begin).as_secs_f64();

    let tasks = Tasks::new(Stop::new());
    let gateway = rig.start(&tasks).await?;
    rig.clock.sleep(QUIET).await;
    let idle_cpu_percent = rig.idle(plan.idle).await?;
    let running = rig.while_it_runs(plan.due, &gateway).await?;
    drop(gateway);
    stop(tasks).await;

    let laid = rig.lay_near(&*rig.open().await?, plan.due, SignedDuration::from_secs(-2)).await?;
    let tasks = Tasks::new(Stop::new());
    let gateway = rig.start(&tasks).await?;
    let started = rig.clock.monotonic();
    let mut caught_up = rig.recorded(laid, &gateway).await?;
    let caught_up_seconds = rig.clock.monotonic().saturating_sub(started).as_secs_f64();
    caught_up.is_true = rig.is_true(&caught_up, &gateway).await?;
    drop(gateway);
    stop(tasks).await;
    Ok(Measured {
        promises: plan.promises,
        due: plan.due,
        laid_seconds,
        idle_cpu_percent,
        late: Latency::of(running.late()).ok_or_else(|| anyhow::anyhow!("nothing was due"))?,
        caught_up_seconds,
        in_order: running.is_in_order() && caught_up.is_in_order(),
        true_instants: running.is_true && caught_up.is_true,
    })
}

async fn stop(tasks: Tasks) {
    tasks.stop().request();
    tasks.finish(QUIET).await;
}

/// What is needed to lay promises and to start a gateway over them.
struct Rig {
    /// What `settings` were read from.
    text: String,
    settings: Settings,
    models: Vec<Accepted>,
    clock: Arc<dyn Clock>,
}

/// Promises and when they are due.
type Laid = HashMap<ReceiptId, Timestamp>;

/// Breaches, in the order in which they were recorded: whose, when it was due, and when it was seen.
struct Recorded {
    breaches: Vec<(ReceiptId, Timestamp, Timestamp)>,
    is_true: bool,
}

impl Recorded {
    fn late(&self) -> Vec<i64> {
        let late = self.breaches.iter().map(|(_, due, seen)| seen.duration_since(*due).as_micros());
        late.map(|late| late.try_into().unwrap_or(i64::MAX)).collect()
    }

    fn is_in_order(&self) -> bool {
        self.breaches.is_sorted_by_key(|(_, due, _)| *due)
    }
}

impl Rig {
    async fn open(&self) -> anyhow::Result<Arc<dyn Store>> {
        let place = gateway::store_place(&self.settings)?;
        Ok(tokio::task::spawn_blocking(move || place.open(Mode::Daemon)).await??)
    }

    async fn start(&self, tasks: &Tasks) -> anyhow::Result<Gateway> {
        Ok(gateway::start(
            config::read_text(NAME, &self.text)?,
            &Roles::default(),
            Arc::clone(&self.clock),
            tasks,
        )
        .await?)
    }

    /// Promises that nobody will hear of.
    async fn lay_far(&self, count: u32) -> anyhow::Result<()> {
        let (store, now) = (self.open().await?, self.clock.now());
        for first in (0..count).step_by(stock::BATCH as usize) {
            let numbers = first..count.min(first.saturating_add(stock::BATCH));
            let batch = numbers.map(|number| {
                // A promise that has hardly begun: none of its steps has come. Without its body, which nobody reads.
                let mut message = stock::copy(&self.models, number, false, now);
                for delivery in &mut message.deliveries {
                    delivery.promise.course.starts = now;
                }
                Admission::Accepted(Box::new(message))
            });
            stock::accept(&*store, batch.collect()).await?;
        }
        Ok(())
    }

    /// Promises that are due one after the other within a second, which begins so far from now.
    async fn lay_near(&self, store: &dyn Store, count: u32, begins: SignedDuration) -> anyhow::Result<Laid> {
        let now = self.clock.now();
        let first_due = Timestamp::from_microsecond((now + begins).as_microsecond())?;
        let mut laid = Laid::new();
        for first in (0..count).step_by(stock::BATCH as usize) {
            let numbers = first..count.min(first.saturating_add(stock::BATCH));
            let mut batch = Vec::new();
            for number in numbers {
                let mut message = stock::copy(&self.models, number, true, now);
                // As exact as the store keeps it.
                let after = i64::from(number) * WITHIN_MICROSECONDS / i64::from(count);
                let due = first_due + SignedDuration::from_micros(after);
                for delivery in &mut message.deliveries {
                    delivery.promise.course.starts = due - SignedDuration::from_hours(24);
                    delivery.promise.course.due = due;
                }
                laid.insert(message.arrived.receipt, due);
                batch.push(Admission::Accepted(Box::new(message)));
            }
            stock::accept(store, batch).await?;
        }
        Ok(laid)
    }

    /// Promises fall due under a gateway that runs.
    async fn while_it_runs(&self, count: u32, gateway: &Gateway) -> anyhow::Result<Recorded> {
        // Time to lay them and to record their earlier steps.
        let begins = SignedDuration::from_secs(10 + i64::from(count) / 1000);
        let laid = self.lay_near(&*gateway.store, count, begins).await?;
        let mut recorded = self.recorded(laid, gateway).await?;
        recorded.is_true = self.is_true(&recorded, gateway).await?;
        Ok(recorded)
    }

    /// Waits until every one of them is breached.
    async fn recorded(&self, mut laid: Laid, gateway: &Gateway) -> anyhow::Result<Recorded> {
        let until = self.clock.monotonic() + PATIENCE;
        let (mut after, mut breaches) = (0, Vec::new());
        while !laid.is_empty() {
            let page = gateway.store.answers(stock::PARTY.to_owned(), after, PAGE).await?;
            let seen = self.clock.now();
            after = page.last().map_or(after, |last| last.seq);
            let late = page.iter().filter(|logged| logged.answer.outcome == AnswerOutcome::Late);
            breaches.extend(late.filter_map(|logged| {
                let receipt = logged.answer.receipt_id;
                laid.remove(&receipt).map(|due| (receipt, due, seen))
            }));
            anyhow::ensure!(self.clock.monotonic() < until, "{} deadlines were not recorded", laid.len());
            if page.len() < PAGE as usize {
                self.clock.sleep(LOOK_EVERY).await;
            }
        }
        Ok(Recorded { breaches, is_true: false })
    }

    /// Whether the history has each breach, once, at the instant at which it was due.
    async fn is_true(&self, recorded: &Recorded, gateway: &Gateway) -> anyhow::Result<bool> {
        let each = (recorded.breaches.len() / SAMPLE).max(1);
        for (receipt, due, _) in recorded.breaches.iter().step_by(each) {
            let view = gateway.store.message(receipt.to_string(), None, self.clock.now()).await?;
            if view.map(|view| breaches_of(&view)) != Some(vec![due.to_string()]) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// CPU time of this process over so long a time, in percent of one core.
    async fn idle(&self, time: Duration) -> anyhow::Result<f64> {
        let (begin, used) = (self.clock.monotonic(), usage::cpu_of(std::process::id())?);
        self.clock.sleep(time).await;
        let used = usage::cpu_of(std::process::id())? - used;
        Ok(used / self.clock.monotonic().saturating_sub(begin).as_secs_f64() * 100.0)
    }
}

/// The instants of breaches that the history tells.
fn breaches_of(view: &MessageView) -> Vec<String> {
    let steps = view.history.iter().filter(|event| event.what == "sla_step" && event.data["step"] == 100);
    let due = steps.filter_map(|event| event.data["dueAt"].as_str().map(str::to_owned));
    due.filter_map(|due| Some(due.parse::<Timestamp>().ok()?.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    /// The figures of a busy machine say nothing; that everything is recorded, once, in order and truly, does.
    #[tokio::test(flavor = "multi_thread")]
    async fn deadlines_beside_many_others_are_recorded_in_order_and_truly() {
        let plan = Plan { promises: 3_000, due: 1_200, idle: Duration::from_secs(1), store: None };
        let measured = measure(&plan, Arc::new(System)).await.unwrap();
        assert_eq!(measured.late.messages, 1_200);
        assert!(measured.in_order && measured.true_instants, "{measured:?}");
        assert!(measured.late.max < 5_000.0 && measured.caught_up_seconds < 20.0, "{measured:?}");
    }
}
