//! `kassebro agreements check`: contradictions, and what agreements would say of a message.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Exit, Outcome, now};
use crate::{
    cli::{
        files,
        output::{counted, local},
        violations::{self, Language},
    },
    config,
    domain::Violation,
    intake,
};

/// Nothing is wrong with them.
#[derive(Serialize)]
struct Checked {
    agreements: usize,
}

/// What agreements say of a message.
#[derive(Serialize)]
struct Consulted {
    file: String,
    kind: String,
    at: Timestamp,
    /// The agreement it would go under.
    agreement: Option<String>,
    /// As in an answer; warnings too.
    errors: Vec<Violation>,
}

pub(super) fn run(
    context: &Context,
    named: &[PathBuf],
    message: Option<&Path>,
    at: Option<Timestamp>,
    language: Language,
) -> Outcome {
    let settings = if named.is_empty() { context.settings()? } else { config::agreements(named)? };
    let Some(path) = message else {
        let agreements = settings.agreement.len();
        if context.output.json {
            context.output.value(&Checked { agreements });
        }
        let counted = counted(agreements, "agreement", "agreements");
        context.output.line(format_args!("{counted}, and no contradiction."));
        return Ok(Exit::Done);
    };
    let rules = crate::cli::rules(&settings)?;
    let body = files::read(path, &rules.limits)?;
    let examined = intake::examine(&rules.kinds, &rules.limits, &body, at.unwrap_or_else(now));
    let Some(mut event) = examined.event else {
        violations::note(&context.output, &files::name(path), &examined.violations, language);
        return Ok(Exit::MessageInvalid);
    };
    event.envelope.time = at.unwrap_or(event.envelope.time);
    let (agreement, errors) = intake::consult(&rules, &event);
    let consulted = Consulted {
        file: files::name(path),
        kind: event.envelope.kind.to_string(),
        at: event.envelope.time,
        agreement: agreement.map(|agreement| agreement.id.clone()),
        errors,
    };
    if context.output.json {
        context.output.value(&consulted);
    } else {
        let id = consulted.agreement.as_deref().unwrap_or("none");
        context.output.line(format_args!("Kind       {}", consulted.kind));
        context.output.line(format_args!("Happened   {}", local(consulted.at)));
        context.output.line(format_args!("Agreement  {id}"));
        violations::print(&context.output, &consulted.file, &consulted.errors, language);
    }
    let refused = consulted.errors.iter().any(Violation::is_error);
    Ok(if refused { Exit::MessageInvalid } else { Exit::Done })
}
