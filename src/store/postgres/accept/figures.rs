//! Writes what counts in the key figures, in the transaction of its messages.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Fresh, insert::column};
use crate::{
    domain::ReceiptId,
    store::{
        figures::{Row, row},
        postgres::{fail::Fail, row::Read, session::Session},
    },
};

/// All figures with one statement; then those that correct an earlier one, which are few, one after the other.
pub(super) async fn write(session: &Session, taken: &[Fresh<'_>]) -> Result<(), Fail> {
    let rows: Vec<(&Fresh<'_>, Row<'_>)> = taken.iter().filter_map(|f| Some((f, row(f.message)?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        column(&rows, |(f, _)| f.seq),
        column(&rows, |(_, row)| row.figure.month.number()),
        column(&rows, |(_, row)| row.jobcenter),
        column(&rows, |(_, row)| row.akasse),
        column(&rows, |(_, row)| row.own),
        column(&rows, |(_, row)| row.figure.interview.as_str()),
        column(&rows, |(_, row)| row.figure.timeliness.number()),
        column(&rows, |(f, _)| f.message.agreement.as_deref()),
    ];
    let sql = "INSERT INTO figure (message, first, latest, month, jobcenter, akasse, own, interview, timeliness, agreement)
               SELECT message, message, message, month, jobcenter, akasse, own, interview, timeliness, agreement
               FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::boolean[], $6::text[],
                   $7::smallint[], $8::text[])
                   AS u (message, month, jobcenter, akasse, own, interview, timeliness, agreement)";
    let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| &**c as &(dyn ToSql + Sync)).collect();
    session.execute(sql, &columns).await?;
    for (message, _) in &rows {
        if let Some(cause) = &message.message.envelope.causation_id {
            replace(session, message, cause).await?;
        }
    }
    Ok(())
}

/// A record that names an earlier one of the same sender as its cause takes that one's place, and the place of
/// whatever has taken it before. The first record of an interview is locked, so that of two corrections that two
/// nodes take at once one counts.
async fn replace(session: &Session, message: &Fresh<'_>, cause: &str) -> Result<(), Fail> {
    // A person's correction names the receipt, a sender its own id.
    let receipt = cause.parse::<Uuid>().ok().map(|id| ReceiptId::from_fresh(id).uuid());
    let named = session
        .query_opt(
            "SELECT first FROM figure WHERE message < $4 AND message IN (
                 SELECT message FROM identity WHERE source = $1 AND id = $2
                 UNION ALL SELECT seq FROM message WHERE receipt = $3 AND source = $1 AND state = 0)
             ORDER BY message LIMIT 1",
            &[&message.source, &cause, &receipt, &message.seq],
        )
        .await?;
    let Some(named) = named else { return Ok(()) };
    let first: i64 = named.value("first")?;
    let latest = session.query("SELECT latest FROM figure WHERE message = $1 FOR UPDATE", &[&first]).await?;
    let latest: i64 = latest.first().ok_or(Fail::Again)?.value("latest")?;
    session.execute("UPDATE figure SET replaced = true WHERE message = $1", &[&latest]).await?;
    session.execute("UPDATE figure SET latest = $2 WHERE message = $1", &[&first, &message.seq]).await?;
    session.execute("UPDATE figure SET first = $2 WHERE message = $1", &[&message.seq, &first]).await?;
    Ok(())
}
