//! `kassebro validate`: every error of a message file, before it is sent.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, Exit, Outcome, files, now,
    violations::{self, LanguageArg},
};
use crate::{
    domain::Violation,
    intake::{self, Rules},
    store::Admission,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --config it checks limits, envelope, schema and the kind's rules; with it also the \
                        parties, the agreement, the receivers and what they read, as if the party named in \
                        `source` sent it.\n\n\
                        Examples:\n  kassebro validate message.json\n  kassebro validate --lang da outbox/*.xml\n  \
                        kassebro validate --config kassebro.toml --at 2026-11-02T10:20:00+01:00 message.json\n  \
                        generate | kassebro validate --json -\n\n\
                        Exit codes: 0 all are valid (warnings are), 1 a file cannot be read, 6 one is invalid."
)]
pub(super) struct Args {
    /// A structured CloudEvent (.json) or a Haendelsesbesked (.xml) each; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge as if it arrived then, e.g. 2026-11-02T10:20:00+01:00; otherwise now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    language: LanguageArg,
}

#[derive(Serialize)]
struct Validated {
    file: String,
    valid: bool,
    /// As in an answer; warnings too.
    errors: Vec<Violation>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let rules = super::rules(&context.settings()?)?;
    let mut validated = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let body = files::read(path, &rules.limits)?;
        let errors = judge(context, &rules, &body, args.at.unwrap_or_else(now));
        let valid = !errors.iter().any(Violation::is_error);
        validated.push(Validated { file: files::name(path), valid, errors });
    }
    if context.output.json {
        context.output.value(&validated);
    }
    for Validated { file, errors, .. } in &validated {
        violations::print(&context.output, file, errors, args.language.language());
    }
    Ok(if validated.iter().all(|v| v.valid) { Exit::Done } else { Exit::MessageInvalid })
}

/// Parties and agreements are judged only where a configuration says who they are.
fn judge(context: &Context, rules: &Rules, body: &[u8], at: Timestamp) -> Vec<Violation> {
    if context.config.is_none() {
        return intake::examine(&rules.kinds, &rules.limits, body, at).violations;
    }
    match intake::admit_as_source(rules, body, at) {
        Admission::Accepted(accepted) => accepted.warnings,
        Admission::Invalid(invalid) => invalid.violations,
    }
}
