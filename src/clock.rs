//! What time it is: the system's clock, or one that tests move.
//!
//! The only file that asks the operating system for the time. There are two times: the wall clock, which can
//! be set and so can jump, and the monotonic one, which cannot. Deadlines stand on the wall; the pace of
//! loops and connections stands on the monotonic one.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use leaping::{Leaping, Turn};
#[cfg(feature = "test-clock")]
pub use offset::FileOffset;

/// A sleeper looks at the wall clock at least this often, so that a clock that is set while it sleeps
/// neither delays nor loses it for longer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock. May jump both ways.
    fn now(&self) -> Timestamp;

    /// Time since the process started. Never goes back.
    fn monotonic(&self) -> Duration;

    /// Completes once the wall clock has reached `at`; at once if it has already. At most a second late
    /// after the clock is set forward.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;

    /// Completes after `duration` on the monotonic clock, whatever the wall clock does meanwhile.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// The pause of a loop that looks whether there is something to do, and is in no hurry: like [`Self::sleep`], but a
    /// clock that leaps need not stop for it.
    fn pause(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep(duration)
    }

    /// Chance, in 0–1. It comes with the time, so that who moves the one can repeat the other.
    fn chance(&self) -> f64 {
        rand::random()
    }
}

/// The clock the program runs on: the system's, or with the feature `test-clock` the one that the file named
/// by `KASSEBRO_TEST_CLOCK` moves.
pub fn from_environment() -> Arc<dyn Clock> {
    #[cfg(feature = "test-clock")]
    if let Some(clock) = FileOffset::from_environment() {
        return Arc::new(clock);
    }
    Arc::new(System)
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        process_age()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        async move {
            while let Some(left) = left(System.now(), at) {
                pause(left.min(LOOK_EVERY)).await;
            }
        }
        .boxed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        pause(duration).boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn process_age() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// What is left until `at`; `None` once it has come.
fn left(now: Timestamp, at: Timestamp) -> Option<Duration> {
    if now >= at { None } else { at.duration_since(now).try_into().ok() }
}

/// A clock that stands still until a test moves it. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Moved {
    hands: Arc<watch::Sender<Hands>>,
}

#[derive(Debug, Clone, Copy)]
struct Hands {
    wall: Timestamp,
    monotonic: Duration,
}

impl Moved {
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { hands: Arc::new(watch::Sender::new(Hands { wall, monotonic: Duration::ZERO })) }
    }

    /// Lets time pass on both clocks. Sleepers whose time has come wake.
    pub fn advance(&self, by: Duration) {
        let by_signed = SignedDuration::try_from(by).expect("a test does not pass 290 000 million years");
        self.hands.send_modify(|hands| {
            hands.wall += by_signed;
            hands.monotonic += by;
        });
    }

    /// Lets time pass until the wall clock shows `at`.
    ///
    /// # Panics
    /// If that lies in the past: going back must be asked for by its name, [`Moved::step_back_to`].
    pub fn set(&self, at: Timestamp) {
        let by = at.duration_since(self.now());
        self.advance(by.try_into().expect("the clock is not set back; `step_back_to` does that"));
    }

    /// Sets the wall clock alone, as an administrator would. The monotonic one stays.
    pub fn step_back_to(&self, at: Timestamp) {
        self.hands.send_modify(|hands| hands.wall = at);
    }

    /// Completes once `reached` holds. The sleeper keeps its own sender, so that the clock outlives it.
    fn wait(&self, reached: impl Fn(&Hands) -> bool + Send + Sync + 'static) -> BoxFuture<'static, ()> {
        let hands = Arc::clone(&self.hands);
        async move {
            let mut seen = hands.subscribe();
            seen.wait_for(reached).await.expect("the sender lives in this future");
        }
        .boxed()
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.hands.borrow().wall
    }

    fn monotonic(&self) -> Duration {
        self.hands.borrow().monotonic
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.wait(move |hands| hands.wall >= at)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let at = self.monotonic().saturating_add(duration);
        self.wait(move |hands| hands.monotonic >= at)
    }
}

mod leaping;
#[cfg(feature = "test-clock")]
mod offset;

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-03-02T11:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = Moved::starting_at(noon());
        let mut sleeper = clock.sleep_until(noon() + SignedDuration::from_secs(60));
        clock.advance(Duration::from_secs(59));
        assert!(futures_util::poll!(&mut sleeper).is_pending());
        clock.advance(Duration::from_secs(1));
        sleeper.await;
    }

    #[tokio::test]
    async fn a_time_that_has_passed_is_not_slept_for() {
        let clock = Moved::starting_at(noon());
        clock.sleep_until(noon() - SignedDuration::from_secs(1)).await;
        System.sleep_until(System.now() - SignedDuration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn setting_the_wall_clock_neither_shortens_nor_stretches_a_pause() {
        let clock = Moved::starting_at(noon());
        let mut sleeper = clock.sleep(Duration::from_secs(5));
        clock.step_back_to(noon() - SignedDuration::from_hours(2));
        clock.advance(Duration::from_secs(4));
        assert!(futures_util::poll!(&mut sleeper).is_pending());
        clock.advance(Duration::from_secs(1));
        sleeper.await;
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_sleeper_by_the_wall_follows_a_clock_that_is_set() {
        let clock = Moved::starting_at(noon());
        let sleeper = clock.sleep_until(noon() + SignedDuration::from_hours(24));
        clock.set(noon() + SignedDuration::from_hours(26));
        sleeper.await;
    }

    #[test]
    #[should_panic(expected = "not set back")]
    fn the_clock_does_not_go_back_unless_asked() {
        Moved::starting_at(noon()).set(noon() - SignedDuration::from_secs(1));
    }

    #[tokio::test]
    async fn the_systems_clock_goes_forward() {
        let (wall, monotonic) = (System.now(), System.monotonic());
        System.sleep_until(wall + SignedDuration::from_millis(20)).await;
        assert!(System.now() >= wall + SignedDuration::from_millis(20));
        System.sleep(Duration::from_millis(5)).await;
        assert!(System.monotonic() >= monotonic + Duration::from_millis(20));
    }
}
