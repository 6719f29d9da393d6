//! What the writer can be asked, and how a group of it becomes statements: few for many, none per message.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{
    accept, alerts, commands, deadlines, fail::Fail, forget, hand, lease, logs::Logs, replay, reply,
    session::Session, settle,
};
use crate::{
    domain::{
        ReceiptId,
        alert::{Change, Condition},
    },
    store::{
        Admission, Command, Commanded, Forget, Forgotten, InHand, LaneState, LeaseAsk, Leased, Settled,
        Settlement, StepPassed, TakenAgain, Verdict,
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
    Reconcile {
        names: Vec<&'static str>,
        conditions: Vec<Condition>,
        now: Timestamp,
    },
    Acknowledge {
        key: String,
        by: String,
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
    SetCursor {
        name: String,
        seq: i64,
    },
    Lead(String),
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
    /// Nothing but the commit.
    Check,
}

impl Ask {
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
    Changes(Vec<(Change, Condition)>),
    Commanded(Commanded),
    Leads(bool),
    Before(u32),
    Forgotten(Forgotten),
    Done,
}

/// What an operation works on: the connection with its open transaction, and what is written last.
pub(super) struct Tx<'a> {
    pub(super) session: &'a Session,
    pub(super) logs: Logs,
    /// Bells to ring once it is committed.
    pub(super) hints: BTreeSet<String>,
}

/// Does everything that is asked in the open transaction, and answers in the same order.
///
/// The locks come first and in one order for all nodes: ordering keys by number, then alerts, then rows, then the
/// logs.
///
/// # Errors
/// Nothing of it may be committed then.
pub(super) async fn perform(tx: &mut Tx<'_>, asks: &[&Ask]) -> Result<Vec<Told>, Fail> {
    lock_keys(tx, asks).await?;
    let mut told: Vec<Option<Told>> = asks.iter().map(|_| None).collect();
    accept_all(tx, asks, &mut told).await?;
    settle_all(tx, asks, &mut told).await?;
    for (ask, told) in asks.iter().zip(&mut told) {
        if told.is_none() && !matches!(ask, Ask::Lease(_)) {
            *told = Some(one(tx, ask).await?);
        }
    }
    // Last, so that what has just become due can be taken.
    for (ask, told) in asks.iter().zip(&mut told) {
        if let Ask::Lease(ask) = ask {
            *told = Some(Told::Leased(lease::lease_due(tx, ask).await?));
        }
    }
    tx.logs.write(tx.session).await?;
    Ok(told.into_iter().map(|told| told.expect("every operation was worked on")).collect())
}

/// Nobody adds to the line of an ordering key while another takes from it: else a message that comes in just as
/// its predecessor is settled would be held behind nobody, for ever.
async fn lock_keys(tx: &Tx<'_>, asks: &[&Ask]) -> Result<(), Fail> {
    let locks = tx.session.locks;
    let mut keys = BTreeSet::new();
    let mut commanded = Vec::new();
    for ask in asks {
        match ask {
            Ask::Accept(batch) => keys.extend(accept::keys(batch).map(|key| locks.key(key))),
            Ask::Settle(settlements) => {
                keys.extend(
                    settlements.iter().filter_map(|s| s.lease.ordering_key).map(|key| locks.key(key)),
                );
            }
            Ask::Command { command, .. } => commanded.push(command.delivery()),
            _ => {}
        }
    }
    let batches = asks.iter().filter_map(|ask| match ask {
        Ask::Accept(batch) => Some(batch),
        _ => None,
    });
    let answered = reply::keys(tx, batches.flat_map(|batch| batch.iter())).await?;
    keys.extend(answered.into_iter().map(|key| locks.key(key)));
    if !commanded.is_empty() {
        keys.extend(commands::keys(tx, &commanded).await?.into_iter().map(|key| locks.key(key)));
    }
    if !keys.is_empty() {
        let keys: Vec<i64> = keys.into_iter().collect();
        tx.session.query("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k", &[&keys]).await?;
    }
    if asks.iter().any(|ask| matches!(ask, Ask::Reconcile { .. } | Ask::Acknowledge { .. })) {
        tx.session.query("SELECT pg_advisory_xact_lock($1)", &[&locks.alerts()]).await?;
    }
    Ok(())
}

async fn accept_all(tx: &mut Tx<'_>, asks: &[&Ask], told: &mut [Option<Told>]) -> Result<(), Fail> {
    let batches = || {
        asks.iter().enumerate().filter_map(|(place, ask)| match ask {
            Ask::Accept(batch) => Some((place, batch)),
            _ => None,
        })
    };
    let all: Vec<&Admission> = batches().flat_map(|(_, batch)| batch.iter()).collect();
    let mut verdicts = if all.is_empty() { vec![] } else { accept::accept(tx, &all).await? }.into_iter();
    for (place, batch) in batches() {
        told[place] = Some(Told::Verdicts(verdicts.by_ref().take(batch.len()).collect()));
    }
    Ok(())
}

async fn settle_all(tx: &mut Tx<'_>, asks: &[&Ask], told: &mut [Option<Told>]) -> Result<(), Fail> {
    let batches = || {
        asks.iter().enumerate().filter_map(|(place, ask)| match ask {
            Ask::Settle(batch) => Some((place, batch)),
            _ => None,
        })
    };
    let all: Vec<&Settlement> = batches().flat_map(|(_, batch)| batch.iter()).collect();
    let mut settled = if all.is_empty() { vec![] } else { settle::settle(tx, &all).await? }.into_iter();
    for (place, batch) in batches() {
        told[place] = Some(Told::Settled(settled.by_ref().take(batch.len()).collect()));
    }
    Ok(())
}

async fn one(tx: &mut Tx<'_>, ask: &Ask) -> Result<Told, Fail> {
    Ok(match ask {
        Ask::Accept(_) | Ask::Settle(_) | Ask::Lease(_) => unreachable!("these are worked on together"),
        Ask::Release(leases) => done(lease::release(tx, leases).await?),
        Ask::Advance { now, most } => Told::Steps(deadlines::advance(tx, *now, *most).await?),
        Ask::Reconcile { names, conditions, now } => {
            Told::Changes(alerts::reconcile(tx, names, conditions, *now).await?)
        }
        Ask::Acknowledge { key, by, now } => Told::Commanded(alerts::acknowledge(tx, key, by, *now).await?),
        Ask::Command { command, by, now } => Told::Commanded(commands::command(tx, command, by, *now).await?),
        Ask::SaveLane { lane, now } => done(commands::save_lane(tx, lane, *now).await?),
        Ask::Pause { receiver, reason, by, now } => {
            done(commands::pause(tx, receiver, reason.as_deref(), by, *now).await?)
        }
        Ask::SetCursor { name, seq } => done(commands::set_cursor(tx, name, *seq).await?),
        Ask::Lead(cursor) => Told::Leads(commands::lead(tx, cursor).await?),
        Ask::Forget(slice) => Told::Forgotten(forget::forget(tx, *slice).await?),
        Ask::Take(mark) => Told::Before(hand::take(tx, mark).await?),
        Ask::PutDown(key) => done(hand::put_down(tx, key).await?),
        Ask::TakenAgain { first, again, how, by, now } => {
            done(replay::taken_again(tx, *first, *again, how, by, *now).await?)
        }
        Ask::Check => Told::Done,
    })
}

fn done((): ()) -> Told {
    Told::Done
}
