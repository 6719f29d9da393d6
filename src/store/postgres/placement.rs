//! Who is placed with an a-kasse, as far as messages tell; and what is spent.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{fail::Fail, row::Read, session::Session, work::Tx};
use crate::{
    domain::placement::{Bearing, Stop, stop},
    store::{Accepted, Admission, numbers::us},
};

/// What stops messages that are sound by themselves, by their places in the batch. One that was taken before is none
/// that could be stopped. Two nodes that take at the same moment may pass a cap by what one of them takes.
pub(super) async fn stops(session: &Session, batch: &[&Admission]) -> Result<HashMap<usize, Stop>, Fail> {
    let mut stopped = not_placed(session, batch).await?;
    let mut more: HashMap<&str, i64> = HashMap::new();
    for (place, admission) in batch.iter().enumerate() {
        let Admission::Accepted(message) = admission else { continue };
        let Some(spend) = &message.spends else { continue };
        let row = session
            .query_opt(
                "SELECT coalesce((SELECT oere FROM spent WHERE sum = $1), 0) AS oere,
                     EXISTS (SELECT 1 FROM identity WHERE source = $2 AND id = $3) AS known",
                &[&spend.sum, &message.envelope.source.to_string(), &message.envelope.id.as_str()],
            )
            .await?;
        let row = row.ok_or(Fail::Again)?;
        if row.value("known")? {
            continue;
        }
        let more = more.entry(spend.sum.as_str()).or_default();
        if spend.passes(row.value::<i64>("oere")? + *more) {
            stopped.entry(place).or_insert(Stop::Cap);
        } else if !stopped.contains_key(&place) {
            *more += spend.price;
        }
    }
    Ok(stopped)
}

/// What stops messages of placements.
async fn not_placed(session: &Session, batch: &[&Admission]) -> Result<HashMap<usize, Stop>, Fail> {
    let within = |admission: &&Admission| match admission {
        Admission::Accepted(message) => matches!(message.bearing, Some((_, Bearing::Within))),
        Admission::Invalid(_) => false,
    };
    if !batch.iter().any(within) {
        return Ok(HashMap::new());
    }
    let (mut places, mut keys, mut sources, mut ids, mut times) = (vec![], vec![], vec![], vec![], vec![]);
    for (place, admission) in batch.iter().enumerate() {
        if let Admission::Accepted(message) = admission
            && let Some((placed, Bearing::Within)) = message.bearing
        {
            places.push(i64::try_from(place).unwrap_or(i64::MAX));
            keys.push(placed.0.to_vec());
            sources.push(message.envelope.source.to_string());
            ids.push(message.envelope.id.as_str());
            times.push(message.envelope.time);
        }
    }
    let rows = session
        .query(
            "SELECT u.place, p.opted_out, p.special
             FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[]) AS u (place, key, source, id)
             JOIN placement p ON p.key = u.key
             WHERE NOT EXISTS (SELECT 1 FROM identity i WHERE i.source = u.source AND i.id = u.id)",
            &[&places, &keys, &sources, &ids],
        )
        .await?;
    let happened: HashMap<i64, Timestamp> = places.into_iter().zip(times).collect();
    let mut stopped = HashMap::new();
    for row in &rows {
        let place: i64 = row.value("place")?;
        let (opted_out, special) = (row.instant_or_none("opted_out")?, row.instant_or_none("special")?);
        if let Some(stop) = stop(opted_out, special, happened[&place]) {
            stopped.insert(usize::try_from(place).unwrap_or(usize::MAX), stop);
        }
    }
    Ok(stopped)
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
