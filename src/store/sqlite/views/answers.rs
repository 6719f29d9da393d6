//! A party's answers, rebuilt from the log and what they are about.

use rusqlite::{Connection, Row, params, types::Type};

use crate::{
    domain::{Answer, AnswerOutcome},
    store::{
        LoggedAnswer,
        sqlite::row::{Read, delivery_id, json, unreadable},
        told,
    },
};

pub(super) fn answers(
    connection: &Connection,
    party: &str,
    after: i64,
    most: u32,
) -> rusqlite::Result<Vec<LoggedAnswer>> {
    connection
        .prepare_cached(
            "-- store::answers
             SELECT a.seq, a.party, a.outcome, a.at, a.delivery, a.data, m.receipt, m.id, m.kind, m.findings, m.traceparent,
                 coalesce((SELECT due_at FROM delivery WHERE seq = a.delivery),
                     (SELECT min(due_at) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255)) AS due
             FROM answer a JOIN message m ON m.seq = a.message WHERE a.party = ?1 AND a.seq > ?2 ORDER BY a.seq LIMIT ?3",
        )?
        .query_map(params![party, after, most], answer)?
        .collect()
}

/// Rebuilds an answer from the log and what it is about.
fn answer(row: &Row<'_>) -> rusqlite::Result<LoggedAnswer> {
    let receipt = row.receipt("receipt")?;
    let word: String = row.get("outcome")?;
    let outcome = AnswerOutcome::from_name(&word).ok_or_else(|| unreadable("outcome", Type::Text, &word))?;
    let at = row.instant("at")?;
    let data: serde_json::Value = json(row, "data")?.unwrap_or_default();
    let errors = match outcome {
        AnswerOutcome::Accepted | AnswerOutcome::Rejected => row.violations("findings")?,
        _ => vec![],
    };
    let mut answer = Answer::new(receipt, row.get("id")?, outcome, errors);
    answer.deadline = row.instant_or_none("due")?;
    answer.delivery_id = row.get::<_, Option<i64>>("delivery")?.map(|seq| delivery_id(receipt, seq));
    told::complete(&mut answer, at, &data);
    Ok(LoggedAnswer {
        seq: row.get("seq")?,
        party: row.get("party")?,
        kind: row.get("kind")?,
        at,
        answer,
        traceparent: row.get("traceparent")?,
    })
}
