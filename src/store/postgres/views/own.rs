//! What monitoring asks: traces of messages, and how full the store is.

use deadpool_postgres::Client;

use super::row;
use crate::store::{
    postgres::{fail::Fail, row::Read},
    views::{StoreSize, TraceOf},
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

/// The database with its indexes; its disk is the server's.
pub(super) async fn size(client: &Client) -> Result<StoreSize, Fail> {
    let found = row(client, "SELECT pg_database_size(current_database()) AS bytes", &[]).await?;
    let bytes = match found {
        Some(row) => row.value::<i64>("bytes")?,
        None => 0,
    };
    Ok(StoreSize { bytes: bytes.unsigned_abs(), free: None })
}
