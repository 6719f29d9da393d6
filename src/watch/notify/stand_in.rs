//! Another who is told while a target fails.
//!
//! It has a cursor of its own, so that neither loses anything: the target is told everything once it works again,
//! and who stood in for it hears of the end of what it was told of, also then. A second cursor holds the youngest
//! alert that it was told of; it hears of the end of every alert up to that one, also of those that only the target
//! was told of before it failed.

use std::time::Duration;

use super::{
    AlertChange, Change, Condition, Notice, Otherwise, Reason, Teller, elapsed, failed, info, lead, log,
    went_through,
};
use crate::store::StoreError;

impl Teller<'_> {
    /// Tells who stands in for the target, if somebody does and has something to hear.
    pub(super) async fn stand_in(&mut self, now: Duration) -> Result<(), StoreError> {
        let Some(other) = &self.target.otherwise else { return Ok(()) };
        if now < self.other.not_before {
            return Ok(());
        }
        let failing = self.own.failures >= other.after_tries;
        let said = self.tell_other(other, failing).await?;
        match said {
            Ok(()) => self.other.worked(),
            Err(says) => {
                self.other.failed(now);
                failed(self.desk, &other.audience.name, &says);
            }
        }
        Ok(())
    }

    /// The last change of the log that it was told of or need not hear of, and the youngest alert it was told of.
    fn marks(&self) -> (String, String) {
        (format!("notify/{}/otherwise", self.name()), format!("notify/{}/otherwise/alert", self.name()))
    }

    async fn tell_other(&self, other: &Otherwise, failing: bool) -> Result<Result<(), String>, StoreError> {
        let store = &self.desk.store;
        let (cursor, youngest) = self.marks();
        let known = store.cursor(youngest.clone()).await?;
        let own = store.cursor(self.cursor()).await?;
        if !failing && known == 0 {
            return Ok(Ok(()));
        }
        let after = store.cursor(cursor.clone()).await?;
        // What the target itself was told of before its first failure is no matter of the other's.
        let from = if known == 0 { after.max(own) } else { after };
        let page =
            log::page(self.desk, from, |change| self.is_for(other, change, (failing, own, known))).await?;
        // While the target works it goes first.
        let last = if failing { page.last } else { page.last.min(own) };
        let changes: Vec<AlertChange> = page.changes.into_iter().filter(|c| c.seq <= last).collect();
        if let Some(first) = changes.first() {
            let now = self.desk.clock.now();
            let waits = elapsed(first.at, now) < self.target.rhythm.group_wait;
            if waits || !lead::leads(self.desk, &cursor, after).await? {
                return Ok(Ok(()));
            }
            let opened = changes.iter().map(|change| change.alert).max();
            let mut open = store.open_alerts().await?;
            open.retain(|alert| self.only_here(other, &alert.condition));
            let notice = Notice::new(&other.audience.name, Reason::Changes, last, changes, now);
            let notice = Notice { open, ..notice.in_place_of(self.name()) };
            if let Err(says) = lead::tell(self.desk, &cursor, &*other.way, &notice).await {
                return Ok(Err(says));
            }
            info!("Told {} of alerts in place of {}", other.audience.name, self.name());
            went_through(self.desk, &other.audience.name, now);
            if failing {
                store.set_cursor(youngest, opened.unwrap_or_default()).await?;
            }
        }
        if last > after {
            store.set_cursor(cursor, last).await?;
        }
        Ok(Ok(()))
    }

    /// What the other would not hear of by itself: everything while the target fails, and else the end of what it
    /// was told of then.
    fn is_for(
        &self,
        other: &Otherwise,
        change: &AlertChange,
        (failing, own, known): (bool, i64, i64),
    ) -> bool {
        let news = failing && change.seq > own;
        let end = change.change == Change::Resolved && change.alert <= known;
        (news || end) && self.only_here(other, &change.condition)
    }

    /// Whether the target hears of it, and the other would not by itself.
    fn only_here(&self, other: &Otherwise, condition: &Condition) -> bool {
        self.target.audience.hears(condition) && !other.audience.hears(condition)
    }
}
