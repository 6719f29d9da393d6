//! What is remembered of placements and caps, and what that stops.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::{
    fail::Fail,
    row::Read,
    session::Session,
    work::{Locking, Tx},
};
use crate::{
    domain::placement::{Away, Bearing, Placed},
    store::{
        Accepted, Admission,
        numbers::us,
        stops::{Remembered, Stop, concerns},
    },
};

/// Those of a batch that something remembered may stop.
pub(super) fn concerned<'a>(batch: &[&'a Admission]) -> Vec<&'a Accepted> {
    let accepted = batch.iter().copied().filter_map(|admission: &'a Admission| match admission {
        Admission::Accepted(message) if concerns(message) => Some(&**message),
        _ => None,
    });
    accepted.collect()
}

/// What is locked before it is read: the placements and the sums of such messages, each as a number. Two that come to
/// the same number wait for each other, and no more.
pub(super) fn keys(concerned: &[&Accepted]) -> BTreeSet<i64> {
    let key = |word: &str, of: &[u8]| {
        let digest = Sha256::new().chain_update(word).chain_update([0]).chain_update(of).finalize();
        let head: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has more than eight bytes");
        i64::from_be_bytes(head)
    };
    let placed = concerned.iter().filter_map(|m| m.bearing.map(|(placed, _)| key("placement", &placed.0)));
    let sums = concerned.iter().filter_map(|m| Some(key("spent", m.spends.as_ref()?.sum.as_bytes())));
    placed.chain(sums).collect()
}

/// What stops messages of a batch that are sound by themselves, by their places in it. Begins the transaction, and reads
/// behind its locks: whoever else would change what is read waits until this one has ended.
pub(super) async fn stops(
    session: &Session,
    locking: &Locking<'_>,
    concerned: &[&Accepted],
    batch: &[&Admission],
) -> Result<HashMap<usize, Stop>, Fail> {
    let (begun, away, spent, taken) = futures_util::join!(
        locking.begin(session),
        placements(session, concerned),
        spent(session, concerned),
        taken(session, concerned),
    );
    begun?;
    let mut remembered = Remembered { away: away?, ..Remembered::default() };
    for row in spent? {
        remembered.spent.insert(row.value("sum")?, row.value("oere")?);
    }
    for row in taken? {
        remembered.taken.insert((row.value("source")?, row.value("id")?));
    }
    Ok(remembered.stops(batch))
}

async fn placements(session: &Session, messages: &[&Accepted]) -> Result<HashMap<Placed, Away>, Fail> {
    let placed: Vec<Placed> = messages.iter().filter_map(|m| m.bearing.map(|(placed, _)| placed)).collect();
    if placed.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<&[u8]> = placed.iter().map(|placed| &placed.0[..]).collect();
    let sql = "SELECT key, opted_out, special FROM placement WHERE key = ANY ($1::bytea[])";
    let mut found = HashMap::new();
    for row in session.query(sql, &[&keys]).await? {
        let key: Vec<u8> = row.value("key")?;
        let away =
            Away { opted_out: row.instant_or_none("opted_out")?, special: row.instant_or_none("special")? };
        let of = placed.iter().find(|placed| placed.0[..] == key[..]);
        found.extend(of.map(|placed| (*placed, away)));
    }
    Ok(found)
}

async fn spent(session: &Session, messages: &[&Accepted]) -> Result<Vec<Row>, Fail> {
    let sums: Vec<&str> = messages.iter().filter_map(|m| Some(m.spends.as_ref()?.sum.as_str())).collect();
    if sums.is_empty() {
        return Ok(vec![]);
    }
    session.query("SELECT sum, oere FROM spent WHERE sum = ANY ($1::text[])", &[&sums]).await
}

/// Which of the identities are taken.
async fn taken(session: &Session, messages: &[&Accepted]) -> Result<Vec<Row>, Fail> {
    let sources: Vec<String> = messages.iter().map(|m| m.envelope.source.to_string()).collect();
    let ids: Vec<&str> = messages.iter().map(|m| m.envelope.id.as_str()).collect();
    let sql = "SELECT i.source, i.id FROM unnest($1::text[], $2::text[]) AS u (source, id)
         JOIN identity i ON i.source = u.source AND i.id = u.id";
    session.query(sql, &[&sources, &ids]).await
}

/// What the accepted message with the number `seq` changes.
pub(super) async fn changes(tx: &Tx<'_>, seq: i64, message: &Accepted) -> Result<(), Fail> {
    if let Some(spend) = &message.spends {
        let sql = "INSERT INTO spent (sum, oere) VALUES ($1, $2)
             ON CONFLICT (sum) DO UPDATE SET oere = spent.oere + excluded.oere";
        tx.session.execute(sql, &[&spend.sum, &spend.price]).await?;
    }
    let Some((placed, bearing)) = message.bearing else { return Ok(()) };
    let key = &placed.0[..];
    match bearing {
        Bearing::Within => {}
        Bearing::OptsOut(from) => {
            let sql = "INSERT INTO placement (key, opted_out, message) VALUES ($1, $2, $3)
                 ON CONFLICT (key) DO UPDATE SET opted_out = excluded.opted_out, message = excluded.message";
            tx.session.execute(sql, &[&key, &us(from), &seq]).await?;
        }
        Bearing::OptsIn => {
            let sql = "UPDATE placement SET opted_out = NULL, message = $2 WHERE key = $1";
            tx.session.execute(sql, &[&key, &seq]).await?;
        }
        Bearing::SpecialEffort(Some(from)) => {
            let sql = "INSERT INTO placement (key, special, message) VALUES ($1, $2, $3)
                 ON CONFLICT (key) DO UPDATE SET special = excluded.special, message = excluded.message";
            tx.session.execute(sql, &[&key, &us(from), &seq]).await?;
        }
        Bearing::SpecialEffort(None) => {
            let sql =
                "UPDATE placement SET special = NULL, message = $2 WHERE key = $1 AND special IS NOT NULL";
            tx.session.execute(sql, &[&key, &seq]).await?;
        }
    }
    Ok(())
}
