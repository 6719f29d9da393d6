//! Sends spans to an OpenTelemetry collector: OTLP over HTTP, in protobuf.
//!
//! Attributes follow OpenTelemetry's semantic conventions [`SEMCONV`], whatever `OTEL_SEMCONV_STABILITY_OPT_IN` says;
//! those of our own begin with `kassebro.`. A collector that is away costs spans, which are counted, and nothing else.

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _, SpanLinks},
};
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::warn;

use crate::{
    clock::Clock,
    http_client,
    lifecycle::Stop,
    telemetry::{
        Metrics,
        trace::{Context, Kind, Span, Value},
    },
};

/// The version of the semantic conventions.
pub const SEMCONV: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Spans that may wait for the collector.
pub const ROOM: usize = 4_096;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// For one request.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// After the stop was asked: how long nothing must come before the rest is held to have come.
const QUIET: Duration = Duration::from_millis(500);

/// `[trace]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Base address of the collector; empty: there is none, and nothing is traced.
    pub otlp: Address,
    /// The share of messages that are traced, in 0–1.
    pub share: Share,
    /// What the collector shows us as.
    pub service: String,
    /// PEM with the only authorities to be trusted with the collector. `None`: the system's.
    pub ca_file: Option<std::path::PathBuf>,
}

/// A base address without a final slash, or nothing.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(String);

impl Address {
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(text));
        }
        let url = reqwest::Url::parse(&text).map_err(|error| format!("the URL cannot be read: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err("the collector's address is http://host:4318 or https://…, without ? and #".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the collector's address holds no user or password".into());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Shows no path, which may hold a key.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = reqwest::Url::parse(&self.0).map(|url| url.origin().ascii_serialization());
        f.write_str(&origin.unwrap_or_default())
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(pub f64);

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err("a share is from 0 to 1".into()) }
    }
}

/// The way to a collector.
#[derive(Debug)]
pub struct Exporter {
    inner: SpanExporter,
    scope: InstrumentationScope,
}

impl Exporter {
    /// Connects to nobody yet. Headers for the collector, such as a key, come from the environment variable
    /// `OTEL_EXPORTER_OTLP_HEADERS`, as its specification says.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn new(config: &Config) -> Result<Self, String> {
        let client = http_client::build(&http_client::Settings {
            connect_timeout: ANSWER_MAX,
            ca_file: config.ca_file.clone(),
            client_identity_file: None,
            allow_private_addresses: true,
        });
        let client = client.map_err(|error| format!("trace: {error}"))?;
        let mut inner = SpanExporter::builder()
            .with_http()
            .with_http_client(Client(client))
            .with_endpoint(format!("{}/v1/traces", config.otlp.0))
            .with_timeout(ANSWER_MAX)
            // Its own retries would put the thread to sleep that carries other tasks.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| format!("trace: {error}"))?;
        let version = env!("CARGO_PKG_VERSION");
        let attributes = [
            KeyValue::new("service.name", config.service.clone()),
            KeyValue::new("service.version", version),
        ];
        let resource = Resource::builder_empty().with_schema_url(attributes, SEMCONV).build();
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut inner, &resource);
        let scope =
            InstrumentationScope::builder("kassebro").with_version(version).with_schema_url(SEMCONV).build();
        Ok(Self { inner, scope })
    }

    async fn export(&self, spans: Vec<Span>) -> Result<(), String> {
        let batch = spans.into_iter().map(|span| self.data(span)).collect();
        match tokio::time::timeout(ANSWER_MAX, self.inner.export(batch)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(http_client::shortened(&error.to_string())),
            Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        }
    }

    fn data(&self, span: Span) -> SpanData {
        let mut links = SpanLinks::default();
        links.links = span.links.iter().map(|context| Link::with_context(of(context, true))).collect();
        let mut attributes: Vec<KeyValue> =
            span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value_of(value))).collect();
        let status = match span.error {
            None => Status::Unset,
            Some(error) => {
                attributes.push(KeyValue::new("error.type", error.clone()));
                Status::Error { description: error.into() }
            }
        };
        SpanData {
            span_context: of(&span.context, false),
            parent_span_id: span
                .parent
                .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.span.to_be_bytes())),
            parent_span_is_remote: span.parent.is_some() && span.kind == Kind::Consumer,
            span_kind: kind_of(span.kind),
            name: Cow::Owned(span.name),
            start_time: span.started.into(),
            end_time: span.ended.into(),
            attributes,
            dropped_attributes_count: 0,
            events: opentelemetry_sdk::trace::SpanEvents::default(),
            links,
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn of(context: &Context, remote: bool) -> SpanContext {
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) =
        (TraceId::from_bytes(context.trace.to_be_bytes()), SpanId::from_bytes(context.span.to_be_bytes()));
    SpanContext::new(trace, span, flags, remote, TraceState::NONE)
}

fn value_of(value: Value) -> opentelemetry::Value {
    match value {
        Value::Text(text) => text.into(),
        Value::Number(number) => number.into(),
    }
}

fn kind_of(kind: Kind) -> SpanKind {
    match kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    }
}

/// Sends what was recorded until the stop, and then what still comes of it.
///
/// # Errors
/// None: no trace is worth a stop.
pub async fn run(
    mut spans: mpsc::Receiver<Span>,
    exporter: Exporter,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    stop: Stop,
) -> Result<(), std::convert::Infallible> {
    let mut away = false;
    let mut batch = Vec::new();
    loop {
        let more = tokio::select! {
            taken = spans.recv_many(&mut batch, BATCH_MAX) => taken > 0,
            () = quiet(&*clock, &stop) => false,
        };
        if !more {
            return Ok(());
        }
        if batch.len() < BATCH_MAX {
            stop.unless_soft(clock.sleep(GATHER)).await;
            while batch.len() < BATCH_MAX
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
        }
        let count = batch.len() as u64;
        let Some(sent) = stop.unless_hard(exporter.export(std::mem::take(&mut batch))).await else {
            return Ok(());
        };
        match sent {
            Ok(()) => {
                away = false;
                metrics.gauges.spans_exported.inc_by(count);
            }
            Err(error) => {
                metrics.gauges.spans_failed.inc_by(count);
                if !std::mem::replace(&mut away, true) {
                    warn!(error = %error, "The collector of traces did not take {count} spans: {error}; the next are tried");
                }
            }
        }
    }
}

/// Completes once the stop was asked and a while has passed.
async fn quiet(clock: &dyn Clock, stop: &Stop) {
    stop.soft().await;
    clock.sleep(QUIET).await;
}

/// Our way of calling over HTTP, as the exporter wants it.
#[derive(Debug)]
struct Client(reqwest::Client);

impl HttpClient for Client {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> BoxFuture<'f, Result<Response<Bytes>, HttpError>>
    where
        'a: 'f,
        Self: 'f,
    {
        async move {
            let request: reqwest::Request = request.try_into()?;
            let mut answer = self.0.execute(request).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                *headers = std::mem::take(answer.headers_mut());
            }
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err("the collector's answer is too long".into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(response.body(body.into())?)
        }
        .boxed()
    }
}
