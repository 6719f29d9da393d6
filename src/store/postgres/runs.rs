//! When a gateway was up.

use deadpool_postgres::Client;
use jiff::Timestamp;

use super::{fail::Fail, row::Read, work::Tx};
use crate::store::{Beat, clocks::RUNS_KEPT, numbers::us, views::RunView};

/// Says that the run is up; its first word forgets runs that nobody asks for any more.
pub(super) async fn beat(tx: &Tx<'_>, beat: &Beat) -> Result<(), Fail> {
    let sql = "INSERT INTO run (id, node, started_at, seen_at, in_order) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET seen_at = greatest(run.seen_at, excluded.seen_at), in_order = excluded.in_order
         RETURNING xmax = 0 AS is_new";
    let (started, now) = (us(beat.started), us(beat.now));
    let told = tx.session.query(sql, &[&beat.run, &beat.node, &started, &now, &beat.ends]).await?;
    // A row that was there already was locked for the update, and says by whom.
    if told.first().ok_or(Fail::Again)?.value("is_new")? {
        let kept = beat.now.checked_sub(RUNS_KEPT).unwrap_or(Timestamp::MIN);
        tx.session.execute("DELETE FROM run WHERE seen_at < $1", &[&us(kept)]).await?;
    }
    Ok(())
}

/// The runs that were up at some time from `from` on, and the first of all.
pub(super) async fn since(client: &Client, from: Timestamp) -> Result<Vec<RunView>, Fail> {
    let sql = "SELECT started_at, seen_at, in_order FROM run
         WHERE seen_at >= $1 OR started_at = (SELECT min(started_at) FROM run) ORDER BY started_at";
    let statement = client.prepare_cached(sql).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(RunView {
            started: row.instant("started_at")?,
            seen: row.instant("seen_at")?,
            in_order: row.value("in_order")?,
        })
    };
    client.query(&statement, &[&us(from)]).await?.iter().map(read).collect()
}
