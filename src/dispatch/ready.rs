//! What a lane holds leased and has not begun: the nearest deadline first, and no more than it soon sends.

use std::{cmp::Ordering, collections::BinaryHeap, time::Duration};

use jiff::Timestamp;

use crate::store::{
    HandOver, Lease,
    handover::{BYTES_MAX, SLOTS_MAX},
};

/// What is begun sooner than this after it was leased says that more may be leased ahead.
const QUICK: Duration = Duration::from_millis(250);
/// What waited longer says that much less may.
const SLOW: Duration = Duration::from_secs(1);

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
        let least = usize::try_from(permits).unwrap_or(SLOTS_MAX).min(SLOTS_MAX);
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
            waited if waited <= QUICK => self.ahead = (self.ahead + 1).min(SLOTS_MAX),
            waited if waited > SLOW => self.ahead = self.least,
            _ => {}
        }
        Some(lease)
    }

    /// As [`Ready::take_all`], when nothing more is to be handed over: also what is on its way here.
    pub(super) async fn leave(&mut self) -> Vec<Lease> {
        let mut all = self.take_all();
        if let Some(handed) = &mut self.handed {
            all.append(&mut handed.leave().await);
        }
        all
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::{Format, Parcel, ReceiptId, answer::Subscription};

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn lease(number: i64, due_in: i64, bytes: usize) -> Lease {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        Lease {
            delivery: ReceiptId::from_fresh(uuid::Uuid::from_u128(1 << 8)).delivery(1),
            number,
            token: 1,
            until: Timestamp::MAX,
            parcel: Parcel {
                format: Format::Cloudevents,
                format_version: 1,
                content_type: "application/json".into(),
                body: Bytes::from(vec![b' '; bytes]),
                citizen: None,
            },
            attempts: 0,
            ordering_key: None,
            partner: None,
            party: "3f".into(),
            answers: Subscription::default(),
            clocks: 0,
            crashes: 0,
            rounds: 0,
            due: now + SignedDuration::from_secs(due_in),
            expires: None,
            event_type: "dk.kassebro.complaint.v1".into(),
            source: "urn:dk:akasse:3f".into(),
            message_id: number.to_string(),
            correlation_id: None,
            traceparent: None,
            tracestate: None,
            occurred: now,
            received: now,
        }
    }

    fn due(seconds: i64) -> Timestamp {
        lease(0, seconds, 0).due
    }

    #[test]
    fn the_nearest_deadline_goes_first_and_of_two_the_older() {
        let mut ready = Ready::new(None, 16);
        for (number, within) in [(1, 30), (2, 5), (4, 9), (3, 9)] {
            ready.push(lease(number, within, 10), Duration::ZERO);
        }
        assert_eq!(ready.nearest_deadline(), Some(due(5)));
        let order: Vec<_> = std::iter::from_fn(|| ready.next(None, MILLISECOND)).map(|l| l.number).collect();
        assert_eq!(order, [2, 3, 4, 1]);
    }

    #[test]
    fn what_is_due_later_than_asked_for_stays() {
        let mut ready = Ready::new(None, 16);
        ready.push(lease(1, 30, 10), Duration::ZERO);
        assert!(ready.next(Some(due(29)), MILLISECOND).is_none());
        assert_eq!(ready.next(Some(due(30)), MILLISECOND).unwrap().number, 1);
    }

    #[test]
    fn a_quick_receiver_is_leased_for_further_ahead_and_a_slow_one_no_more() {
        let mut ready = Ready::new(None, 16);
        assert_eq!(ready.room(), 16);
        for number in 0..1_000 {
            ready.push(lease(number, 1, 10), Duration::ZERO);
            ready.next(None, MILLISECOND);
        }
        assert_eq!(ready.room(), SLOTS_MAX);
        ready.push(lease(1, 1, 10), Duration::ZERO);
        ready.next(None, SLOW + MILLISECOND);
        assert_eq!(ready.room(), 16);
    }

    #[test]
    fn what_is_leased_ahead_is_bounded_in_bytes() {
        let mut ready = Ready::new(None, 64);
        ready.push(lease(1, 1, BYTES_MAX + 1), Duration::ZERO);
        assert_eq!((ready.room(), ready.has_room()), (0, false));
        ready.next(None, MILLISECOND).unwrap();
        assert!(ready.has_room());
    }

    #[test]
    fn everything_is_handed_back_at_once() {
        let mut ready = Ready::new(None, 16);
        for number in 0..5 {
            ready.push(lease(number, 1, 10), Duration::ZERO);
        }
        assert_eq!(ready.take_all().len(), 5);
        assert_eq!((ready.len(), ready.room()), (0, 16));
    }
}
