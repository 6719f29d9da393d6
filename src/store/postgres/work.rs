//! What the writer can be asked, and how a group of it becomes statements: few for many, none per message.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    accept::{self, Fresh, Rows},
    alerts, came, commands, deadlines,
    fail::Fail,
    fallback, forget, generations, hand, lanes, lease,
    logs::Logs,
    replay, reply, runs,
    session::Session,
    settle, stops,
};
use crate::{
    domain::{
        DeliveryId, ReceiptId,
        alert::{Change, Condition, Touch},
        pace::Pace,
    },
    store::{
        Admission, Beat, Command, Commanded, Forget, Forgotten, InHand, LaneState, LeaseAsk, Leased, Release,
        Released, Settled, Settlement, StepPassed, TakenAgain, Verdict, ahead::Maintain, generations::Order,
        handover::Handing,
    },
};

/// One operation of the store. May be worked on more than once, and takes effect once.
pub(super) enum Ask {
    Accept(Arc<Vec<Admission>>),
    Lease(LeaseAsk),
    Settle(Arc<Vec<Settlement>>),
    /// Numbers of deliveries with the tokens of their leases.
    Release(Vec<(i64, i64)>),
    Advance {
        now: Timestamp,
        most: u32,
    },
    ReleaseFallbacks {
        which: Release,
        now: Timestamp,
    },
    Reconcile {
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    },
    Touch {
        key: String,
        touch: Touch,
        by: String,
        note: Option<String>,
        now: Timestamp,
    },
    Command {
        command: Command,
        by: String,
        now: Timestamp,
    },
    SaveLane {
        lane: LaneState,
        now: Timestamp,
    },
    Pause {
        receiver: String,
        reason: Option<String>,
        by: String,
        now: Timestamp,
    },
    SavePaces {
        paces: Vec<(String, Pace)>,
        now: Timestamp,
    },
    Maintain {
        asked: Maintain,
        now: Timestamp,
    },
    SetCursor {
        name: String,
        seq: i64,
    },
    Lead(String),
    Beat(Beat),
    Forget(Forget),
    Take(InHand),
    PutDown([u8; 32]),
    TakenAgain {
        first: ReceiptId,
        again: ReceiptId,
        how: TakenAgain,
        by: String,
        now: Timestamp,
    },
    Configure(Order),
    /// Nothing but the commit.
    Check,
}

impl Ask {
    /// How many messages it wants to be stored.
    pub(super) fn messages(&self) -> usize {
        match self {
            Self::Accept(batch) => batch.len(),
            _ => 0,
        }
    }

    /// About how much of it goes to the database.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Accept(batch) => batch.iter().map(accept::bytes).sum(),
            _ => 0,
        }
    }
}

/// What became of it.
pub(super) enum Told {
    Verdicts(Vec<Verdict>),
    Leased(Leased),
    Settled(Vec<Settled>),
    Steps(Vec<StepPassed>),
    Released(Vec<Released>),
    Changes(Vec<(Change, Condition)>),
    Commanded(Commanded),
    Leads(bool),
    Before(u32),
    Forgotten(Forgotten),
    Number(i64),
    Done,
}

/// What an operation works on: the connection with its open transaction, and what is written or told last.
pub(super) struct Tx<'a> {
    pub(super) session: &'a Session,
    pub(super) logs: Logs,
    /// What is leased to lanes of this process as it is stored.
    pub(super) handing: Handing,
    /// Bells to ring once it is committed.
    pub(super) hints: BTreeSet<String>,
}

/// The first row of a transaction: which of the node's it is.
pub(super) const MARK: &str = "INSERT INTO commit_mark (node, batch) VALUES ($1, $2)
     ON CONFLICT (node) DO UPDATE SET batch = excluded.batch, at = now()";
pub(super) const LOCK_KEYS: &str = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k";
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// A group of operations.
pub(super) struct Work<'a> {
    asks: Vec<&'a Ask>,
    /// Of all batches that are to be stored.
    admissions: Vec<&'a Admission>,
    settlements: Vec<&'a Settlement>,
}

impl<'a> Work<'a> {
    pub(super) fn of(asks: Vec<&'a Ask>) -> Self {
        let accepted = asks.iter().filter_map(|ask| match ask {
            Ask::Accept(batch) => Some(batch),
            _ => None,
        });
        let admissions = accepted.flat_map(|batch| batch.iter()).collect();
        let settled = asks.iter().filter_map(|ask| match ask {
            Ask::Settle(batch) => Some(batch),
            _ => None,
        });
        let settlements = settled.flat_map(|batch| batch.iter()).collect();
        Self { asks, admissions, settlements }
    }

    /// Begins a transaction and does everything that is asked in it but for the rows that come back and the logs, which
    /// [`commit`](super::commit::commit) writes. The answers are in the order of the operations.
    ///
    /// The locks come first and in one order for all nodes: ordering keys and what messages may be stopped by, by their
    /// numbers, then alerts, then rows, then the logs. What may stop a message is read behind its locks, so that what
    /// another node stores in the same moment counts; where nothing may, it all goes in one round trip.
    ///
    /// # Errors
    /// Nothing of it may be committed then.
    pub(super) async fn perform(&self, tx: &mut Tx<'_>, batch: i64) -> Result<(Vec<Told>, Rows<'a>), Fail> {
        let keys = self.keys(tx.session).await?;
        let concerned = stops::concerned(&self.admissions);
        let locking = Locking { batch, keys: &keys, alerts: self.alerts() };
        let stopped = if concerned.is_empty() {
            HashMap::new()
        } else {
            stops::stops(tx.session, &locking, &concerned, &self.admissions).await?
        };
        let fresh = accept::fresh(&self.admissions, &stopped);
        let settling = settle::Columns::of(&self.settlements);
        let locking = concerned.is_empty().then_some(&locking);
        let came = self.open(tx.session, locking, &fresh, &settling).await?;
        let (verdicts, mut rows) =
            accept::judge(tx, &self.admissions, fresh, &stopped, (&came.claimed, &came.pending)).await?;
        hand::put_down(tx, &hand::marks(&self.admissions)).await?;
        let settled = settle::judge(tx, &self.settlements, &came.settled).await?;
        let told = self.others(tx, &mut rows, verdicts, settled).await?;
        tx.logs.write_audits(tx.session).await?;
        Ok((told, rows))
    }

    /// The locks of the ordering keys that are touched: nobody adds to the line of a key while another takes from it.
    /// Else a message that comes in just as its predecessor is settled would be held behind nobody, for ever.
    async fn keys(&self, session: &Session) -> Result<Vec<i64>, Fail> {
        let locks = session.locks;
        let mut keys: BTreeSet<i64> = accept::keys(&self.admissions).map(|key| locks.key(key)).collect();
        keys.extend(came::keys(&self.admissions).map(|key| locks.key(key)));
        keys.extend(self.settlements.iter().filter_map(|s| s.lease.ordering_key).map(|key| locks.key(key)));
        let ways = self.settlements.iter().filter_map(|s| Some((s.lease.number, s.lease.partner?)));
        keys.extend(ways.flat_map(|(one, other)| fallback::locks(one, other)).map(|key| locks.key(key)));
        let commanded: Vec<DeliveryId> = self
            .asks
            .iter()
            .filter_map(|ask| match ask {
                Ask::Command { command, .. } => Some(command.delivery()),
                _ => None,
            })
            .collect();
        if !commanded.is_empty() {
            // A delivery's key never changes, so that it may be read before.
            keys.extend(commands::keys(session, &commanded).await?.into_iter().map(|key| locks.key(key)));
        }
        let answered = reply::keys(session, self.admissions.iter().copied()).await?;
        keys.extend(answered.into_iter().map(|key| locks.key(key)));
        keys.extend(stops::keys(&stops::concerned(&self.admissions)).into_iter().map(|key| locks.key(key)));
        Ok(keys.into_iter().collect())
    }

    /// Whether alerts are changed.
    fn alerts(&self) -> bool {
        self.asks.iter().any(|ask| matches!(ask, Ask::Reconcile { .. } | Ask::Touch { .. }))
    }

    /// Everything that needs no answer of the database's before it, one behind the other: one round trip. `locking`
    /// begins it, where that is not done yet.
    async fn open(
        &self,
        session: &Session,
        locking: Option<&Locking<'_>>,
        fresh: &[Fresh<'_>],
        settling: &settle::Columns,
    ) -> Result<Came, Fail> {
        let freed = settle::freed(&self.settlements);
        // All answers are waited for, and the first that is an error counts: those after it only say that one was.
        let (locked, claimed, settled, released, pending) = futures_util::join!(
            async {
                match locking {
                    Some(locking) => locking.begin(session).await,
                    None => Ok(()),
                }
            },
            accept::claim(session, fresh),
            settle::send(session, settling),
            settle::release_next(session, &freed),
            accept::pending(session, fresh),
        );
        locked?;
        let (claimed, settled) = (claimed?, settled?);
        released?;
        Ok(Came { claimed, settled, pending: pending? })
    }

    /// The operations that are worked on one by one, and all answers in order.
    async fn others(
        &self,
        tx: &mut Tx<'_>,
        rows: &mut Rows<'a>,
        verdicts: Vec<Verdict>,
        settled: Vec<Settled>,
    ) -> Result<Vec<Told>, Fail> {
        let (mut verdicts, mut settled) = (verdicts.into_iter(), settled.into_iter());
        let mut told: Vec<Option<Told>> = Vec::with_capacity(self.asks.len());
        for ask in &self.asks {
            told.push(match ask {
                Ask::Accept(batch) => Some(Told::Verdicts(verdicts.by_ref().take(batch.len()).collect())),
                Ask::Settle(batch) => Some(Told::Settled(settled.by_ref().take(batch.len()).collect())),
                Ask::Check => Some(Told::Done),
                _ => None,
            });
        }
        if told.iter().any(Option::is_none) {
            rows.write(tx.session).await?;
        }
        for (ask, told) in self.asks.iter().zip(&mut told) {
            if told.is_none() && !matches!(ask, Ask::Lease(_)) {
                *told = Some(one(tx, ask).await?);
            }
        }
        // Last, so that what has just become due can be taken.
        for (ask, told) in self.asks.iter().zip(&mut told) {
            if let Ask::Lease(ask) = ask {
                *told = Some(Told::Leased(lease::lease_due(tx, ask).await?));
            }
        }
        Ok(told.into_iter().map(|told| told.expect("every operation was worked on")).collect())
    }
}

/// What came back when the transaction was opened.
struct Came {
    claimed: Vec<Row>,
    settled: Vec<Row>,
    pending: Vec<Row>,
}

/// How a transaction begins: which of the node's it is, and what it locks.
pub(super) struct Locking<'a> {
    batch: i64,
    keys: &'a [i64],
    alerts: bool,
}

impl Locking<'_> {
    /// Sends it all, and waits for the answers.
    pub(super) async fn begin(&self, session: &Session) -> Result<(), Fail> {
        let (begun, marked, locked, alerted) = futures_util::join!(
            session.client.batch_execute("BEGIN"),
            mark(session, self.batch),
            lock_keys(session, self.keys),
            lock_alerts(session, self.alerts),
        );
        begun?;
        marked.and(locked).and(alerted)
    }
}

async fn mark(session: &Session, batch: i64) -> Result<(), Fail> {
    session.client.execute(&session.statements.mark, &[&session.node, &batch]).await?;
    Ok(())
}

async fn lock_keys(session: &Session, keys: &[i64]) -> Result<(), Fail> {
    if !keys.is_empty() {
        session.client.query(&session.statements.lock_keys, &[&keys]).await?;
    }
    Ok(())
}

async fn lock_alerts(session: &Session, wanted: bool) -> Result<(), Fail> {
    if wanted {
        session.client.query(&session.statements.lock, &[&session.locks.alerts()]).await?;
    }
    Ok(())
}

async fn one(tx: &mut Tx<'_>, ask: &Ask) -> Result<Told, Fail> {
    Ok(match ask {
        Ask::Accept(_) | Ask::Settle(_) | Ask::Lease(_) | Ask::Check => {
            unreachable!("these are worked on elsewhere")
        }
        Ask::Release(leases) => done(lease::release(tx, leases).await?),
        Ask::Advance { now, most } => Told::Steps(deadlines::advance(tx, *now, *most).await?),
        Ask::ReleaseFallbacks { which, now } => Told::Released(fallback::release(tx, which, *now).await?),
        Ask::Reconcile { names, conditions, now } => {
            Told::Changes(alerts::reconcile(tx, names, conditions, *now).await?)
        }
        Ask::Touch { key, touch, by, note, now } => {
            Told::Commanded(alerts::touch(tx, key, touch, (by, note.as_deref()), *now).await?)
        }
        Ask::Command { command, by, now } => Told::Commanded(commands::command(tx, command, by, *now).await?),
        Ask::SaveLane { lane, now } => done(commands::save_lane(tx, lane, *now).await?),
        Ask::Pause { receiver, reason, by, now } => {
            done(commands::pause(tx, receiver, reason.as_deref(), by, *now).await?)
        }
        Ask::SavePaces { paces, now } => done(lanes::save_paces(tx, paces, *now).await?),
        Ask::Maintain { asked, now } => Told::Commanded(lanes::maintain(tx, asked, *now).await?),
        Ask::SetCursor { name, seq } => done(commands::set_cursor(tx, name, *seq).await?),
        Ask::Lead(cursor) => Told::Leads(commands::lead(tx, cursor).await?),
        Ask::Beat(beat) => done(runs::beat(tx, beat).await?),
        Ask::Forget(slice) => Told::Forgotten(forget::forget(tx, *slice).await?),
        Ask::Take(mark) => Told::Before(hand::take(tx, mark).await?),
        Ask::Configure(order) => Told::Number(generations::perform(tx, order).await?),
        Ask::PutDown(key) => done(hand::put_down(tx, &[&key[..]]).await?),
        Ask::TakenAgain { first, again, how, by, now } => {
            done(replay::taken_again(tx, *first, *again, how, by, *now).await?)
        }
    })
}

fn done((): ()) -> Told {
    Told::Done
}
