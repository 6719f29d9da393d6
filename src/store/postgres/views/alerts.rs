//! Alerts: those that are open, those of one key, and how they changed.

use deadpool_postgres::Client;
use jiff::Timestamp;

use super::rows;
use crate::{
    domain::alert::{Alert, AlertChange},
    store::{
        numbers::us,
        postgres::{alerts, fail::Fail},
    },
};

pub(super) async fn open(client: &Client) -> Result<Vec<Alert>, Fail> {
    let sql = "SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE resolved_at IS NULL ORDER BY seq";
    rows(client, sql, &[]).await?.iter().map(alerts::alert).collect()
}

pub(super) async fn of(client: &Client, key: &str, from: Timestamp) -> Result<Vec<Alert>, Fail> {
    let sql = "SELECT seq, condition, handling, opened_at, acknowledged_at, resolved_at FROM alert
             WHERE key = $1 AND (resolved_at IS NULL OR resolved_at > $2) ORDER BY seq";
    rows(client, sql, &[&key, &us(from)]).await?.iter().map(alerts::alert).collect()
}

pub(super) async fn changes(client: &Client, after: i64, most: u32) -> Result<Vec<AlertChange>, Fail> {
    let sql = "SELECT seq, alert, at, what, condition, particulars FROM alert_change
             WHERE seq > $1 ORDER BY seq LIMIT $2";
    rows(client, sql, &[&after, &i64::from(most)]).await?.iter().map(alerts::change).collect()
}
