//! Says every few seconds that this process is up, so that a promise's story can tell the time in which nobody was.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;
use uuid::Uuid;

use super::Desk;
use crate::store::Beat;

/// How often. A process that is killed was last seen so long before its end at the most.
const EVERY: Duration = Duration::from_secs(10);

/// This process's run.
pub(super) struct Alive {
    run: Uuid,
    node: String,
    started: Timestamp,
    said: Option<(Duration, Timestamp)>,
}

impl Alive {
    pub(super) fn new(desk: &Desk) -> Self {
        let node = format!("process {}", std::process::id());
        Self { run: Uuid::new_v4(), node, started: desk.clock.now(), said: None }
    }

    /// Says so, where it is time to.
    pub(super) async fn beat(&mut self, desk: &Desk) {
        let (now, wall) = (desk.clock.monotonic(), desk.clock.now());
        // Also after the clock was set: else it would look as if nobody had been up meanwhile.
        let is_time = |(said, at): (Duration, Timestamp)| {
            now.saturating_sub(said) >= EVERY || wall.duration_since(at).unsigned_abs() >= EVERY
        };
        if self.said.is_none_or(is_time) && self.say(desk, false).await {
            self.said = Some((now, wall));
        }
    }

    /// The process ends in good order.
    pub(super) async fn end(&self, desk: &Desk) {
        self.say(desk, true).await;
    }

    async fn say(&self, desk: &Desk, ends: bool) -> bool {
        let now = if self.said.is_none() && !ends { self.started } else { desk.clock.now() };
        let (run, node, started) = (self.run, self.node.clone(), self.started);
        match desk.store.beat(Beat { run, node, started, now, ends }).await {
            Ok(()) => true,
            Err(error) => {
                warn!(error = %error, "That the gateway is up could not be written down");
                false
            }
        }
    }
}
