//! The machine's clock, and the gateway itself.

use std::{path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::{
    clock::{Clock, System},
    config::Settings,
    http_client,
};

/// Present while the system's own client keeps the clock by the network.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// How long the two clocks are compared.
const COMPARED: Duration = Duration::from_millis(250);
/// More apart than this, and the wall clock is being set just now.
const APART_MAX: SignedDuration = SignedDuration::from_millis(50);
/// A clock before this year was never set.
const YEAR_MIN: i16 = 2026;

pub(super) async fn clock() -> Vec<Finding> {
    let (wall, monotonic) = (System.now(), System.monotonic());
    System.sleep(COMPARED).await;
    let passed = SignedDuration::try_from(System.monotonic().saturating_sub(monotonic)).unwrap_or_default();
    vec![
        steady(System.now().duration_since(wall) - passed, wall),
        synchronised(Path::new(SYNCHRONISED).exists()),
    ]
}

fn steady(apart: SignedDuration, now: Timestamp) -> Finding {
    let set = "set the clock: deadlines stand on it";
    if now.to_zoned(jiff::tz::TimeZone::UTC).year() < YEAR_MIN {
        return Finding::fail("clock", format!("it shows {now}"), set);
    }
    if apart.abs() > APART_MAX {
        let says = format!("the wall clock moved by {} ms against the other", apart.as_millis());
        return Finding::warn("clock", says, "see what sets it; it should be slewed, not stepped");
    }
    Finding::ok("clock", "wall and monotonic clock go alike")
}

fn synchronised(is: bool) -> Finding {
    if is {
        return Finding::ok("clock's source", "kept by the network (systemd-timesyncd)");
    }
    Finding::warn(
        "clock's source",
        "systemd-timesyncd does not say that the clock is synchronised",
        "see that chrony, ntpd or the host keeps it: a wrong clock breaches promises",
    )
}

/// Whether the gateway answers at its address.
pub(super) async fn gateway(settings: &Settings) -> Finding {
    let listen = &settings.http.listen;
    if listen.is_empty() {
        return Finding::ok("gateway", "it serves no HTTP, so it cannot be asked");
    }
    let what = format!("gateway at {listen}");
    match ready(listen).await {
        Ok(200) => Finding::ok(what, "it is ready"),
        Ok(status) => Finding::fail(what, format!("/readyz answers {status}"), "look at its log"),
        Err(says) => Finding::warn(what, says, "start it with `kassebro run`, unless it is meant to be down"),
    }
}

async fn ready(listen: &str) -> Result<u16, String> {
    let client = http_client::build(&http_client::Settings {
        connect_timeout: Duration::from_secs(2),
        ca_file: None,
        client_identity_file: None,
        allow_private_addresses: true,
    });
    let client = client.map_err(|error| error.to_string())?;
    // What listens on every address answers on this machine's own.
    let address = listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let request = client.get(format!("http://{address}/readyz")).timeout(Duration::from_secs(5));
    request.send().await.map(|answer| answer.status().as_u16()).map_err(http_client::describe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Standing;

    #[test]
    fn a_clock_that_was_never_set_or_jumps_is_noticed() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (apart, at, standing) in [
            (0, now, Standing::Ok),
            (-49, now, Standing::Ok),
            (51, now, Standing::Warn),
            (-3_600_000, now, Standing::Warn),
            (0, Timestamp::UNIX_EPOCH, Standing::Fail),
        ] {
            assert_eq!(steady(SignedDuration::from_millis(apart), at).standing, standing, "{apart} {at}");
        }
    }
}
