//! What monitoring sees of an attempt: how many are under way, and its span where its message is traced.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use tracing::warn;

use super::{Desk, answers::Outbox};
use crate::{
    channels::{
        Channel, Endpoint,
        amqp_publisher::{Letter, NotPublished},
    },
    domain::{AttemptRecord, Outcome, message::TYPE_PREFIX},
    store::{Lease, LoggedAnswer, Next, Settled, Settlement},
    telemetry::{
        Metrics,
        flow::{Cause, Ended},
        trace::{Context, Kind, Span},
    },
};

/// One attempt from before it is begun. Dropping it counts it as over.
pub(super) struct Watched {
    under_way: Gauge,
    traced: Option<Box<Traced>>,
}

/// An attempt whose message is traced.
struct Traced {
    metrics: Arc<Metrics>,
    receiver: String,
    context: Context,
    /// Where the message was created, and the attempt before this one.
    links: Vec<Context>,
}

impl Watched {
    pub(super) fn begin(metrics: &Arc<Metrics>, receiver: &str, lease: &Lease) -> Self {
        let under_way = metrics.flow.under_way(receiver);
        under_way.inc();
        let created =
            lease.traceparent.as_deref().filter(|_| metrics.tracer.is_on()).and_then(Context::parse);
        let traced = created.filter(|created| metrics.tracer.samples(created)).map(|created| {
            let of = |number| Context::of_attempt(lease.delivery.uuid().as_bytes(), number);
            let before = (lease.attempts > 0).then(|| of(lease.attempts));
            Box::new(Traced {
                metrics: Arc::clone(metrics),
                receiver: receiver.to_owned(),
                context: of(lease.attempts + 1),
                links: [Some(created), before].into_iter().flatten().collect(),
            })
        });
        Self { under_way, traced }
    }

    /// What the receiver gets as `traceparent`, where it is not its message's own.
    pub(super) fn traceparent(&self) -> Option<String> {
        self.traced.as_ref().map(|traced| traced.context.to_string())
    }

    /// Records the attempt.
    pub(super) fn ended(
        mut self,
        lease: &Lease,
        channel: &dyn Channel,
        outcome: &Outcome,
        (started, took): (Timestamp, Duration),
    ) {
        let Some(traced) = self.traced.take() else { return };
        let endpoint = channel.endpoint(&lease.event_type);
        let kind = if matches!(endpoint, Endpoint::Http { .. }) { Kind::Client } else { Kind::Producer };
        let mut span = Span::new(traced.context, kind, format!("send {}", traced.receiver), started);
        span.ended = started.checked_add(took).unwrap_or(started);
        span.links = traced.links;
        describe(&mut span, &endpoint);
        let status = match outcome {
            Outcome::Delivered(proof) => proof.status,
            Outcome::Deposited => None,
            Outcome::Fault { fault, status, .. } => {
                span.error = Some(fault.code.to_string());
                *status
            }
        };
        span.set_some("http.response.status_code", status.map(i64::from));
        span.set("messaging.message.id", lease.message_id.clone());
        span.set_some("messaging.message.conversation_id", lease.correlation_id.clone());
        span.set("kassebro.receiver", traced.receiver);
        span.set("kassebro.kind", kind_of(lease));
        span.set("kassebro.delivery", lease.delivery.to_string());
        span.set("kassebro.attempt", i64::from(lease.attempts + 1));
        span.set("kassebro.state", outcome_name(outcome));
        span.set("kassebro.format", lease.parcel.format.to_string());
        span.set("kassebro.format.version", i64::from(lease.parcel.format_version));
        span.set("kassebro.sla.deadline", lease.due.to_string());
        span.set("kassebro.sla.slack", lease.due.duration_since(span.ended).as_secs());
        traced.metrics.tracer.record(span);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.under_way.dec();
    }
}

/// By the conventions for HTTP clients and for RabbitMQ.
fn describe(span: &mut Span, endpoint: &Endpoint) {
    let (host, port) = match endpoint {
        Endpoint::Here => return,
        Endpoint::Http { host, port } => {
            span.set("http.request.method", "POST");
            (host, port)
        }
        Endpoint::Amqp { host, port, exchange, routing_key } => {
            let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
            let colon = if routing_key.is_empty() { "" } else { ":" };
            span.set("messaging.system", "rabbitmq");
            span.set("messaging.operation.name", "send");
            span.set("messaging.operation.type", "send");
            span.set("messaging.destination.name", format!("{exchange}{colon}{routing_key}"));
            span.set("messaging.rabbitmq.destination.routing_key", routing_key.clone());
            (host, port)
        }
    };
    span.set("server.address", host.clone());
    span.set("server.port", i64::from(*port));
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Deposited => "deposited",
        Outcome::Fault { fault, .. } => fault.class().name(),
    }
}

/// The kind of what is delivered, as labels write it: `complaint.v1`.
fn kind_of(lease: &Lease) -> &str {
    lease.event_type.strip_prefix(TYPE_PREFIX).unwrap_or(&lease.event_type)
}

/// Answers that are published, of those whose messages are traced: each is a span in a trace of its own, which the
/// answer names to its reader.
pub(super) struct Told(Vec<(usize, Span)>);

impl Told {
    pub(super) fn begin(
        desk: &Desk,
        outbox: &Outbox,
        answers: &[LoggedAnswer],
        letters: &mut [Letter],
    ) -> Self {
        let tracer = &desk.metrics.tracer;
        if !tracer.is_on() {
            return Self(Vec::new());
        }
        let now = desk.clock.now();
        let mut spans = Vec::new();
        for (place, (answer, letter)) in answers.iter().zip(letters).enumerate() {
            let created = answer.traceparent.as_deref().and_then(Context::parse);
            let Some(created) = created.filter(|created| tracer.samples(created)) else { continue };
            let mut span =
                Span::new(Context::root(), Kind::Producer, format!("send {}", outbox.exchange), now);
            letter.headers.push(("traceparent".to_owned(), span.context.to_string()));
            span.links.push(created);
            span.set("messaging.system", "rabbitmq");
            span.set("messaging.operation.name", "send");
            span.set("messaging.operation.type", "send");
            span.set("messaging.destination.name", format!("{}:{}", outbox.exchange, letter.routing_key));
            span.set("messaging.rabbitmq.destination.routing_key", letter.routing_key.clone());
            span.set("messaging.message.id", letter.message_id.clone());
            span.set_some("messaging.message.conversation_id", letter.correlation_id.clone());
            span.set("kassebro.party", outbox.party.code());
            span.set("kassebro.answer", answer.answer.outcome.name());
            span.set("kassebro.receipt", answer.answer.receipt_id.to_string());
            spans.push((place, span));
        }
        Self(spans)
    }

    pub(super) fn end(self, desk: &Desk, fates: &[Result<(), NotPublished>]) {
        let now = if self.0.is_empty() { Timestamp::UNIX_EPOCH } else { desk.clock.now() };
        for (place, mut span) in self.0 {
            span.ended = now;
            if fates.get(place).is_none_or(Result::is_err) {
                span.error = Some("not_published".to_owned());
            }
            desk.metrics.tracer.record(span);
        }
    }
}

/// Counts an attempt.
pub(super) fn attempted(metrics: &Metrics, receiver: &str, record: &AttemptRecord) {
    let took = record.took.try_into().unwrap_or_default();
    metrics.flow.attempted(receiver, outcome_name(&record.outcome), took);
}

/// Counts what was settled: deliveries that ended, and the promises that ended with them. Says what was not.
pub(super) fn settled(metrics: &Metrics, receiver: &str, batch: &[Settlement], settled: &[Settled]) {
    for (settlement, settled) in batch.iter().zip(settled) {
        let (lease, now) = (&settlement.lease, settlement.now);
        if *settled == Settled::LeaseLost {
            let id = lease.delivery;
            warn!(delivery.id = %id, "The lease of delivery {id} was lost before it was settled; its result was dropped");
            continue;
        }
        let kind = kind_of(lease);
        match (&settlement.next, &settlement.record.outcome) {
            (Next::Delivered, Outcome::Delivered(proof)) => {
                let lead_time = now.duration_since(lease.occurred).try_into().unwrap_or_default();
                metrics.flow.delivered(kind, receiver, lead_time);
                // What is only under way keeps no promise yet.
                if !proof.in_transit {
                    metrics.flow.promises_ended(kind, receiver, kept(lease, now), 1);
                }
            }
            (Next::Dead(fault), _) => metrics.flow.dead(kind, receiver, fault.class().name()),
            _ => {}
        }
    }
}

/// How the promise of what is delivered now was kept, and whom it waited for where it was late.
fn kept(lease: &Lease, now: Timestamp) -> (Ended, Cause) {
    if now <= lease.due {
        return (Ended::Met, Cause::None);
    }
    let cause = if lease.received >= lease.due {
        Cause::Sender
    } else if lease.attempts > 0 {
        Cause::Receiver
    } else {
        Cause::Handling
    };
    (Ended::MetLate, cause)
}
