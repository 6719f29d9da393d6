//! The end of a transaction: what is left to write, and the COMMIT behind it, in one round trip.

use std::cell::Cell;

use super::{accept::Rows, fail::Fail, logs::Logs, session::Session};

/// How it ended with the commit.
pub(super) enum Ended {
    Committed,
    /// Nothing of it is committed, or ever will be.
    Failed(Fail),
    /// Sent, and not answered.
    Unknown(Fail),
}

/// Writes what is left, the logs last, and commits: one round trip. The server makes a rollback of a COMMIT that
/// comes after a statement that failed.
pub(super) async fn commit(session: &Session, rows: &Rows<'_>, logs: &Logs) -> Ended {
    let unsent = Cell::new(false);
    let (messages, deliveries, parcels, deadlines, events, locked, answers, changes, committed) = futures_util::join!(
        noted(&unsent, rows.messages(session)),
        noted(&unsent, rows.deliveries(session)),
        noted(&unsent, rows.parcels(session)),
        noted(&unsent, rows.deadlines(session)),
        // The events are on their way before the lock is asked for.
        noted(&unsent, logs.write_events(session)),
        noted(&unsent, logs.lock(session)),
        noted(&unsent, logs.write_answers(session)),
        noted(&unsent, logs.write_changes(session)),
        async {
            // What could not even be sent: without it nothing is to be committed.
            if unsent.get() { None } else { Some(session.client.batch_execute("COMMIT").await) }
        },
    );
    let written = messages.and(deliveries).and(parcels).and(deadlines);
    match (written.and(events).and(locked).and(answers).and(changes), committed) {
        (Ok(()), Some(Ok(()))) => Ended::Committed,
        // It said no, and so it is not committed.
        (Ok(()), Some(Err(error))) if says_no(&error) => Ended::Failed(Fail::Database(error)),
        (Err(Fail::Database(error)), Some(_)) if says_no(&error) => Ended::Failed(Fail::Database(error)),
        (Ok(()), Some(Err(error))) => Ended::Unknown(Fail::Database(error)),
        (Err(fail), Some(_)) => Ended::Unknown(fail),
        (Err(fail), None) => Ended::Failed(fail),
        (Ok(()), None) => Ended::Failed(Fail::Cut),
    }
}

/// Sends it, and notes where it failed before anything after it is sent.
async fn noted(unsent: &Cell<bool>, sending: impl Future<Output = Result<(), Fail>>) -> Result<(), Fail> {
    let sent = sending.await;
    unsent.set(unsent.get() || sent.is_err());
    sent
}

/// The server's own word that a statement failed, and the transaction with it. Some words are said of a connection
/// that ends, and do not say what became of a commit under way.
fn says_no(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| !code.code().starts_with("08") && !code.code().starts_with("57P"))
}
