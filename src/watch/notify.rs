//! Tells the world of alerts: each target reads the log of changes by a cursor of its own.
//!
//! So a restart, or a target that was away, neither forgets nor repeats a resolution. What changes at one time goes
//! out in one notice, what stays open is told again now and then, and where nothing happens a heartbeat shows that
//! the telling lives. A target that fails is tried again with growing gaps, and after some tries another is told in
//! its place. That it fails is said by the log and by metrics, and by no alert (invariant I8).

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tracing::{info, warn};

use super::Desk;
use crate::{
    domain::alert::{Alert, AlertChange, Change, Condition, Reason, Urgency, WATCHDOG},
    lifecycle::{Stop, crash},
    reconnect::Reconnect,
    store::StoreError,
    telemetry::Part,
};

mod alertmanager;
mod amqp;
mod lead;
mod log;
mod mail;
mod notice;
mod stand_in;
mod webhook;

pub use alertmanager::Alertmanager;
pub use amqp::Amqp;
pub use mail::Mail;
pub use notice::{Notice, Way};
pub use webhook::Webhook;

/// How often the log of changes is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A cursor that nobody reads from: the number that this installation goes by.
const INSTALLATION: &str = "notify/installation";
/// Between two tries of a target that fails: from a second up to a minute.
const GAP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Which alerts a target is told of that name no targets themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tell {
    #[default]
    All,
    Warning,
    Critical,
    /// None: only where it is named.
    Named,
}

/// Which alerts somebody hears of.
#[derive(Debug, Clone)]
pub struct Audience {
    /// The target's name.
    pub name: String,
    pub tell: Tell,
    /// It keeps a picture of its own of what is open, and wants all of it each time: Alertmanager. It hears of the
    /// alert that always fires too, which is a heartbeat's matter for the others.
    pub wants_all: bool,
}

impl Audience {
    fn hears(&self, condition: &Condition) -> bool {
        if let Some(targets) = &condition.targets {
            return targets.contains(&self.name);
        }
        let least = match self.tell {
            Tell::All => Urgency::Info,
            Tell::Warning => Urgency::Warning,
            Tell::Critical => Urgency::Critical,
            Tell::Named => return false,
        };
        condition.urgency >= least && (self.wants_all || condition.name != WATCHDOG)
    }
}

/// How often a target is told, in Alertmanager's words.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// From a change until it is told, so that others may join it.
    pub group_wait: Duration,
    /// Between two notices, at the least.
    pub group_interval: Duration,
    /// What is open, neither acknowledged nor snoozed is told again.
    pub repeat_interval: Duration,
    /// A notice comes this often, whether or not there is anything to tell.
    pub heartbeat: Option<Duration>,
}

/// Somebody who is told of alerts.
pub struct Target {
    pub audience: Audience,
    pub way: Arc<dyn Way>,
    pub rhythm: Rhythm,
    pub otherwise: Option<Otherwise>,
}

/// Who is told in a target's place.
pub struct Otherwise {
    pub audience: Audience,
    pub way: Arc<dyn Way>,
    /// After so many failures in a row.
    pub after_tries: u32,
}

/// How it went with a target so far.
struct Tries {
    failures: u32,
    gaps: Reconnect,
    /// By the monotonic clock: not tried before.
    not_before: Duration,
}

impl Tries {
    fn new() -> Self {
        Self { failures: 0, gaps: Reconnect::new(GAP.0, GAP.1, 0.2), not_before: Duration::ZERO }
    }

    fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + self.gaps.next();
    }

    fn worked(&mut self) {
        self.failures = 0;
        self.gaps.reset();
        self.not_before = Duration::ZERO;
    }
}

/// Why a look did not come to its end.
enum Trouble {
    Store(StoreError),
    Target(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Tells one target until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(desk: Desk, target: Target, stop: Stop) -> Result<(), StoreError> {
    let mut teller = Teller::new(&desk, &target);
    while !stop.is_soft() {
        match teller.look().await {
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            Err(error) => {
                warn!(error = %error, "Reading the changes of alerts for {} failed; trying again", target.audience.name);
            }
            Ok(()) => {}
        }
        stop.unless_soft(desk.clock.sleep(LOOK_EVERY)).await;
    }
    Ok(())
}

/// Tries a target out with an alert that nobody opened; what went wrong, in words.
///
/// # Errors
/// It did not take it.
pub async fn try_out(target: &Target, now: Timestamp) -> Result<(), String> {
    target.way.tell(&notice::test(&target.audience.name, now)).await
}

/// A target as it is told.
struct Teller<'a> {
    desk: &'a Desk,
    target: &'a Target,
    own: Tries,
    /// Of who is told in its place.
    other: Tries,
    /// When this target was first looked at, told last, and told again of what is open.
    begun: Mark,
    told: Mark,
    repeated: Mark,
}

impl<'a> Teller<'a> {
    fn new(desk: &'a Desk, target: &'a Target) -> Self {
        let mark = |what: &str| Mark::new(format!("notify/{}/{what}", target.audience.name));
        Self {
            desk,
            target,
            own: Tries::new(),
            other: Tries::new(),
            begun: mark("begun"),
            told: mark("told"),
            repeated: mark("repeated"),
        }
    }

    fn name(&self) -> &str {
        &self.target.audience.name
    }

    /// How far it was told.
    fn cursor(&self) -> String {
        format!("notify/{}", self.name())
    }

    /// One look: tells what is to be told by now.
    async fn look(&mut self) -> Result<(), StoreError> {
        let now = self.desk.clock.monotonic();
        if now >= self.own.not_before {
            match self.tell().await {
                Ok(()) => self.own.worked(),
                Err(Trouble::Store(error)) => return Err(error),
                Err(Trouble::Target(says)) => {
                    self.own.failed(now);
                    failed(self.desk, self.name(), &says);
                }
            }
        }
        self.stand_in(now).await
    }

    /// What it hears of after its cursor, and where the cursor stands then.
    async fn heard(&self, after: i64) -> Result<log::Page, StoreError> {
        log::page(self.desk, after, |change| self.target.audience.hears(&change.condition)).await
    }

    async fn tell(&mut self) -> Result<(), Trouble> {
        let store = &self.desk.store;
        let after = store.cursor(self.cursor()).await?;
        let page = self.heard(after).await?;
        let unread = if page.changes.is_empty() && page.last > after {
            store.set_cursor(self.cursor(), page.last).await?;
            page.last
        } else {
            after
        };
        let now = self.desk.clock.now();
        let mut open = store.open_alerts().await?;
        open.retain(|alert| self.target.audience.hears(&alert.condition));
        let Some(reason) = self.reason(&page.changes, &open, now).await? else { return Ok(()) };
        if !lead::leads(self.desk, &self.cursor(), unread).await? {
            return Ok(());
        }
        if reason == Reason::Repeat && !self.target.audience.wants_all {
            open.retain(|alert| may_repeat(alert, now));
        }
        let changes = if reason == Reason::Changes { page.changes } else { vec![] };
        let mut notice = Notice { open, ..Notice::new(self.name(), reason, page.last, changes, now) };
        if self.target.audience.wants_all {
            notice.installation = installation(self.desk).await?;
        }
        let told = lead::tell(self.desk, &self.cursor(), &*self.target.way, &notice).await;
        told.map_err(Trouble::Target)?;
        crash::point("notify.after-telling");
        if reason == Reason::Changes {
            store.set_cursor(self.cursor(), page.last).await?;
        }
        if reason == Reason::Repeat {
            self.repeated.set(self.desk, now).await?;
        }
        self.told.set(self.desk, now).await?;
        went_through(self.desk, self.name(), now);
        Ok(())
    }

    /// Why it is told now, if it is.
    async fn reason(
        &mut self,
        changes: &[AlertChange],
        open: &[Alert],
        now: Timestamp,
    ) -> Result<Option<Reason>, StoreError> {
        let (rhythm, desk) = (self.target.rhythm, self.desk);
        let told = self.told.since(desk, now).await?;
        if let Some(first) = changes.first() {
            let may_go = elapsed(first.at, now) >= rhythm.group_wait
                && told.is_none_or(|told| told >= rhythm.group_interval);
            return Ok(may_go.then_some(Reason::Changes));
        }
        let is_due = if self.target.audience.wants_all {
            told.is_none_or(|told| told >= rhythm.repeat_interval)
        } else {
            let repeated = self.repeated.since(desk, now).await?.unwrap_or(Duration::MAX);
            let waits = |alert: &Alert| elapsed(alert.opened, now).min(repeated) >= rhythm.repeat_interval;
            open.iter().any(|alert| may_repeat(alert, now) && waits(alert))
        };
        if is_due {
            return Ok(Some(Reason::Repeat));
        }
        let Some(every) = rhythm.heartbeat else { return Ok(None) };
        let silent = match told {
            Some(told) => Some(told),
            None => self.begun.since(desk, now).await?,
        };
        if silent.is_none() {
            self.begun.set(desk, now).await?;
        }
        Ok(silent.filter(|silent| *silent >= every).map(|_| Reason::Heartbeat))
    }
}

/// Which gateway this is where several tell the same Alertmanager: a number of the store's, alike on all its nodes.
async fn installation(desk: &Desk) -> Result<String, StoreError> {
    if desk.store.cursor(INSTALLATION.to_owned()).await? == 0 {
        // Of two nodes that draw at once the greater number stays.
        desk.store.set_cursor(INSTALLATION.to_owned(), i64::from(rand::random::<u32>()) + 1).await?;
    }
    Ok(format!("{:08x}", desk.store.cursor(INSTALLATION.to_owned()).await?))
}

/// Whether people are to be told of it again: nobody looks at it, and nobody put it off.
fn may_repeat(alert: &Alert, now: Timestamp) -> bool {
    alert.handling.acknowledged.is_none() && !alert.handling.is_snoozed(now)
}

/// An instant that outlives the process: a cursor of microseconds, for it goes forward only.
struct Mark {
    cursor: String,
    /// By the monotonic clock, when this process set it, or found it in the future.
    at: Option<Duration>,
}

impl Mark {
    fn new(cursor: String) -> Self {
        Self { cursor, at: None }
    }

    async fn set(&mut self, desk: &Desk, now: Timestamp) -> Result<(), StoreError> {
        self.at = Some(desk.clock.monotonic());
        desk.store.set_cursor(self.cursor.clone(), now.as_microsecond()).await
    }

    /// How long ago that is; `None` where it never was.
    async fn since(&mut self, desk: &Desk, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let kept = desk.store.cursor(self.cursor.clone()).await?;
        if kept == 0 {
            return Ok(None);
        }
        let then = Timestamp::from_microsecond(kept).unwrap_or(Timestamp::MAX);
        if then <= now {
            return Ok(Some(elapsed(then, now)));
        }
        // The clock was set back behind it: the other clock counts from now on.
        let monotonic = desk.clock.monotonic();
        Ok(Some(monotonic.saturating_sub(*self.at.get_or_insert(monotonic))))
    }
}

/// From then until now; where then is still to come, the clock was set back, and it has been long enough.
fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or(Duration::MAX)
}

fn went_through(desk: &Desk, target: &str, now: Timestamp) {
    let part = Part { part: target.to_owned() };
    desk.metrics.notifications.get_or_create(&part).inc();
    desk.metrics.notified.get_or_create(&part).set(now.as_second());
}

fn failed(desk: &Desk, target: &str, says: &str) {
    desk.metrics.notifications_failed.get_or_create(&Part { part: target.to_owned() }).inc();
    warn!(part = target, error = says, "Telling {target} of alerts failed; trying again");
}

#[cfg(test)]
mod tests;
