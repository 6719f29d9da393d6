//! What is dear to count is counted now and then, so that it costs two percent of a core however much there is.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{clock::Clock, store::StoreError};

/// A count is kept at least this long: all who look at one time share it.
pub(super) const KEPT: Duration = Duration::from_millis(500);
/// And as many times as long as it took.
const TIMES: u32 = 50;

/// The last count.
#[derive(Debug)]
pub struct Seldom<T>(Arc<Mutex<Option<Count<T>>>>);

#[derive(Debug)]
struct Count<T> {
    counted: Arc<T>,
    /// By the monotonic clock: when it ended, and how long it is kept.
    at: Duration,
    kept: Duration,
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Seldom<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Seldom<T> {
    /// The last count, however old. `None` before the first.
    pub(super) async fn last(&self) -> Option<Arc<T>> {
        self.0.lock().await.as_ref().map(|count| Arc::clone(&count.counted))
    }

    /// The last count, not older than [`KEPT`] or [`TIMES`] the time that counting takes; else a new one.
    ///
    /// # Errors
    /// Those of `count`.
    pub(super) async fn get(
        &self,
        clock: &dyn Clock,
        count: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Arc<T>, StoreError> {
        let mut last = self.0.lock().await;
        let began = clock.monotonic();
        if let Some(count) = &*last
            && began.saturating_sub(count.at) < count.kept
        {
            return Ok(Arc::clone(&count.counted));
        }
        let counted = Arc::new(count.await?);
        let at = clock.monotonic();
        let kept = KEPT.max(at.saturating_sub(began) * TIMES);
        *last = Some(Count { counted: Arc::clone(&counted), at, kept });
        Ok(counted)
    }
}
