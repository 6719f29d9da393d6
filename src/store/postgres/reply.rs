//! Return messages: each moves the state of the message it answers, in the transaction that stores it.

use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{clocks, commands, fail::Fail, row::Read, session::Session, work::Tx};
use crate::{
    domain::case::{CaseState, Said},
    store::{
        Accepted, Admission,
        numbers::us,
        reply::{Original, effect, may_answer},
    },
};

/// Return messages with what they say.
fn replies<'a>(batch: impl Iterator<Item = &'a Admission>) -> impl Iterator<Item = (&'a Accepted, &'a Said)> {
    batch.filter_map(|admission| match admission {
        Admission::Accepted(message) => Some((&**message, message.reply.as_ref()?)),
        Admission::Invalid(_) => None,
    })
}

/// The ordering keys of what a batch answers, and what is locked of two ways: before anything is written.
pub(super) async fn keys<'a>(
    session: &Session,
    batch: impl Iterator<Item = &'a Admission>,
) -> Result<Vec<i64>, Fail> {
    let (mut sources, mut ids, mut receipts) = (Vec::new(), Vec::new(), Vec::<Option<Uuid>>::new());
    for (message, said) in replies(batch) {
        sources.push(message.envelope.receiver.to_string());
        ids.push(message.envelope.correlation_id.as_deref());
        receipts.push(said.delivery.map(|delivery| delivery.receipt().uuid()));
    }
    if sources.is_empty() {
        return Ok(vec![]);
    }
    let rows = session
        .query(
            "SELECT DISTINCT k.key FROM unnest($1::text[], $2::text[], $3::uuid[]) AS u (source, id, receipt)
             LEFT JOIN identity i ON i.source = u.source AND i.id = u.id
             LEFT JOIN message m ON u.id IS NULL AND m.receipt = u.receipt
             JOIN delivery d ON d.seq BETWEEN coalesce(i.message, m.seq) * 256 AND coalesce(i.message, m.seq) * 256 + 255
             CROSS JOIN LATERAL (VALUES (d.ordering_key),
                 (CASE WHEN d.other_way IS NOT NULL THEN least(d.seq, d.other_way) END)) AS k (key)
             WHERE k.key IS NOT NULL",
            &[&sources, &ids, &receipts],
        )
        .await?;
    rows.iter().map(|row| row.value("key")).collect()
}

/// Finds what the message answers, and moves its state. `seq` is the message's own number.
pub(super) async fn reply(tx: &mut Tx<'_>, seq: i64, message: &Accepted, said: &Said) -> Result<(), Fail> {
    let now = us(message.arrived.received);
    let found = original(tx, message, said).await?.filter(|(_, original)| may_answer(message, original));
    let Some((first, original)) = found else {
        tx.logs.event(seq, now, "unmatched", None);
        return Ok(());
    };
    let effect = effect(message, said, &original);
    if let Some(state) = effect.moves_to {
        let sql = "UPDATE message SET case_state = $2 WHERE seq = $1";
        tx.session.execute(sql, &[&first, &state.name()]).await?;
    }
    tx.logs.event(first, now, "reply", Some(effect.told.to_string()));
    tx.logs.event(seq, now, "reply_to", Some(json!({ "receiptId": original.receipt }).to_string()));
    let now = message.arrived.received;
    // What the receiver has not before it says so starts then; what it will not have is answered and then ended.
    if original.has_clocks && effect.is_refused() {
        clocks::message_hears(tx, first, effect.answered(&original), now).await?;
    }
    if let Some(command) = &effect.command {
        let by = message.envelope.source.to_string();
        commands::command(tx, command, &by, now).await?;
    }
    if original.has_clocks && !effect.is_refused() {
        clocks::message_hears(tx, first, effect.answered(&original), now).await?;
    }
    Ok(())
}

/// By its sender and id, or by the delivery that is named. Kept as it is until the commit.
async fn original(tx: &Tx<'_>, message: &Accepted, said: &Said) -> Result<Option<(i64, Original)>, Fail> {
    let row = if let Some(id) = &message.envelope.correlation_id {
        tx.session
            .query_opt(
                "SELECT m.seq, m.receipt, m.receiver, m.case_state,
                     (SELECT count(*) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255
                         AND (d.other_way IS NULL OR d.other_way > d.seq)) AS deliveries,
                     (SELECT max(d.clocks) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255) AS clocks
                 FROM identity i JOIN message m ON m.seq = i.message WHERE i.source = $1 AND i.id = $2 FOR UPDATE OF m",
                &[&message.envelope.receiver.to_string(), id],
            )
            .await?
    } else if let Some(delivery) = said.delivery {
        tx.session
            .query_opt(
                "SELECT m.seq, m.receipt, m.receiver, m.case_state,
                     (SELECT count(*) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255
                         AND (d.other_way IS NULL OR d.other_way > d.seq)) AS deliveries,
                     (SELECT max(d.clocks) FROM delivery d WHERE d.seq BETWEEN m.seq * 256 AND m.seq * 256 + 255) AS clocks
                 FROM message m WHERE m.receipt = $1 AND m.state = 0 FOR UPDATE OF m",
                &[&delivery.receipt().uuid()],
            )
            .await?
    } else {
        None
    };
    let read = |row: &Row| -> Result<(i64, Original), Fail> {
        let state: Option<String> = row.value("case_state")?;
        let deliveries: i64 = row.value("deliveries")?;
        let original = Original {
            receipt: row.receipt("receipt")?,
            receiver: row.value("receiver")?,
            state: state.as_deref().and_then(CaseState::from_name),
            deliveries: u8::try_from(deliveries).unwrap_or(u8::MAX),
            has_clocks: row.value::<Option<i16>>("clocks")?.is_some_and(|clocks| clocks > 0),
        };
        Ok((row.value("seq")?, original))
    };
    row.as_ref().map(read).transpose()
}
