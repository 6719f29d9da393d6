//! A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, reads the protobuf, and shows traces as trees.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

use kassebro::telemetry::trace::Context;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{self as proto, span::SpanKind, status::StatusCode},
};
use prost::Message;

use super::{
    eventually::eventually,
    receiver::{Plays, Receiver, answer},
};

/// One span as it came.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) context: Context,
    /// The id of the span above it.
    pub(crate) parent: Option<u64>,
    pub(crate) links: Vec<Context>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) is_error: bool,
    /// Nanoseconds since 1970.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Span {
    /// An attribute; empty where it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Gone when dropped.
pub(crate) struct Collector(Receiver);

impl Collector {
    pub(crate) fn start() -> Self {
        let headers = "Content-Type: application/x-protobuf\r\n";
        Self(Receiver::start(Plays::Answers(answer(200, headers, ""))))
    }

    /// What `trace.otlp` is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }

    pub(crate) fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let decode = |body: &[u8]| ExportTraceServiceRequest::decode(body).expect("it is a request of OTLP");
        self.0
            .taken()
            .iter()
            .map(|taken| {
                assert!(taken.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", taken.head);
                assert_eq!(taken.header("content-type"), Some("application/x-protobuf"));
                decode(&taken.body)
            })
            .collect()
    }

    /// Every span that came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let scopes = requests.into_iter().flat_map(|r| r.resource_spans).flat_map(|r| r.scope_spans);
        scopes.flat_map(|scope| scope.spans).map(read).collect()
    }

    /// Waits until `enough` holds of what came.
    pub(crate) async fn until(
        &self,
        what: &str,
        within: Duration,
        enough: impl Fn(&[Span]) -> bool,
    ) -> Vec<Span> {
        eventually(what, within, async || {
            let spans = self.spans();
            enough(&spans).then_some(spans)
        })
        .await
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("a span's id has eight bytes"))
}

fn context(trace: &[u8], span: &[u8]) -> Context {
    let trace = u128::from_be_bytes(trace.try_into().expect("a trace's id has sixteen bytes"));
    Context { trace, span: number(span), sampled: true }
}

fn text((name, value): (String, Option<Value>)) -> (String, String) {
    let value = match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name} is {other:?}"),
    };
    (name, value)
}

fn read(span: proto::Span) -> Span {
    let attribute = |pair: KeyValue| text((pair.key, pair.value.and_then(|value| value.value)));
    Span {
        kind: span.kind(),
        context: context(&span.trace_id, &span.span_id),
        parent: (!span.parent_span_id.is_empty()).then(|| number(&span.parent_span_id)),
        links: span.links.iter().map(|link| context(&link.trace_id, &link.span_id)).collect(),
        attributes: span.attributes.into_iter().map(attribute).collect(),
        is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
        from: span.start_time_unix_nano,
        to: span.end_time_unix_nano,
        name: span.name,
    }
}

/// The traces, each as an indented tree, in the order in which they began. `known` are the names of spans of others.
pub(crate) fn tree(spans: &[Span], known: &[(Context, &str)]) -> String {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by_key(|span| (span.from, span.to));
    let first = spans.first().map_or(0, |span| span.from);
    let mut traces = Vec::new();
    for span in &spans {
        if !traces.contains(&span.context.trace) {
            traces.push(span.context.trace);
        }
    }
    let ours: BTreeSet<u64> = spans.iter().map(|span| span.context.span).collect();
    let name = |context: &Context| {
        let own = spans.iter().find(|span| span.context.span == context.span).map(|span| span.name.as_str());
        let of_others = known.iter().find(|(other, _)| other == context).map(|(_, name)| *name);
        let attempt =
            spans.iter().find(|span| span.context == *context).map(|span| span.get("kassebro.attempt"));
        match own.or(of_others) {
            Some(name) => format!("{name} {}", attempt.unwrap_or_default()).trim_end().to_owned(),
            None => context.to_string(),
        }
    };
    let mut text = String::new();
    for trace in traces {
        writeln!(text, "trace {trace:032x}").expect("writing to a text does not fail");
        let mut open: Vec<(usize, &Span)> = Vec::new();
        let mine = || spans.iter().copied().filter(move |span| span.context.trace == trace);
        let tops = mine().filter(|span| span.parent.is_none_or(|parent| !ours.contains(&parent)));
        open.extend(tops.map(|span| (1, span)).collect::<Vec<_>>().into_iter().rev());
        while let Some((depth, span)) = open.pop() {
            let (at, took) = ((span.from - first) / 1_000, (span.to - span.from) / 1_000);
            let indent = "  ".repeat(depth);
            writeln!(text, "{indent}{} [{:?}] +{at} µs, {took} µs", span.name, span.kind).expect("as above");
            if let Some(parent) = span.parent.filter(|parent| !ours.contains(parent)) {
                let above = Context { span: parent, ..span.context };
                writeln!(text, "{indent}  below {}", name(&above)).expect("as above");
            }
            for link in &span.links {
                writeln!(text, "{indent}  linked to {}", name(link)).expect("as above");
            }
            for (attribute, value) in &span.attributes {
                writeln!(text, "{indent}  | {attribute} = {value}").expect("as above");
            }
            let below: Vec<_> = mine().filter(|s| s.parent == Some(span.context.span)).collect();
            open.extend(below.into_iter().rev().map(|span| (depth + 1, span)));
        }
    }
    text
}
