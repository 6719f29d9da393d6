//! What is counted for each message and each attempt: by party or receiver, and kind.
//!
//! On the way of every message, so that nothing here allocates once a pair of labels was seen.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    ForReceiver, seconds,
    table::{OTHER, Table, Words},
};

/// Rules that a refusal can name before the rest counts as `other`: there are about a hundred and fifty.
const RULES_MAX: usize = 512;

/// A step on a message's way through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and judging it.
    Validate,
    /// Rendering it for its receivers.
    Translate,
    /// Waiting for the commit of its batch.
    Store,
    /// One attempt.
    Deliver,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Validate, Self::Translate, Self::Store, Self::Deliver];

    fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Translate => "translate",
            Self::Store => "store",
            Self::Deliver => "deliver",
        }
    }
}

/// How a promise ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Met,
    MetLate,
    Breached,
    Waived,
}

impl Ended {
    fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::MetLate => "met_late",
            Self::Breached => "breached",
            Self::Waived => "waived",
        }
    }
}

/// Whom a promise waited for when it was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was kept.
    None,
    /// The message came when its time was over.
    Sender,
    /// The receiver did not take it.
    Receiver,
    /// Anything else: the gateway was down or slow, a person or an order held it.
    Handling,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Handling => "handling",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Arrivals {
    party: String,
    kind: String,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempts {
    receiver: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rejected {
    party: String,
    kind: String,
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct From {
    party: String,
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    kind: String,
    receiver: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dead {
    kind: String,
    receiver: String,
    fault_class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InStage {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcomes {
    kind: String,
    receiver: String,
    outcome: &'static str,
    cause: &'static str,
}

/// Seconds, from a moment to weeks: what people wait for.
fn long_seconds() -> Histogram {
    let hours = [1.0, 2.0, 4.0, 8.0, 12.0, 18.0, 24.0, 36.0, 48.0, 72.0, 168.0, 720.0].map(|h| h * 3_600.0);
    Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0].into_iter().chain(hours))
}

/// The counters themselves, and the handles that were taken from them.
#[derive(Debug)]
pub struct Flow {
    received: Family<Arrivals, Counter>,
    rejected: Family<Rejected, Counter>,
    delay: Family<From, Histogram>,
    attempts: Family<Attempts, Counter>,
    attempt_duration: Family<ForReceiver, Histogram>,
    under_way: Family<ForReceiver, Gauge>,
    delivered: Family<To, Counter>,
    dead: Family<Dead, Counter>,
    lead_time: Family<To, Histogram>,
    outcomes: Family<Outcomes, Counter>,
    stages: [Histogram; 4],
    arrivals: Table<Arrival>,
    attempted: Table<Attempted>,
    receivers: Table<Gauge>,
    deliveries: Table<Delivery>,
    rules: Words,
}

#[derive(Debug)]
struct Arrival {
    verdicts: [(&'static str, Counter); 4],
    delay: Histogram,
}

#[derive(Debug)]
struct Attempted {
    count: Counter,
    took: Histogram,
}

#[derive(Debug)]
struct Delivery {
    delivered: Counter,
    lead_time: Histogram,
    met: Counter,
}

impl Flow {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let stages: Family<InStage, Histogram> = Family::new_with_constructor(seconds);
        let flow = Self {
            received: Family::default(),
            rejected: Family::default(),
            delay: Family::new_with_constructor(long_seconds),
            attempts: Family::default(),
            attempt_duration: Family::new_with_constructor(seconds),
            under_way: Family::default(),
            delivered: Family::default(),
            dead: Family::default(),
            lead_time: Family::new_with_constructor(long_seconds),
            outcomes: Family::default(),
            stages: Stage::ALL.map(|stage| stages.get_or_create_owned(&InStage { stage: stage.name() })),
            arrivals: Table::default(),
            attempted: Table::default(),
            receivers: Table::default(),
            deliveries: Table::default(),
            rules: Words::default(),
        };
        let (seconds, f) = (Unit::Seconds, &flow);
        registry.register("messages_received", "Messages that arrived, by verdict", f.received.clone());
        registry.register("delivery_attempts", "Attempts, by what they came to", f.attempts.clone());
        registry.register_with_unit(
            "delivery_attempt_duration",
            "How long attempts took",
            seconds.clone(),
            f.attempt_duration.clone(),
        );
        registry.register(
            "messages_rejected",
            "Messages that were refused, each by the first rule it broke",
            f.rejected.clone(),
        );
        registry.register("messages_delivered", "Deliveries that their receiver took", f.delivered.clone());
        registry.register(
            "messages_dead",
            "Deliveries that ended at an attempt without being taken",
            f.dead.clone(),
        );
        registry.register(
            "sla_outcomes",
            "Promises that were met, met late or breached (and then met late too), and whom they waited for",
            f.outcomes.clone(),
        );
        registry.register("attempts_under_way", "Attempts that wait for their receiver", f.under_way.clone());
        registry.register_with_unit(
            "stage_duration",
            "How long one message took in each stage",
            seconds.clone(),
            stages,
        );
        registry.register_with_unit(
            "ingest_delay",
            "From when it happened in the business until the message came",
            seconds.clone(),
            f.delay.clone(),
        );
        registry.register_with_unit(
            "message_lead_time",
            "From when it happened in the business until the receiver took it",
            seconds,
            f.lead_time.clone(),
        );
        flow
    }

    /// A message came, with that verdict, so long after it had happened (if it said when).
    pub fn arrived(&self, party: &str, kind: &str, verdict: &str, delay: Option<Duration>) {
        let arrival = self.arrivals.get(party, kind, |party, kind| {
            let verdict = |verdict| {
                let labels = Arrivals { party: party.into(), kind: kind.into(), verdict };
                (verdict, self.received.get_or_create_owned(&labels))
            };
            Arrival {
                verdicts: ["accepted", "duplicate", "conflict", "rejected"].map(verdict),
                delay: self.delay.get_or_create_owned(&From { party: party.into(), kind: kind.into() }),
            }
        });
        if let Some((_, counter)) = arrival.verdicts.iter().find(|(word, _)| *word == verdict) {
            counter.inc();
        }
        if let Some(delay) = delay {
            arrival.delay.observe(delay.as_secs_f64());
        }
    }

    /// A message was refused; `rule` is the first that it broke.
    pub fn rejected(&self, party: &str, kind: &str, rule: &str) {
        // The names of rules are ours; this net keeps a mistake from growing without end.
        let rule = if self.rules.take(rule, RULES_MAX) { rule } else { OTHER };
        let labels = Rejected { party: party.into(), kind: kind.into(), rule: rule.into() };
        self.rejected.get_or_create(&labels).inc();
    }

    /// One message spent so long in a stage.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages[stage as usize].observe(took.as_secs_f64());
    }

    /// An attempt ended so.
    pub fn attempted(&self, receiver: &str, outcome: &'static str, took: Duration) {
        let attempted = self.attempted.get(receiver, outcome, |receiver, _| Attempted {
            count: self.attempts.get_or_create_owned(&Attempts { receiver: receiver.into(), outcome }),
            took: self.attempt_duration.get_or_create_owned(&ForReceiver { receiver: receiver.into() }),
        });
        attempted.count.inc();
        attempted.took.observe(took.as_secs_f64());
        self.stage(Stage::Deliver, took);
    }

    /// The gauge of the receiver's attempts that are under way.
    pub fn under_way(&self, receiver: &str) -> Gauge {
        let gauge = self.receivers.get(receiver, "", |receiver, _| {
            self.under_way.get_or_create_owned(&ForReceiver { receiver: receiver.into() })
        });
        Gauge::clone(&gauge)
    }

    fn delivery(&self, kind: &str, receiver: &str) -> std::sync::Arc<Delivery> {
        self.deliveries.get(kind, receiver, |kind, receiver| {
            let to = To { kind: kind.into(), receiver: receiver.into() };
            Delivery {
                delivered: self.delivered.get_or_create_owned(&to),
                lead_time: self.lead_time.get_or_create_owned(&to),
                met: self.outcomes.get_or_create_owned(&outcome(&to, Ended::Met, Cause::None)),
            }
        })
    }

    /// A receiver took a message so long after it had happened.
    pub fn delivered(&self, kind: &str, receiver: &str, lead_time: Duration) {
        let delivery = self.delivery(kind, receiver);
        delivery.delivered.inc();
        delivery.lead_time.observe(lead_time.as_secs_f64());
    }

    /// A delivery ended without its receiver taking it.
    pub fn dead(&self, kind: &str, receiver: &str, fault_class: &'static str) {
        let labels = Dead { kind: kind.into(), receiver: receiver.into(), fault_class };
        self.dead.get_or_create(&labels).inc();
    }

    /// So many promises of the kind to the receiver ended so.
    pub fn promises_ended(&self, kind: &str, receiver: &str, (ended, cause): (Ended, Cause), count: u64) {
        if (ended, cause) == (Ended::Met, Cause::None) {
            self.delivery(kind, receiver).met.inc_by(count);
            return;
        }
        let to = To { kind: kind.into(), receiver: receiver.into() };
        self.outcomes.get_or_create(&outcome(&to, ended, cause)).inc_by(count);
    }
}

fn outcome(to: &To, ended: Ended, cause: Cause) -> Outcomes {
    let To { kind, receiver } = to.clone();
    Outcomes { kind, receiver, outcome: ended.name(), cause: cause.name() }
}
