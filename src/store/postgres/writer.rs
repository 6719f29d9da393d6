//! The one task of the process that writes: whatever is queued becomes one transaction (group commit).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use super::{
    accept::Rows,
    address::Address,
    commit::{self, commit},
    fail::{Fail, Remedy, unavailable, unusable},
    listen::Bells,
    logs::Logs,
    op::{GROUP_MAX, Op, choose},
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
/// Bytes of messages in one transaction, where one message alone has not more.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// From the asking to the word that the database cannot be reached.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait before connecting again: who asks meanwhile is not kept much longer than the outage lasts.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

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
        let (op, answer) = Op::new(ask);
        self.queue.send(op).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// What follows a commit, and nothing else.
pub(super) struct News {
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

/// A transaction before its end: what it still has to write, and what follows when it is committed.
pub(super) struct Begun<'a> {
    pub(super) news: News,
    pub(super) rows: Rows<'a>,
    pub(super) logs: Logs,
}

/// The writer's side.
pub(super) struct Desk {
    address: Arc<Address>,
    pub(super) bells: Bells,
    pub(super) lanes: Lanes,
    node: i64,
    pub(super) session: Option<Arc<Session>>,
    /// Counts the transactions of this node.
    pub(super) batch: i64,
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
            session: Some(Arc::new(session)),
            batch: 0,
            doubt: None,
            again: Vec::new(),
            later: Vec::new(),
            reconnect,
        }
    }

    /// Something is to be done before the next group that has nothing to do with it.
    pub(super) fn is_behind(&self) -> bool {
        self.doubt.is_some() || !self.again.is_empty()
    }

    /// Something was left for the next transaction.
    pub(super) fn has_later(&self) -> bool {
        !self.later.is_empty()
    }

    /// Works on what was in doubt: told, or done again. False where the time for it was over.
    pub(super) async fn catch_up(&mut self, deadline: Instant) -> bool {
        let reached = self.doubt.is_none() || self.reach(deadline).await;
        let again = std::mem::take(&mut self.again);
        if !again.is_empty() {
            Box::pin(self.work(again)).await;
        }
        reached
    }

    /// What is to be done in the next transaction, of what waits; nothing where nothing does, or where too little does to be
    /// begun behind another.
    pub(super) fn gather(
        &mut self,
        queue: &mut mpsc::Receiver<Op>,
        mut first: Vec<Op>,
        is_alone: bool,
    ) -> Vec<Op> {
        let mut all = std::mem::take(&mut self.later);
        all.append(&mut first);
        while all.len() < GROUP_MAX
            && let Ok(op) = queue.try_recv()
        {
            all.push(op);
        }
        let (now, later) = choose(all, is_alone);
        self.later = later;
        now
    }

    /// Whether it goes with the usual ones: into a transaction that is begun before the one ahead of it has ended.
    pub(super) fn is_usual(&self, group: &[Op]) -> bool {
        let session = self.session.as_ref().is_some_and(|session| !session.client.is_closed());
        session
            && !self.is_behind()
            && group.iter().map(|op| op.ask.bytes()).sum::<usize>() <= GROUP_BYTES_MAX
    }

    /// A transaction that was sent behind another did not come to its end.
    pub(super) async fn unended(&mut self, Unended { group, news, batch, ended }: Unended) {
        match ended {
            commit::Ended::Unknown(fail) => self.doubts(group, news, batch, &fail),
            commit::Ended::Committed => tell(&self.bells, group, news),
            commit::Ended::Failed(fail) => {
                // What could not be sent may have left it open.
                if let Some(session) = self.session.clone()
                    && !roll_back(&session, &fail, Instant::now()).await
                {
                    self.session = None;
                }
                self.work(group).await;
            }
        }
    }

    fn doubts(&mut self, group: Vec<Op>, news: News, batch: i64, fail: &Fail) {
        warn!(error = %fail.store_error(), "The answer to a commit was lost; the database will be asked");
        self.session = None;
        self.doubt = Some(Doubt { group, news, batch });
    }

    /// The connection goes, with all that was begun on it.
    pub(super) fn hang_up(&mut self) {
        self.session = None;
    }

    /// Ends in good order.
    pub(super) async fn close(mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Brings a group to its end, whatever that is.
    pub(super) async fn work(&mut self, mut group: Vec<Op>) {
        if group.len() > 1 && group.iter().map(|op| op.ask.bytes()).sum::<usize>() > GROUP_BYTES_MAX {
            let rest = group.split_off(group.len() / 2);
            Box::pin(self.work(group)).await;
            return Box::pin(self.work(rest)).await;
        }
        let deadline = patience(&group);
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
                End::Committed(news) => return tell(&self.bells, group, news),
                End::Unknown(news, fail) => return self.doubts(group, news, self.batch, &fail),
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
                        self.session = Some(Arc::new(session));
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
                tell(&self.bells, doubt.group, doubt.news);
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
        let deadline = at_least(deadline);
        let first = std::future::ready(Ok(()));
        let Begun { news, rows, logs } =
            match begin(session, (&self.lanes, self.batch), group, deadline, first).await {
                Ok(begun) => begun,
                Err(fail) => return rolled_back(session, fail, deadline).await,
            };
        match timeout_at(deadline, Box::pin(commit(session, &rows, &logs))).await {
            Ok(commit::Ended::Committed) => End::Committed(news),
            Ok(commit::Ended::Failed(fail)) => rolled_back(session, fail, deadline).await,
            Ok(commit::Ended::Unknown(fail)) => End::Unknown(news, fail),
            Err(_) => End::Unknown(news, Fail::Cut),
        }
    }
}

/// A group whose transaction did not come to its end behind another.
pub(super) struct Unended {
    pub(super) group: Vec<Op>,
    pub(super) news: News,
    pub(super) batch: i64,
    pub(super) ended: commit::Ended,
}

/// How long those who asked wait for the database.
pub(super) fn patience(group: &[Op]) -> Instant {
    group.iter().map(|op| op.asked).min().unwrap_or_else(Instant::now) + PATIENCE
}

/// A group that waited long still gets the time that a transaction takes.
pub(super) fn at_least(deadline: Instant) -> Instant {
    deadline.max(Instant::now() + Duration::from_secs(2))
}

/// Begins a transaction and does all of it but its end. What it came to is judged after `before`.
///
/// # Errors
/// It is to be rolled back; [`Fail::Cut`]: its time was over, and the connection is to go.
pub(super) async fn begin<'a>(
    session: &Session,
    (lanes, batch): (&Lanes, i64),
    group: &'a [Op],
    deadline: Instant,
    before: impl Future<Output = Result<(), Fail>>,
) -> Result<Begun<'a>, Fail> {
    let handing = Handing::new(lanes.clone());
    let mut tx = Tx { session, logs: Logs::default(), handing, hints: BTreeSet::new() };
    let work = Work::of(group.iter().map(|op| &op.ask).collect());
    let done = timeout_at(deadline, Box::pin(work.perform(&mut tx, batch, before))).await;
    let (told, rows) = done.map_err(|_| Fail::Cut)??;
    let Tx { logs, handing, mut hints, .. } = tx;
    hints.extend(logs.answered().map(hints::answers));
    Ok(Begun { news: News { told, handing, hints }, rows, logs })
}

/// It is committed: those who asked are told, and what was leased goes to its lanes.
pub(super) fn tell(bells: &Bells, group: Vec<Op>, mut news: News) {
    let rung = news.handing.end(true);
    for (op, told) in group.into_iter().zip(news.told) {
        op.finish(Ok(told));
    }
    news.hints.extend(rung.everywhere);
    bells.ring(news.hints.into_iter().collect());
    bells.ring_here(&rung.here);
}

/// Ends what was begun, where its time is not over.
pub(super) async fn roll_back(session: &Session, fail: &Fail, deadline: Instant) -> bool {
    if matches!(fail, Fail::Cut) {
        return false;
    }
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    matches!(timeout_at(deadline, session.client.batch_execute("ROLLBACK")).await, Ok(Ok(())))
}

async fn rolled_back(session: &Session, fail: Fail, deadline: Instant) -> End {
    End::Failed(if roll_back(session, &fail, deadline).await { fail } else { Fail::Cut })
}
