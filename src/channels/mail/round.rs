//! At most one mail in a while: who comes in between shares the next.
//!
//! Whoever holds the pen writes for all who wait, themselves among them. Anyone may stop waiting at any time (an
//! attempt has a limit): then the pen goes to the next, and nobody counts as told who was not.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use super::{Refused, letter::Line};
use crate::clock::{Clock, System};

type Told = Result<(), Refused>;

/// Those who wait for the next mail to one receiver.
pub(super) struct Round {
    every: Duration,
    waiting: Mutex<Vec<Arc<Seat>>>,
    /// When the last mail was taken, on the monotonic clock.
    pen: tokio::sync::Mutex<Option<Duration>>,
}

/// One who waits, and what became of it.
struct Seat {
    line: Line,
    told: OnceLock<Told>,
}

/// Gives the seat up, however the waiting ends.
struct Sitting<'a>(&'a Round, Arc<Seat>);

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        self.0.waiting().retain(|seat| !Arc::ptr_eq(seat, &self.1));
    }
}

impl Round {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, waiting: Mutex::default(), pen: tokio::sync::Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a mail with this line was taken or refused. `write` writes one for all the lines it is given.
    pub(super) async fn told<F: Future<Output = Told>>(
        &self,
        line: Line,
        write: impl FnOnce(Vec<Line>) -> F,
    ) -> Told {
        let seat = Arc::new(Seat { line, told: OnceLock::new() });
        self.waiting().push(Arc::clone(&seat));
        let _sitting = Sitting(self, Arc::clone(&seat));
        let mut last = self.pen.lock().await;
        if let Some(told) = seat.told.get() {
            return told.clone();
        }
        if let Some(last) = *last {
            System.sleep((last + self.every).saturating_sub(System.monotonic())).await;
        }
        // Where nobody waits for another, each has a mail of its own.
        let seats = if self.every.is_zero() { vec![seat] } else { self.waiting().clone() };
        let outcome = write(seats.iter().map(|seat| seat.line).collect()).await;
        if outcome.is_ok() {
            *last = Some(System.monotonic());
        }
        for seat in seats {
            // Who was told before, and has not looked yet, stays told.
            let _ = seat.told.set(outcome.clone());
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::join_all;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Fault, FaultCode, ReceiptId};

    const WHILE: Duration = Duration::from_millis(300);

    fn line(number: u8) -> Line {
        let receipt = ReceiptId::from_fresh(Uuid::from_u128(1 << 64));
        Line { delivery: receipt.delivery(number), due: Timestamp::UNIX_EPOCH }
    }

    /// What was written, and when.
    #[derive(Default)]
    struct Post(Mutex<Vec<(Duration, Vec<Line>)>>);

    impl Post {
        fn take(&self, lines: Vec<Line>) -> std::future::Ready<Told> {
            self.0.lock().unwrap().push((System.monotonic(), lines));
            std::future::ready(Ok(()))
        }

        fn mails(&self) -> Vec<(Duration, Vec<Line>)> {
            self.0.lock().unwrap().clone()
        }
    }

    #[tokio::test]
    async fn those_who_come_in_between_share_the_next_mail_and_each_is_named_once() {
        let (round, post) = (Round::new(WHILE), Post::default());
        let told = join_all((1..=9).map(|n| round.told(line(n), |lines| post.take(lines)))).await;
        assert!(told.iter().all(Result::is_ok));
        let mails = post.mails();
        let mut named: Vec<Line> = mails.iter().flat_map(|(_, lines)| lines.clone()).collect();
        named.sort_by_key(|line| line.delivery);
        assert_eq!(named, (1..=9).map(line).collect::<Vec<_>>());
        assert!(mails.len() <= 2, "{mails:?}");
        assert!(mails.windows(2).all(|two| two[1].0 >= two[0].0 + WHILE), "{mails:?}");
        round.told(line(10), |lines| post.take(lines)).await.unwrap();
        let last = post.mails();
        assert!(last[last.len() - 1].0 >= last[last.len() - 2].0 + WHILE, "{last:?}");
    }

    #[tokio::test]
    async fn without_a_while_each_has_a_mail_of_its_own() {
        let (round, post) = (Round::new(Duration::ZERO), Post::default());
        join_all((1..=5).map(|n| round.told(line(n), |lines| post.take(lines)))).await;
        assert!(post.mails().iter().all(|(_, lines)| lines.len() == 1));
        assert_eq!(post.mails().len(), 5);
    }

    #[tokio::test]
    async fn what_is_refused_is_refused_to_all_it_names_and_the_next_need_not_wait() {
        let round = Round::new(Duration::from_hours(1));
        let refused = |_| async { Err(Fault::new(FaultCode::ReceiverBusy, "full").into()) };
        let told = join_all((1..=3).map(|n| round.told(line(n), refused))).await;
        assert!(told.iter().all(Result::is_err));
        assert!(round.told(line(4), |_| async { Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_is_in_no_mail_and_leaves_the_pen_to_the_next() {
        let (round, post) = (Round::new(WHILE), Post::default());
        round.told(line(1), |lines| post.take(lines)).await.unwrap();
        {
            let mut gone = Box::pin(round.told(line(2), |lines| post.take(lines)));
            assert!(futures_util::poll!(&mut gone).is_pending(), "it holds the pen and waits");
        }
        round.told(line(3), |lines| post.take(lines)).await.unwrap();
        let named: Vec<Vec<Line>> = post.mails().into_iter().map(|(_, lines)| lines).collect();
        assert_eq!(named, [vec![line(1)], vec![line(3)]]);
    }

    #[tokio::test]
    async fn a_writer_that_is_cut_off_has_told_nobody() {
        let (round, post) = (Round::new(WHILE), Post::default());
        let mut writer = Box::pin(round.told(line(1), |_| std::future::pending()));
        assert!(futures_util::poll!(&mut writer).is_pending(), "it writes");
        let mut second = Box::pin(round.told(line(2), |lines| post.take(lines)));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(writer);
        second.await.unwrap();
        assert_eq!(post.mails()[0].1, [line(2)]);
    }
}
