//! How open promises stand, and what was waived: along indexes that are short or narrow.

use deadpool_postgres::Client;
use tokio_postgres::Row;

use super::rows;
use crate::{
    domain::sla::AT_RISK,
    store::{
        ahead::{Ahead, Behind, BehindAsk},
        numbers::{delivery_id, us},
        postgres::{fail::Fail, row::Read},
        standing::{OpenPromises, Paused, Waived},
    },
};

pub(super) async fn standing(client: &Client) -> Result<OpenPromises, Fail> {
    let open = "met_at IS NULL AND ended_at IS NULL";
    let sql = format!(
        "SELECT (SELECT count(*) FROM deadline WHERE step < {AT_RISK} AND {open})
             - (SELECT count(*) FROM deadline WHERE paused_at IS NOT NULL AND step < {AT_RISK} AND {open}) AS on_track"
    );
    let counted = rows(client, &sql, &[]).await?;
    let on_track = counted.first().ok_or(Fail::Again)?.value("on_track")?;
    let sql = format!(
        "SELECT m.kind, d.receiver, count(*) AS count
         FROM (SELECT seq FROM deadline WHERE paused_at IS NOT NULL AND {open}) p
         JOIN delivery d ON d.seq = p.seq / 16 JOIN message m ON m.seq = d.seq / 256
         GROUP BY m.kind, d.receiver ORDER BY m.kind, d.receiver"
    );
    let read = |row: &Row| {
        Ok(Paused { kind: row.value("kind")?, receiver: row.value("receiver")?, count: row.value("count")? })
    };
    let paused = rows(client, &sql, &[]).await?.iter().map(read).collect::<Result<_, Fail>>()?;
    Ok(OpenPromises { on_track, paused })
}

pub(super) async fn waived(client: &Client, after: i64, most: u32) -> Result<(Vec<Waived>, i64), Fail> {
    let last = rows(client, "SELECT coalesce(max(seq), 0) AS last FROM audit", &[]).await?;
    let last: i64 = last.first().ok_or(Fail::Again)?.value("last")?;
    let sql = "SELECT a.seq, m.kind, d.receiver, (SELECT count(*) FROM deadline p
             WHERE p.seq BETWEEN d.seq * 16 AND d.seq * 16 + 15 AND p.waived AND p.ended_at = a.at) AS count
         FROM (SELECT seq, at, data FROM audit WHERE seq > $1 AND seq <= $2 AND what = 'waived' ORDER BY seq LIMIT $3) a
         JOIN delivery d ON d.seq = a.data::bigint JOIN message m ON m.seq = d.seq / 256 ORDER BY a.seq";
    let read = |row: &Row| {
        Ok(Waived {
            seq: row.value("seq")?,
            kind: row.value("kind")?,
            receiver: row.value("receiver")?,
            count: row.value("count")?,
        })
    };
    let found = rows(client, sql, &[&after, &last, &i64::from(most)]).await?;
    let waived: Vec<Waived> = found.iter().map(read).collect::<Result<_, Fail>>()?;
    let all = if waived.len() < most as usize { last } else { waived.last().map_or(last, |w| w.seq) };
    Ok((waived, all))
}

pub(super) async fn behind(client: &Client, ask: &BehindAsk) -> Result<Vec<Behind>, Fail> {
    let sql = "SELECT d.seq, d.due_at AS goes_by, m.receipt, m.id, m.kind, p.promise, p.due_at
         FROM (SELECT seq, due_at FROM delivery WHERE receiver = $1 AND state = 0 AND clocks > 0
             AND (phase < 2 OR hold = 'order') ORDER BY due_at, seq LIMIT $4) d
         JOIN clock c ON c.seq BETWEEN d.seq * 16 + 1 AND d.seq * 16 + 15 AND c.state = 1 AND c.awaits IS NULL
         JOIN deadline p ON p.seq = c.seq JOIN message m ON m.seq = d.seq / 256
         WHERE p.met_at IS NULL AND p.ended_at IS NULL AND p.paused_at IS NULL AND p.due_at > $2 AND p.due_at <= $3
         ORDER BY p.due_at, p.seq";
    let read = |row: &Row| {
        Ok(Behind {
            ahead: Ahead {
                delivery: delivery_id(row.receipt("receipt")?, row.value("seq")?),
                message_id: row.value("id")?,
                kind: row.value("kind")?,
                promise: row.value("promise")?,
                due: row.instant("due_at")?,
                promised: true,
            },
            goes_by: row.instant("goes_by")?,
        })
    };
    let until = ask.until.map_or(i64::MAX, us);
    rows(client, sql, &[&ask.receiver, &us(ask.now), &until, &i64::from(ask.most)])
        .await?
        .iter()
        .map(read)
        .collect()
}
