//! Forgetting, a slice of messages at a time.

use std::collections::BTreeSet;

use super::{commands::set_cursor, fail::Fail, row::Read, work::Tx};
use crate::store::{
    forget::{Forget, Forgotten, Stage, cursor},
    numbers::us,
};

/// A message looked at, and whether all of it goes or only its content.
type Due = (i64, bool);

pub(super) async fn forget(tx: &mut Tx<'_>, slice: Forget) -> Result<Forgotten, Fail> {
    let looked_at = match slice.what {
        Stage::Content | Stage::Messages => passed(tx, slice).await?,
        Stage::Lasting { after, whole_before } => {
            lasting(tx, after, whole_before.map(us), slice.most).await?
        }
    };
    let last = looked_at.last().map(|(message, _)| *message);
    let messages: Vec<i64> = looked_at.iter().map(|(message, _)| *message).collect();
    let owing = owing(tx, &messages).await?;
    let ended = || looked_at.iter().filter(|(message, _)| !owing.contains(message));
    let content: Vec<i64> = ended().map(|(message, _)| *message).collect();
    let whole: Vec<i64> = ended().filter(|(_, is_whole)| *is_whole).map(|(message, _)| *message).collect();
    let owing: Vec<i64> = owing.iter().copied().collect();
    let session = tx.session;
    session
        .execute(
            "INSERT INTO lasting SELECT unnest($1::bigint[]) ON CONFLICT (message) DO NOTHING",
            &[&owing],
        )
        .await?;
    for sql in CONTENT {
        session.execute(sql, &[&content]).await?;
    }
    if !whole.is_empty() {
        for sql in WHOLE {
            session.execute(sql, &[&whole]).await?;
        }
    }
    if slice.what == Stage::Messages {
        session.execute(ANSWERS, &[&us(slice.before), &i64::from(slice.most)]).await?;
    }
    if let (Stage::Content | Stage::Messages, Some(last)) = (slice.what, last) {
        set_cursor(tx, cursor(slice.what), last).await?;
    }
    Ok(Forgotten { count: content.len() as u64, last })
}

/// The bytes of messages, as they came and as they were delivered.
const CONTENT: [&str; 3] = [
    "UPDATE message SET raw = NULL, headers = NULL
         WHERE seq = ANY ($1::bigint[]) AND (raw IS NOT NULL OR headers IS NOT NULL)",
    "DELETE FROM parcel p USING unnest($1::bigint[]) m WHERE p.seq BETWEEN m * 256 AND m * 256 + 255",
    "DELETE FROM lasting WHERE message = ANY ($1::bigint[])",
];

/// Everything that was written of messages.
const WHOLE: [&str; 9] = [
    "DELETE FROM waiver_request w USING unnest($1::bigint[]) m WHERE w.delivery BETWEEN m * 256 AND m * 256 + 255",
    "DELETE FROM clock c USING unnest($1::bigint[]) m WHERE c.seq BETWEEN m * 4096 AND m * 4096 + 4095",
    "DELETE FROM deadline d USING unnest($1::bigint[]) m WHERE d.seq BETWEEN m * 4096 AND m * 4096 + 4095",
    "DELETE FROM delivery d USING unnest($1::bigint[]) m WHERE d.seq BETWEEN m * 256 AND m * 256 + 255",
    "DELETE FROM figure WHERE message = ANY ($1::bigint[])",
    "DELETE FROM came WHERE message = ANY ($1::bigint[])",
    "DELETE FROM event WHERE message = ANY ($1::bigint[])",
    "DELETE FROM identity i USING message m WHERE m.seq = ANY ($1::bigint[]) AND m.state = 0
         AND i.source = m.source AND i.id = m.id",
    "DELETE FROM message WHERE seq = ANY ($1::bigint[])",
];

/// The next answers of all parties, in the order of their numbers. They are indexed by party, of which there are few: one
/// is found after the other, and each party's first answers are looked at.
const ANSWERS: &str = "WITH RECURSIVE told AS (
         (SELECT party FROM answer ORDER BY party LIMIT 1)
         UNION ALL SELECT (SELECT a.party FROM answer a WHERE a.party > t.party ORDER BY a.party LIMIT 1)
             FROM told t WHERE t.party IS NOT NULL),
     first AS (
         SELECT f.party, f.seq FROM told t CROSS JOIN LATERAL (
             SELECT party, seq FROM answer WHERE party = t.party ORDER BY seq LIMIT $2) f
         ORDER BY f.seq LIMIT $2),
     last AS (
         SELECT max(l.seq) AS seq FROM told t CROSS JOIN LATERAL (
             SELECT seq FROM answer WHERE party = t.party ORDER BY seq DESC LIMIT 1) l)
     DELETE FROM answer a USING first f, last l
     WHERE a.party = f.party AND a.seq = f.seq AND a.at < $1 AND a.seq < l.seq";

/// The next messages that came before the time, in the order of their numbers. The last of all stays, as in a store
/// that would give its number again.
async fn passed(tx: &Tx<'_>, slice: Forget) -> Result<Vec<Due>, Fail> {
    let rows = tx
        .session
        .query(
            "SELECT seq, received_at FROM message
             WHERE seq > coalesce((SELECT seq FROM cursor WHERE name = $1), 0) AND seq < (SELECT max(seq) FROM message)
             ORDER BY seq LIMIT $2",
            &[&cursor(slice.what), &i64::from(slice.most)],
        )
        .await?;
    let mut numbers = Vec::with_capacity(rows.len());
    for row in &rows {
        let received: i64 = row.value("received_at")?;
        if received >= us(slice.before) {
            break;
        }
        numbers.push((row.value("seq")?, slice.what == Stage::Messages));
    }
    Ok(numbers)
}

/// The last message of all stays here too.
async fn lasting(tx: &Tx<'_>, after: i64, whole_before: Option<i64>, most: u32) -> Result<Vec<Due>, Fail> {
    let sql = "SELECT l.message, coalesce(m.received_at < $3, false) AS is_whole
         FROM lasting l JOIN message m ON m.seq = l.message
         WHERE l.message > $1 AND l.message < (SELECT max(seq) FROM message) ORDER BY l.message LIMIT $2";
    let rows = tx.session.query(sql, &[&after, &i64::from(most), &whole_before]).await?;
    rows.iter().map(|row| Ok((row.value("message")?, row.value("is_whole")?))).collect()
}

/// Those of the messages that have a delivery still to end. What has ended is locked first, so that nobody has it
/// tried again meanwhile.
async fn owing(tx: &Tx<'_>, messages: &[i64]) -> Result<BTreeSet<i64>, Fail> {
    let lock =
        "SELECT d.seq FROM unnest($1::bigint[]) m JOIN delivery d ON d.seq BETWEEN m * 256 AND m * 256 + 255
         WHERE d.state <> 0 ORDER BY d.seq FOR UPDATE OF d";
    tx.session.query(lock, &[&messages]).await?;
    let sql = "SELECT DISTINCT m FROM unnest($1::bigint[]) m JOIN delivery d ON d.seq BETWEEN m * 256 AND m * 256 + 255
         WHERE d.state = 0";
    let rows = tx.session.query(sql, &[&messages]).await?;
    rows.iter().map(|row| row.value("m")).collect()
}
