//! A party's answers, rebuilt from the log and what they are about.

use deadpool_postgres::Client;
use tokio_postgres::Row;

use super::rows;
use crate::{
    domain::{Answer, AnswerOutcome},
    store::{
        LoggedAnswer,
        numbers::delivery_id,
        postgres::{
            fail::Fail,
            row::{Read, unreadable},
        },
        told,
    },
};

pub(super) async fn answers(
    client: &Client,
    party: &str,
    after: i64,
    most: u32,
) -> Result<Vec<LoggedAnswer>, Fail> {
    let rows = rows(
        client,
        "SELECT a.seq, a.party, a.outcome, a.at, a.delivery, a.data, m.receipt, m.id, m.kind, m.findings, m.traceparent,
                 coalesce((SELECT due_at FROM delivery WHERE seq = a.delivery),
                     (SELECT min(due_at) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255)) AS due
             FROM answer a JOIN message m ON m.seq = a.message
             WHERE a.party = $1 AND a.seq > $2 ORDER BY a.seq LIMIT $3",
            &[&party, &after, &i64::from(most)],
        )
        .await?;
    rows.iter().map(answer).collect()
}

/// Rebuilds an answer from the log and what it is about.
fn answer(row: &Row) -> Result<LoggedAnswer, Fail> {
    let receipt = row.receipt("receipt")?;
    let word: String = row.value("outcome")?;
    let outcome = AnswerOutcome::from_name(&word).ok_or_else(|| unreadable("outcome"))?;
    let at = row.instant("at")?;
    let data: serde_json::Value = row.json("data")?.unwrap_or_default();
    let errors = match outcome {
        AnswerOutcome::Accepted | AnswerOutcome::Rejected => row.violations("findings")?,
        _ => vec![],
    };
    let mut answer = Answer::new(receipt, row.value("id")?, outcome, errors);
    answer.deadline = row.instant_or_none("due")?;
    answer.delivery_id = row.value::<Option<i64>>("delivery")?.map(|seq| delivery_id(receipt, seq));
    told::complete(&mut answer, at, &data);
    Ok(LoggedAnswer {
        seq: row.value("seq")?,
        party: row.value("party")?,
        kind: row.value("kind")?,
        at,
        answer,
        traceparent: row.value("traceparent")?,
    })
}
