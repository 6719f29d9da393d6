//! The read models of this engine.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Sqlite, lanes,
    row::{Read, json, us},
};
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
mod answers;
mod brought;
mod deliveries;
mod endangered;
mod fallbacks;
mod figures;
mod messages;
mod own;
mod standing;

use answers::answers;
use deliveries::{backlogs, dead_groups, mailbox, parcel, select_deliveries, select_promises};
use messages::{DERIVED, message, messages};

/// How the promise `p` stands at the instant `?1`, as [`crate::domain::sla::Standing`] says it; `open` while it is
/// neither met nor breached.
const STANDING: &str = "CASE WHEN p.met_at <= p.due_at THEN 'met' WHEN p.met_at IS NOT NULL THEN 'met_late'
     WHEN p.waived = 1 THEN 'waived' WHEN p.ended_at IS NOT NULL THEN 'ended' WHEN p.due_at <= ?1 AND p.paused_at IS NULL
     THEN 'breached'
     WHEN p.due_at IS NOT NULL THEN 'open' END";

fn astray(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Astray>> {
    connection
        .prepare_cached(
            "-- store::astray
             SELECT astray_in, party, count(*) AS count, min(received_at) AS first,
                 (SELECT l.receipt FROM message l
                  WHERE l.astray_in = m.astray_in AND l.party = m.party AND l.received_at > ?1
                  ORDER BY l.received_at DESC LIMIT 1) AS example
             FROM message m WHERE astray_in IS NOT NULL AND received_at > ?1
             GROUP BY astray_in, party ORDER BY astray_in, party",
        )?
        .query_map([us(since)], |row| {
            Ok(Astray {
                queue_of: row.get("astray_in")?,
                party: row.get("party")?,
                count: row.get("count")?,
                first: row.instant("first")?,
                example: row.receipt("example")?,
            })
        })?
        .collect()
}

fn uncovered(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Uncovered>> {
    connection
        .prepare_cached(
            "-- store::uncovered
             SELECT party, receiver, count(*) AS count, min(received_at) AS first,
                 (SELECT l.receipt FROM message l
                  WHERE l.state = 0 AND l.agreement IS NULL AND l.kind LIKE 'complaint.v%' AND l.party = m.party
                      AND l.receiver = m.receiver AND l.received_at > ?1
                  ORDER BY l.received_at DESC LIMIT 1) AS example
             FROM message m
             WHERE state = 0 AND agreement IS NULL AND kind LIKE 'complaint.v%' AND received_at > ?1
             GROUP BY party, receiver ORDER BY party, receiver",
        )?
        .query_map([us(since)], |row| {
            Ok(Uncovered {
                party: row.get("party")?,
                receiver: row.get("receiver")?,
                count: row.get("count")?,
                first: row.instant("first")?,
                example: row.receipt("example")?,
            })
        })?
        .collect()
}

fn conservation(connection: &Connection) -> rusqlite::Result<Conservation> {
    let sql = format!(
        "-- store::conservation
         SELECT count(*), coalesce(sum(derived = 'delivered'), 0), coalesce(sum(derived = 'dead'), 0),
             coalesce(sum(derived = 'pending'), 0), coalesce(sum(derived = 'invalid'), 0), coalesce(sum(derived = 'cancelled'), 0)
         FROM (SELECT {DERIVED} AS derived FROM message m)"
    );
    connection.prepare_cached(&sql)?.query_row([], |row| {
        Ok(Conservation {
            taken: row.get(0)?,
            delivered: row.get(1)?,
            dead: row.get(2)?,
            pending: row.get(3)?,
            invalid: row.get(4)?,
            cancelled: row.get(5)?,
        })
    })
}

impl Views for Sqlite {
    fn messages(&self, filter: MessageFilter) -> BoxFuture<'_, Result<Vec<MessageLine>, StoreError>> {
        self.readers.read(move |c| messages(c, &filter))
    }

    fn message(
        &self,
        id: String,
        party: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<MessageView>, StoreError>> {
        self.readers.read(move |c| message(c, &id, party.as_deref(), now))
    }

    fn has_taken(&self, arrived: Arrived) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.readers.read(move |c| own::has_taken(c, &arrived))
    }

    fn traceparent(&self, of: TraceOf) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.readers.read(move |c| own::traceparent(c, &of))
    }

    fn size(&self) -> BoxFuture<'_, Result<StoreSize, StoreError>> {
        self.readers.read(own::size)
    }

    fn clocks(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Vec<ClockView>, StoreError>> {
        self.readers.read(move |c| super::clocks::view(c, receipt))
    }

    fn runs(&self, from: Timestamp) -> BoxFuture<'_, Result<Vec<RunView>, StoreError>> {
        self.readers.read(move |c| super::runs::since(c, from))
    }

    fn raw(&self, receipt: ReceiptId) -> BoxFuture<'_, Result<Option<RawMessage>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::raw
                 SELECT party, way, content_type, headers, raw, received_at FROM message WHERE receipt = ?1 AND raw IS NOT NULL",
            )?
            .query_row([receipt.uuid().as_bytes()], |row| {
                Ok(RawMessage {
                    party: row.get("party")?,
                    way: row.get("way")?,
                    content_type: row.get("content_type")?,
                    headers: json(row, "headers")?.unwrap_or_default(),
                    raw: Bytes::from(row.get::<_, Vec<u8>>("raw")?),
                    received: row.instant("received_at")?,
                })
            })
            .optional()
        })
    }

    fn deliveries(
        &self,
        state: Option<String>,
        receiver: Option<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryView>, StoreError>> {
        if state.as_deref() == Some(HELD) {
            let rest = "WHERE d.phase = 2 AND d.hold = 'person' AND (?1 IS NULL OR d.receiver = ?1)
                 ORDER BY d.seq DESC LIMIT ?2";
            return self.readers.read(move |c| select_deliveries(c, rest, params![receiver, most]));
        }
        let state =
            state.and_then(|word| (0u8..).zip(STATES).find(|(_, s)| *s == word)).map(|(place, _)| place);
        self.readers.read(move |c| {
            select_deliveries(
                c,
                "WHERE (?1 IS NULL OR d.state = ?1) AND (?2 IS NULL OR d.receiver = ?2) ORDER BY d.seq DESC LIMIT ?3",
                params![state, receiver, most],
            )
        })
    }

    fn promises(
        &self,
        open: bool,
        most: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<PromiseView>, StoreError>> {
        let rest = if open {
            "WHERE p.met_at IS NULL AND p.ended_at IS NULL ORDER BY p.due_at LIMIT ?1"
        } else {
            "WHERE 1 = 1 ORDER BY p.due_at LIMIT ?1"
        };
        self.readers.read(move |c| select_promises(c, rest, params![most], now))
    }

    fn endangered(&self, reach: Reach) -> BoxFuture<'_, Result<Vec<Endangered>, StoreError>> {
        self.readers.read(move |c| endangered::endangered(c, &reach))
    }

    fn standing(&self) -> BoxFuture<'_, Result<OpenPromises, StoreError>> {
        self.readers.read(standing::standing)
    }

    fn waived(&self, after: i64, most: u32) -> BoxFuture<'_, Result<(Vec<Waived>, i64), StoreError>> {
        self.readers.read(move |c| standing::waived(c, after, most))
    }

    fn brought(&self) -> BoxFuture<'_, Result<Brought, StoreError>> {
        let (delivered, met) = self.lanes.notes.take();
        if delivered.is_empty() && met.is_empty() {
            return Box::pin(std::future::ready(Ok(Brought::default())));
        }
        self.readers.read(move |c| brought::brought(c, &delivered, &met))
    }

    fn standbys(&self, ask: StandbyAsk) -> BoxFuture<'_, Result<Vec<Standby>, StoreError>> {
        self.readers.read(move |c| fallbacks::standbys(c, &ask))
    }

    fn fallbacks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Fallbacks>, StoreError>> {
        self.readers.read(move |c| fallbacks::fallbacks(c, since))
    }

    fn waiver_requests(&self) -> BoxFuture<'_, Result<Vec<WaiverRequest>, StoreError>> {
        self.readers.read(endangered::waiver_requests)
    }

    fn backlogs(&self) -> BoxFuture<'_, Result<Vec<Backlog>, StoreError>> {
        self.readers.read(backlogs)
    }

    fn lanes(&self) -> BoxFuture<'_, Result<Vec<LaneState>, StoreError>> {
        self.readers.read(|c| {
            c.prepare_cached(
                "-- store::lanes\n SELECT receiver, circuit, paused FROM lane ORDER BY receiver",
            )?
            .query_map([], |row| {
                Ok(LaneState {
                    receiver: row.get("receiver")?,
                    circuit: json(row, "circuit")?.unwrap_or_default(),
                    paused: row.get("paused")?,
                })
            })?
            .collect()
        })
    }

    fn paces(&self) -> BoxFuture<'_, Result<Vec<Paced>, StoreError>> {
        self.readers.read(lanes::paces)
    }

    fn maintenance(&self) -> BoxFuture<'_, Result<Vec<Maintenance>, StoreError>> {
        self.readers.read(lanes::maintenance)
    }

    fn slices(&self, ask: SlicesAsk) -> BoxFuture<'_, Result<Sliced, StoreError>> {
        self.readers.read(move |c| ahead::slices(c, &ask))
    }

    fn behind(&self, ask: BehindAsk) -> BoxFuture<'_, Result<Vec<Behind>, StoreError>> {
        self.readers.read(move |c| standing::behind(c, &ask))
    }

    fn ahead(
        &self,
        receiver: String,
        from: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<Ahead>, StoreError>> {
        self.readers.read(move |c| ahead::ahead(c, &receiver, (us(from), us(until)), most))
    }

    fn open_alerts(&self) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>> {
        self.readers.read(super::alerts::open)
    }

    fn alerts_of(&self, key: String, from: Timestamp) -> BoxFuture<'_, Result<Vec<Alert>, StoreError>> {
        self.readers.read(move |c| super::alerts::of(c, &key, from))
    }

    fn alert_changes(&self, after: i64, most: u32) -> BoxFuture<'_, Result<Vec<AlertChange>, StoreError>> {
        self.readers.read(move |c| super::alerts::changes(c, after, most))
    }

    fn answers(
        &self,
        party: String,
        after: i64,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<LoggedAnswer>, StoreError>> {
        self.readers.read(move |c| answers(c, &party, after, most))
    }

    fn cursor(&self, name: String) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached("-- store::cursor\n SELECT seq FROM cursor WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
                .map(Option::unwrap_or_default)
        })
    }

    fn mailbox(
        &self,
        receivers: Vec<String>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<MailboxItem>, StoreError>> {
        self.readers.read(move |c| mailbox(c, &receivers, most))
    }

    fn parcel(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<MailboxItem>, StoreError>> {
        self.readers.read(move |c| parcel(c, delivery))
    }

    fn astray(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Astray>, StoreError>> {
        self.readers.read(move |c| astray(c, since))
    }

    fn uncovered(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Uncovered>, StoreError>> {
        self.readers.read(move |c| uncovered(c, since))
    }

    fn held_groups(&self) -> BoxFuture<'_, Result<Vec<HeldGroup>, StoreError>> {
        self.readers.read(deliveries::held_groups)
    }

    fn dead_groups(&self) -> BoxFuture<'_, Result<Vec<DeadGroup>, StoreError>> {
        self.readers.read(dead_groups)
    }

    fn which(
        &self,
        which: Which,
        after: Option<DeliveryId>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<DeliveryId>, StoreError>> {
        self.readers.read(move |c| deliveries::which(c, &which, after, most))
    }

    fn delivery_receiver(&self, delivery: DeliveryId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.readers.read(move |c| {
            c.prepare_cached(
                "-- store::delivery_receiver
                 SELECT d.receiver FROM message m JOIN delivery d ON d.seq = m.seq * 256 + ?2 WHERE m.receipt = ?1",
            )?
            .query_row(params![delivery.receipt().uuid().as_bytes(), delivery.ordinal()], |row| row.get(0))
            .optional()
        })
    }

    fn conservation(&self) -> BoxFuture<'_, Result<Conservation, StoreError>> {
        self.readers.read(conservation)
    }

    fn sla_totals(&self, now: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, i64>, StoreError>> {
        self.readers.read(move |c| {
            let sql = format!(
                "-- store::sla_totals
                 SELECT {STANDING} AS standing, count(*) FROM deadline p GROUP BY standing"
            );
            c.prepare_cached(&sql)?.query_map([us(now)], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn key_figures(&self, asked: Asked) -> BoxFuture<'_, Result<KeyFigures, StoreError>> {
        self.readers.read(move |c| figures::key_figures(c, &asked))
    }
}
