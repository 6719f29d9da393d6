//! The parts that follow the configuration: what did not change goes on untouched, the rest is stopped softly and
//! started anew.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::lifecycle::{Part, Tasks};

/// What a part is started from. Two that are equal make the same part.
pub(super) type From = [u8; 32];

/// A part as a configuration wants it.
pub(super) struct Planned {
    /// What it is: the same part of two configurations has the same name.
    name: String,
    from: From,
    start: Box<dyn FnOnce(&Tasks) + Send>,
}

impl Planned {
    /// `from` is everything that it is made of; a file's digest goes in as `files`.
    pub(super) fn new(
        name: impl Into<String>,
        from: &(impl Debug + ?Sized),
        files: From,
        start: impl FnOnce(&Tasks) + Send + 'static,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{from:?}"));
        hash.update(files);
        Self { name: name.into(), from: hash.finalize().into(), start: Box::new(start) }
    }
}

struct Running {
    from: From,
    part: Part,
}

/// Parts that are exchanged together.
#[derive(Default)]
pub(super) struct Parts {
    running: BTreeMap<String, Running>,
}

/// What an exchange is going to do.
pub(super) struct Exchange {
    start: Vec<Planned>,
}

impl Parts {
    /// Stops, softly and all at once, what goes and what comes back changed. What stays runs on.
    pub(super) async fn stop_for(&mut self, planned: Vec<Planned>, grace: Duration) -> Exchange {
        let mut stays = BTreeMap::new();
        let mut start = Vec::new();
        for one in planned {
            match self.running.remove(&one.name) {
                Some(running) if running.from == one.from => {
                    stays.insert(one.name, running);
                }
                Some(running) => {
                    // It goes by its own name, so that what replaces it may come.
                    self.running.insert(one.name.clone(), running);
                    start.push(one);
                }
                None => start.push(one),
            }
        }
        let going = std::mem::replace(&mut self.running, stays);
        let ended = going.into_iter().map(async |(name, running)| (name, running.part.end(grace).await));
        for (name, ended) in join_all(ended).await {
            if ended {
                info!(part = %name, "Stopped for another configuration");
            } else {
                warn!(part = %name, "It did not stop for another configuration and is left to itself");
            }
        }
        Exchange { start }
    }

    /// Starts what is new.
    pub(super) fn start(&mut self, exchange: Exchange, tasks: &Tasks) {
        for Planned { name, from, start } in exchange.start {
            let part = tasks.part();
            start(part.tasks());
            self.running.insert(name, Running { from, part });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::lifecycle::Stop;

    type Log = Arc<Mutex<Vec<String>>>;

    /// A part that tells when it starts and when it ends.
    fn planned(log: &Log, name: &str, from: &str) -> Planned {
        let (log, told) = (Arc::clone(log), format!("{name}={from}"));
        Planned::new(name, from, [0; 32], move |tasks| {
            log.lock().unwrap().push(format!("start {told}"));
            let stop = tasks.stop().clone();
            tasks.spawn("part", async move {
                stop.soft().await;
                log.lock().unwrap().push(format!("end {told}"));
                Ok::<(), Infallible>(())
            });
        })
    }

    #[tokio::test]
    async fn what_did_not_change_goes_on_and_a_change_ends_before_it_begins() {
        let (tasks, log) = (Tasks::new(Stop::new()), Log::default());
        let mut parts = Parts::default();
        let taken = |log: &Log| std::mem::take(&mut *log.lock().unwrap());
        let grace = Duration::from_secs(20);
        let first = vec![planned(&log, "a", "1"), planned(&log, "b", "1"), planned(&log, "c", "1")];
        let exchange = parts.stop_for(first, grace).await;
        parts.start(exchange, &tasks);
        assert_eq!(taken(&log), ["start a=1", "start b=1", "start c=1"]);
        let second = vec![planned(&log, "a", "1"), planned(&log, "b", "2"), planned(&log, "d", "1")];
        let exchange = parts.stop_for(second, grace).await;
        assert_eq!(taken(&log), ["end b=1", "end c=1"], "nothing new runs beside the old");
        parts.start(exchange, &tasks);
        assert_eq!(taken(&log), ["start b=2", "start d=1"]);
        tasks.stop().request();
        tasks.finish(grace).await;
        let mut rest = taken(&log);
        rest.sort();
        assert_eq!(rest, ["end a=1", "end b=2", "end d=1"]);
    }
}
