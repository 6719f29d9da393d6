//! `kassebro messages`: find them, read their story, take one again, correct one, give one up.

use std::{path::PathBuf, sync::Arc};

use clap::ValueEnum;
use tokio::sync::watch;

use super::{
    Context, Exit, Failure, Outcome, history, now,
    output::{Output, local, local_or_dash, or_dash, span},
    violations::{self, LanguageArg},
};
use crate::{
    clock, config,
    domain::{ReceiptId, case::CaseState},
    intake::Intake,
    store::{
        Store, TakenAgain, Verdict,
        views::{MessageFilter, MessageView},
    },
    telemetry::Metrics,
};

mod correct;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The latest first; every option narrows.
    #[command(after_help = "Examples:\n  kassebro messages list --state invalid\n  \
                            kassebro messages list --kind complaint --receiver 0101 --limit 200 --json\n  \
                            kassebro messages list --id sag-2026-17\n  \
                            kassebro messages list --before <the last receipt id shown>")]
    List(List),
    /// What happened to one message. Never its content, unless --raw.
    #[command(after_help = "Examples:\n  kassebro messages show 019a4c10-7d00-7000-8000-000000000047\n  \
                            kassebro messages show --json <receipt id, delivery id or message id>\n  \
                            kassebro messages show --raw <receipt id> > message.json\n\n\
                            Exit codes: 0 done, 4 no such message.")]
    Show {
        /// Receipt id, delivery id, or the sender's message id (its latest arrival).
        id: String,
        /// Print the bytes exactly as they came, and nothing else. They hold what the message holds.
        #[arg(long)]
        raw: bool,
        #[command(flatten)]
        language: LanguageArg,
    },
    /// Judge the stored bytes again by the present rules, as a new arrival.
    #[command(
        after_help = "For a message that was refused and whose reason is mended: an agreement, a receiver, a \
                            rule. One that was accepted already answers as a duplicate. It is audited.\n\n\
                            Example:\n  kassebro messages replay 019a4c10-7d00-7000-8000-000000000000\n\n\
                            Exit codes: 0 accepted or a duplicate, 4 no such message, 5 its id was used for another, \
                            6 invalid still."
    )]
    Replay {
        /// Receipt id.
        receipt: ReceiptId,
        #[command(flatten)]
        language: LanguageArg,
    },
    /// Take a corrected message in the place of a stored one, from the same party. Both are kept.
    #[command(
        after_help = "The corrected message is a new arrival caused by the first; the first stays as it is, and what \
                            it still owes is owed until `messages discard`. A refused message holds no id, so its \
                            correction may have the same one; that of an accepted message needs its own. It is \
                            audited.\n\n\
                            Examples:\n  kassebro messages show --raw 019a4c10-7d00-7000-8000-000000000000 > m.json\n  \
                            kassebro messages edit 019a4c10-7d00-7000-8000-000000000000 m.json --reason 'wrong date'\n\n\
                            Exit codes: 0 accepted or a duplicate, 4 no such message, 5 its id was used for another, \
                            6 the correction is invalid."
    )]
    Edit {
        /// Receipt id.
        receipt: ReceiptId,
        /// A structured CloudEvent (.json) or a Haendelsesbesked (.xml); `-` is standard input.
        file: PathBuf,
        /// Stands in the message's history.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        language: LanguageArg,
    },
    /// Give a message up: cancel everything that it still owes.
    #[command(
        after_help = "Example:\n  kassebro messages discard 019a4c10-7d00-7000-8000-000000000000 --reason 'sent twice'\n\n\
                            Exit codes: 0 cancelled (or was so), 4 no such message, 5 it was delivered, or refused \
                            and owes nothing."
    )]
    Discard {
        /// Receipt id.
        receipt: ReceiptId,
        /// Stands in the message's history.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[arg(long)]
    state: Option<State>,
    /// E.g. complaint or complaint.v1.
    #[arg(long)]
    kind: Option<String>,
    /// Code of the sending party.
    #[arg(long)]
    party: Option<String>,
    /// Receiver's name, or the receiving party's code or URN.
    #[arg(long)]
    receiver: Option<String>,
    /// Message id, receipt id, delivery id, correlation id or subject, whole.
    #[arg(long)]
    id: Option<String>,
    /// Only older than this receipt.
    #[arg(long, value_name = "RECEIPT")]
    before: Option<ReceiptId>,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Derived from a message's deliveries.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Invalid,
    Pending,
    Delivered,
    Dead,
    Cancelled,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::List(args) => list(context, args).await,
            Command::Show { id, raw, language } => show(context, &id, raw, language).await,
            Command::Replay { receipt, language } => replay(context, receipt, language).await,
            Command::Edit { receipt, file, reason, language } => {
                correct::edit(context, receipt, &file, reason, language).await
            }
            Command::Discard { receipt, reason } => correct::discard(context, receipt, &reason).await,
        }
    })?
}

async fn list(context: &Context, args: List) -> Outcome {
    let store = context.store()?;
    let filter = MessageFilter {
        state: args.state.map(|state| state.name().to_owned()),
        kind: args.kind,
        party: args.party,
        receiver: args.receiver.map(receiver),
        id: args.id,
        before: args.before,
        most: args.limit,
    };
    let lines = store.messages(filter).await?;
    let now = now();
    let columns = ["receipt", "message", "party", "kind", "receiver", "received", "state", "due", "left"];
    context.output.list(&lines, &columns, |m| {
        let open = m.state == "pending";
        vec![
            m.receipt_id.to_string(),
            or_dash(m.message_id.as_deref()),
            m.party.clone(),
            or_dash(m.kind.as_deref()),
            or_dash(m.receiver.as_deref()),
            local(m.received),
            m.state.clone(),
            local_or_dash(m.due),
            m.due.filter(|_| open).map_or_else(|| "-".to_owned(), |due| span(due.duration_since(now))),
        ]
    });
    Ok(Exit::Done)
}

/// A party's code stands for its URN, as messages name it.
fn receiver(text: String) -> String {
    let four_digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if four_digits { format!("urn:dk:jobcenter:{text}") } else { text }
}

async fn show(context: &Context, id: &str, raw: bool, language: LanguageArg) -> Outcome {
    let store = context.store()?;
    let message = find(&*store, id).await?;
    if raw {
        let bytes = store.raw(message.line.receipt_id).await?;
        let bytes = bytes.ok_or_else(|| Failure::not_found("its bytes are not kept any more"))?;
        context.output.bytes(&bytes.raw);
    } else if context.output.json {
        context.output.value(&message);
    } else {
        print(&context.output, &message, language);
    }
    Ok(Exit::Done)
}

/// The message with that id, as it stands now.
pub(super) async fn find(store: &dyn Store, id: &str) -> Result<MessageView, Failure> {
    let found = store.message(id.to_owned(), None, now()).await?;
    found.ok_or_else(|| {
        Failure::not_found(format_args!("no message has the id {id:?}; `kassebro messages list` finds them"))
    })
}

fn print(output: &Output, message: &MessageView, language: LanguageArg) {
    let MessageView { line, source, subject, agreement, causation_id, .. } = message;
    for (name, value) in [
        ("Receipt", line.receipt_id.to_string()),
        ("Message", or_dash(line.message_id.as_deref())),
        ("Kind", or_dash(line.kind.as_deref())),
        ("From", or_dash(source.as_deref())),
        ("To", or_dash(line.receiver.as_deref())),
        ("Subject", or_dash(subject.as_deref())),
        ("Agreement", or_dash(agreement.as_deref())),
        ("Caused by", or_dash(causation_id.as_deref())),
        ("State", line.state.clone()),
        ("Case", or_dash(message.case.map(CaseState::name))),
        ("Content", format!("{} bytes, {}", message.raw_bytes, or_dash(message.content_type.as_deref()))),
    ] {
        output.line(format_args!("{name:<10} {value}"));
    }
    if !message.findings.is_empty() {
        output.heading("Findings");
        violations::print(output, "at its arrival", &message.findings, language.language());
    }
    output.heading("History (Danish time)");
    for entry in history::timeline(message) {
        output.line(format_args!("{}  {}", local(entry.at), entry.what));
    }
    if !message.deliveries.is_empty() {
        output.heading("Deliveries");
        super::deliveries::print(output, &message.deliveries);
    }
    if !message.promises.is_empty() {
        output.heading("Promises");
        super::sla::print(output, &message.promises, now());
    }
}

async fn replay(context: &Context, receipt: ReceiptId, language: LanguageArg) -> Outcome {
    let store = context.store()?;
    let stored = store.raw(receipt).await?;
    let stored = stored.ok_or_else(|| unknown(receipt))?;
    let intake = intake(context, &store).await?;
    let verdict = intake.take_again(stored).await?;
    let again = verdict.answer().receipt_id;
    store.taken_again(receipt, again, TakenAgain::Replayed, super::who(), now()).await?;
    told(&context.output, &verdict, language);
    Ok(exit(&verdict))
}

fn unknown(receipt: ReceiptId) -> Failure {
    Failure::not_found(format_args!("no message has the receipt id {receipt}"))
}

/// The desk at which a command hands messages in, beside the gateway's.
async fn intake(context: &Context, store: &Arc<dyn Store>) -> Result<Intake, Failure> {
    let loaded = context.loaded()?;
    let generation = super::generation(&**store, &loaded).await?;
    let rules = config::rules(&loaded.settings, generation).map_err(Failure::configuration)?;
    let (_, rules) = watch::channel(rules.shared());
    Ok(Intake::new(Arc::clone(store), clock::from_environment(), Metrics::new(), rules))
}

fn told(output: &Output, verdict: &Verdict, language: LanguageArg) {
    let answer = verdict.answer();
    if output.json {
        output.value(&serde_json::json!({ "verdict": verdict.name(), "answer": answer }));
        return;
    }
    let name = format!("receipt {}, {}", answer.receipt_id, verdict.name());
    violations::print(output, &name, &answer.errors, language.language());
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Accepted(_) | Verdict::Duplicate(_) => Exit::Done,
        Verdict::Conflict(_) => Exit::Conflict,
        Verdict::Rejected(_) => Exit::MessageInvalid,
    }
}
