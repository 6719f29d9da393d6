//! The one task of the process that writes: whatever is queued becomes one transaction (group commit).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use super::{
    address::Address,
    commit::{self, commit},
    fail::{Fail, Remedy, unavailable, unusable},
    listen::Bells,
    session::Session,
    work::{Ask, Told, Tx, Work},
};
use crate::{
    reconnect::Reconnect,
    store::{
        StoreError,
        handover::{Handing, Lanes},
        hints,
    },
};

/// Operations that may wait for the writer; a caller beyond them waits for a place.
pub(super) const QUEUE_MAX: usize = 256;
/// Operations in one transaction.
const GROUP_MAX: usize = 64;
/// Messages that are accepted in one transaction, where one batch alone has not more: what was sent waits for a
/// transaction to be settled, and lanes for that, so that it should not be long.
const ACCEPT_MAX: usize = 256;
/// Bytes of messages in one transaction, where one message alone has not more.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// From the asking to the word that the database cannot be reached.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait before connecting again: who asks meanwhile is not kept much longer than the outage lasts.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// One queued operation.
pub(super) struct Op {
    ask: Ask,
    asked: Instant,
    reply: oneshot::Sender<Result<Told, StoreError>>,
}

impl Op {
    fn finish(self, fate: Result<Told, StoreError>) {
        // Whoever asked may have gone away; the work is done all the same.
        drop(self.reply.send(fate));
    }
}

/// The writer's front: hands operations over and waits for their commit.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Op>,
}

impl Writer {
    pub(super) fn new() -> (Self, mpsc::Receiver<Op>) {
        let (queue, operations) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, operations)
    }

    /// Runs one operation in the next transaction, and answers after its commit.
    pub(super) async fn run(&self, ask: Ask) -> Result<Told, StoreError> {
        let gone = || unusable("the writer has stopped".into());
        let (reply, answer) = oneshot::channel();
        let op = Op { ask, asked: Instant::now(), reply };
        self.queue.send(op).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// What follows a commit, and nothing else.
struct News {
    told: Vec<Told>,
    handing: Handing,
    /// Bells to ring, on every node.
    hints: BTreeSet<String>,
}

/// A group whose COMMIT was sent and never answered: told its fate as soon as the database can be asked.
struct Doubt {
    group: Vec<Op>,
    news: News,
    batch: i64,
}

/// How one transaction ended.
enum End {
    Committed(News),
    Failed(Fail),
    /// Sent, and not answered.
    Unknown(News, Fail),
}

/// The writer's side.
pub(super) struct Desk {
    address: Arc<Address>,
    bells: Bells,
    lanes: Lanes,
    node: i64,
    session: Option<Session>,
    /// Counts the transactions of this node.
    batch: i64,
    doubt: Option<Doubt>,
    /// What was in doubt and is known not to be committed: it is worked on first.
    again: Vec<Op>,
    /// Batches that come with the next transaction.
    later: Vec<Op>,
    reconnect: Reconnect,
}

impl Desk {
    pub(super) fn new(address: Arc<Address>, session: Session, bells: Bells, lanes: Lanes) -> Self {
        let reconnect = Reconnect::new(Duration::from_millis(100), RECONNECT_MAX, 0.3);
        let node = session.node;
        Self {
            address,
            bells,
            lanes,
            node,
            session: Some(session),
            batch: 0,
            doubt: None,
            again: Vec::new(),
            later: Vec::new(),
            reconnect,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn serve(mut self, mut queue: mpsc::Receiver<Op>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            if !self.again.is_empty() {
                let again = std::mem::take(&mut self.again);
                self.work(again).await;
                continue;
            }
            if self.doubt.is_some() && queue.is_empty() && self.later.is_empty() {
                // Nobody need ask for those in doubt to learn their fate.
                if !self.reach(Instant::now() + RECONNECT_MAX).await && queue.is_closed() {
                    break;
                }
                continue;
            }
            group.append(&mut self.later);
            while group.len() < GROUP_MAX
                && let Ok(op) = queue.try_recv()
            {
                group.push(op);
            }
            if group.is_empty() && queue.recv_many(&mut group, GROUP_MAX).await == 0 {
                break;
            }
            self.later = accept_later(&mut group, |op| op.ask.messages());
            self.work(std::mem::take(&mut group)).await;
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Brings a group to its end, whatever that is.
    async fn work(&mut self, mut group: Vec<Op>) {
        if group.len() > 1 && group.iter().map(|op| op.ask.bytes()).sum::<usize>() > GROUP_BYTES_MAX {
            let rest = group.split_off(group.len() / 2);
            Box::pin(self.work(group)).await;
            return Box::pin(self.work(rest)).await;
        }
        let deadline = group.iter().map(|op| op.asked).min().unwrap_or_else(Instant::now) + PATIENCE;
        loop {
            if !self.reach(deadline).await {
                let error = unavailable(&format!("{} does not answer", self.address));
                group.drain(..).for_each(|op| op.finish(Err(error.clone())));
                return;
            }
            // What was in doubt came before it.
            let again = std::mem::take(&mut self.again);
            if !again.is_empty() {
                Box::pin(self.work(again)).await;
                continue;
            }
            match self.transaction(&group, deadline).await {
                End::Committed(news) => return self.tell(group, news),
                End::Unknown(news, fail) => {
                    warn!(error = %fail.store_error(), "The answer to a commit was lost; the database will be asked");
                    self.session = None;
                    self.doubt = Some(Doubt { group, news, batch: self.batch });
                    return;
                }
                End::Failed(fail) => match fail.remedy() {
                    Remedy::Again if Instant::now() < deadline => {}
                    Remedy::Reconnect if Instant::now() < deadline => {
                        warn!(error = %fail.store_error(), "The connection to the database was lost");
                        self.session = None;
                    }
                    Remedy::Part if group.len() > 1 => return self.one_by_one(group).await,
                    remedy => {
                        if remedy == Remedy::Reconnect {
                            self.session = None;
                        }
                        let error = fail.store_error();
                        group.drain(..).for_each(|op| op.finish(Err(error.clone())));
                        return;
                    }
                },
            }
        }
    }

    /// Each for itself, so that one does not sink its neighbours.
    async fn one_by_one(&mut self, group: Vec<Op>) {
        for op in group {
            Box::pin(self.work(vec![op])).await;
        }
    }

    /// It is committed: those who asked are told, and what was leased goes to its lanes.
    fn tell(&self, group: Vec<Op>, mut news: News) {
        let bells = news.handing.end(true);
        for (op, told) in group.into_iter().zip(news.told) {
            op.finish(Ok(told));
        }
        news.hints.extend(bells.everywhere);
        self.bells.ring(news.hints.into_iter().collect());
        self.bells.ring_here(&bells.here);
    }

    /// Has a connection, and no doubt left. False where the time is over.
    async fn reach(&mut self, deadline: Instant) -> bool {
        loop {
            if self.session.as_ref().is_some_and(|session| session.client.is_closed()) {
                self.session = None;
            }
            if self.session.is_none() {
                let opened = timeout_at(deadline, Session::open(&self.address, Some(self.node))).await;
                match opened {
                    Ok(Ok(session)) => {
                        info!("Connected to the database again");
                        self.session = Some(session);
                    }
                    Ok(Err(_)) => {}
                    Err(_) => return false,
                }
            }
            if self.session.is_some() && self.is_certain(deadline).await {
                self.reconnect.reset();
                return true;
            }
            let next = Instant::now() + self.reconnect.next();
            if next >= deadline {
                // Not the whole wait: those who come later have patience of their own.
                tokio::time::sleep_until(deadline).await;
                return false;
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Asks what became of a commit that was not answered. The row of this node's mark is the transaction's too: the
    /// question waits until that has ended, one way or the other.
    async fn is_certain(&mut self, deadline: Instant) -> bool {
        let (Some(doubt), Some(session)) = (&self.doubt, &self.session) else { return true };
        let asked = session.last_batch();
        let Ok(Ok(batch)) = timeout_at(deadline, asked).await else {
            self.session = None;
            return false;
        };
        let committed = batch == Some(doubt.batch);
        info!(committed, "The commit whose answer was lost is known now");
        if let Some(doubt) = self.doubt.take() {
            if committed {
                self.tell(doubt.group, doubt.news);
            } else {
                self.again.extend(doubt.group);
            }
        }
        true
    }

    /// One transaction. It has until `deadline`; what is not committed by then never will be.
    async fn transaction(&mut self, group: &[Op], deadline: Instant) -> End {
        self.batch += 1;
        let Some(session) = &self.session else { return End::Failed(Fail::Cut) };
        let asks: Vec<&Ask> = group.iter().map(|op| &op.ask).collect();
        // A group that waited long still gets the time that a transaction takes.
        let deadline = deadline.max(Instant::now() + Duration::from_secs(2));
        let mut tx = Tx {
            session,
            logs: super::logs::Logs::default(),
            handing: Handing::new(self.lanes.clone()),
            hints: BTreeSet::new(),
        };
        let work = Work::of(asks);
        let (told, rows) = match timeout_at(deadline, Box::pin(work.perform(&mut tx, self.batch))).await {
            Ok(Ok(done)) => done,
            Ok(Err(fail)) => return rolled_back(session, fail, deadline).await,
            // The connection goes, and the transaction with it.
            Err(_) => return End::Failed(Fail::Cut),
        };
        let Tx { logs, handing, mut hints, .. } = tx;
        hints.extend(logs.answered().map(hints::answers));
        let news = News { told, handing, hints };
        match timeout_at(deadline, Box::pin(commit(session, &rows, &logs))).await {
            Ok(commit::Ended::Committed) => End::Committed(news),
            Ok(commit::Ended::Failed(fail)) => rolled_back(session, fail, deadline).await,
            Ok(commit::Ended::Unknown(fail)) => End::Unknown(news, fail),
            Err(_) => End::Unknown(news, Fail::Cut),
        }
    }
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

async fn rolled_back(session: &Session, fail: Fail, deadline: Instant) -> End {
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    match timeout_at(deadline, session.client.batch_execute("ROLLBACK")).await {
        Ok(Ok(())) => End::Failed(fail),
        Ok(Err(_)) | Err(_) => End::Failed(Fail::Cut),
    }
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
}
