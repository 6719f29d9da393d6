//! Planned maintenance of a receiver: a window in which it is left alone, known before it begins.
//!
//! In a window no ordinary attempt is made; what falls due for one goes when the window is over, nearest deadline
//! first. The attempt that is guaranteed shortly before a deadline is made all the same: a promise goes before a
//! courtesy, and a receiver that is busy with itself refuses it at worst.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a pending delivery is shown as waiting while a window lasts. It stands in no table: the window does.
pub const HOLD: &str = "maintenance";

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub receiver: String,
    pub from: Timestamp,
    /// Not within it any more.
    pub until: Timestamp,
    pub reason: String,
    /// Who set it.
    pub by: String,
}

impl Maintenance {
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// When the maintenance that `at` lies in is over, with every window that follows without a gap. `None`: `at` lies in
/// none.
pub fn over(windows: &[Maintenance], at: Timestamp) -> Option<Timestamp> {
    let mut end = at;
    while let Some(later) =
        windows.iter().filter(|window| window.covers(end)).map(|window| window.until).max()
    {
        end = later;
    }
    (end > at).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
    }

    fn window(from: i64, until: i64) -> Maintenance {
        let (receiver, reason, by) = ("kbh".into(), "new server".into(), "cli:op".into());
        Maintenance { receiver, from: at(from), until: at(until), reason, by }
    }

    #[test]
    fn windows_that_touch_are_one_time_of_rest() {
        let windows = [window(10, 20), window(20, 30), window(25, 28), window(31, 40)];
        for (now, expected) in
            [(9, None), (10, Some(30)), (20, Some(30)), (27, Some(30)), (30, None), (39, Some(40))]
        {
            assert_eq!(over(&windows, at(now)), expected.map(at), "{now}");
        }
        assert_eq!(over(&[], at(0)), None);
    }
}
