//! Two turns on one connection: while the server works on what ends a transaction, the next one is gathered and sent
//! behind it, so that neither waits for the other.
//!
//! What is sent behind a transaction is not judged, and its own end not sent, before the one ahead is known to be committed.
//! Where that is not, what was begun behind it is rolled back, and both are done one after the other, in their order: nothing
//! is stored before what was to be stored before it.

use futures_util::poll;
use tokio::{
    sync::{Mutex, MutexGuard, mpsc},
    time::{Instant, timeout_at},
};

use super::{
    commit::{self, commit},
    fail::Fail,
    listen::Bells,
    op::Op,
    writer::{Begun, Desk, Unended, at_least, begin, patience, roll_back, tell},
};

/// How long nothing is asked while what is in doubt is asked for.
const DOUBT_MAX: std::time::Duration = std::time::Duration::from_secs(1);

/// Works until nobody can ask any more.
pub(super) async fn serve(desk: Desk, queue: mpsc::Receiver<Op>) {
    let bells = desk.bells.clone();
    let turns = Turns { turn: Mutex::new(Turn { desk, queue }), ahead: Mutex::new(None), bells };
    futures_util::join!(Box::pin(turns.serve()), Box::pin(turns.serve()));
    turns.turn.into_inner().desk.close().await;
}

struct Turns {
    /// Who has it begins a transaction.
    turn: Mutex<Turn>,
    /// Held from a transaction's judgement until it is known how it ended: for long only by who gave the turn away. Here lies
    /// one that did not come to its end.
    ahead: Mutex<Option<Unended>>,
    bells: Bells,
}

struct Turn {
    desk: Desk,
    queue: mpsc::Receiver<Op>,
}

impl Turns {
    async fn serve(&self) {
        loop {
            let mut turn = self.turn.lock().await;
            let Some(group) = self.next(&mut turn).await else { return };
            if turn.desk.is_usual(&group) {
                self.transaction(turn, group).await;
            } else {
                self.ended(&mut turn.desk).await;
                turn.desk.work(group).await;
            }
        }
    }

    /// Waits for the end of the transaction ahead, and brings it about where it did not come.
    async fn ended(&self, desk: &mut Desk) {
        let unended = self.ahead.lock().await.take();
        if let Some(unended) = unended {
            desk.unended(unended).await;
        }
    }

    /// The next group. `None`: nobody can ask any more, and nothing is left to do.
    async fn next(&self, Turn { desk, queue }: &mut Turn) -> Option<Vec<Op>> {
        loop {
            // Free: nothing is ahead.
            let is_alone = self.ahead.try_lock().is_ok();
            if is_alone {
                self.ended(desk).await;
            }
            if desk.is_behind() && queue.is_empty() && !desk.has_later() {
                // Nobody need ask for those in doubt to learn their fate.
                if !desk.catch_up(Instant::now() + DOUBT_MAX).await && queue.is_closed() {
                    return None;
                }
                continue;
            }
            let group = desk.gather(queue, Vec::new(), is_alone);
            if !group.is_empty() {
                return Some(group);
            }
            let mut first = Vec::with_capacity(1);
            let count = tokio::select! {
                biased;
                // Who asks again finds how it ended.
                _ = self.ahead.lock(), if !is_alone => continue,
                count = queue.recv_many(&mut first, 1) => count,
            };
            if count == 0 && !desk.has_later() {
                return None;
            }
            let group = desk.gather(queue, first, is_alone || count == 0);
            if !group.is_empty() {
                return Some(group);
            }
        }
    }

    /// One transaction, whose turn ends when all of it is sent.
    async fn transaction(&self, mut turn: MutexGuard<'_, Turn>, group: Vec<Op>) {
        let desk = &mut turn.desk;
        let Some(session) = desk.session.clone() else { return desk.work(group).await };
        desk.batch += 1;
        let (batch, deadline) = (desk.batch, at_least(patience(&group)));
        let mut ahead = None;
        let before = async {
            let unended = &*ahead.insert(self.ahead.lock().await);
            if unended.is_some() { Err(Fail::Again) } else { Ok(()) }
        };
        let begun = begin(&session, (&desk.lanes, batch), &group, deadline, before).await;
        let (news, ended) = match begun {
            Ok(Begun { news, rows, logs }) => {
                let mut commit = Box::pin(timeout_at(deadline, commit(&session, &rows, &logs)));
                // The first time that it is asked, it sends all there is.
                let sent = poll!(&mut commit);
                drop(turn);
                let ended = match sent {
                    std::task::Poll::Ready(ended) => ended,
                    std::task::Poll::Pending => commit.await,
                };
                (news, ended.unwrap_or(commit::Ended::Unknown(Fail::Cut)))
            }
            Err(fail) => {
                if !roll_back(&session, &fail, deadline).await {
                    desk.hang_up();
                }
                drop(ahead);
                self.ended(desk).await;
                return desk.work(group).await;
            }
        };
        if matches!(ended, commit::Ended::Committed) {
            tell(&self.bells, group, news);
        } else if let Some(ahead) = &mut ahead {
            **ahead = Some(Unended { group, news, batch, ended });
        }
    }
}
