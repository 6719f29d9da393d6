//! `kassebro agreements`: what is agreed between whom, and whether it is in force.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{Output, joined},
};
use crate::{
    config::{Settings, settings},
    domain::agreement::copenhagen,
    units,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every agreement, and whether it is in force.
    #[command(
        after_help = "Examples:\n  kassebro agreements list\n  kassebro agreements list --at 2025-08-01 --json"
    )]
    List {
        /// The day to look at, by Danish clocks; otherwise today.
        #[arg(long, value_name = "DATE")]
        at: Option<Date>,
    },
    /// One agreement with its kinds and promises.
    #[command(
        after_help = "Example:\n  kassebro agreements show norddjurs-3f-2024\n\nExit codes: 0 done, 4 no such agreement."
    )]
    Show {
        id: String,
        #[arg(long, value_name = "DATE")]
        at: Option<Date>,
    },
}

/// One agreement as a list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) id: String,
    akasse: String,
    jobcenter: String,
    valid_from: Date,
    valid_to: Option<Date>,
    kinds: Vec<String>,
    /// `in_force`, `not_yet` or `expired`.
    standing: &'static str,
}

/// One agreement in full.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    line: Line,
    promises: Vec<PromiseLine>,
}

#[derive(Debug, Serialize)]
struct PromiseLine {
    kind: String,
    within: String,
    /// `agreement`, or `general` where the agreement says nothing of the kind.
    from: &'static str,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    let settings = context.settings()?;
    match command {
        Command::List { at } => {
            let lines = lines(&settings, instant(at));
            print(&context.output, &lines);
        }
        Command::Show { id, at } => {
            let found = settings.agreement.iter().find(|a| a.id == id);
            let agreement = found.ok_or_else(|| {
                Failure::not_found(format_args!(
                    "no agreement has the id {id:?}; see `kassebro agreements list`"
                ))
            })?;
            show(&context.output, &shown(&settings, agreement, day(instant(at))));
        }
    }
    Ok(Exit::Done)
}

/// The beginning of the day, or now.
fn instant(at: Option<Date>) -> Timestamp {
    at.and_then(|date| date.to_zoned(copenhagen()).ok()).map_or_else(now, |zoned| zoned.timestamp())
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(copenhagen()).date()
}

/// Every agreement of the settings as it stands at an instant.
pub(super) fn lines(settings: &Settings, at: Timestamp) -> Vec<Line> {
    settings.agreement.iter().map(|agreement| line(agreement, day(at))).collect()
}

fn line(agreement: &settings::Agreement, day: Date) -> Line {
    let standing = if day < agreement.valid_from {
        "not_yet"
    } else if agreement.valid_to.is_some_and(|last| last < day) {
        "expired"
    } else {
        "in_force"
    };
    Line {
        id: agreement.id.clone(),
        akasse: agreement.akasse.clone(),
        jobcenter: agreement.jobcenter.clone(),
        valid_from: agreement.valid_from,
        valid_to: agreement.valid_to,
        kinds: agreement.kinds.clone(),
        standing,
    }
}

pub(super) fn print(output: &Output, lines: &[Line]) {
    output.list(lines, &["id", "a-kasse", "jobcenter", "from", "to", "kinds", "standing"], |l| {
        vec![
            l.id.clone(),
            l.akasse.clone(),
            l.jobcenter.clone(),
            l.valid_from.to_string(),
            l.valid_to.map_or_else(|| "-".to_owned(), |d| d.to_string()),
            joined(&l.kinds, "every kind"),
            words(l.standing).to_owned(),
        ]
    });
}

fn words(standing: &str) -> &'static str {
    match standing {
        "in_force" => "in force",
        "not_yet" => "not yet in force",
        _ => "expired",
    }
}

fn shown(settings: &Settings, agreement: &settings::Agreement, day: Date) -> Shown {
    let taken = crate::kinds::KINDS
        .iter()
        .map(|kind| kind.name)
        .filter(|name| agreement.kinds.is_empty() || agreement.kinds.iter().any(|k| k == name));
    let promises = taken.map(|kind| {
        if let Some(within) = agreement.promises.get(kind) {
            return PromiseLine { kind: kind.to_owned(), within: within.clone(), from: "agreement" };
        }
        let general = settings.promise.get(kind).or_else(|| settings.promise.get("default"));
        let within = general.map_or_else(String::new, |p| units::duration_text(p.within));
        PromiseLine { kind: kind.to_owned(), within, from: "general" }
    });
    Shown { promises: promises.collect(), line: line(agreement, day) }
}

fn show(output: &Output, shown: &Shown) {
    if output.json {
        output.value(shown);
        return;
    }
    let Line { id, akasse, jobcenter, valid_from, valid_to, standing, .. } = &shown.line;
    output.line(format_args!("Agreement  {id}"));
    output.line(format_args!("Between    {akasse} and {jobcenter}"));
    let last = valid_to.map_or_else(|| "terminated".to_owned(), |d| d.to_string());
    output.line(format_args!("Valid      {valid_from} until {last}: {}", words(standing)));
    output.heading("Promises, from the message's time until the receiver has it");
    output.list(&shown.promises, &["kind", "within", "said by"], |p| {
        let by = if p.from == "agreement" { "this agreement" } else { "the general promise" };
        vec![p.kind.clone(), p.within.clone(), by.to_owned()]
    });
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn agreement(to: Option<Date>) -> settings::Agreement {
        settings::Agreement {
            id: "kbh-3f".into(),
            akasse: "3f".into(),
            jobcenter: "0101".into(),
            valid_from: date(2024, 1, 1),
            valid_to: to,
            kinds: vec![],
            promises: std::collections::BTreeMap::default(),
        }
    }

    #[test]
    fn an_agreement_is_in_force_from_its_first_to_its_last_day() {
        let ends = agreement(Some(date(2025, 12, 31)));
        for (day, standing) in [
            (date(2023, 12, 31), "not_yet"),
            (date(2024, 1, 1), "in_force"),
            (date(2025, 12, 31), "in_force"),
            (date(2026, 1, 1), "expired"),
        ] {
            assert_eq!(line(&ends, day).standing, standing, "{day}");
        }
        assert_eq!(line(&agreement(None), date(2099, 1, 1)).standing, "in_force");
    }
}
