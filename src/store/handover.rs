//! The short way to a lane: what a transaction stores and the lane may send at once is leased to it in that same
//! transaction, and handed over in memory after its commit.
//!
//! The table stays the truth: what is handed over lies there as leased, and a process that dies with it loses
//! nothing. What the lane has no place for waits in the table, and then everything that comes after it does too,
//! until the lane has asked the table and found no more: otherwise the newest would pass the most urgent by.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{
    Lease,
    brought::{Note, Notes},
    numbers::us,
};

/// Leases on their way to one lane, whatever it allows itself.
pub const SLOTS_MAX: usize = 256;
/// Bytes of parcels on their way to one lane; one parcel may be larger, alone.
pub const BYTES_MAX: usize = 1024 * 1024;

/// The lane has not asked, or something waits that it did not get.
const BEHIND: i64 = i64::MIN;

#[derive(Debug)]
struct Shared {
    /// How many may be on their way; 0: the lane takes none this way.
    slots: AtomicUsize,
    bytes: AtomicUsize,
    /// When the table was last seen to hold nothing ready for this lane that it does not have, in microseconds since
    /// 1970, or [`BEHIND`].
    caught_up: AtomicI64,
}

impl Default for Shared {
    fn default() -> Self {
        let none = AtomicUsize::default;
        Self { slots: none(), bytes: none(), caught_up: AtomicI64::new(BEHIND) }
    }
}

impl Shared {
    fn fall_back(&self) {
        self.caught_up.store(BEHIND, Ordering::Relaxed);
    }
}

/// How a lane stands to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Behind,
    /// It was caught up, so long ago that it should look again.
    CaughtUpOnce,
    CaughtUp,
}

/// The lane's end.
#[derive(Debug)]
pub struct HandOver {
    leases: mpsc::Receiver<Lease>,
    shared: Arc<Shared>,
    lanes: Lanes,
}

impl HandOver {
    /// How many leases may lie here from now on; at most [`SLOTS_MAX`]. None at the beginning.
    pub fn allow(&self, slots: usize) {
        self.shared.slots.store(slots.min(SLOTS_MAX), Ordering::Relaxed);
    }

    /// What was handed back lies in the table: nothing may pass it by.
    pub fn fall_back(&self) {
        self.shared.fall_back();
    }

    /// The next lease, when it comes. Never, once the store is closed.
    pub async fn next(&mut self) -> Lease {
        match self.leases.recv().await {
            Some(lease) => self.taken(lease),
            None => std::future::pending().await,
        }
    }

    /// A lease that is here already.
    pub fn try_next(&mut self) -> Option<Lease> {
        self.leases.try_recv().ok().map(|lease| self.taken(lease))
    }

    /// Nothing is handed over from now on. Gives what lies here, and what a transaction that is open now still hands
    /// over: all of it is leased, and to be handed back.
    pub async fn leave(&mut self) -> Vec<Lease> {
        self.lanes.offers().retain(|_, offer| !Arc::ptr_eq(&offer.shared, &self.shared));
        self.leases.close();
        let mut left = Vec::new();
        while let Some(lease) = self.leases.recv().await {
            left.push(self.taken(lease));
        }
        left
    }

    fn taken(&self, lease: Lease) -> Lease {
        self.shared.bytes.fetch_sub(lease.parcel.body.len(), Ordering::Relaxed);
        lease
    }
}

/// The engine's end of one lane.
#[derive(Debug)]
struct Offer {
    leases: mpsc::Sender<Lease>,
    shared: Arc<Shared>,
    lease_for: SignedDuration,
}

/// The lanes of this process that take leases directly.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    offers: Arc<Mutex<HashMap<String, Offer>>>,
    /// For how long a look at the table is believed; `None`: for good.
    believed: Option<SignedDuration>,
    /// What others than these brought about.
    pub(super) notes: Notes,
}

impl Lanes {
    /// Lanes of one node of several. Others put into the table what they do not send, and die: each look at it is
    /// believed for so long, and then nothing is handed over before the next.
    pub(super) fn among_nodes(believed: SignedDuration) -> Self {
        Self { believed: Some(believed), ..Self::default() }
    }

    fn offers(&self) -> MutexGuard<'_, HashMap<String, Offer>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self, shared: &Shared, now: Timestamp) -> Standing {
        match (shared.caught_up.load(Ordering::Relaxed), self.believed) {
            (BEHIND, _) => Standing::Behind,
            (_, None) => Standing::CaughtUp,
            (looked, Some(believed)) => {
                // Also where the clock was set back since.
                let age = i128::from(looked.abs_diff(us(now)));
                let believed = believed.as_micros();
                if age > believed {
                    Standing::Behind
                } else if age > believed / 2 {
                    Standing::CaughtUpOnce
                } else {
                    Standing::CaughtUp
                }
            }
        }
    }

    /// A lane that is leased to for `lease_for` from the moment of storing. A later one of the same name takes
    /// its place.
    pub(super) fn enter(&self, receiver: String, lease_for: SignedDuration) -> HandOver {
        let (sender, leases) = mpsc::channel(SLOTS_MAX);
        let shared = Arc::new(Shared::default());
        let offer = Offer { leases: sender, shared: Arc::clone(&shared), lease_for };
        self.offers().insert(receiver, offer);
        HandOver { leases, shared, lanes: self.clone() }
    }
}

/// A slot on the way to a lane, with the time until which it leases.
pub(super) struct Slot {
    permit: Option<mpsc::OwnedPermit<Lease>>,
    shared: Arc<Shared>,
    bytes: usize,
    pub(super) until: Timestamp,
}

impl Slot {
    fn send(mut self, lease: Lease) {
        if let Some(permit) = self.permit.take() {
            permit.send(lease);
            self.bytes = 0;
        }
    }
}

/// A slot that was not used is free again.
impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What one transaction hands over, told to nobody before it committed.
#[derive(Default)]
pub(super) struct Handing {
    lanes: Lanes,
    filled: Vec<(Slot, Lease)>,
    /// Receivers for whom something waits in the table.
    waits: BTreeSet<String>,
    /// Receivers whose lane here should look at the table again.
    look: BTreeSet<String>,
    /// Receivers whose lane got all there was, and when it asked.
    caught_up: HashMap<String, Timestamp>,
    /// Behind a lock only because who notes something may share the transaction with others.
    notes: Mutex<Vec<Note>>,
}

impl Handing {
    pub(super) fn new(lanes: Lanes) -> Self {
        Self { lanes, ..Self::default() }
    }

    /// A slot for a parcel of so many bytes that is ready now. `None`: it waits in the table, and the lane is
    /// told that something does.
    pub(super) fn slot(&mut self, receiver: &str, bytes: usize, now: Timestamp) -> Option<Slot> {
        let slot = self.find(receiver, bytes, now);
        if slot.is_none() && !self.waits.contains(receiver) {
            self.waits.insert(receiver.to_owned());
        }
        slot
    }

    fn find(&mut self, receiver: &str, bytes: usize, now: Timestamp) -> Option<Slot> {
        let offers = self.lanes.offers();
        let Offer { leases, shared, lease_for } = offers.get(receiver)?;
        let waiting = leases.max_capacity() - leases.capacity();
        let until = now.checked_add(*lease_for).ok()?;
        let lying = shared.bytes.load(Ordering::Relaxed);
        let standing = match self.caught_up.get(receiver) {
            Some(_) => Standing::CaughtUp,
            None => self.lanes.standing(shared, now),
        };
        let fits = standing != Standing::Behind
            && waiting < shared.slots.load(Ordering::Relaxed)
            && (lying == 0 || lying + bytes <= BYTES_MAX);
        let permit = fits.then(|| leases.clone().try_reserve_owned().ok()).flatten();
        let Some(permit) = permit else {
            shared.fall_back();
            self.caught_up.remove(receiver);
            return None;
        };
        if standing == Standing::CaughtUpOnce && !self.look.contains(receiver) {
            self.look.insert(receiver.to_owned());
        }
        shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        Some(Slot { permit: Some(permit), shared: Arc::clone(shared), bytes, until })
    }

    /// What is to be counted once it is committed.
    pub(super) fn note(&self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// A bell to ring when the transaction has ended.
    pub(super) fn ring(&mut self, bell: String) {
        self.waits.insert(bell);
    }

    /// Puts a lease in its slot, for the time after the commit.
    pub(super) fn fill(&mut self, slot: Slot, lease: Lease) {
        self.filled.push((slot, lease));
    }

    /// The lane asked the table at `now` and got all there was.
    pub(super) fn caught_up(&mut self, receiver: &str, now: Timestamp) {
        self.caught_up.insert(receiver.to_owned(), now);
    }

    /// The transaction ended: what it leased goes to the lanes, or nothing does.
    pub(super) fn end(&mut self, committed: bool) -> Bells {
        for (slot, lease) in self.filled.drain(..) {
            if committed {
                slot.send(lease);
            }
        }
        for (receiver, now) in self.caught_up.drain() {
            if committed && let Some(offer) = self.lanes.offers().get(&receiver) {
                offer.shared.caught_up.store(us(now), Ordering::Relaxed);
            }
        }
        let notes = self.notes.get_mut().unwrap_or_else(PoisonError::into_inner);
        if committed && !notes.is_empty() {
            self.lanes.notes.keep(notes.drain(..));
        }
        notes.clear();
        Bells { everywhere: std::mem::take(&mut self.waits), here: std::mem::take(&mut self.look) }
    }
}

/// The lanes that should look at the table, by receiver.
pub(super) struct Bells {
    /// Something new waits there: whoever has a place may take it.
    pub(super) everywhere: BTreeSet<String>,
    /// This process's have not looked for a while.
    pub(super) here: BTreeSet<String>,
}
