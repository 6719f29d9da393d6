//! What promises wait for and has come, as this engine keeps it. What it means is in [`crate::store::clocks::came`].

use uuid::Uuid;

use super::{fail::Fail, row::Read, session::Session};
use crate::{
    domain::{ReceiptId, placement::Placed},
    store::{
        Accepted, Admission, Meets,
        clocks::came::{CAME_MAX, Came, abouts},
        numbers::us,
    },
};

/// The keys to lock before promises and what they wait for are stored: of two nodes that store one each, the second sees
/// what the first did.
pub(super) fn keys(batch: &[&Admission]) -> impl Iterator<Item = i64> {
    let accepted = batch.iter().filter_map(|admission| match admission {
        Admission::Accepted(message) => Some(message),
        Admission::Invalid(_) => None,
    });
    accepted.flat_map(|message| abouts(message)).map(|Placed(about)| {
        let (key, _) = about.split_first_chunk().expect("a hash has sixteen bytes");
        i64::from_be_bytes(*key)
    })
}

/// Writes that the message came, where a promise may wait for it.
pub(super) async fn write(session: &Session, seq: i64, message: &Accepted) -> Result<(), Fail> {
    let Some(Meets { about, happened }) = message.meets else { return Ok(()) };
    let first = first(session, seq, message, about).await?;
    let sql = "INSERT INTO came (message, about, kind, first, happened_at, received_at) VALUES ($1, $2, $3, $4, $5, $6)";
    session
        .execute(
            sql,
            &[
                &seq,
                &&about.0[..],
                &message.envelope.kind.name.as_str(),
                &first,
                &happened.map(us),
                &us(message.arrived.received),
            ],
        )
        .await?;
    Ok(())
}

/// The first record of the thing that the message tells of: its own number, or that of what it corrects.
async fn first(session: &Session, seq: i64, message: &Accepted, about: Placed) -> Result<i64, Fail> {
    let Some(cause) = &message.envelope.causation_id else { return Ok(seq) };
    // A person's correction names the receipt, a sender its own id.
    let receipt = cause.parse::<Uuid>().ok().map(|id| ReceiptId::from_fresh(id).uuid());
    let named = session
        .query_opt(
            "SELECT first FROM came WHERE about = $4 AND kind = $5 AND message IN (
                 SELECT message FROM identity WHERE source = $1 AND id = $2
                 UNION ALL SELECT seq FROM message WHERE receipt = $3 AND source = $1 AND state = 0)
             ORDER BY message LIMIT 1",
            &[
                &message.envelope.source.to_string(),
                &cause,
                &receipt,
                &&about.0[..],
                &message.envelope.kind.name.as_str(),
            ],
        )
        .await?;
    named.map_or(Ok(seq), |row| row.value("first"))
}

/// What has come about a citizen, in its order; of very much the latest.
pub(super) async fn about(session: &Session, about: Placed, kind: &str) -> Result<Vec<Came>, Fail> {
    let rows = session
        .query(
            "SELECT c.message, c.first, c.happened_at, c.received_at, m.receipt
             FROM came c JOIN message m ON m.seq = c.message WHERE c.about = $1 AND c.kind = $2
             ORDER BY c.message DESC LIMIT $3",
            &[&&about.0[..], &kind, &CAME_MAX],
        )
        .await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Came {
            message: row.value("message")?,
            first: row.value("first")?,
            receipt: row.receipt("receipt")?.to_string(),
            happened: row.instant_or_none("happened_at")?,
            received: row.instant("received_at")?,
        })
    };
    rows.iter().rev().map(read).collect()
}
