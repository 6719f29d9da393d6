//! Starting and stopping: the only place that starts tasks, and a stop in two stages.
//!
//! A task that fails or panics takes the process down in an orderly way, because a supervisor restarts a
//! whole process cleanly and half a daemon serves nobody.

use std::{
    collections::BTreeMap,
    error::Error,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

pub mod crash;
pub mod supervisor;

pub use part::Part;

mod part;

/// The exit code after a crash, so that a supervisor can tell it from an orderly end.
pub const EXIT_CRASH: u8 = 70;

/// The task that listens for signals; it is no work, so nobody waits for it.
const SIGNALS: &str = "signals";

/// How long tasks that were told to stop at once get to notice.
const HARD_GRACE: Duration = Duration::from_secs(2);

/// Says when to stop. Soft: take nothing new and finish what is in hand. Hard: drop everything, what is in
/// hand is taken up again from the store. Clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    pub fn new() -> Self {
        Self::default()
    }

    /// Completes when nothing new is to be taken.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Completes when everything is to be dropped.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    pub fn is_soft(&self) -> bool {
        self.soft.is_cancelled()
    }

    pub fn is_hard(&self) -> bool {
        self.hard.is_cancelled()
    }

    /// Asks for the soft stop.
    pub fn request(&self) {
        self.soft.cancel();
    }

    /// Asks for the hard stop, which is a soft one too.
    pub fn force(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// A stop that comes with this one, and may come before it.
    fn below(&self) -> Self {
        Self { soft: self.soft.child_token(), hard: self.hard.child_token() }
    }

    /// Runs `future` until it ends or the hard stop comes. `None`: it was dropped.
    pub async fn unless_hard<F: Future>(&self, future: F) -> Option<F::Output> {
        self.hard.run_until_cancelled(future).await
    }

    /// Runs `future` until it ends or the soft stop comes. `None`: it was dropped.
    pub async fn unless_soft<F: Future>(&self, future: F) -> Option<F::Output> {
        self.soft.run_until_cancelled(future).await
    }
}

/// The tasks of the process, by name. Clones are the same set.
#[derive(Debug, Clone)]
pub struct Tasks {
    stop: Stop,
    /// The whole process's: what fails stops everything, whichever part it belongs to.
    process: Stop,
    tracker: TaskTracker,
    /// Of the part that this is, where it is one.
    own: Option<TaskTracker>,
    book: Arc<Mutex<Book>>,
    /// Rung when a task ends.
    ended: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Book {
    running: BTreeMap<u64, &'static str>,
    started: u64,
    crash: Option<Crash>,
}

/// The first task that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    pub task: &'static str,
    /// The error with its causes, or what the panic said.
    pub reason: String,
}

/// How the process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub crash: Option<Crash>,
    /// Tasks that did not end in time and were dropped.
    pub left: Vec<&'static str>,
}

impl End {
    /// 0 after an orderly end, also when tasks had to be dropped; 70 after a crash.
    pub fn exit_code(&self) -> u8 {
        if self.crash.is_some() { EXIT_CRASH } else { 0 }
    }
}

impl Tasks {
    pub fn new(stop: Stop) -> Self {
        Self {
            process: stop.clone(),
            stop,
            tracker: TaskTracker::new(),
            own: None,
            book: Arc::default(),
            ended: Arc::default(),
        }
    }

    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Starts a task. If it returns an error or panics, the whole process stops with [`EXIT_CRASH`].
    #[expect(clippy::disallowed_methods, reason = "this is the supervised spawn")]
    pub fn spawn<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let number = {
            let mut book = self.book();
            book.started += 1;
            let number = book.started;
            book.running.insert(number, name);
            number
        };
        let tasks = self.clone();
        // Tracked by a token rather than by the tracker's own spawn, so that the book is closed first.
        let token = (self.tracker.token(), self.own.as_ref().map(TaskTracker::token));
        tokio::spawn(async move {
            let reason = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(error.into().as_ref())),
                Err(panic) => Some(panic_text(panic.as_ref())),
            };
            tasks.has_ended(number, name, reason);
            drop(token);
        });
    }

    /// Says, each time it is asked, when SIGHUP came since: someone wants the configuration to be read again.
    ///
    /// # Errors
    /// The operating system refused the signal handler.
    pub fn hang_ups() -> std::io::Result<tokio::signal::unix::Signal> {
        signal(SignalKind::hangup())
    }

    /// Starts the task that listens for SIGTERM and SIGINT: the first asks for the soft stop, the second for
    /// the hard one.
    ///
    /// # Errors
    /// The operating system refused the signal handlers.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.stop.clone();
        self.spawn(SIGNALS, async move {
            let mut both = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            if stop.unless_hard(both()).await.is_some() {
                info!("Asked to stop: taking nothing new, finishing what is in hand");
                stop.request();
                // Ends with the process: the wait for a second signal is not work that is in hand.
                if stop.unless_hard(both()).await.is_some() {
                    warn!("Asked again: stopping at once");
                    stop.force();
                }
            }
            Ok::<(), std::convert::Infallible>(())
        });
        Ok(())
    }

    /// Waits until the soft stop is asked for, then at most `grace` for the tasks to end, then stops hard.
    pub async fn finish(self, grace: Duration) -> End {
        self.stop.soft().await;
        supervisor::stopping();
        self.tracker.close();
        let in_hand = async {
            tokio::select! {
                () = self.only_signals_left() => {}
                () = self.stop.hard() => {}
            }
        };
        if tokio::time::timeout(grace, in_hand).await.is_err() {
            warn!(?grace, left = ?self.names(), "Tasks did not end in time: stopping at once");
        }
        self.stop.force();
        let _ = tokio::time::timeout(HARD_GRACE, self.tracker.wait()).await;
        let left = self.names();
        let crash = self.book().crash.clone();
        let end = End { crash, left };
        if !end.left.is_empty() {
            warn!(left = ?end.left, "Tasks were dropped; what they had in hand is taken up from the store");
        }
        end
    }

    /// Completes when no task but the listener for signals runs.
    async fn only_signals_left(&self) {
        loop {
            // Listening begins before looking, or a task that ends in between would not be noticed.
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.names().iter().all(|name| *name == SIGNALS) {
                return;
            }
            ended.await;
        }
    }

    fn has_ended(&self, number: u64, name: &'static str, reason: Option<String>) {
        let mut book = self.book();
        book.running.remove(&number);
        if let Some(reason) = reason {
            error!(task = name, reason, "Task {name} failed; the process stops");
            book.crash.get_or_insert(Crash { task: name, reason });
            self.process.request();
        }
        drop(book);
        self.ended.notify_waiters();
    }

    fn names(&self) -> Vec<&'static str> {
        self.book().running.values().copied().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error and its causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.as_deref().unwrap_or("without a text"))
}

#[cfg(test)]
mod tests;
