//! Marks around a redelivered message while it is judged, so that a crash leaves a trace.

use super::{
    fail::Fail,
    row::{Read, unreadable},
    work::Tx,
};
use crate::store::{InHand, numbers::us};

/// How often the message was already in hand when a process ended.
pub(super) async fn take(tx: &Tx<'_>, mark: &InHand) -> Result<u32, Fail> {
    let row = tx
        .session
        .query_opt(
            "INSERT INTO in_hand (key, way, party, first_at, times) VALUES ($1, $2, $3, $4, 1)
             ON CONFLICT (key) DO UPDATE SET times = in_hand.times + 1 RETURNING times",
            &[&&mark.key[..], &mark.way.name(), &mark.party, &us(mark.now)],
        )
        .await?;
    let times = row.ok_or(Fail::Again)?.count("times")?;
    times.checked_sub(1).ok_or_else(|| unreadable("times"))
}

pub(super) async fn put_down(tx: &Tx<'_>, key: &[u8; 32]) -> Result<(), Fail> {
    tx.session.execute("DELETE FROM in_hand WHERE key = $1", &[&&key[..]]).await?;
    Ok(())
}
