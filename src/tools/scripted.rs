//! A receiver that follows a script: what it does with each attempt, by its number or by the time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use crate::{
    channels::{Channel, Consignment, http::status::Meaning},
    clock::Clock,
    domain::{DeliveryId, Fault, Outcome},
};

mod script;

pub use script::{Behaviour, Script, Step};

/// The way there and back.
const REFUSES_AFTER: Duration = Duration::from_millis(1);

/// What it is and how it is reached.
#[derive(Debug, Clone, Default)]
pub struct Character {
    pub meaning: Meaning,
    /// After so long without an answer the channel gives up.
    pub patience: Duration,
    /// So long it takes for every answer.
    pub answers_after: Duration,
}

/// One attempt, as the receiver saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub began: Timestamp,
    pub message_id: String,
    pub delivery: DeliveryId,
}

/// The receiver. Shipped lanes send to it as to any other channel.
pub struct Scripted {
    character: Character,
    clock: Arc<dyn Clock>,
    start: Timestamp,
    book: Mutex<Book>,
}

struct Book {
    script: Script,
    seen: Vec<Seen>,
    /// When each delivery was taken first, in order.
    taken: Vec<(DeliveryId, Timestamp)>,
}

impl Scripted {
    /// Times of the script count from `start`.
    pub fn new(character: Character, script: Script, clock: Arc<dyn Clock>, start: Timestamp) -> Self {
        Self {
            character,
            clock,
            start,
            book: Mutex::new(Book { script, seen: Vec::new(), taken: Vec::new() }),
        }
    }

    /// Every attempt so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.book().seen.clone()
    }

    /// When it took that delivery first.
    pub fn taken(&self, delivery: DeliveryId) -> Option<Timestamp> {
        self.book().taken.iter().find(|(taken, _)| *taken == delivery).map(|(_, at)| *at)
    }

    /// What it took, without the first so many.
    pub fn taken_after(&self, told: usize) -> Vec<(DeliveryId, Timestamp)> {
        self.book().taken.iter().skip(told).copied().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(&self, consignment: &Consignment) -> Outcome {
        let began = self.clock.now();
        let delivery = consignment.delivery;
        let behaviour = {
            let mut book = self.book();
            book.seen.push(Seen { began, message_id: consignment.message_id.clone(), delivery });
            book.script.next(began.duration_since(self.start))
        };
        let Character { meaning, patience, answers_after } = &self.character;
        let (status, retry_after, after) = match behaviour {
            Behaviour::Refuse => {
                self.pause(REFUSES_AFTER).await;
                return meaning.refused();
            }
            Behaviour::Hang { breaks_off } => {
                self.pause(breaks_off.unwrap_or(*patience).min(*patience)).await;
                return meaning.silent();
            }
            Behaviour::Slow(by) => (200, None, by),
            Behaviour::Answer { status, retry_after } => (status, retry_after, *answers_after),
        };
        if after >= *patience {
            self.pause(*patience).await;
            return meaning.silent();
        }
        self.pause(after).await;
        let now = self.clock.now();
        let outcome = meaning.of_status(status, retry_after, now);
        if matches!(outcome, Outcome::Delivered(_)) {
            let mut book = self.book();
            if !book.taken.iter().any(|(taken, _)| *taken == delivery) {
                book.taken.push((delivery, now));
            }
        }
        outcome
    }

    /// To the very instant, however short.
    async fn pause(&self, duration: Duration) {
        let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let until = self.clock.now().checked_add(duration).unwrap_or(Timestamp::MAX);
        self.clock.sleep_until(until).await;
    }
}

impl Channel for Scripted {
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        self.follow(consignment).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        std::future::ready(Ok(())).boxed()
    }
}
