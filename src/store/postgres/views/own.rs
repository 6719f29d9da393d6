//! What monitoring asks: traces of messages, and how full the store is.

use deadpool_postgres::Client;

use super::{row, rows};
use crate::store::{
    Arrived,
    postgres::{fail::Fail, row::Read},
    views::{
        StoreSize, TraceOf,
        known::{LOOKED_BACK, same_headers},
    },
};

pub(super) async fn traceparent(client: &Client, of: TraceOf) -> Result<Option<String>, Fail> {
    let found = match of {
        TraceOf::Message { source, id } => {
            let sql = "SELECT traceparent FROM message WHERE source = $1 AND id = $2 AND state = 0";
            row(client, sql, &[&source, &id]).await?
        }
        TraceOf::Receipt(receipt) => {
            let sql = "SELECT traceparent FROM message WHERE receipt = $1 AND state = 0";
            row(client, sql, &[&receipt.uuid()]).await?
        }
    };
    match found {
        Some(row) => row.value("traceparent"),
        None => Ok(None),
    }
}

pub(super) async fn has_taken(client: &Client, arrived: &Arrived) -> Result<bool, Fail> {
    let sql = "SELECT m.headers FROM message m LEFT JOIN parcel p ON p.seq = m.seq * 256 + 1
         WHERE m.seq > (SELECT max(seq) FROM message) - $1 AND m.state = 0 AND m.party = $2
             AND coalesce(m.raw, p.raw) = $3 AND m.content_type IS NOT DISTINCT FROM $4";
    let raw = &arrived.raw[..];
    for alike in rows(client, sql, &[&LOOKED_BACK, &arrived.party, &raw, &arrived.content_type]).await? {
        if same_headers(alike.value::<Option<String>>("headers")?.as_deref(), arrived) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The database with its indexes; its disk is the server's.
pub(super) async fn size(client: &Client) -> Result<StoreSize, Fail> {
    let found = row(client, "SELECT pg_database_size(current_database()) AS bytes", &[]).await?;
    let bytes = match found {
        Some(row) => row.value::<i64>("bytes")?,
        None => 0,
    };
    Ok(StoreSize { bytes: bytes.unsigned_abs(), free: None })
}
