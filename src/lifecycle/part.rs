//! A part of the process that may be stopped and started while the rest goes on.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::warn;

use super::{Stop, Tasks};

/// How long the tasks of a part that were told to stop at once get to notice.
const HARD_GRACE: Duration = Duration::from_secs(2);

/// Tasks that stop with the process, or together before it.
#[derive(Debug)]
pub struct Part {
    tasks: Tasks,
}

impl Tasks {
    /// A part of its own: its tasks are the process's too.
    pub fn part(&self) -> Part {
        let tasks = Self { stop: self.stop.below(), own: Some(TaskTracker::new()), ..self.clone() };
        Part { tasks }
    }
}

impl Part {
    /// Where its tasks are started, and the stop that they listen to.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Asks its tasks to take nothing new.
    pub fn stop(&self) -> &Stop {
        self.tasks.stop()
    }

    /// Stops it softly, and hard after `grace`. False: something did not end even then, and was left to itself.
    pub async fn end(self, grace: Duration) -> bool {
        let Self { tasks } = self;
        let Some(own) = &tasks.own else { return true };
        tasks.stop.request();
        own.close();
        if tokio::time::timeout(grace, own.wait()).await.is_ok() {
            return true;
        }
        warn!(?grace, "A part did not end in time: stopping it at once");
        tasks.stop.force();
        tokio::time::timeout(HARD_GRACE, own.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const GRACE: Duration = Duration::from_secs(20);

    fn obedient(part: &Part) {
        let stop = part.stop().clone();
        part.tasks().spawn("obedient", async move {
            stop.soft().await;
            Ok::<(), Infallible>(())
        });
    }

    #[tokio::test]
    async fn a_part_ends_alone_and_the_process_goes_on() {
        let tasks = Tasks::new(Stop::new());
        let (one, other) = (tasks.part(), tasks.part());
        obedient(&one);
        obedient(&other);
        assert!(one.end(GRACE).await);
        assert!(!tasks.stop().is_soft() && !other.stop().is_soft());
        tasks.stop().request();
        assert!(other.stop().is_soft(), "the process's stop is every part's");
        assert_eq!(tasks.finish(GRACE).await.left, Vec::<&str>::new());
    }

    #[tokio::test]
    async fn what_fails_in_a_part_stops_the_process() {
        let tasks = Tasks::new(Stop::new());
        let part = tasks.part();
        part.tasks().spawn("lane", async { Err(std::io::Error::other("planted")) });
        let end = tasks.finish(GRACE).await;
        assert_eq!(end.crash.map(|crash| crash.reason).as_deref(), Some("planted"));
    }

    #[tokio::test]
    async fn what_does_not_end_is_stopped_at_once_and_then_left() {
        let tasks = Tasks::new(Stop::new());
        let (slow, deaf) = (tasks.part(), tasks.part());
        let stop = slow.stop().clone();
        slow.tasks().spawn("slow", async move {
            stop.hard().await;
            Ok::<(), Infallible>(())
        });
        deaf.tasks().spawn("deaf", std::future::pending::<Result<(), Infallible>>());
        let short = Duration::from_millis(20);
        assert!(slow.end(short).await);
        assert!(!deaf.end(short).await);
    }
}
