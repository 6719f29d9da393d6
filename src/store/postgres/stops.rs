//! What is remembered of placements and caps, and what that stops.

use std::collections::HashMap;

use super::{fail::Fail, row::Read, session::Session, work::Tx};
use crate::{
    domain::placement::{Away, Bearing, Placed},
    store::{
        Accepted, Admission,
        numbers::us,
        stops::{Remembered, Stop, concerns},
    },
};

/// What stops messages of a batch that are sound by themselves, by their places in it. It is read before the
/// transaction: what another node stores in the same moment does not count yet.
pub(super) async fn stops(session: &Session, batch: &[&Admission]) -> Result<HashMap<usize, Stop>, Fail> {
    let concerned: Vec<&Accepted> = batch
        .iter()
        .filter_map(|admission| match admission {
            Admission::Accepted(message) if concerns(message) => Some(&**message),
            _ => None,
        })
        .collect();
    if concerned.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(remembered(session, &concerned).await?.stops(batch))
}

async fn remembered(session: &Session, messages: &[&Accepted]) -> Result<Remembered, Fail> {
    let mut remembered = Remembered::default();
    let placed: Vec<Placed> = messages.iter().filter_map(|m| m.bearing.map(|(placed, _)| placed)).collect();
    let keys: Vec<&[u8]> = placed.iter().map(|placed| &placed.0[..]).collect();
    let sql = "SELECT key, opted_out, special FROM placement WHERE key = ANY ($1::bytea[])";
    for row in session.query(sql, &[&keys]).await? {
        let key: Vec<u8> = row.value("key")?;
        let away =
            Away { opted_out: row.instant_or_none("opted_out")?, special: row.instant_or_none("special")? };
        let of = placed.iter().find(|placed| placed.0[..] == key[..]);
        remembered.away.extend(of.map(|placed| (*placed, away)));
    }
    let sums: Vec<&str> = messages.iter().filter_map(|m| Some(m.spends.as_ref()?.sum.as_str())).collect();
    for row in session.query("SELECT sum, oere FROM spent WHERE sum = ANY ($1::text[])", &[&sums]).await? {
        remembered.spent.insert(row.value("sum")?, row.value("oere")?);
    }
    let sources: Vec<String> = messages.iter().map(|m| m.envelope.source.to_string()).collect();
    let ids: Vec<&str> = messages.iter().map(|m| m.envelope.id.as_str()).collect();
    let sql = "SELECT i.source, i.id FROM unnest($1::text[], $2::text[]) AS u (source, id)
         JOIN identity i ON i.source = u.source AND i.id = u.id";
    for row in session.query(sql, &[&sources, &ids]).await? {
        remembered.taken.insert((row.value("source")?, row.value("id")?));
    }
    Ok(remembered)
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
