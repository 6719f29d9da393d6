//! What a lane holds leased and has not begun: the nearest deadline first, and no more than it soon sends.

use std::{cmp::Ordering, collections::BinaryHeap, time::Duration};

use jiff::Timestamp;

use crate::store::{HandOver, Lease, handover::PLACES_MAX};

/// What is begun sooner than this after it was leased says that more may be leased ahead.
const QUICK: Duration = Duration::from_millis(250);
/// What waited longer says that much less may.
const SLOW: Duration = Duration::from_secs(1);
/// Bytes of parcels held; one parcel may be larger.
const BYTES_MAX: usize = 1024 * 1024;

/// Leases in the order of their deadlines.
pub(super) struct Ready {
    heap: BinaryHeap<Waiting>,
    bytes: usize,
    handed: Option<HandOver>,
    /// Leases that may lie here beyond the lane's permits: as many as its receiver takes in a moment.
    ahead: usize,
    least: usize,
}

struct Waiting {
    lease: Lease,
    since: Duration,
}

impl Waiting {
    fn rank(&self) -> (Timestamp, i64) {
        (self.lease.due, self.lease.number)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl Ready {
    pub(super) fn new(handed: Option<HandOver>, permits: u32) -> Self {
        let least = usize::try_from(permits).unwrap_or(PLACES_MAX).min(PLACES_MAX);
        Self { heap: BinaryHeap::new(), bytes: 0, handed, ahead: least, least }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// How many more may be leased ahead; none while plenty is here.
    pub(super) fn room(&self) -> usize {
        if self.heap.len() > self.ahead / 2 || self.bytes > BYTES_MAX / 2 {
            0
        } else {
            self.ahead - self.heap.len()
        }
    }

    /// Lets what is stored be handed over directly, or not.
    pub(super) fn open(&self, open: bool) {
        if let Some(handed) = &self.handed {
            handed.allow(if open { self.ahead } else { 0 });
        }
    }

    pub(super) fn push(&mut self, lease: Lease, now: Duration) {
        self.bytes += lease.parcel.body.len();
        self.heap.push(Waiting { lease, since: now });
    }

    /// Takes over what was handed, so far as there is room. Says how many that were.
    pub(super) fn draw(&mut self, now: Duration) -> usize {
        let before = self.heap.len();
        while self.has_room()
            && let Some(lease) = self.handed.as_mut().and_then(HandOver::try_next)
        {
            self.push(lease, now);
        }
        self.heap.len() - before
    }

    pub(super) fn has_room(&self) -> bool {
        self.heap.len() < self.ahead && self.bytes <= BYTES_MAX
    }

    /// The next that was handed over, when one is.
    pub(super) async fn handed(&mut self) -> Lease {
        match &mut self.handed {
            Some(handed) => handed.next().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn nearest_deadline(&self) -> Option<Timestamp> {
        self.heap.peek().map(|waiting| waiting.lease.due)
    }

    /// The nearest deadline's lease, if it is due by then.
    pub(super) fn next(&mut self, due_by: Option<Timestamp>, now: Duration) -> Option<Lease> {
        if self.nearest_deadline()? > due_by.unwrap_or(Timestamp::MAX) {
            return None;
        }
        let Waiting { lease, since } = self.heap.pop()?;
        self.bytes -= lease.parcel.body.len();
        match now.saturating_sub(since) {
            waited if waited <= QUICK => self.ahead = (self.ahead + 1).min(PLACES_MAX),
            waited if waited > SLOW => self.ahead = self.least,
            _ => {}
        }
        Some(lease)
    }

    /// Everything that was not begun, to be handed back: it lies in the table then.
    pub(super) fn take_all(&mut self) -> Vec<Lease> {
        let mut all: Vec<Lease> = self.heap.drain().map(|waiting| waiting.lease).collect();
        self.bytes = 0;
        if let Some(handed) = &mut self.handed {
            handed.fall_back();
            while let Some(lease) = handed.try_next() {
                all.push(lease);
            }
        }
        all
    }
}
