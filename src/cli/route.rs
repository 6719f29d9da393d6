//! `kassebro route`: which receivers were considered for a message, which were chosen, and why.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, files, messages, now,
    violations::{self, LanguageArg},
};
use crate::{
    config::Settings,
    domain::{
        KindId, Party,
        agreement::{self, Found},
        message::TYPE_PREFIX,
        route::route,
    },
    gateway,
    intake::{self, Rules},
    kinds,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// By the present configuration, for a message in the store or in a file.
    #[command(after_help = "Examples:\n  kassebro route explain message.json\n  \
                            kassebro route explain 019a4c10-7d00-7000-8000-000000000047 --json\n\n\
                            Exit codes: 0 done, 4 no such message or file, 6 the file cannot be read as a message.")]
    Explain {
        /// A message file, or a receipt id, delivery id or message id.
        message: String,
        #[command(flatten)]
        language: LanguageArg,
    },
}

/// What routing needs to know of a message.
struct Question {
    kind: String,
    source: Option<Party>,
    receiver: Party,
    agreement: Option<String>,
    at: Timestamp,
}

#[derive(Serialize)]
struct Explained {
    kind: String,
    source: Option<Party>,
    receiver: Party,
    at: Timestamp,
    agreement: AgreementFound,
    receivers: Vec<Considered>,
}

#[derive(Serialize)]
struct AgreementFound {
    id: Option<String>,
    because: String,
}

#[derive(Serialize)]
struct Considered {
    receiver: String,
    chosen: bool,
    because: String,
    /// What the receiver would read.
    format: Option<&'static str>,
}

pub(super) fn run(context: &Context, Command::Explain { message, language }: Command) -> Outcome {
    let settings = context.settings()?;
    let rules = super::rules(&settings)?;
    let path = Path::new(&message);
    let question = if path.is_file() || message == "-" {
        let body = files::read(path, &rules.limits)?;
        let examined = intake::examine(&rules.kinds, &rules.limits, &body, now());
        let Some(event) = examined.event else {
            violations::note(&context.output, &files::name(path), &examined.violations, language.language());
            return Ok(Exit::MessageInvalid);
        };
        let envelope = event.envelope;
        Question {
            kind: envelope.kind.name,
            source: Some(envelope.source),
            receiver: envelope.receiver,
            agreement: envelope.agreement,
            at: envelope.time,
        }
    } else {
        super::block_on(stored(&settings, &message))??
    };
    let explained = explain(&rules, question);
    if context.output.json {
        context.output.value(&explained);
    } else {
        print(context, &explained);
    }
    Ok(Exit::Done)
}

async fn stored(settings: &Settings, id: &str) -> Result<Question, Failure> {
    let view = messages::find(&*gateway::open_store(settings)?, id).await?;
    let unread =
        |what: &str| Failure::not_found(format_args!("message {id} names no {what} that can be read"));
    // An invalid message keeps what it called itself, which is the whole type.
    let kind = view.line.kind.as_deref().map(|kind| kind.strip_prefix(TYPE_PREFIX).unwrap_or(kind));
    let kind: KindId = kind.and_then(|kind| kind.parse().ok()).ok_or_else(|| unread("kind"))?;
    let receiver = view.line.receiver.as_deref().and_then(|urn| urn.parse().ok());
    Ok(Question {
        kind: kind.name,
        source: view.source.as_deref().and_then(|urn| urn.parse().ok()),
        receiver: receiver.ok_or_else(|| unread("receiver"))?,
        agreement: view.agreement,
        at: view.occurred.unwrap_or(view.line.received),
    })
}

fn explain(rules: &Rules, question: Question) -> Explained {
    let Question { kind, source, receiver, agreement, at } = question;
    let routed = route(&rules.receivers, &receiver, &kind);
    let own_format = kinds::KINDS.iter().find(|k| k.name == kind).map(|k| k.format());
    let found = source.as_ref().map(|source| {
        agreement::find(&rules.agreements, (source, &receiver), &kind, agreement.as_deref(), at)
    });
    let agreed = match &found {
        Some(Found::InForce(agreement)) => agreement.format(&kind),
        _ => None,
    };
    let receivers = routed.reasons.into_iter().zip(&rules.receivers).map(|(reason, configured)| Considered {
        format: reason
            .chosen
            .then(|| configured.format.or(agreed).or(own_format))
            .flatten()
            .map(crate::domain::Format::name),
        receiver: reason.receiver,
        chosen: reason.chosen,
        because: reason.because,
    });
    let receivers = receivers.collect();
    let agreement = match &found {
        None => AgreementFound { id: None, because: "the sender is not known".to_owned() },
        Some(found) => under(found, &kind, at),
    };
    Explained { kind, source, receiver, at, agreement, receivers }
}

fn under(found: &Found<'_>, kind: &str, at: Timestamp) -> AgreementFound {
    let (id, because) = match found {
        Found::InForce(a) if a.awaited_phase(kind, agreement::danish_day(at)).is_some() => {
            (None, format!("{} is in force and does not take {kind} yet", a.id))
        }
        Found::InForce(a) if a.takes(kind) => {
            (Some(a.id.clone()), format!("it is in force and takes {kind}"))
        }
        Found::InForce(a) => (None, format!("{} is in force and does not take {kind}", a.id)),
        Found::NotTheirs => (None, "the agreement named is not one between these parties".to_owned()),
        Found::Several(ids) => (None, format!("several are in force: {}", ids.join(", "))),
        Found::Outside(Some(a)) => (None, format!("none is in force then; the nearest is {}", a.id)),
        Found::Outside(None) => (None, "there is none between these parties".to_owned()),
    };
    AgreementFound { id, because }
}

fn print(context: &Context, explained: &Explained) {
    let Explained { kind, source, receiver, at, agreement, receivers } = explained;
    let from = source.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let out = &context.output;
    out.line(format_args!("Kind       {kind}"));
    out.line(format_args!("From       {from}"));
    out.line(format_args!("To         {receiver}"));
    out.line(format_args!("Happened   {}", super::output::local(*at)));
    let id = agreement.id.as_deref().unwrap_or("none");
    out.line(format_args!("Agreement  {id}: {}", agreement.because));
    out.heading("Receivers");
    out.list(receivers, &["receiver", "chosen", "because", "format"], |r| {
        let chosen = if r.chosen { "yes" } else { "no" };
        vec![r.receiver.clone(), chosen.to_owned(), r.because.clone(), r.format.unwrap_or("-").to_owned()]
    });
}
