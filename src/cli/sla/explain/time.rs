//! Where the time of a promise went: every second of it is somebody's, and nobody's twice.

use jiff::{SignedDuration, Timestamp};

use crate::store::views::RunView;

/// A gateway that lives says so more often than this.
const SILENT_MAX: SignedDuration = SignedDuration::from_secs(30);

/// From one instant to another, in seconds since the epoch: the second that is its end is not in it.
pub(super) type Span = (i64, i64);

/// Whose the time was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// It had not arrived here yet.
    Sender,
    /// The clock stood still: somebody else had to do something first.
    Paused,
    /// No gateway was up.
    GatewayDown,
    /// In attempts.
    Attempting,
    /// Its circuit was open, or between attempts after faults of the receiver.
    ReceiverUnavailable,
    /// The receiver has it, or may fetch it, and is to act.
    Receiver,
    /// Here, before the first attempt.
    BeforeFirst,
    /// Here, otherwise.
    Waiting,
}

/// What is known of the time between two instants.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) arrived: i64,
    pub(super) paused: Vec<Span>,
    pub(super) down: Vec<Span>,
    /// The receiver's circuit was open.
    pub(super) unavailable: Vec<Span>,
    /// Attempts in their order, and whose the time after each is until the next.
    pub(super) attempts: Vec<(Span, Whose)>,
    /// From then on the receiver has it.
    pub(super) delivered: Option<i64>,
}

impl Known {
    /// The seconds of each.
    pub(super) fn sum(&self, whose: Whose) -> i64 {
        self.parts().into_iter().filter(|(_, is)| *is == whose).map(|((from, to), _)| to - from).sum()
    }

    /// The time in parts that follow each other.
    pub(super) fn parts(&self) -> Vec<(Span, Whose)> {
        let spans = self
            .paused
            .iter()
            .chain(&self.down)
            .chain(&self.unavailable)
            .chain(self.attempts.iter().map(|(span, _)| span));
        let mut edges: Vec<i64> = spans.flat_map(|(from, to)| [*from, *to]).collect();
        edges.extend([self.from, self.until, self.arrived]);
        edges.extend(self.delivered);
        edges.retain(|at| (self.from..=self.until).contains(at));
        edges.sort_unstable();
        edges.dedup();
        edges.windows(2).map(|edge| ((edge[0], edge[1]), self.at(edge[0]))).collect()
    }

    /// Whose the second is that begins at `at`. What comes first here goes before what follows.
    fn at(&self, at: i64) -> Whose {
        let within = |(from, to): &Span| (*from..*to).contains(&at);
        if at < self.arrived {
            return Whose::Sender;
        }
        if self.paused.iter().any(within) {
            return Whose::Paused;
        }
        if self.down.iter().any(within) {
            return Whose::GatewayDown;
        }
        if self.attempts.iter().any(|(span, _)| within(span)) {
            return Whose::Attempting;
        }
        if self.delivered.is_some_and(|delivered| at >= delivered) {
            return Whose::Receiver;
        }
        if self.unavailable.iter().any(within) {
            return Whose::ReceiverUnavailable;
        }
        let before = self.attempts.iter().rfind(|((from, _), _)| *from <= at);
        before.map_or(Whose::BeforeFirst, |(_, after)| *after)
    }
}

/// When no gateway was up, as far as is known: nobody knows of the time before the first run.
pub(super) fn down(runs: &[RunView], now: Timestamp) -> Vec<Span> {
    let mut down = Vec::new();
    let mut last: Option<RunView> = None;
    for run in runs {
        match &mut last {
            Some(before) if run.started <= before.seen => {
                if run.seen >= before.seen {
                    *before = RunView { started: before.started, ..*run };
                }
            }
            Some(before) => {
                down.push((before.seen.as_second(), run.started.as_second()));
                *before = *run;
            }
            None => last = Some(*run),
        }
    }
    if let Some(last) = last
        && (last.in_order || now.duration_since(last.seen) > SILENT_MAX)
        && last.seen < now
    {
        down.push((last.seen.as_second(), now.as_second()));
    }
    down
}
