//! A batch on its way into the store, measured: how long each stage took, and a trace where one is wanted.

use std::{cell::Cell, time::Duration};

use jiff::Timestamp;

use super::Intake;
use crate::{
    clock::Clock,
    codec::envelope::tracestate::is_well_formed,
    store::{Accepted, Admission, Invalid, StoreError, Verdict, views::TraceOf},
    telemetry::{
        flow::Stage,
        trace::{Context, Kind, Span},
    },
};

/// When the translation of one message began and ended, for whoever measures.
#[derive(Default)]
pub struct Lap<'c> {
    clock: Option<&'c dyn Clock>,
    translation: Cell<Option<(Duration, Duration)>>,
}

impl<'c> Lap<'c> {
    fn by(clock: &'c dyn Clock) -> Self {
        Self { clock: Some(clock), translation: Cell::default() }
    }

    /// Everything was judged, and the parcels are rendered from now on.
    pub(super) fn translates(&self) {
        let now = self.clock.map(Clock::monotonic);
        self.translation.set(now.map(|now| (now, now)));
    }

    pub(super) fn has_translated(&self) {
        if let (Some(clock), Some((began, _))) = (self.clock, self.translation.get()) {
            self.translation.set(Some((began, clock.monotonic())));
        }
    }
}

/// Messages that are judged one by one and stored together.
pub struct Batch<'i> {
    intake: &'i Intake,
    admissions: Vec<Admission>,
    /// Only of those that are traced.
    tracks: Vec<Track>,
}

/// One message that is traced.
struct Track {
    /// Its place in the batch.
    at: usize,
    span: Span,
    /// The message that it answers.
    answers: Option<TraceOf>,
}

/// The traces of a batch that is stored.
#[derive(Debug, Default)]
pub struct Stored(Vec<Span>);

/// What is said of the way a message came by.
pub struct Came<'w> {
    /// The trace that the transport carried, where the message itself names none.
    pub traceparent: Option<&'w str>,
    /// And what belongs to it.
    pub tracestate: Option<&'w str>,
    pub kind: Kind,
    /// `<operation> <destination>`
    pub name: &'w str,
}

impl<'i> Batch<'i> {
    pub fn new(intake: &'i Intake, messages: usize) -> Self {
        Self { intake, admissions: Vec::with_capacity(messages), tracks: Vec::new() }
    }

    /// Judges one. `describe` adds what else there is to say of a message that is traced.
    pub fn judge(
        &mut self,
        came: &Came<'_>,
        judge: impl FnOnce(&Lap<'_>) -> Admission,
        describe: impl FnOnce(&mut Span),
    ) {
        let (clock, metrics) = (&*self.intake.clock, &self.intake.metrics);
        let started = metrics.tracer.is_on().then(|| clock.now());
        let (lap, began) = (Lap::by(clock), clock.monotonic());
        let mut admission = judge(&lap);
        let ended = clock.monotonic();
        let took = ended.saturating_sub(began);
        let translation = lap.translation.get();
        let translated = translation.map_or(Duration::ZERO, |(from, to)| to.saturating_sub(from));
        metrics.flow.stage(Stage::Validate, took.saturating_sub(translated));
        if translation.is_some() {
            metrics.flow.stage(Stage::Translate, translated);
        }
        let sender = sender(&mut admission, came);
        if let Some(started) = started
            && let Some(context) = self.traced(sender)
        {
            let mut span = Span { parent: sender, ..Span::new(context, came.kind, came.name, started) };
            describe(&mut span);
            let at = |instant: Duration| after(started, instant.saturating_sub(began));
            let (from, to) = translation.unwrap_or((ended, ended));
            self.record_below(&span, "validate", (started, at(from)));
            if translation.is_some() {
                self.record_below(&span, "translate", (at(from), at(to)));
            }
            let answers = tell(&mut span, &mut admission);
            self.tracks.push(Track { at: self.admissions.len(), span, answers });
        }
        self.admissions.push(admission);
    }

    /// The context of a message's own span, where its trace is recorded.
    fn traced(&self, sender: Option<Context>) -> Option<Context> {
        let tracer = &self.intake.metrics.tracer;
        let context = sender.map_or_else(Context::root, |sender| sender.child());
        tracer.samples(&context).then_some(context)
    }

    fn record_below(&self, span: &Span, name: &str, (from, to): (Timestamp, Timestamp)) {
        let mut stage = span.below(Kind::Internal, name, from);
        stage.ended = to;
        self.intake.metrics.tracer.record(stage);
    }

    /// Stores them all: one verdict each, in order, all committed.
    ///
    /// # Errors
    /// The store could not commit: nothing was taken, nothing may be acknowledged.
    pub async fn accept(mut self) -> Result<(Vec<Verdict>, Stored), StoreError> {
        let count = self.admissions.len();
        let admissions = std::mem::take(&mut self.admissions);
        if self.tracks.is_empty() {
            return Ok((self.intake.accept(admissions).await?, Stored::default()));
        }
        let began = self.intake.clock.now();
        let verdicts = self.intake.accept(admissions).await;
        let ended = self.intake.clock.now();
        let mut stored = Vec::with_capacity(self.tracks.len());
        for track in std::mem::take(&mut self.tracks) {
            let mut span = track.span;
            let mut store = span.below(Kind::Internal, "store", began);
            store.ended = ended;
            store.set("messaging.batch.message_count", i64::try_from(count).unwrap_or(i64::MAX));
            if let Ok(verdicts) = &verdicts {
                span.set("kassebro.verdict", verdicts[track.at].name());
            } else {
                store.error = Some("store_unavailable".to_owned());
                span.error.clone_from(&store.error);
            }
            if let (Ok(_), Some(of)) = (&verdicts, track.answers) {
                let original = self.intake.store.traceparent(of).await.ok().flatten();
                span.links.extend(original.as_deref().and_then(Context::parse));
            }
            span.ended = ended;
            self.intake.metrics.tracer.record(store);
            self.intake.metrics.tracer.record(span.clone());
            stored.push(span);
        }
        Ok((verdicts?, Stored(stored)))
    }
}

impl Stored {
    /// Those of another part of the batch too.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The broker was told that it may forget the batch, of so many messages.
    pub fn acknowledged(self, intake: &Intake, name: &str, (from, to): (Timestamp, Timestamp), count: usize) {
        for span in self.0 {
            let mut ack = span.below(Kind::Client, name, from);
            ack.ended = to;
            for (attribute, value) in
                [("system", "rabbitmq"), ("operation.name", "ack"), ("operation.type", "settle")]
            {
                ack.set(messaging(attribute), value);
            }
            ack.set("messaging.batch.message_count", i64::try_from(count).unwrap_or(i64::MAX));
            intake.metrics.tracer.record(ack);
        }
    }
}

/// The names of the conventions that are used in more than one place.
fn messaging(attribute: &str) -> &'static str {
    match attribute {
        "system" => "messaging.system",
        "operation.name" => "messaging.operation.name",
        _ => "messaging.operation.type",
    }
}

fn after(started: Timestamp, by: Duration) -> Timestamp {
    started.checked_add(by).unwrap_or(started)
}

/// Where the sender says that the message was created. Its own word goes before its transport's, and is carried on
/// whether anything is traced or not.
fn sender(admission: &mut Admission, came: &Came<'_>) -> Option<Context> {
    let transport = came.traceparent.and_then(|text| Some((text, Context::parse(text)?)));
    match admission {
        Admission::Accepted(message) => {
            let own = &mut message.envelope.traceparent;
            if own.is_none() {
                *own = transport.map(|(text, _)| text.to_owned());
                let state = came.tracestate.filter(|state| own.is_some() && is_well_formed(state));
                message.envelope.tracestate = state.map(str::to_owned);
            }
            own.as_deref().and_then(Context::parse)
        }
        Admission::Invalid(_) => transport.map(|(_, context)| context),
    }
}

/// Says of the message what no content and no person is in. One that names no trace of its own is given this one.
/// Gives what the message answers.
fn tell(span: &mut Span, admission: &mut Admission) -> Option<TraceOf> {
    match admission {
        Admission::Accepted(message) => {
            message.envelope.traceparent.get_or_insert_with(|| span.context.to_string());
            accepted(span, message);
            answered(message)
        }
        Admission::Invalid(message) => {
            refused(span, message);
            None
        }
    }
}

fn accepted(span: &mut Span, message: &Accepted) {
    let (arrived, envelope) = (&message.arrived, &message.envelope);
    span.set("messaging.message.id", envelope.id.to_string());
    span.set_some("messaging.message.conversation_id", envelope.correlation_id.clone());
    span.set("kassebro.receipt", arrived.receipt.to_string());
    span.set("kassebro.party", arrived.party.clone());
    span.set("kassebro.kind", envelope.kind.to_string());
    span.set_some("kassebro.agreement", message.agreement.clone());
    span.set("kassebro.config.generation", i64::try_from(arrived.generation).unwrap_or(i64::MAX));
    if let Some(first) = message.deliveries.iter().min_by_key(|delivery| delivery.promise.course.due) {
        span.set("kassebro.sla.promise", first.promise.promise.name().to_owned());
        span.set("kassebro.sla.deadline", first.promise.course.due.to_string());
        span.set("kassebro.sla.slack", first.promise.course.due.duration_since(arrived.received).as_secs());
    }
}

fn refused(span: &mut Span, message: &Invalid) {
    span.set("kassebro.receipt", message.arrived.receipt.to_string());
    span.set("kassebro.party", message.arrived.party.clone());
    let first = message.violations.iter().find(|violation| violation.is_error());
    span.error = first.map(|violation| violation.code.to_string());
    span.set_some("kassebro.rule", first.map(|violation| violation.rule.clone()));
}

fn answered(message: &Accepted) -> Option<TraceOf> {
    let said = message.reply.as_ref()?;
    match &message.envelope.correlation_id {
        Some(id) => Some(TraceOf::Message { source: message.envelope.receiver.to_string(), id: id.clone() }),
        None => Some(TraceOf::Receipt(said.delivery?.receipt())),
    }
}
