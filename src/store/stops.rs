//! What only the store can see against a message that is sound by itself: the citizen is not placed with the a-kasse,
//! or a cap of the agreement would be passed.

use std::collections::{HashMap, HashSet};

use super::{Accepted, Admission};
use crate::domain::placement::{Absence, Away, Bearing, Placed};

/// Why it does not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    NotPlaced(Absence),
    Cap,
}

/// What is remembered of those that messages are about.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) away: HashMap<Placed, Away>,
    /// By the sum of a cap, in øre.
    pub(super) spent: HashMap<String, i64>,
    /// Identities that are taken: sender and id.
    pub(super) taken: HashSet<(String, String)>,
}

/// Whether anything is remembered that concerns the message.
pub(super) fn concerns(message: &Accepted) -> bool {
    message.bearing.is_some() || message.spends.is_some()
}

impl Remembered {
    /// What stops the messages of a batch, by their places in it. Each counts for those after it; one whose identity
    /// is taken neither counts nor can be stopped.
    pub(super) fn stops(&mut self, batch: &[&Admission]) -> HashMap<usize, Stop> {
        let mut stopped = HashMap::new();
        for (place, admission) in batch.iter().enumerate() {
            let Admission::Accepted(message) = admission else { continue };
            if concerns(message)
                && let Some(stop) = self.stop(message)
            {
                stopped.insert(place, stop);
            }
        }
        stopped
    }

    fn stop(&mut self, message: &Accepted) -> Option<Stop> {
        let identity = (message.envelope.source.to_string(), message.envelope.id.to_string());
        if self.taken.contains(&identity) {
            return None;
        }
        if let Some(stop) = self.against(message) {
            return Some(stop);
        }
        self.taken.insert(identity);
        if let Some((placed, bearing)) = message.bearing {
            let away = self.away.entry(placed).or_default();
            *away = away.after(bearing);
        }
        if let Some(spend) = &message.spends {
            *self.spent.entry(spend.sum.clone()).or_default() += spend.price;
        }
        None
    }

    fn against(&self, message: &Accepted) -> Option<Stop> {
        if let Some((placed, Bearing::Within)) = &message.bearing
            && let Some(absence) = self.away.get(placed).and_then(|away| away.at(message.envelope.time))
        {
            return Some(Stop::NotPlaced(absence));
        }
        let spend = message.spends.as_ref()?;
        let so_far = self.spent.get(&spend.sum).copied().unwrap_or(0);
        spend.passes(so_far).then_some(Stop::Cap)
    }
}
