//! Waivers that two people make: one asks, another agrees. The delivery's row is locked meanwhile.

use jiff::Timestamp;

use super::{Target, told, waive};
use crate::store::{
    Commanded,
    numbers::{DEADLINES, us},
    postgres::{fail::Fail, row::Read, work::Tx},
};

/// Remembers who asked and why, until another agrees.
pub(super) async fn request(
    tx: &mut Tx<'_>,
    target: &Target,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let open = tx
        .session
        .query_opt(
            "SELECT 1 FROM deadline WHERE seq BETWEEN $1 AND $1 + 15 AND met_at IS NULL AND ended_at IS NULL LIMIT 1",
            &[&(target.seq * DEADLINES)],
        )
        .await?;
    if open.is_none() {
        return Ok(Commanded::NotNow);
    }
    let fresh = tx
        .session
        .execute(
            "INSERT INTO waiver_request (delivery, who, reason, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (delivery) DO NOTHING",
            &[&target.seq, &by, &reason, &us(now)],
        )
        .await?;
    if fresh == 0 {
        return Ok(Commanded::Already);
    }
    Ok(told(tx, target, by, "waiver_requested", Some(reason), now))
}

/// Waives what another asked for.
pub(super) async fn approve(
    tx: &mut Tx<'_>,
    target: &Target,
    by: &str,
    now: Timestamp,
) -> Result<Commanded, Fail> {
    let asked = tx
        .session
        .query_opt("SELECT who, reason FROM waiver_request WHERE delivery = $1", &[&target.seq])
        .await?;
    let Some(row) = asked else { return Ok(Commanded::NotNow) };
    if row.value::<String>("who")? == by {
        return Ok(Commanded::NotNow);
    }
    let reason: String = row.value("reason")?;
    tx.session.execute("DELETE FROM waiver_request WHERE delivery = $1", &[&target.seq]).await?;
    waive(tx, target, &reason, by, now).await
}
