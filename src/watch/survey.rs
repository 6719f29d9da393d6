//! What waits for whom, counted now and then: the count walks over everything that is pending.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{
    clock::Clock,
    store::{Store, StoreError, views::Backlog},
};

/// A count is kept at least this long: all watchers of one look share it.
const KEPT: Duration = Duration::from_millis(500);
/// And as many times as long as it took: so that it costs two percent of a core, however much is pending.
const TIMES: u32 = 50;

/// The last count.
#[derive(Debug, Clone, Default)]
pub struct Survey(Arc<Mutex<Option<Count>>>);

#[derive(Debug)]
struct Count {
    backlogs: Arc<Vec<Backlog>>,
    /// By the monotonic clock: when it ended, and how long it is kept.
    at: Duration,
    kept: Duration,
}

impl Survey {
    /// What waits for whom, not older than [`KEPT`] or [`TIMES`] the time that counting takes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn backlogs(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<Arc<Vec<Backlog>>, StoreError> {
        let mut last = self.0.lock().await;
        let began = clock.monotonic();
        if let Some(count) = &*last
            && began.saturating_sub(count.at) < count.kept
        {
            return Ok(Arc::clone(&count.backlogs));
        }
        let backlogs = Arc::new(store.backlogs().await?);
        let at = clock.monotonic();
        let kept = KEPT.max(at.saturating_sub(began) * TIMES);
        *last = Some(Count { backlogs: Arc::clone(&backlogs), at, kept });
        Ok(backlogs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
