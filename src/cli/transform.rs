//! `kassebro transform`: the bytes a receiver would get for a message file.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::{
    Context, Exit, Failure, Outcome, files, now,
    violations::{self, LanguageArg},
};
use crate::{
    domain::{Format, Parcel, Violation},
    intake, kinds,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kassebro transform complaint.json\n  \
                        kassebro transform --format cloudevents --out parcel.json job-order.json\n  \
                        kassebro transform --json recommendation.json\n\n\
                        Exit codes: 0 done, 6 the message is invalid or does not fit the format (the errors go to \
                        standard error).")]
pub(super) struct Args {
    /// A structured CloudEvent (.json) or a Haendelsesbesked (.xml); `-` is standard input.
    file: PathBuf,
    /// beskedmodul, jobag, klagesag, cloudevents or kombit; otherwise the kind's own.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write the bytes there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    language: LanguageArg,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let rules = super::rules(&context.settings()?)?;
    let body = files::read(&args.file, &rules.limits)?;
    let examined = intake::examine(&rules.kinds, &rules.limits, &body, now());
    let Some(event) = examined.event else { return Ok(refused(context, args, &examined.violations)) };
    let kind = kinds::find(&event.envelope.kind)
        .ok_or_else(|| Failure::not_found(format_args!("no kind is called {}", event.envelope.kind)))?;
    match kind.render(&event, args.format.unwrap_or(kind.format())) {
        Ok(parcel) => print(context, args, &parcel),
        Err(cannot) => Ok(refused(context, args, &cannot)),
    }
}

fn refused(context: &Context, args: &Args, found: &[Violation]) -> Exit {
    if context.output.json {
        context.output.value(&json!({ "errors": found }));
    } else {
        violations::note(&context.output, &files::name(&args.file), found, args.language.language());
    }
    Exit::MessageInvalid
}

fn print(context: &Context, args: &Args, parcel: &Parcel) -> Outcome {
    if let Some(out) = &args.out {
        std::fs::write(out, &parcel.body).with_context(|| format!("writing {}", out.display()))?;
    }
    if context.output.json {
        context.output.value(&json!({
            "format": parcel.format,
            "formatVersion": parcel.format_version,
            "contentType": parcel.content_type,
            "body": String::from_utf8_lossy(&parcel.body),
        }));
    } else if args.out.is_none() {
        context.output.bytes(&parcel.body);
    }
    Ok(Exit::Done)
}
