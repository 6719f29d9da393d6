//! How many calls wait for a store's answer: whoever moves the clock lets no time pass while any does.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// The count. Clones are the same.
#[derive(Clone, Default)]
pub struct Calls(Arc<Count>);

#[derive(Default)]
struct Count {
    under_way: AtomicUsize,
    /// Rung when the last one ended.
    none: Notify,
}

/// One that waits, until it is dropped.
pub(super) struct Call(Calls);

impl Calls {
    pub(super) fn begin(&self) -> Call {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        Call(self.clone())
    }

    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::Acquire)
    }

    /// Waits until none is under way.
    pub async fn ended(&self) {
        loop {
            // Listening begins before looking, or one that ends in between would not be noticed.
            let mut none = pin!(self.0.none.notified());
            none.as_mut().enable();
            if self.under_way() == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.0.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_call_counts_until_it_is_dropped() {
        let calls = Calls::default();
        let (first, second) = (calls.begin(), calls.clone().begin());
        assert_eq!(calls.under_way(), 2);
        let mut ended = pin!(calls.ended());
        assert!(poll!(&mut ended).is_pending());
        drop(first);
        assert!(poll!(&mut ended).is_pending());
        drop(second);
        assert!(poll!(&mut ended).is_ready());
        assert_eq!(calls.under_way(), 0);
    }
}
