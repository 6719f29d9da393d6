//! The rows of accepted and refused messages: one statement for each table.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Fresh, Owed, deadline_seq, next};
use crate::{
    domain::HoldReason,
    store::{
        Arrived, Invalid, json,
        numbers::us,
        postgres::{fail::Fail, row::Read, session::Session},
    },
};

/// A column of what is inserted.
type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

fn column<'a, T, V: ToSql + Sync + Send + 'a>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Column<'a> {
    Box::new(rows.iter().map(value).collect::<Vec<V>>())
}

async fn insert(session: &Session, sql: &'static str, columns: &[Column<'_>]) -> Result<(), Fail> {
    let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| &**c as &(dyn ToSql + Sync)).collect();
    session.execute(sql, &columns).await.map(|_| ())
}

/// What every arrival has, in the order of both statements for messages.
fn arrived<'a, T>(rows: &'a [T], of: impl Fn(&'a T) -> &'a Arrived + Copy) -> Vec<Column<'a>> {
    vec![
        column(rows, move |row| of(row).receipt.uuid()),
        column(rows, move |row| of(row).party.as_str()),
        column(rows, move |row| of(row).sent.map(us)),
        column(rows, move |row| us(of(row).received)),
        column(rows, move |row| of(row).way.name()),
        column(rows, move |row| i64::try_from(of(row).generation).unwrap_or(i64::MAX)),
        column(rows, move |row| of(row).content_type.as_deref()),
        column(rows, move |row| headers(of(row))),
        column(rows, move |row| &of(row).raw[..]),
    ]
}

fn headers(arrived: &Arrived) -> Option<String> {
    (!arrived.headers.is_empty()).then(|| json(&arrived.headers))
}

/// Messages with their deliveries, parcels and deadlines: all on their way before the first is answered.
pub(super) async fn accepted(session: &Session, taken: &[&Fresh<'_>], owed: &[Owed<'_>]) -> Result<(), Fail> {
    if taken.is_empty() {
        return Ok(());
    }
    let rows = (
        messages(session, taken),
        deliveries(session, owed),
        parcels(session, owed),
        deadlines(session, owed),
    );
    // All answers are waited for, and the first that is an error counts: those after it only say that one was.
    let told = futures_util::join!(rows.0, rows.1, rows.2, rows.3);
    told.0.and(told.1).and(told.2).and(told.3)
}

async fn messages(session: &Session, taken: &[&Fresh<'_>]) -> Result<(), Fail> {
    let mut columns = arrived(taken, |f| &f.message.arrived);
    columns.extend([
        column(taken, |f| f.seq),
        column(taken, |f| f.source.as_str()),
        column(taken, |f| f.message.envelope.id.as_str()),
        column(taken, |f| f.kind.as_str()),
        column(taken, |f| f.receiver.as_str()),
        column(taken, |f| f.message.agreement.as_deref()),
        column(taken, |f| f.message.envelope.subject.as_deref()),
        column(taken, |f| f.message.envelope.correlation_id.as_deref()),
        column(taken, |f| f.message.envelope.causation_id.as_deref()),
        column(taken, |f| f.message.envelope.traceparent.as_deref()),
        column(taken, |f| us(f.message.envelope.time)),
        column(taken, |f| f.message.envelope.recorded.map(us)),
        column(taken, |f| i16::from(f.message.answers.0)),
        column(taken, |f| (!f.message.warnings.is_empty()).then(|| json(&f.message.warnings))),
    ]);
    let sql = "INSERT INTO message (state, receipt, party, sent_at, received_at, way, generation, content_type, headers,
                   raw, seq, source, id, kind, receiver, agreement, subject, correlation, causation, traceparent,
                   occurred_at, recorded_at, answers, findings)
               SELECT 0, * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
                   $7::text[], $8::text[], $9::bytea[], $10::bigint[], $11::text[], $12::text[], $13::text[],
                   $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[],
                   $21::bigint[], $22::smallint[], $23::text[])";
    insert(session, sql, &columns).await
}

/// Stores refused messages and says their numbers, in their order.
pub(super) async fn invalid(session: &Session, refused: &[(usize, Invalid)]) -> Result<Vec<i64>, Fail> {
    if refused.is_empty() {
        return Ok(vec![]);
    }
    let mut columns = arrived(refused, |(_, m)| &m.arrived);
    columns.extend([
        column(refused, |(_, m)| m.source.as_deref()),
        column(refused, |(_, m)| m.message_id.as_deref()),
        column(refused, |(_, m)| m.kind.as_deref()),
        column(refused, |(_, m)| m.receiver.as_deref()),
        column(refused, |(_, m)| i16::from(m.answers.0)),
        column(refused, |(_, m)| json(&m.violations)),
        column(refused, |(_, m)| m.astray_in.as_deref()),
    ]);
    let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| &**c as &(dyn ToSql + Sync)).collect();
    let rows = session
        .query(
            "INSERT INTO message (state, receipt, party, sent_at, received_at, way, generation, content_type, headers,
                 raw, source, id, kind, receiver, answers, findings, astray_in)
             SELECT 1, receipt, party, sent_at, received_at, way, generation, content_type, headers, raw, source, id,
                 kind, receiver, answers, findings, astray_in
             FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
                 $8::text[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::text[], $14::smallint[],
                 $15::text[], $16::text[]) WITH ORDINALITY AS u (receipt, party, sent_at, received_at, way, generation,
                 content_type, headers, raw, source, id, kind, receiver, answers, findings, astray_in, place)
             ORDER BY place RETURNING seq, receipt",
            &params,
        )
        .await?;
    let numbers = rows.iter().map(|row| Ok((row.value::<Uuid>("receipt")?, row.value("seq")?)));
    let numbers = numbers.collect::<Result<std::collections::HashMap<Uuid, i64>, Fail>>()?;
    let number =
        |(_, m): &(usize, Invalid)| numbers.get(&m.arrived.receipt.uuid()).copied().ok_or(Fail::Again);
    refused.iter().map(number).collect()
}

async fn parcels(session: &Session, owed: &[Owed<'_>]) -> Result<(), Fail> {
    let columns = [
        column(owed, |o| o.seq),
        column(owed, |o| o.delivery.parcel.content_type.as_ref()),
        column(owed, |o| &o.delivery.parcel.body[..]),
    ];
    let sql = "INSERT INTO parcel (seq, content_type, body)
               SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])";
    insert(session, sql, &columns).await
}

async fn deadlines(session: &Session, owed: &[Owed<'_>]) -> Result<(), Fail> {
    let columns = [
        column(owed, |o| deadline_seq(o.seq)),
        column(owed, |o| o.delivery.promise.promise.as_str()),
        column(owed, |o| us(o.starts)),
        column(owed, |o| us(o.due)),
        column(owed, |o| next(o).0),
        column(owed, |o| next(o).1),
    ];
    let sql = "INSERT INTO deadline (seq, promise, starts_at, due_at, step, next_step_at)
               SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bigint[])";
    insert(session, sql, &columns).await
}

async fn deliveries(session: &Session, owed: &[Owed<'_>]) -> Result<(), Fail> {
    let columns = [
        column(owed, |o| o.seq),
        column(owed, |o| o.delivery.receiver.as_str()),
        column(owed, |o| if o.hold.is_some() { 2_i16 } else { 0 }),
        column(owed, |o| o.hold.map(HoldReason::name)),
        column(owed, |o| o.delivery.ordering_key),
        column(owed, |o| us(o.due)),
        column(owed, |o| us(o.message.arrived.received)),
        column(owed, |o| o.delivery.expires.map(us)),
        column(owed, |o| o.delivery.hold.as_ref().map(|(_, fault)| json(fault))),
        column(owed, |o| o.delivery.parcel.format.name()),
        column(owed, |o| i32::from(o.delivery.parcel.format_version)),
        column(owed, |o| &o.output_hash[..]),
    ];
    let sql = "INSERT INTO delivery (state, seq, receiver, phase, hold, ordering_key, due_at, next_attempt_at,
                   expires_at, fault, format, format_version, output_hash)
               SELECT 0, * FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::bigint[],
                   $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::integer[], $12::bytea[])";
    insert(session, sql, &columns).await
}
