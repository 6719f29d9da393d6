//! What being watched costs each message: its counters and histograms, and a span where it is traced.
//!
//! `cargo bench --bench telemetry`. A message of the usual way counts what `one_message` counts, once.

use std::time::Duration;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use kassebro::telemetry::{
    Metrics,
    flow::{Cause, Ended, Stage},
    trace::{Context, Kind, Span},
};

fn main() {
    divan::main();
}

/// Everything that a message counts from its arrival until it is delivered at the first attempt.
fn count(metrics: &Metrics, party: &str, kind: &str, receiver: &str) {
    let took = Duration::from_micros(250);
    for stage in [Stage::Validate, Stage::Translate, Stage::Store] {
        metrics.flow.stage(stage, took);
    }
    metrics.flow.arrived(party, kind, "accepted", Some(took));
    let under_way = metrics.flow.under_way(receiver);
    under_way.inc();
    metrics.flow.attempted(receiver, "delivered", took);
    under_way.dec();
    metrics.flow.delivered(kind, receiver, took);
    metrics.flow.promises_ended(kind, receiver, (Ended::Met, Cause::None), 1);
}

#[divan::bench]
fn one_message(bencher: Bencher<'_, '_>) {
    let metrics = Metrics::new();
    bencher.bench(|| count(&metrics, black_box("3f"), black_box("complaint.v1"), black_box("0101")));
}

#[divan::bench]
fn whether_it_is_traced_while_nothing_is(bencher: Bencher<'_, '_>) {
    let metrics = Metrics::new();
    bencher.bench(|| black_box(&metrics).tracer.is_on());
}

#[divan::bench]
fn one_span(bencher: Bencher<'_, '_>) {
    let metrics = Metrics::new();
    let mut spans = metrics.tracer.switch_on(1.0, 1_024).expect("it was off");
    let parent = Context::root();
    bencher.bench_local(|| {
        let mut span = Span::new(parent.child(), Kind::Client, "send 0101", Timestamp::UNIX_EPOCH);
        span.set("kassebro.receiver", "0101");
        span.set("kassebro.attempt", 1);
        metrics.tracer.record(span);
        spans.try_recv().ok()
    });
}

#[divan::bench]
fn the_exposition_of_a_hundred_receivers(bencher: Bencher<'_, '_>) {
    let metrics = Metrics::new();
    for receiver in 0..100 {
        count(&metrics, "3f", "complaint.v1", &format!("{receiver:04}"));
    }
    bencher.bench(|| metrics.encode());
}
