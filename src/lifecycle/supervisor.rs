//! What systemd is told: ready, stopping, still alive. Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

use super::Stop;

/// Says that the process serves. To be called once everything is started.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// Says that the configuration is being read again; [`ready`] says that it was, whatever came of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell_all(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "systemd could not be told that the configuration is read again"),
    }
}

/// Says that the process is on its way out.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells the watchdog, twice per period that systemd set, that the process lives, as long as `alive` says
/// so. Ends with the hard stop; at once where no watchdog is set.
pub async fn watchdog(stop: Stop, alive: impl Fn() -> bool + Send) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval((period / 2).max(Duration::from_millis(10)));
    while stop.unless_hard(beat.tick()).await.is_some() {
        if alive() {
            tell(NotifyState::Watchdog);
        }
    }
}

fn tell(state: NotifyState<'_>) {
    tell_all(&[state]);
}

fn tell_all(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told how the process stands");
    }
}
