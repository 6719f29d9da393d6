//! Moves a clock that leaps, for a gateway whose store and receivers are in this process: time passes only while
//! nothing is in hand.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    clock::{Leaping, Turn},
    store::Store,
};

/// So many times in a row nothing may be found in hand before time passes: a task that was woken may wake another.
const QUIET: u32 = 12;

/// Moves the clock of one gateway. Everything must run on one thread, or what is ready to run cannot be known.
pub struct Hands {
    pub clock: Leaping,
    pub store: Arc<dyn Store>,
}

impl Hands {
    /// Waits until every task waits for the time, or for somebody who does.
    pub async fn idle(&self) {
        let mut quiet = 0;
        while quiet < QUIET {
            tokio::task::yield_now().await;
            match self.store.calls() {
                Some(calls) if calls.under_way() > 0 => {
                    calls.ended().await;
                    quiet = 0;
                }
                _ => quiet += 1,
            }
        }
    }

    /// Lets the next that is due before `end` or then do what it does. False: there was none, and it is `end` now.
    pub async fn turn(&self, end: Timestamp) -> bool {
        self.idle().await;
        self.clock.turn(end) == Turn::Woke
    }

    /// Lets time pass until then.
    pub async fn until(&self, end: Timestamp) {
        while self.turn(end).await {}
    }
}
