//! Spans, as W3C Trace Context and OpenTelemetry know them: made where something happens, sent on by `otlp`.
//!
//! Off until [`Tracer::switch_on`], and then off costs one look. What is recorded is handed to a bounded queue and
//! never waited for.

use std::{fmt, sync::OnceLock};

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

/// Which span of which trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub span: u64,
    /// Whether whoever began the trace wants it recorded.
    pub sampled: bool,
}

impl Context {
    /// The beginning of a new trace.
    pub fn root() -> Self {
        Self { trace: rand::random_range(1..=u128::MAX), span: fresh_span(), sampled: true }
    }

    /// Another span of the same trace.
    pub fn child(&self) -> Self {
        Self { span: fresh_span(), ..*self }
    }

    /// The span of an attempt, the first being 1: always the same, in a trace of its own. So the next attempt can
    /// name it, hours later and on another machine, and nobody need remember it.
    pub fn of_attempt(delivery: &[u8; 16], number: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"kassebro attempt");
        hash.update(delivery);
        hash.update(number.to_be_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        let (trace, rest) = bytes.split_at(16);
        let trace = u128::from_be_bytes(trace.try_into().expect("16 bytes"));
        let span = u64::from_be_bytes(rest[..8].try_into().expect("8 bytes"));
        Self { trace: trace.max(1), span: span.max(1), sampled: true }
    }

    /// Reads a `traceparent` (W3C Trace Context, 3.2). A later version is read as far as this one goes.
    pub fn parse(text: &str) -> Option<Self> {
        let part = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
        };
        let version = part(0, 2)?;
        let hyphens = [2, 35, 52].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let ends = match text.as_bytes().get(55) {
            None => true,
            Some(next) => version != "00" && *next == b'-',
        };
        if !hyphens || !ends || version == "ff" {
            return None;
        }
        let trace = u128::from_str_radix(part(3, 35)?, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(part(36, 52)?, 16).ok().filter(|id| *id != 0)?;
        let flags = u8::from_str_radix(part(53, 55)?, 16).ok()?;
        Some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// As a `traceparent`.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

fn fresh_span() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// Which side of which exchange a span is (OpenTelemetry's span kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work within the process.
    Internal,
    /// Answers a call.
    Server,
    /// Calls another.
    Client,
    /// Lays something down for another.
    Producer,
    /// Works on what another laid down.
    Consumer,
}

/// The value of an attribute. Never content and never a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Something that happened, from when to when.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub context: Context,
    pub parent: Option<Context>,
    pub kind: Kind,
    /// `<operation> <destination>`; of names that configuration bounds.
    pub name: String,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub attributes: Vec<(&'static str, Value)>,
    /// Other traces that have to do with it.
    pub links: Vec<Context>,
    /// What went wrong, as a code from a closed set.
    pub error: Option<String>,
}

impl Span {
    pub fn new(context: Context, kind: Kind, name: impl Into<String>, started: Timestamp) -> Self {
        Self {
            context,
            parent: None,
            kind,
            name: name.into(),
            started,
            ended: started,
            attributes: vec![],
            links: vec![],
            error: None,
        }
    }

    /// A span below this one.
    pub fn below(&self, kind: Kind, name: impl Into<String>, started: Timestamp) -> Self {
        Self { parent: Some(self.context), ..Self::new(self.context.child(), kind, name, started) }
    }

    /// Adds an attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.push((name, value.into()));
    }

    /// Adds an attribute where there is a value.
    pub fn set_some(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

/// Takes spans, where anybody wants them.
#[derive(Debug)]
pub struct Tracer {
    on: OnceLock<On>,
    dropped: Counter,
}

#[derive(Debug)]
struct On {
    queue: mpsc::Sender<Span>,
    /// Traces whose random bits are below it are recorded.
    below: u64,
}

/// The bits of a trace id that are random by the word of W3C Trace Context Level 2.
const RANDOM_BITS: u32 = 56;

impl Tracer {
    /// Off. `dropped` counts what finds no room once it is on.
    pub(super) fn new(dropped: Counter) -> Self {
        Self { on: OnceLock::new(), dropped }
    }

    /// Records that share of all traces from now on, in 0–1, and gives the queue they come by. Up to `room` wait
    /// in it; what comes then is dropped and counted. `None`: it was switched on before.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^56 fits")]
    pub fn switch_on(&self, share: f64, room: usize) -> Option<mpsc::Receiver<Span>> {
        let (queue, spans) = mpsc::channel(room);
        let below = (share.clamp(0.0, 1.0) * 2f64.powi(RANDOM_BITS.cast_signed())) as u64;
        self.on.set(On { queue, below }).ok().map(|()| spans)
    }

    pub fn is_on(&self) -> bool {
        self.on.get().is_some()
    }

    /// Whether that trace is recorded: every node and every attempt decides the same.
    pub fn samples(&self, context: &Context) -> bool {
        let Some(on) = self.on.get() else { return false };
        let random = context.trace & ((1 << RANDOM_BITS) - 1);
        context.sampled && random < u128::from(on.below)
    }

    /// Hands a span on.
    pub fn record(&self, span: Span) {
        if let Some(on) = self.on.get()
            && on.queue.try_send(span).is_err()
        {
            self.dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        let context = Context::parse(W3C).unwrap();
        assert_eq!((context.span, context.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(context.to_string(), W3C);
        assert_eq!(Context::parse(&W3C.replace("00-0af", "cc-0af")), Some(context), "a later version");
        assert_eq!(Context::parse(&format!("cc{}-more", &W3C[2..])), Some(context));
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319æ-b7ad6b7169203331-01",
        ] {
            assert_eq!(Context::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_attempt_has_a_context_of_its_own_that_anybody_finds_again() {
        let delivery = [7; 16];
        let (first, second) = (Context::of_attempt(&delivery, 1), Context::of_attempt(&delivery, 2));
        assert_eq!(first, Context::of_attempt(&delivery, 1));
        assert_ne!(first.trace, second.trace);
        assert_ne!(first, Context::of_attempt(&[8; 16], 1));
    }

    #[test]
    fn a_share_of_the_traces_is_recorded_and_none_while_it_is_off() {
        let tracer = Tracer::new(Counter::default());
        assert!(!tracer.samples(&Context::root()) && !tracer.is_on());
        tracer.record(Span::new(Context::root(), Kind::Internal, "lost", Timestamp::UNIX_EPOCH));
        let spans = tracer.switch_on(0.25, 1).unwrap();
        assert!(tracer.switch_on(1.0, 1).is_none());
        let sampled = (0..4_000).filter(|_| tracer.samples(&Context::root())).count();
        assert!((700..1_300).contains(&sampled), "{sampled} of 4000");
        let unwanted = Context { sampled: false, trace: 1 << 100, span: 1 };
        assert!(!tracer.samples(&unwanted), "its sender does not want it recorded");
        assert!(tracer.samples(&Context { sampled: true, ..unwanted }));
        assert_eq!(spans.len(), 0);
        let all = Tracer::new(Counter::default());
        all.switch_on(1.0, 1);
        assert!(all.samples(&Context { trace: u128::MAX, span: 1, sampled: true }));
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let tracer = Tracer::new(Counter::default());
        let mut spans = tracer.switch_on(1.0, 2).unwrap();
        let span = |name: &str| Span::new(Context::root(), Kind::Client, name, Timestamp::UNIX_EPOCH);
        for name in ["a", "b", "c", "d"] {
            tracer.record(span(name));
        }
        assert_eq!(tracer.dropped.get(), 2);
        assert_eq!(spans.try_recv().unwrap().name, "a");
        tracer.record(span("e"));
        assert_eq!(tracer.dropped.get(), 2);
        drop(spans);
        tracer.record(span("f"));
        assert_eq!(tracer.dropped.get(), 3, "nobody is there any more");
    }
}
