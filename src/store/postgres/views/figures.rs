//! Counts the key figures: the database groups, so that few rows are read whatever the number of messages.

use std::pin::pin;

use deadpool_postgres::{Client, GenericClient};
use futures_util::TryStreamExt;
use tokio_postgres::{IsolationLevel, Row, types::ToSql};

use super::{STANDING, row, rows};
use crate::{
    domain::{
        figure::{Month, Timeliness},
        spread::bounds,
    },
    store::{
        figures::{Alike, Asked, Fold, GROUPS_MAX, KeyFigures, Of, urn},
        numbers::us,
        postgres::{
            fail::Fail,
            row::{Read, unreadable},
        },
    },
};

/// From one state of the store.
pub(super) async fn key_figures(client: &mut Client, asked: &Asked) -> Result<KeyFigures, Fail> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    // Far more rows are looked at than by any other view: they are put into groups in memory, without sorting them
    // first (the server takes it that there are as many groups as rows, and would sort a million texts), several
    // processes read them, and no query is worth being compiled.
    let for_many = "SET LOCAL statement_timeout = '10min'; SET LOCAL work_mem = '64MB';
        SET LOCAL hash_mem_multiplier = 8; SET LOCAL parallel_tuple_cost = 0.01; SET LOCAL jit = off";
    transaction.batch_execute(for_many).await?;
    let last =
        row(&transaction, "SELECT seq, generation FROM message ORDER BY seq DESC LIMIT 1", &[]).await?;
    let last = last.map(|row| Ok::<_, Fail>((row.value("seq")?, row.value("generation")?))).transpose()?;
    let mut fold = Fold::new();
    interviews(&transaction, asked, &mut fold).await?;
    messages(&transaction, asked, &mut fold).await?;
    promises(&transaction, asked, &mut fold).await?;
    decisions(&transaction, asked, &mut fold).await?;
    transaction.commit().await?;
    Ok(fold.finish(last))
}

/// The jobcenter's own interviews are what the others are measured by, so what narrows to an a-kasse does not
/// narrow them.
async fn interviews(client: &impl GenericClient, asked: &Asked, fold: &mut Fold) -> Result<(), Fail> {
    let (first, last) = (asked.months.0.number(), asked.months.1.number());
    // Each group is three rows at the most, so where rows are left out there are too many groups.
    let most = i64::try_from(GROUPS_MAX * 3).unwrap_or(i64::MAX);
    let statement = client
        .prepare_cached(
            "SELECT month, jobcenter, interview, akasse, own, timeliness, count(*) AS count FROM figure
             WHERE NOT replaced AND month BETWEEN $1 AND $2 AND ($3::text IS NULL OR jobcenter = $3)
                 AND ($4::text IS NULL OR interview = $4)
                 AND (own OR (($5::text IS NULL OR akasse = $5) AND ($6::text IS NULL OR agreement = $6)))
             GROUP BY month, jobcenter, interview, akasse, own, timeliness
             ORDER BY month, jobcenter, interview, akasse, own, timeliness LIMIT $7",
        )
        .await?;
    let asked: [&(dyn ToSql + Sync); 7] =
        [&first, &last, &asked.jobcenter, &asked.interview, &asked.akasse, &asked.agreement, &most];
    // One row at a time: they are many, and a row of the driver's is far larger than what is kept of it.
    let mut groups = pin!(client.query_raw(&statement, asked).await?);
    while let Some(row) = groups.try_next().await? {
        let (jobcenter, interview, akasse): (String, String, String) =
            (row.value("jobcenter")?, row.value("interview")?, row.value("akasse")?);
        let of = Of {
            month: Month::from_number(row.value("month")?).ok_or_else(|| unreadable("month"))?,
            jobcenter: &jobcenter,
            interview: &interview,
            akasse: &akasse,
            own: row.value("own")?,
        };
        let timeliness = row.value::<i16>("timeliness")?;
        let timeliness = Timeliness::from_number(timeliness).ok_or_else(|| unreadable("timeliness"))?;
        let count = u32::try_from(row.value::<i64>("count")?).map_err(|_| unreadable("count"))?;
        fold.interviews(of, timeliness, count);
    }
    Ok(())
}

/// Which messages `m` are meant, with the values of [`narrowed`].
const ASKED: &str = "m.received_at >= $1 AND m.received_at < $2
             AND ($3::text IS NULL OR m.kind = $3 OR starts_with(m.kind, $3 || '.v'))
             AND ($4::text IS NULL OR m.agreement = $4)
             AND ($5::text IS NULL OR m.source = $5 OR m.receiver = $5)
             AND ($6::text IS NULL OR m.source = $6 OR m.receiver = $6)";

type Narrowed = (i64, i64, Option<String>, Option<String>, Option<String>, Option<String>);

fn narrowed(asked: &Asked) -> Narrowed {
    (
        us(asked.from),
        us(asked.to),
        asked.kind.clone(),
        asked.agreement.clone(),
        urn(asked.akasse.as_ref()),
        urn(asked.jobcenter.as_ref()),
    )
}

/// The place of a span of whole seconds among the bounds is the number of bounds below it.
async fn messages(client: &impl GenericClient, asked: &Asked, fold: &mut Fold) -> Result<(), Fail> {
    let (from, to, kind, agreement, akasse, jobcenter) = narrowed(asked);
    let sql = format!(
        "SELECT m.state, m.way, m.kind, m.source, m.receiver,
             width_bucket(greatest(m.received_at - m.occurred_at, 0) / 1000000 - 1, $7::bigint[]) AS late,
             coalesce(m.received_at >= coalesce(p.at_50, p.starts_at + (p.due_at - p.starts_at) / 2), false) AS half_used, count(*) AS count
         FROM message m LEFT JOIN deadline p ON p.seq = m.seq * 4096 + 16
         WHERE {ASKED} GROUP BY 1, 2, 3, 4, 5, 6, 7"
    );
    let bounds = bounds();
    let groups = rows(client, &sql, &[&from, &to, &kind, &agreement, &akasse, &jobcenter, &bounds]).await?;
    for row in &groups {
        let (way, count) = (row.value::<String>("way")?, count(row)?);
        if row.value::<i16>("state")? == 1 {
            fold.refused(&way, count);
            continue;
        }
        let (kind, source, receiver): (String, String, String) =
            (row.value("kind")?, row.value("source")?, row.value("receiver")?);
        let late = row.value::<Option<i32>>("late")?.unwrap_or_default();
        let late = usize::try_from(late).map_err(|_| unreadable("received_at"))?;
        let alike = Alike { kind: &kind, source: &source, receiver: &receiver, way: &way, count };
        fold.messages(&alike, late, row.value("half_used")?);
    }
    Ok(())
}

async fn promises(client: &impl GenericClient, asked: &Asked, fold: &mut Fold) -> Result<(), Fail> {
    let (from, to, kind, agreement, akasse, jobcenter) = narrowed(asked);
    let sql = format!(
        "SELECT m.agreement, m.kind, p.promise, {standing} AS standing, count(*) AS count
         FROM message m JOIN deadline p ON p.seq BETWEEN m.seq * 4096 AND m.seq * 4096 + 4095
         WHERE m.state = 0 AND {ASKED} GROUP BY 1, 2, 3, 4",
        standing = STANDING.replace("$1", "$7"),
    );
    let now = us(asked.now);
    for row in &rows(client, &sql, &[&from, &to, &kind, &agreement, &akasse, &jobcenter, &now]).await? {
        let (agreement, kind): (Option<String>, String) = (row.value("agreement")?, row.value("kind")?);
        let (promise, standing): (String, String) = (row.value("promise")?, row.value("standing")?);
        fold.promises(agreement.as_deref(), (&kind, &promise), &standing, count(row)?);
    }
    Ok(())
}

/// The first reply to each message that decided.
async fn decisions(client: &impl GenericClient, asked: &Asked, fold: &mut Fold) -> Result<(), Fail> {
    let (from, to, kind, agreement, akasse, jobcenter) = narrowed(asked);
    let sql = format!(
        "SELECT DISTINCT ON (m.seq) m.receiver, m.kind, e.data, (e.at - m.received_at) / 1000000 AS took
         FROM message m JOIN event e ON e.message = m.seq
         WHERE {ASKED} AND m.state = 0 AND m.case_state IS NOT NULL AND e.what = 'reply'
             AND e.data::jsonb ->> 'step' = 'moved'
             AND e.data::jsonb ->> 'says' IN ('granted', 'activity_created', 'published', 'refused')
         ORDER BY m.seq, e.seq"
    );
    for row in &rows(client, &sql, &[&from, &to, &kind, &agreement, &akasse, &jobcenter]).await? {
        let (receiver, kind, told): (String, String, String) =
            (row.value("receiver")?, row.value("kind")?, row.value("data")?);
        fold.decision(&receiver, &kind, &told, row.value("took")?);
    }
    Ok(())
}

fn count(row: &Row) -> Result<u64, Fail> {
    u64::try_from(row.value::<i64>("count")?).map_err(|_| unreadable("count"))
}
