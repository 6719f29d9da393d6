//! The read models of this engine.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, GenericClient};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_postgres::{Row, types::ToSql};

use super::{Postgres, fail::Fail, lanes, row::Read};
use crate::{
    domain::{
        DeliveryId, ReceiptId,
        alert::{Alert, AlertChange},
        ladder::Reach,
        maintenance::Maintenance,
        pace::Paced,
    },
    store::{
        Arrived, Conservation, LaneState, LoggedAnswer, MailboxItem, StoreError,
        ahead::{Ahead, Behind, BehindAsk, Sliced, SlicesAsk, Standby, StandbyAsk},
        brought::Brought,
        figures::{Asked, KeyFigures},
        numbers::us,
        standing::{OpenPromises, Waived},
        told::STATES,
        views::{
            Astray, Backlog, ClockView, DeadGroup, DeliveryView, Endangered, Fallbacks, HELD, HeldGroup,
            MessageFilter, MessageLine, MessageView, PromiseView, RawMessage, RunView, StoreSize, TraceOf,
            Uncovered, Views, WaiverRequest, Which,
        },
    },
};

mod ahead;
mod alerts;
mod answers;
mod brought;
mod deliveries;
mod endangered;
mod fallbacks;
mod figures;
mod messages;
mod own;
mod standing;

use messages::DERIVED;

/// Every row of a query, which is prepared once per connection.
pub(super) async fn rows(
    client: &impl GenericClient,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Fail> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}

/// The one row of a query, if there is one.
async fn row(
    client: &impl GenericClient,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Option<Row>, Fail> {
    Ok(rows(client, sql, params).await?.into_iter().next())
}

async fn astray(client: &Client, since: Timestamp) -> Result<Vec<Astray>, Fail> {
    let rows = rows(
        client,
        "SELECT astray_in, party, count(*) AS count, min(received_at) AS first,
                 (array_agg(receipt ORDER BY received_at DESC))[1] AS example
             FROM message WHERE astray_in IS NOT NULL AND received_at > $1
             GROUP BY astray_in, party ORDER BY astray_in, party",
        &[&us(since)],
    )
    .await?;
    let read = |row: &Row| {
        Ok(Astray {
            queue_of: row.value("astray_in")?,
            party: row.value("party")?,
            count: row.value("count")?,
            first: row.instant("first")?,
            example: row.receipt("example")?,
        })
    };
    rows.iter().map(read).collect()
}

async fn uncovered(client: &Client, since: Timestamp) -> Result<Vec<Uncovered>, Fail> {
    let rows = rows(
        client,
        "SELECT party, receiver, count(*) AS count, min(received_at) AS first,
                 (array_agg(receipt ORDER BY received_at DESC))[1] AS example
             FROM message
             WHERE state = 0 AND agreement IS NULL AND kind LIKE 'complaint.v%' AND received_at > $1
             GROUP BY party, receiver ORDER BY party, receiver",
        &[&us(since)],
    )
    .await?;
    let read = |row: &Row| {
        Ok(Uncovered {
            party: row.value("party")?,
            receiver: row.value("receiver")?,
            count: row.value("count")?,
            first: row.instant("first")?,
            example: row.receipt("example")?,
        })
    };
    rows.iter().map(read).collect()
}

async fn conservation(client: &Client) -> Result<Conservation, Fail> {
    let sql = format!(
        "SELECT count(*) AS taken, count(*) FILTER (WHERE derived = 'delivered') AS delivered,
             count(*) FILTER (WHERE derived = 'dead') AS dead, count(*) FILTER (WHERE derived = 'pending') AS pending,
             count(*) FILTER (WHERE derived = 'invalid') AS invalid,
             count(*) FILTER (WHERE derived = 'cancelled') AS cancelled
         FROM (SELECT {DERIVED} AS derived FROM message m) AS s"
    );
    let row = row(client, &sql, &[]).await?.ok_or(Fail::Again)?;
    Ok(Conservation {
        taken: row.value("taken")?,
        delivered: row.value("delivered")?,
        dead: row.value("dead")?,
        pending: row.value("pending")?,
        invalid: row.value("invalid")?,
        cancelled: row.value("cancelled")?,
    })
}

async fn raw(client: &Client, receipt: ReceiptId) -> Result<Option<RawMessage>, Fail> {
    let found = row(
        client,
        "SELECT m.party, m.way, m.content_type, m.headers, coalesce(m.raw, p.raw) AS raw, m.received_at
             FROM message m LEFT JOIN parcel p ON p.seq = m.seq * 256 + 1
             WHERE m.receipt = $1 AND coalesce(m.raw, p.raw) IS NOT NULL",
        &[&receipt.uuid()],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(RawMessage {
        party: row.value("party")?,
        way: row.value("way")?,
        content_type: row.value("content_type")?,
        headers: row.json("headers")?.unwrap_or_default(),
        raw: row.value::<Vec<u8>>("raw")?.into(),
        received: row.instant("received_at")?,
    }))
}

/// How the promise `p` stands at the instant `$1`, as [`crate::domain::sla::Standing`] says it; `open` while it is
/// neither met nor breached.
const STANDING: &str = "CASE WHEN p.met_at <= p.due_at THEN 'met' WHEN p.met_at IS NOT NULL THEN 'met_late'
     WHEN p.waived THEN 'waived' WHEN p.ended_at IS NOT NULL THEN 'ended' WHEN p.due_at <= $1 AND p.paused_at IS NULL
     THEN 'breached'
     ELSE 'open' END";

async fn sla_totals(client: &Client, now: Timestamp) -> Result<BTreeMap<String, i64>, Fail> {
    let rows = rows(
        client,
        &format!("SELECT {STANDING} AS standing, count(*) AS count FROM deadline p GROUP BY 1"),
        &[&us(now)],
    )
    .await?;
    rows.iter().map(|row| Ok((row.value("standing")?, row.value("count")?))).collect()
}

impl Views for Postgres {
    fn messages(&self, filter: MessageFilter) -> BoxFuture<'_, Result<Vec<MessageLine>, StoreError>> {
        self.readers.read(async move |c| messages::messages(&c, &filter).await)
    }

    fn message(
        &self,
        id: String,
        party: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<MessageView>, StoreError>> {
        self.readers.read(async move |mut c| messages::message(&mut c, &id, party.as_deref(), now).await)
    }

    fn has_taken(&self, arrived: Arrived) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.readers.read(async move |c| own::has_taken(&c, &arrived).await)
    }

    fn traceparent(&self, of: TraceOf) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.readers.read(async move |c| own::traceparent(&c, of).await)
    }

    fn size(&self) -> BoxFuture<'_, Result<StoreSize, StoreError>> {
        self.readers.read(async move |c| own::size(&c).await)
    }

    fn clocks(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Vec<ClockView>, StoreError>> {
        self.readers.read(async move |c| super::clocks::view(&c, receipt).await)
    }

    fn runs(&self, from: Timestamp) -> BoxFuture<'_, Result<Vec<RunView>, StoreError>> {
        self.readers.read(async move |c| super::runs::since(&c, from).await)
    }

    fn raw(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Option<RawMessage>, StoreError>> {
        self.readers.read(async move |c| raw(&c, receipt).await)
    }

    fn deliveries(
        &self,
        state: Option<String>,
        receiver: Option<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryView>, StoreError>> {
        if state.as_deref() == Some(HELD) {
            return self.readers.read(async move |c| {
                let rest = "WHERE d.phase = 2 AND d.hold = 'person' AND ($1::text IS NULL OR d.receiver = $1)
                        ORDER BY d.seq DESC LIMIT $2";
                deliveries::deliveries(&c, rest, &[&receiver, &i64::from(most)]).await
            });
        }
        let state =
            state.and_then(|word| (0i16..).zip(STATES).find(|(_, s)| *s == word)).map(|(place, _)| place);
        self.readers.read(async move |c| {
            let rest =
                "WHERE ($1::smallint IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.receiver = $2)
                        ORDER BY d.seq DESC LIMIT $3";
            deliveries::deliveries(&c, rest, &[&state, &receiver, &i64::from(most)]).await
        })
    }

    fn promises(
        &self,
        open: bool,
        most: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<PromiseView>, StoreError>> {
        let rest = if open {
            "WHERE p.met_at IS NULL AND p.ended_at IS NULL ORDER BY p.due_at, p.seq LIMIT $1"
        } else {
            "ORDER BY p.due_at, p.seq LIMIT $1"
        };
        self.readers.read(async move |c| deliveries::promises(&c, rest, &[&i64::from(most)], now).await)
    }

    fn endangered(&self, reach: Reach) -> BoxFuture<'_, Result<Vec<Endangered>, StoreError>> {
        self.readers.read(async move |c| endangered::endangered(&c, &reach).await)
    }

    fn standing(&self) -> BoxFuture<'_, Result<OpenPromises, StoreError>> {
        self.readers.read(async move |c| standing::standing(&c).await)
    }

    fn waived(&self, after: i64, most: u32) -> BoxFuture<'_, Result<(Vec<Waived>, i64), StoreError>> {
        self.readers.read(async move |c| standing::waived(&c, after, most).await)
    }

    fn brought(&self) -> BoxFuture<'_, Result<Brought, StoreError>> {
        let (delivered, met) = self.lanes.notes.take();
        if delivered.is_empty() && met.is_empty() {
            return Box::pin(std::future::ready(Ok(Brought::default())));
        }
        self.readers.read(async move |c| brought::brought(&c, &delivered, &met).await)
    }

    fn standbys(&self, ask: StandbyAsk) -> BoxFuture<'_, Result<Vec<Standby>, StoreError>> {
        self.readers.read(async move |c| fallbacks::standbys(&c, &ask).await)
    }

    fn fallbacks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Fallbacks>, StoreError>> {
        self.readers.read(async move |c| fallbacks::fallbacks(&c, since).await)
    }

    fn waiver_requests(&self) -> BoxFuture<'_, Result<Vec<WaiverRequest>, StoreError>> {
        self.readers.read(async move |c| endangered::waiver_requests(&c).await)
    }

    fn backlogs(&self) -> BoxFuture<'_, Result<Vec<Backlog>, StoreError>> {
        self.readers.read(async move |c| deliveries::backlogs(&c).await)
    }

    fn lanes(&self) -> BoxFuture<'_, Result<Vec<LaneState>, StoreError>> {
        self.readers.read(async move |c| lanes::lanes(&c).await)
    }

    fn paces(&self) -> BoxFuture<'_, Result<Vec<Paced>, StoreError>> {
        self.readers.read(async move |c| lanes::paces(&c).await)
    }

    fn maintenance(&self) -> BoxFuture<'_, Result<Vec<Maintenance>, StoreError>> {
        self.readers.read(async move |c| lanes::maintenance(&c).await)
    }

    fn slices(&self, ask: SlicesAsk) -> BoxFuture<'_, Result<Sliced, StoreError>> {
        self.readers.read(async move |c| ahead::slices(&c, &ask).await)
    }

    fn behind(&self, ask: BehindAsk) -> BoxFuture<'_, Result<Vec<Behind>, StoreError>> {
        self.readers.read(async move |c| standing::behind(&c, &ask).await)
    }

    fn ahead(
        &self,
        receiver: String,
        from: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<Ahead>, StoreError>> {
        self.readers.read(async move |c| ahead::ahead(&c, &receiver, (us(from), us(until)), most).await)
    }

    fn open_alerts(&self) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>> {
        self.readers.read(async move |c| alerts::open(&c).await)
    }

    fn alerts_of(&self, key: String, from: Timestamp) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>> {
        self.readers.read(async move |c| alerts::of(&c, &key, from).await)
    }

    fn alert_changes(&self, after: i64, most: u32) -> BoxFuture<'_, Result<Vec<AlertChange>, StoreError>> {
        self.readers.read(async move |c| alerts::changes(&c, after, most).await)
    }

    fn answers(
        &self,
        party: String,
        after: i64,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<LoggedAnswer>, StoreError>> {
        self.readers.read(async move |c| answers::answers(&c, &party, after, most).await)
    }

    fn cursor(&self, name: String) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.readers.read(async move |c| {
            let found = row(&c, "SELECT seq FROM cursor WHERE name = $1", &[&name]).await?;
            found.map_or(Ok(0), |row| row.value("seq"))
        })
    }

    fn mailbox(
        &self,
        receivers: Vec<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<MailboxItem>, StoreError>> {
        self.readers.read(async move |c| deliveries::mailbox(&c, &receivers, most).await)
    }

    fn parcel(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<MailboxItem>, StoreError>> {
        self.readers.read(async move |c| deliveries::parcel(&c, delivery).await)
    }

    fn astray(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Astray>, StoreError>> {
        self.readers.read(async move |c| astray(&c, since).await)
    }

    fn uncovered(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Uncovered>, StoreError>> {
        self.readers.read(async move |c| uncovered(&c, since).await)
    }

    fn held_groups(&self) -> BoxFuture<'_, Result<Vec<HeldGroup>, StoreError>> {
        self.readers.read(async move |c| deliveries::held_groups(&c).await)
    }

    fn dead_groups(&self) -> BoxFuture<'_, Result<Vec<DeadGroup>, StoreError>> {
        self.readers.read(async move |c| deliveries::dead_groups(&c).await)
    }

    fn which(
        &self,
        which: Which,
        after: Option<DeliveryId>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, StoreError>> {
        self.readers.read(async move |c| deliveries::which(&c, &which, after, most).await)
    }

    fn delivery_receiver(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.readers.read(async move |c| {
            let found = row(
                &c,
                "SELECT d.receiver FROM message m JOIN delivery d ON d.seq = m.seq * 256 + $2
                     WHERE m.receipt = $1",
                &[&delivery.receipt().uuid(), &i64::from(delivery.ordinal())],
            )
            .await?;
            found.map(|row| row.value("receiver")).transpose()
        })
    }

    fn conservation(&self) -> BoxFuture<'_, Result<Conservation, StoreError>> {
        self.readers.read(async move |c| conservation(&c).await)
    }

    fn sla_totals(&self, now: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, i64>, StoreError>> {
        self.readers.read(async move |c| sla_totals(&c, now).await)
    }

    fn key_figures(&self, asked: Asked) -> BoxFuture<'_, Result<KeyFigures, StoreError>> {
        self.readers.read(async move |mut c| figures::key_figures(&mut c, &asked).await)
    }
}
