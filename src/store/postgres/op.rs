//! What waits for the writer, and how much of it goes into one transaction.

use tokio::{sync::oneshot, time::Instant};

use super::work::{Ask, Told};
use crate::store::StoreError;

/// Operations in one transaction.
pub(super) const GROUP_MAX: usize = 64;
/// Messages that are accepted in one transaction, where one batch alone has not more: what was sent waits for a
/// transaction to be settled, and lanes for that, so that it should not be long.
const ACCEPT_MAX: usize = 256;
/// A transaction is begun behind another that is under way with so many messages and settlements; fewer wait for more.
const BEHIND_MIN: usize = 16;

/// One queued operation.
pub(super) struct Op {
    pub(super) ask: Ask,
    pub(super) asked: Instant,
    reply: oneshot::Sender<Result<Told, StoreError>>,
}

impl Op {
    pub(super) fn new(ask: Ask) -> (Self, oneshot::Receiver<Result<Told, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { ask, asked: Instant::now(), reply }, answer)
    }

    pub(super) fn finish(self, fate: Result<Told, StoreError>) {
        // Whoever asked may have gone away; the work is done all the same.
        drop(self.reply.send(fate));
    }
}

/// What of the operations goes into a transaction now, and what comes later; both in their order. Where another transaction
/// is under way and they are few, that is all of them.
pub(super) fn choose(mut all: Vec<Op>, is_alone: bool) -> (Vec<Op>, Vec<Op>) {
    if is_alone || is_enough(&all, weight) {
        let later = accept_later(&mut all, |op| op.ask.messages());
        (all, later)
    } else {
        (Vec::new(), all)
    }
}

fn weight(op: &Op) -> usize {
    match &op.ask {
        Ask::Accept(batch) => batch.len(),
        Ask::Settle(settlements) => settlements.len(),
        _ => 1,
    }
}

/// Whether a group is worth being begun behind a transaction that is under way.
fn is_enough<T>(group: &[T], weight: impl Fn(&T) -> usize) -> bool {
    group.len() >= GROUP_MAX || group.iter().map(weight).sum::<usize>() >= BEHIND_MIN
}

/// Takes out of a group what comes with the next transaction: batches beyond the first that would make it accept more
/// than it should, and all batches after them. Both parts keep their order.
fn accept_later<T>(group: &mut Vec<T>, messages: impl Fn(&T) -> usize) -> Vec<T> {
    let (mut sum, mut full) = (0, false);
    let later = group.extract_if(.., |op| {
        let more = messages(op);
        full |= sum > 0 && sum + more > ACCEPT_MAX;
        sum += more;
        full && more > 0
    });
    later.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_accepts_its_share_and_the_rest_comes_next_in_order() {
        let parted = |mut group: Vec<usize>| {
            let later = accept_later(&mut group, |messages| *messages);
            (group, later)
        };
        assert_eq!(parted(vec![]), (vec![], vec![]));
        assert_eq!(parted(vec![0, ACCEPT_MAX + 9, 0]), (vec![0, ACCEPT_MAX + 9, 0], vec![]), "one alone");
        let (one, two) = (ACCEPT_MAX - 1, ACCEPT_MAX);
        assert_eq!(parted(vec![one, 0, 1, 0]), (vec![one, 0, 1, 0], vec![]));
        // Nothing passes a batch that waits, but for what accepts nothing.
        assert_eq!(parted(vec![one, 0, two, 1, 0]), (vec![one, 0, 0], vec![two, 1]));
    }

    #[test]
    fn a_few_wait_for_the_end_of_what_is_under_way_and_many_do_not() {
        let enough = |weights: &[usize]| is_enough(weights, |weight| *weight);
        assert!(!enough(&[]) && !enough(&[1, BEHIND_MIN - 2]));
        assert!(enough(&[1, BEHIND_MIN - 1]) && enough(&[0; GROUP_MAX]));
    }
}
