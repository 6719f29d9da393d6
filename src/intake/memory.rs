//! What is known of a queue from one session to the next.

use std::collections::HashMap;

use tracing::warn;

use super::Intake;
use crate::store::{Arrived, InHand, StoreError};

pub(super) struct Memory {
    /// The largest recent body.
    pub(super) largest: usize,
    /// Marked by this process and not committed since, with the crashes that were counted at the mark. To be
    /// sent it again is no crash: the store could not commit, or the connection broke.
    in_hand: HashMap<[u8; 32], u32>,
}

impl Memory {
    pub(super) fn new(largest: usize) -> Self {
        Self { largest, in_hand: HashMap::new() }
    }

    /// Marks a message; gives how often it was in hand at a crash.
    pub(super) async fn take_in_hand(
        &mut self,
        intake: &Intake,
        arrived: &Arrived,
        key: [u8; 32],
    ) -> Result<u32, StoreError> {
        if let Some(crashes) = self.in_hand.get(&key) {
            return Ok(*crashes);
        }
        let mark = InHand { key, now: arrived.received, way: arrived.way, party: arrived.party.clone() };
        let crashes = intake.store.take_in_hand(mark).await?;
        self.in_hand.insert(key, crashes);
        Ok(crashes)
    }

    /// It is committed, and its mark was taken away with that.
    pub(super) fn committed(&mut self, key: [u8; 32]) {
        self.in_hand.remove(&key);
    }

    /// Takes the mark away of what was taken before.
    pub(super) async fn put_down(&mut self, intake: &Intake, key: [u8; 32]) -> Result<(), StoreError> {
        intake.store.put_down(key).await?;
        self.in_hand.remove(&key);
        Ok(())
    }

    /// The process ends in good order: what it could not commit did not stop it.
    pub(super) async fn put_down_all(self, intake: &Intake) {
        for key in self.in_hand.into_keys() {
            if let Err(error) = intake.store.put_down(key).await {
                warn!(error = %error, "A message stays marked as in hand; its next reading counts as after a crash");
            }
        }
    }
}
