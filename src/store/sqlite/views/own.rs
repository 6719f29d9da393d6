//! What monitoring asks: traces of messages, and how full the store is.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::{
    Arrived,
    sqlite::identity::{self, by_identity},
    views::{
        StoreSize, TraceOf,
        known::{LOOKED_BACK, same_headers},
    },
};

pub(super) fn traceparent(connection: &Connection, of: &TraceOf) -> rusqlite::Result<Option<String>> {
    let found: Option<Option<String>> = match of {
        TraceOf::Message { source, id } => connection
            .prepare_cached(by_identity!(
                "-- store::traceparent by id
                 SELECT traceparent FROM message WHERE seq IN ",
                ""
            ))?
            .query_row(params![source, id, identity::number(id)], |row| row.get(0))
            .optional()?,
        TraceOf::Receipt(receipt) => connection
            .prepare_cached(
                "-- store::traceparent by receipt
                 SELECT traceparent FROM message WHERE receipt = ?1 AND state = 0",
            )?
            .query_row([receipt.uuid().as_bytes()], |row| row.get(0))
            .optional()?,
    };
    Ok(found.flatten())
}

pub(super) fn has_taken(connection: &Connection, arrived: &Arrived) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "-- store::has_taken
         SELECT headers FROM message WHERE seq > (SELECT max(seq) FROM message) - ?1 AND state = 0 AND party = ?2
             AND raw = ?3 AND content_type IS ?4",
    )?;
    let mut alike =
        statement.query(params![LOOKED_BACK, arrived.party, &arrived.raw[..], arrived.content_type])?;
    while let Some(row) = alike.next()? {
        if same_headers(row.get_ref(0)?.as_str_or_null()?, arrived) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file with its log, and what is free beside them.
pub(super) fn size(connection: &Connection) -> rusqlite::Result<StoreSize> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let path = connection.path().unwrap_or_default();
    let log = std::fs::metadata(format!("{path}-wal")).map_or(0, |log| log.len());
    let bytes = u64::try_from(pages.saturating_mul(page)).unwrap_or(0) + log;
    let disk = rustix::fs::statvfs(Path::new(path)).ok();
    Ok(StoreSize { bytes, free: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)) })
}
