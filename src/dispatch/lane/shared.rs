//! What a lane knows of its circuit in the table, which the lanes of other nodes for the same receiver move too.
//!
//! The table has the last word: who finds another circuit there than it last wrote or read takes that one for its
//! own. Two that move it at the same time overwrite one another, and agree again within the time of a look.

use std::time::Duration;

use crate::{dispatch::Standing, domain::circuit::Circuit};

pub(super) struct Shared {
    /// As it was last written or read.
    last: Circuit,
    /// When the last writing of it was over. A reading that began before may show what was there before.
    written: Duration,
}

impl Shared {
    /// Of a circuit that was just read.
    pub(super) fn new(read: Circuit) -> Self {
        Self { last: read, written: Duration::ZERO }
    }

    /// This lane's own move was stored; `at` is the monotonic clock's word.
    pub(super) fn wrote(&mut self, circuit: &Circuit, at: Duration) {
        self.last = circuit.clone();
        self.written = at;
    }

    /// The circuit that another node left in the table, once.
    pub(super) fn news(&mut self, standing: &Standing, receiver: &str) -> Option<Circuit> {
        let stored = &standing.lanes.get(receiver)?.circuit;
        if standing.read < self.written || *stored == self.last {
            return None;
        }
        self.last = stored.clone();
        Some(stored.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Fault, FaultCode},
        store::LaneState,
    };

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn open(probes: u32) -> Circuit {
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        Circuit::Open { since: at, probe_at: at, probes, fault: Fault::new(FaultCode::ReceiverError, "503") }
    }

    fn table(read: u64, circuit: &Circuit) -> Standing {
        let lane = LaneState { receiver: "kbh".into(), circuit: circuit.clone(), paused: None };
        Standing { read: second(read), lanes: [("kbh".to_owned(), lane)].into(), ..Standing::default() }
    }

    #[test]
    fn what_another_node_left_is_taken_once() {
        let mut shared = Shared::new(Circuit::default());
        assert_eq!(shared.news(&table(1, &Circuit::default()), "kbh"), None, "nobody moved it");
        assert_eq!(shared.news(&table(2, &open(0)), "kbh"), Some(open(0)));
        assert_eq!(shared.news(&table(3, &open(0)), "kbh"), None, "it is known now");
        assert_eq!(shared.news(&table(4, &open(1)), "kbh"), Some(open(1)), "the other probed");
        assert_eq!(shared.news(&table(5, &Circuit::default()), "kbh"), Some(Circuit::default()));
        assert_eq!(shared.news(&table(6, &open(2)), "another"), None, "that is no receiver of this lane");
        assert_eq!(shared.news(&Standing::default(), "kbh"), None, "nobody wrote one yet");
    }

    #[test]
    fn ones_own_move_is_no_news_and_what_was_read_before_it_is_old() {
        let mut shared = Shared::new(Circuit::default());
        shared.wrote(&open(0), second(10));
        assert_eq!(shared.news(&table(9, &Circuit::default()), "kbh"), None, "read before it was written");
        assert_eq!(shared.news(&table(10, &open(0)), "kbh"), None);
        assert_eq!(shared.news(&table(11, &Circuit::default()), "kbh"), Some(Circuit::default()));
    }
}
