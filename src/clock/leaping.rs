//! A clock that leaps: time stands still while anything is done, and is then at once where the next thing is due.
//!
//! Whoever holds it wakes one sleeper after the other, in the order of their times, and waits in between until
//! nothing is in hand any more. So a day passes in as long as its events take, and the same way each time.
//!
//! A pause of at most [`LOOK_MAX`] is a look of a loop that polls: nothing is known to be due then. For a moment after
//! something happened ([`AWAKE`]) looks come when they should, for that is how loops learn of it. Later they come with
//! the next thing that happens, and at the latest after the clock's `step`. Everything else wakes at its very instant.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::Clock;

/// A pause that is no longer is a look, and may be stretched.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// So long after something happened no look is stretched.
const AWAKE: Duration = Duration::from_secs(2);

/// The clock. Clones are the same clock.
#[derive(Clone)]
pub struct Leaping(Arc<Mutex<State>>);

struct State {
    start: Timestamp,
    elapsed: Duration,
    step: Duration,
    /// When something happened last that was no look.
    stirred: Duration,
    registered: u64,
    /// By the instant at which they are due, and the order in which they lay down.
    exact: BTreeMap<Place, Option<Waker>>,
    looks: BTreeMap<Place, Look>,
    chance: StdRng,
}

/// When it is due, and its number.
type Place = (Duration, u64);

struct Look {
    /// When it lay down.
    since: Duration,
    waker: Option<Waker>,
}

/// What came of asking for the next sleeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Time stands where one was due, and it was woken.
    Woke,
    /// Nobody is due before the end that was given; time stands there.
    AtEnd,
}

impl Leaping {
    /// A look is stretched to `step` at the most. The same seed brings the same chance.
    pub fn starting_at(start: Timestamp, step: Duration, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            start,
            elapsed: Duration::ZERO,
            step: step.max(LOOK_MAX),
            stirred: Duration::ZERO,
            registered: 0,
            exact: BTreeMap::new(),
            looks: BTreeMap::new(),
            chance: StdRng::seed_from_u64(seed),
        })))
    }

    /// Wakes the next sleeper that is due before `end` or then, and moves the time there.
    pub fn turn(&self, end: Timestamp) -> Turn {
        let mut state = self.state();
        let end = state.since_start(end);
        loop {
            let now = state.elapsed;
            if state.exact.first_key_value().is_some_and(|(place, _)| place.0 <= now) {
                let waker = state.exact.pop_first().and_then(|(_, waker)| waker);
                state.stirred = now;
                return woke(state, waker);
            }
            if state.looks.first_key_value().is_some_and(|(place, _)| place.0 <= now) {
                let waker = state.looks.pop_first().and_then(|(_, look)| look.waker);
                return woke(state, waker);
            }
            if now >= end {
                // Whoever asked for this end does something now.
                state.stirred = now;
                return Turn::AtEnd;
            }
            let exact = state.exact.first_key_value().map(|(place, _)| place.0);
            let look = state.looks.iter().map(|(place, look)| state.latest(*place, look)).min();
            state.elapsed = exact.into_iter().chain(look).fold(end, Duration::min);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lies down until that much time has passed since the start.
    fn lie_down(&self, at: Duration, is_look: bool) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        if at <= state.elapsed {
            return std::future::ready(()).boxed();
        }
        state.registered += 1;
        let place = (at, state.registered);
        if is_look {
            let since = state.elapsed;
            state.looks.insert(place, Look { since, waker: None });
        } else {
            state.exact.insert(place, None);
        }
        drop(state);
        Sleeper { clock: self.clone(), place, is_look }.boxed()
    }
}

fn woke(state: MutexGuard<'_, State>, waker: Option<Waker>) -> Turn {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
    Turn::Woke
}

impl State {
    /// Further than to there a look is not stretched.
    fn latest(&self, (at, _): Place, look: &Look) -> Duration {
        if at <= self.stirred + AWAKE { at } else { look.since + self.step }
    }

    /// Nothing for what lies before the start.
    fn since_start(&self, at: Timestamp) -> Duration {
        at.duration_since(self.start).try_into().unwrap_or(Duration::ZERO)
    }
}

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        let state = self.state();
        let elapsed = SignedDuration::try_from(state.elapsed).unwrap_or(SignedDuration::MAX);
        state.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let at = self.state().since_start(at);
        self.lie_down(at, false)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let at = self.monotonic().saturating_add(duration);
        self.lie_down(at, duration <= LOOK_MAX)
    }

    fn pause(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let at = self.monotonic().saturating_add(duration);
        self.lie_down(at, true)
    }

    fn chance(&self) -> f64 {
        self.state().chance.random()
    }
}

/// Wakes when its turn has come, and only then; leaves its place when it is dropped.
struct Sleeper {
    clock: Leaping,
    place: Place,
    is_look: bool,
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        let slot = if self.is_look {
            state.looks.get_mut(&self.place).map(|look| &mut look.waker)
        } else {
            state.exact.get_mut(&self.place)
        };
        match slot {
            None => Poll::Ready(()),
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        let gone = if self.is_look {
            state.looks.remove(&self.place).and_then(|look| look.waker)
        } else {
            state.exact.remove(&self.place).flatten()
        };
        // What a waker holds may itself sleep by this clock.
        drop(state);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn noon() -> Timestamp {
        "2026-03-02T11:00:00Z".parse().unwrap()
    }

    fn clock() -> Leaping {
        Leaping::starting_at(noon(), Duration::from_mins(1), 1)
    }

    #[tokio::test]
    async fn time_stands_where_the_next_sleeper_is_due_and_at_the_end_where_none_is() {
        let clock = clock();
        let (mut late, mut early) = (clock.sleep_until(noon() + HOUR * 3), clock.sleep_until(noon() + HOUR));
        assert!(poll!(&mut late).is_pending() && poll!(&mut early).is_pending());
        assert_eq!(clock.turn(noon() + HOUR * 2), Turn::Woke);
        assert_eq!(clock.now(), noon() + HOUR);
        assert!(poll!(&mut late).is_pending() && poll!(&mut early).is_ready());
        assert_eq!(clock.turn(noon() + HOUR * 2), Turn::AtEnd);
        assert_eq!((clock.now(), clock.monotonic()), (noon() + HOUR * 2, Duration::from_hours(2)));
    }

    #[tokio::test]
    async fn a_look_waits_for_the_next_event_and_no_longer_than_a_step() {
        let clock = clock();
        let at = |clock: &Leaping| {
            assert_eq!(clock.turn(noon() + HOUR), Turn::Woke);
            clock.monotonic().as_secs()
        };
        for second in 1..=2 {
            let _look = clock.sleep(LOOK_MAX);
            assert_eq!(at(&clock), second, "for a moment looks come when they should");
        }
        let (mut look, mut event) = (clock.sleep(LOOK_MAX), clock.sleep(Duration::from_secs(20)));
        assert_eq!(at(&clock), 22);
        assert!(poll!(&mut event).is_ready() && poll!(&mut look).is_pending(), "events go first");
        assert_eq!(at(&clock), 22);
        assert!(poll!(&mut look).is_ready());
        for second in [23, 24, 84, 144] {
            let _look = clock.sleep(LOOK_MAX);
            assert_eq!(at(&clock), second, "a step at the most");
        }
    }

    #[tokio::test]
    async fn who_went_away_holds_nobody_up() {
        let clock = clock();
        drop((clock.sleep_until(noon() + HOUR), clock.sleep(LOOK_MAX)));
        assert_eq!(clock.turn(noon() + HOUR * 2), Turn::AtEnd);
    }

    #[test]
    fn the_same_seed_brings_the_same_chance() {
        let of = |seed| {
            let clock = Leaping::starting_at(noon(), LOOK_MAX, seed);
            [clock.chance(), clock.chance()]
        };
        assert_eq!(of(7).map(f64::to_bits), of(7).map(f64::to_bits));
        assert_ne!(of(7).map(f64::to_bits), of(8).map(f64::to_bits));
    }
}
