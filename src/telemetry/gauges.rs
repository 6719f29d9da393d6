//! How things stand: promises, timers, the store, the broker's messages in hand, the clock.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{ForReceiver, InState, Part, seconds};

/// Open promises of a kind to a receiver, by one word for how they stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Standing {
    pub kind: String,
    pub receiver: String,
    pub standing: &'static str,
}

/// Something that is done when its time has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timer {
    timer: &'static str,
}

/// Which way the clock was set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    direction: &'static str,
}

/// What became of spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    fate: &'static str,
}

/// Everything that is set by whoever looks, and the few counters that belong to it.
#[derive(Debug)]
pub struct Gauges {
    /// Open promises. What is on track is counted in one, without kind and receiver: counting costs too much otherwise.
    pub sla_open: Family<Standing, Gauge>,
    /// Deliveries that nothing sends before a person decides.
    pub held_for_person: Family<ForReceiver, Gauge>,
    /// Taken from a queue and not yet acknowledged.
    pub unacked_messages: Family<Part, Gauge>,
    pub circuit_transitions: Family<InState, Counter>,
    pub store_size: Gauge,
    pub store_free: Gauge,
    step_lateness: Histogram,
    forward: Counter<f64, std::sync::atomic::AtomicU64>,
    back: Counter<f64, std::sync::atomic::AtomicU64>,
    /// Spans that the collector has, that it did not take, and that found no room on their way to it.
    pub spans_exported: Counter,
    pub spans_failed: Counter,
    pub spans_dropped: Counter,
}

impl Gauges {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let lateness: Family<Timer, Histogram> = Family::new_with_constructor(seconds);
        let steps: Family<Way, Counter<f64, std::sync::atomic::AtomicU64>> = Family::default();
        let spans: Family<Fate, Counter> = Family::default();
        let fate = |fate| spans.get_or_create_owned(&Fate { fate });
        let step = |direction| steps.get_or_create_owned(&Way { direction });
        let gauges = Self {
            sla_open: Family::default(),
            held_for_person: Family::default(),
            unacked_messages: Family::default(),
            circuit_transitions: Family::default(),
            store_size: Gauge::default(),
            store_free: Gauge::default(),
            step_lateness: lateness.get_or_create_owned(&Timer { timer: "sla_step" }),
            forward: step("forward"),
            back: step("back"),
            spans_exported: fate("exported"),
            spans_failed: fate("failed"),
            spans_dropped: fate("dropped"),
        };
        let g = &gauges;
        registry.register(
            "sla_open",
            "Open promises, by how they stand: on_track in one, at_risk, breached and paused by kind and receiver",
            g.sla_open.clone(),
        );
        registry.register(
            "deliveries_held_for_person",
            "Deliveries that nothing sends before a person decides",
            g.held_for_person.clone(),
        );
        registry.register(
            "unacked_messages",
            "Messages taken from the queue and not yet acknowledged",
            g.unacked_messages.clone(),
        );
        registry.register(
            "circuit_transitions",
            "Changes of a receiver's circuit, by the state it went into",
            g.circuit_transitions.clone(),
        );
        registry.register_with_unit(
            "store_size",
            "What the store occupies",
            Unit::Bytes,
            g.store_size.clone(),
        );
        registry.register_with_unit(
            "store_free",
            "What is free on the disk of the store's file; 0 where that is another machine's",
            Unit::Bytes,
            g.store_free.clone(),
        );
        registry.register_with_unit(
            "timer_lateness",
            "How long after its instant what was due was done",
            Unit::Seconds,
            lateness,
        );
        registry.register_with_unit(
            "clock_step",
            "By how much the wall clock was set against the monotonic one",
            Unit::Seconds,
            steps,
        );
        registry.register("trace_spans", "Spans for the collector, by what became of them", spans);
        gauges
    }

    /// A step of a promise was recorded so long after its instant.
    pub fn step_was_late(&self, by: Duration) {
        self.step_lateness.observe(by.as_secs_f64());
    }

    /// The wall clock was set forward or back by so much.
    pub fn clock_was_set(&self, forward: bool, by: Duration) {
        if forward { &self.forward } else { &self.back }.inc_by(by.as_secs_f64());
    }
}
