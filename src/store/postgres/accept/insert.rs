//! The rows of accepted and refused messages: one statement for each table.

use tokio_postgres::{Statement, types::ToSql};
use uuid::Uuid;

use super::{Rows, deadline_seq, next};
use crate::{
    domain::{Cpr, HoldReason},
    store::{
        Arrived, Invalid, json,
        numbers::{delivery_seq, message_of, us},
        postgres::{fail::Fail, lease, row::Read, session::Session},
    },
};

// Arrays side by side in a list, and not in FROM, where each would be written down before the first row is made.

pub(in crate::store::postgres) const MESSAGES: &str = "INSERT INTO message (state, receipt, party, sent_at, received_at,
         way, generation, content_type, headers, raw, seq, source, id, kind, receiver, agreement, subject, correlation,
         causation, traceparent, occurred_at, recorded_at, answers, findings, tracestate)
     SELECT 0, unnest($1::uuid[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::bigint[]),
         unnest($5::text[]), unnest($6::bigint[]), unnest($7::text[]), unnest($8::text[]),
         unnest($9::bytea[]), unnest($10::bigint[]), unnest($11::text[]), unnest($12::text[]),
         unnest($13::text[]), unnest($14::text[]), unnest($15::text[]), unnest($16::text[]),
         unnest($17::text[]), unnest($18::text[]), unnest($19::text[]), unnest($20::bigint[]),
         unnest($21::bigint[]), unnest($22::smallint[]), unnest($23::text[]),
         unnest($24::text[])";

pub(in crate::store::postgres) const DELIVERIES: &str = "INSERT INTO delivery (state, seq, receiver, phase, hold,
         ordering_key, due_at, next_attempt_at, expires_at, fault, format, format_version, output_hash, lease_node,
         lease_token, leased_until, clocks, other_way, early_at, first_receiver)
     SELECT 0, unnest($1::bigint[]), unnest($2::text[]), unnest($3::smallint[]), unnest($4::text[]),
         unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]),
         unnest($9::text[]), unnest($10::text[]), unnest($11::integer[]), unnest($12::bytea[]),
         unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::smallint[]), unnest($17::bigint[]),
         unnest($18::bigint[]), unnest($19::text[])";

pub(in crate::store::postgres) const PARCELS: &str = "INSERT INTO parcel (seq, content_type, body, citizen, raw)
     SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::bytea[]), unnest($4::text[]), unnest($5::bytea[])";

pub(in crate::store::postgres) const DEADLINES: &str =
    "INSERT INTO deadline (seq, promise, starts_at, due_at, step, next_step_at, at_50, at_75, at_90, basis)
     SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::bigint[]),
         unnest($5::smallint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[]),
         unnest($9::bigint[]), unnest($10::text[])";

/// A column of what is inserted.
pub(super) type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

pub(super) fn column<'a, T, V: ToSql + Sync + Send + 'a>(
    rows: &'a [T],
    value: impl Fn(&'a T) -> V,
) -> Column<'a> {
    Box::new(rows.iter().map(value).collect::<Vec<V>>())
}

/// A column of which nearly every row has nothing: an empty array where none has any, for the server makes rows until the
/// longest array is used up, and puts NULL where a shorter one is.
pub(in crate::store::postgres) fn sparse<V>(values: impl Iterator<Item = Option<V>>) -> Vec<Option<V>> {
    let values: Vec<Option<V>> = values.collect();
    if values.iter().any(Option::is_some) { values } else { Vec::new() }
}

/// The same of rows.
fn seldom<'a, T, V: ToSql + Sync + Send + 'a>(
    rows: &'a [T],
    value: impl Fn(&'a T) -> Option<V>,
) -> Column<'a> {
    Box::new(sparse(rows.iter().map(value)))
}

async fn insert(session: &Session, statement: &Statement, columns: &[Column<'_>]) -> Result<(), Fail> {
    let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| &**c as &(dyn ToSql + Sync)).collect();
    session.client.execute(statement, &columns).await?;
    Ok(())
}

/// What every arrival has, in the order of both statements for messages.
fn arrived<'a, T>(rows: &'a [T], of: impl Fn(&'a T) -> &'a Arrived + Copy) -> Vec<Column<'a>> {
    vec![
        column(rows, move |row| of(row).receipt.uuid()),
        column(rows, move |row| of(row).party.as_str()),
        seldom(rows, move |row| of(row).sent.map(us)),
        column(rows, move |row| us(of(row).received)),
        column(rows, move |row| of(row).way.name()),
        column(rows, move |row| i64::try_from(of(row).generation).unwrap_or(i64::MAX)),
        seldom(rows, move |row| of(row).content_type.as_deref()),
        seldom(rows, move |row| headers(of(row))),
    ]
}

fn headers(arrived: &Arrived) -> Option<String> {
    (!arrived.headers.is_empty()).then(|| json(&arrived.headers))
}

/// One statement for each table; nothing where there is nothing left to write.
impl Rows<'_> {
    /// All of them, on their way before the first is answered.
    pub(in crate::store::postgres) async fn write(&mut self, session: &Session) -> Result<(), Fail> {
        let (messages, deliveries, parcels, deadlines) = futures_util::join!(
            self.messages(session),
            self.deliveries(session),
            self.parcels(session),
            self.deadlines(session),
        );
        // The first that is an error counts: those after it only say that one was.
        messages.and(deliveries).and(parcels).and(deadlines)?;
        self.written = true;
        Ok(())
    }

    pub(in crate::store::postgres) async fn messages(&self, session: &Session) -> Result<(), Fail> {
        let taken = &self.taken[..];
        if self.written || taken.is_empty() {
            return Ok(());
        }
        let mut columns = arrived(taken, |f| &f.message.arrived);
        columns.extend([
            // Its bytes lie with its first parcel.
            seldom(taken, |f| f.message.deliveries.is_empty().then(|| &f.message.arrived.raw[..])),
            column(taken, |f| f.seq),
            column(taken, |f| f.source.as_str()),
            column(taken, |f| f.message.envelope.id.as_str()),
            column(taken, |f| f.kind.as_str()),
            column(taken, |f| f.receiver.as_str()),
            seldom(taken, |f| f.message.agreement.as_deref()),
            seldom(taken, |f| f.message.envelope.subject.as_deref()),
            seldom(taken, |f| f.message.envelope.correlation_id.as_deref()),
            seldom(taken, |f| f.message.envelope.causation_id.as_deref()),
            seldom(taken, |f| f.message.envelope.traceparent.as_deref()),
            column(taken, |f| us(f.message.envelope.time)),
            seldom(taken, |f| f.message.envelope.recorded.map(us)),
            column(taken, |f| i16::from(f.message.answers.0)),
            seldom(taken, |f| (!f.message.warnings.is_empty()).then(|| json(&f.message.warnings))),
            seldom(taken, |f| f.message.envelope.tracestate.as_deref()),
        ]);
        insert(session, &session.statements.messages, &columns).await
    }

    pub(in crate::store::postgres) async fn deliveries(&self, session: &Session) -> Result<(), Fail> {
        let owed = &self.owed[..];
        if self.written || owed.is_empty() {
            return Ok(());
        }
        let node = session.node;
        let columns = [
            column(owed, |o| o.seq),
            column(owed, |o| o.delivery.receiver.as_str()),
            column(owed, |o| if o.hold.is_some() { 2_i16 } else { 0 }),
            seldom(owed, |o| o.hold.map(HoldReason::name)),
            seldom(owed, |o| o.delivery.ordering_key),
            column(owed, |o| us(o.course.due)),
            column(owed, |o| us(o.delivery.release().unwrap_or(o.message.arrived.received))),
            seldom(owed, |o| o.delivery.expires.map(us)),
            seldom(owed, |o| o.delivery.hold.as_ref().map(|(_, fault)| json(fault))),
            column(owed, |o| o.delivery.parcel.format.name()),
            column(owed, |o| i32::from(o.delivery.parcel.format_version)),
            column(owed, |o| &o.output_hash[..]),
            seldom(owed, move |o| o.leased_until.map(|_| node)),
            seldom(owed, |o| o.leased_until.map(|_| lease::first_token(o.seq))),
            seldom(owed, |o| o.leased_until.map(us)),
            column(owed, |o| i16::try_from(o.delivery.further.len()).unwrap_or(i16::MAX)),
            seldom(owed, |o| {
                o.delivery.other_way.map(|other| delivery_seq(message_of(o.seq), other.ordinal))
            }),
            seldom(owed, |o| o.delivery.early().map(us)),
            seldom(owed, |o| o.message.first_receiver(o.delivery)),
        ];
        insert(session, &session.statements.deliveries, &columns).await
    }

    pub(in crate::store::postgres) async fn parcels(&self, session: &Session) -> Result<(), Fail> {
        let owed = &self.owed[..];
        if self.written || owed.is_empty() {
            return Ok(());
        }
        let columns = [
            column(owed, |o| o.seq),
            column(owed, |o| o.delivery.parcel.content_type.as_ref()),
            column(owed, |o| &o.delivery.parcel.body[..]),
            seldom(owed, |o| o.delivery.parcel.citizen.as_ref().map(Cpr::digits)),
            seldom(owed, |o| {
                (o.seq == delivery_seq(message_of(o.seq), 1)).then(|| &o.message.arrived.raw[..])
            }),
        ];
        insert(session, &session.statements.parcels, &columns).await
    }

    pub(in crate::store::postgres) async fn deadlines(&self, session: &Session) -> Result<(), Fail> {
        // A second way's promise is the first's.
        let owed: Vec<_> = self.owed.iter().filter(|o| o.delivery.release().is_none()).collect();
        if self.written || owed.is_empty() {
            return Ok(());
        }
        let owed = &owed[..];
        let columns = [
            column(owed, |o| deadline_seq(o.seq)),
            column(owed, |o| o.delivery.promise.promise.name()),
            column(owed, |o| us(o.course.starts)),
            column(owed, |o| us(o.course.due)),
            column(owed, |o| next(o).0),
            seldom(owed, |o| next(o).1),
            seldom(owed, |o| o.course.shares.map(|[first, ..]| us(first))),
            seldom(owed, |o| o.course.shares.map(|[_, second, _]| us(second))),
            seldom(owed, |o| o.course.shares.map(|[.., third]| us(third))),
            column(owed, |o| o.delivery.promise.promise.terms.basis.as_str()),
        ];
        insert(session, &session.statements.deadlines, &columns).await
    }
}

/// Stores refused messages and says their numbers, in their order.
pub(super) async fn invalid(session: &Session, refused: &[(usize, Invalid)]) -> Result<Vec<i64>, Fail> {
    if refused.is_empty() {
        return Ok(vec![]);
    }
    let mut columns = arrived(refused, |(_, m)| &m.arrived);
    columns.extend([
        column(refused, |(_, m)| &m.arrived.raw[..]),
        seldom(refused, |(_, m)| m.source.as_deref()),
        seldom(refused, |(_, m)| m.message_id.as_deref()),
        seldom(refused, |(_, m)| m.kind.as_deref()),
        seldom(refused, |(_, m)| m.receiver.as_deref()),
        column(refused, |(_, m)| i16::from(m.answers.0)),
        column(refused, |(_, m)| json(&m.violations)),
        seldom(refused, |(_, m)| m.astray_in.as_deref()),
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
