//! Hints that something was stored: a reader that listens looks at once, one that misses a hint looks at its
//! next poll. A hint is never the promise.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// Named bells. Ringing one that nobody listens to is remembered once.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    bells: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

impl Hints {
    /// The bell of that name: a receiver's, or `answers/<party>`. Names come from configuration, so there are
    /// few.
    pub fn bell(&self, name: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(name) {
            return Arc::clone(bell);
        }
        Arc::clone(bells.entry(name.to_owned()).or_default())
    }

    pub fn ring(&self, name: &str) {
        self.bell(name).notify_one();
    }
}

/// The bell of a party's answers.
pub fn answers(party: &str) -> String {
    format!("answers/{party}")
}
