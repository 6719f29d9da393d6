//! Writes down that a person had a stored message taken again.

use jiff::Timestamp;

use super::{fail::Fail, row::Read, work::Tx};
use crate::{
    domain::ReceiptId,
    store::{TakenAgain, numbers::us, told},
};

/// Tells it in the first arrival's history and in the audit.
pub(super) async fn taken_again(
    tx: &mut Tx<'_>,
    first: ReceiptId,
    again: ReceiptId,
    how: &TakenAgain,
    by: &str,
    now: Timestamp,
) -> Result<(), Fail> {
    let (what, told, command) = told::taken_again(how, again, by);
    let sql = "SELECT seq FROM message WHERE receipt = $1";
    if let Some(row) = tx.session.query_opt(sql, &[&first.uuid()]).await? {
        tx.logs.event(row.value("seq")?, us(now), what, Some(told));
    }
    tx.logs.audit(us(now), by, command, &first.to_string());
    Ok(())
}
