//! Marks around a redelivered message while it is judged, so that a crash leaves a trace.
//!
//! A mark is its node's. One whose node lives says nothing: the broker gives a message to another consumer also
//! when a connection breaks. Each process is a node of its own, and so the marks of nodes that are gone are as many
//! as the crashes.

use std::collections::BTreeSet;

use super::{fail::Fail, row::Read, work::Tx};
use crate::store::{Admission, InHand, numbers::us};

const MARK: &str = "INSERT INTO in_hand (key, way, party, first_at, node) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (key, node) DO NOTHING";

/// Marks of nodes that no session holds the sign of life of. It is looked for and not tried: two that tried at once
/// would take each other for the node. The server shows a lock's number in two halves.
const CRASHES: &str = "SELECT count(*)::integer AS crashes FROM in_hand h WHERE h.key = $1 AND h.node <> $2
     AND NOT EXISTS (
         SELECT FROM pg_locks l
         WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND ((l.classid::bigint << 32) | l.objid::bigint) = ($3::bigint # (h.node << 16)))";

/// How many nodes are gone that had the message in hand when they went.
pub(super) async fn take(tx: &Tx<'_>, mark: &InHand) -> Result<u32, Fail> {
    let session = tx.session;
    let key = &&mark.key[..];
    session.execute(MARK, &[key, &mark.way.name(), &mark.party, &us(mark.now), &session.node]).await?;
    let row = session.query_opt(CRASHES, &[key, &session.node, &session.locks.node(0)]).await?;
    row.ok_or(Fail::Again)?.count("crashes")
}

/// Whoever could judge it answers for all who tried.
pub(super) async fn put_down(tx: &Tx<'_>, keys: &[&[u8]]) -> Result<(), Fail> {
    if !keys.is_empty() {
        tx.session.execute("DELETE FROM in_hand WHERE key = ANY ($1::bytea[])", &[&keys]).await?;
    }
    Ok(())
}

/// The marks of what is stored: it is in hand no more. By their keys, for two nodes may store copies of the same.
pub(super) fn marks<'a>(batch: &[&'a Admission]) -> Vec<&'a [u8]> {
    let keys =
        batch.iter().copied().filter_map(|admission: &'a Admission| admission.arrived().in_hand.as_ref());
    keys.map(|key| &key[..]).collect::<BTreeSet<_>>().into_iter().collect()
}
