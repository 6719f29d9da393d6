//! Return messages: each moves the state of the message it answers, in the transaction that stores it.

use rusqlite::{OptionalExtension, params};
use serde_json::json;

use super::{
    accept::log_event,
    clocks, commands,
    identity::{self, by_identity},
    row::{Read, us},
    writer::Tx,
};
use crate::{
    domain::case::{CaseState, Said},
    store::{
        Accepted,
        reply::{Original, effect, may_answer},
    },
};

/// Finds what the message answers, and moves its state. `seq` is the message's own number.
pub(super) fn reply(tx: &mut Tx<'_, '_>, seq: i64, message: &Accepted, said: &Said) -> rusqlite::Result<()> {
    let now = us(message.arrived.received);
    let found = original(tx, message, said)?.filter(|(_, original)| may_answer(message, original));
    let Some((first, original)) = found else { return log_event(tx, seq, None, now, "unmatched", None) };
    let effect = effect(message, said, &original);
    if let Some(state) = effect.moves_to {
        tx.execute(
            "-- store::reply state
             UPDATE message SET case_state = ?2 WHERE seq = ?1",
            params![first, state.name()],
        )?;
    }
    log_event(tx, first, None, now, "reply", Some(&effect.told.to_string()))?;
    let of = json!({ "receiptId": original.receipt });
    log_event(tx, seq, None, now, "reply_to", Some(&of.to_string()))?;
    let now = message.arrived.received;
    // What the receiver has not before it says so starts then; what it will not have is answered and then ended.
    if original.has_clocks && effect.is_refused() {
        clocks::message_hears(tx, first, effect.answered(&original), now)?;
    }
    if let Some(command) = &effect.command {
        let by = message.envelope.source.to_string();
        let (_, bells) = commands::command(tx, command, &by, now)?;
        for bell in bells {
            tx.handing.ring(bell);
        }
    }
    if original.has_clocks && !effect.is_refused() {
        clocks::message_hears(tx, first, effect.answered(&original), now)?;
    }
    Ok(())
}

/// By its sender and id, or by the delivery that is named.
fn original(tx: &Tx<'_, '_>, message: &Accepted, said: &Said) -> rusqlite::Result<Option<(i64, Original)>> {
    let read = |row: &rusqlite::Row<'_>| {
        let seq: i64 = row.get("seq")?;
        let state: Option<String> = row.get("case_state")?;
        let original = Original {
            receipt: row.receipt("receipt")?,
            receiver: row.get("receiver")?,
            state: state.as_deref().and_then(CaseState::from_name),
            deliveries: row.get("deliveries")?,
            has_clocks: row.get::<_, Option<u8>>("clocks")?.is_some_and(|clocks| clocks > 0),
        };
        Ok((seq, original))
    };
    if let Some(id) = &message.envelope.correlation_id {
        return tx
            .prepare(by_identity!(
                "-- store::reply by id
                 SELECT seq, receipt, receiver, case_state,
                     (SELECT count(*) FROM delivery WHERE delivery.seq BETWEEN message.seq * 256 AND message.seq * 256 + 255
                         AND (other_way IS NULL OR other_way > delivery.seq)) AS deliveries,
                     (SELECT max(clocks) FROM delivery WHERE delivery.seq BETWEEN message.seq * 256 AND message.seq * 256 + 255) AS clocks
                 FROM message WHERE seq IN ",
                ""
            ))?
            .query_row(params![message.envelope.receiver.to_string(), id, identity::number(id)], read)
            .optional();
    }
    let Some(delivery) = said.delivery else { return Ok(None) };
    tx.prepare(
        "-- store::reply by delivery
         SELECT seq, receipt, receiver, case_state,
             (SELECT count(*) FROM delivery WHERE delivery.seq BETWEEN message.seq * 256 AND message.seq * 256 + 255
                         AND (other_way IS NULL OR other_way > delivery.seq)) AS deliveries,
                     (SELECT max(clocks) FROM delivery WHERE delivery.seq BETWEEN message.seq * 256 AND message.seq * 256 + 255) AS clocks
         FROM message WHERE receipt = ?1 AND state = 0",
    )?
    .query_row([delivery.receipt().uuid().as_bytes()], read)
    .optional()
}
