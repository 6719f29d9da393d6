//! The log of changes, read page by page.

use std::collections::BTreeSet;

use super::{AlertChange, Change, Desk};
use crate::store::StoreError;

/// Rows read in one go, and changes told in one notice.
const ROWS_MAX: u32 = 500;

/// What somebody hears of, and how far the log was read for it.
pub(super) struct Page {
    pub(super) changes: Vec<AlertChange>,
    /// The last row that was read; what was asked for where there was none.
    pub(super) last: i64,
}

/// The next changes that are wanted. Who has read nothing yet hears of what is open, and of no story before it.
pub(super) async fn page(
    desk: &Desk,
    after: i64,
    wanted: impl Fn(&AlertChange) -> bool,
) -> Result<Page, StoreError> {
    if after == 0 {
        return first(desk, wanted).await;
    }
    let rows = desk.store.alert_changes(after, ROWS_MAX).await?;
    let last = rows.last().map_or(after, |row| row.seq);
    Ok(Page { changes: rows.into_iter().filter(wanted).collect(), last })
}

async fn first(desk: &Desk, wanted: impl Fn(&AlertChange) -> bool) -> Result<Page, StoreError> {
    let open: BTreeSet<i64> = desk.store.open_alerts().await?.iter().map(|alert| alert.number).collect();
    let mut page = Page { changes: vec![], last: 0 };
    loop {
        let rows = desk.store.alert_changes(page.last, ROWS_MAX).await?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(page) };
        page.last = last;
        let opened = rows.into_iter().filter(|row| row.change == Change::Opened && open.contains(&row.alert));
        page.changes.extend(opened.filter(&wanted));
    }
}
