//! What waits for whom, counted now and then: the count walks over everything that is pending.

use std::sync::Arc;

use super::{
    forecast::{Forecast, forecasts},
    seldom::Seldom,
};
use crate::{
    clock::Clock,
    store::{
        Store, StoreError,
        views::{Backlog, HeldGroup},
    },
};

/// The last counts.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    backlogs: Seldom<Vec<Backlog>>,
    forecasts: Seldom<Vec<Forecast>>,
    held: Seldom<Vec<HeldGroup>>,
}

impl Survey {
    /// What waits for whom, as it was counted last.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn backlogs(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<Arc<Vec<Backlog>>, StoreError> {
        self.backlogs.get(clock, store.backlogs()).await
    }

    /// What waits for a person, as it was counted last.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn held(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<Arc<Vec<HeldGroup>>, StoreError> {
        self.held.get(clock, store.held_groups()).await
    }

    /// What will be late, as old as [`Self::backlogs`] may be. A receiver that was once in it stays, with nothing late.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn forecasts(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<Arc<Vec<Forecast>>, StoreError> {
        let backlogs = self.backlogs(store, clock).await?;
        let before = self.forecasts.last().await.unwrap_or_default();
        let known = before.iter().map(|forecast| forecast.receiver.clone()).collect();
        self.forecasts.get(clock, forecasts(store, &backlogs, known, clock.now())).await
    }
}

#[cfg(test)]
mod tests {
    use super::{super::seldom::KEPT, *};
    use crate::{clock::Moved, store::sqlite};

    #[tokio::test]
    async fn one_count_serves_all_who_ask_within_a_look() {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite::Sqlite::open(&folder.path().join("store"), sqlite::Mode::Daemon).unwrap();
        let clock = Moved::starting_at("2026-03-02T08:00:00Z".parse().unwrap());
        let survey = Survey::default();
        let first = survey.backlogs(&store, &clock).await.unwrap();
        clock.advance(KEPT / 2);
        assert!(Arc::ptr_eq(&first, &survey.backlogs(&store, &clock).await.unwrap()));
        clock.advance(KEPT);
        assert!(!Arc::ptr_eq(&first, &survey.backlogs(&store, &clock).await.unwrap()));
    }
}
