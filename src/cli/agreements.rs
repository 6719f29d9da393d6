//! `kassebro agreements`: what is agreed between whom, whether it is in force, and what it would say.

use std::path::PathBuf;

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{Output, joined},
    violations::LanguageArg,
};
use crate::{
    config::{Settings, settings},
    domain::agreement::{copenhagen, danish_day},
};

mod check;
mod show;

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
    /// Everything that one agreement says.
    #[command(
        after_help = "Example:\n  kassebro agreements show norddjurs-foa-2024\n\nExit codes: 0 done, 4 no such agreement."
    )]
    Show {
        id: String,
        #[arg(long, value_name = "DATE")]
        at: Option<Date>,
    },
    /// Whether agreements contradict themselves or each other, or what they say of a message.
    #[command(
        after_help = "Examples:\n  kassebro agreements check\n  kassebro agreements check agreements/*.toml\n  \
                      kassebro agreements check --message message.json --at 2025-08-01\n\n\
                      Files are checked among themselves; without any, what the configuration has.\n\n\
                      Exit codes: 0 nothing is wrong, 1 the message cannot be read, 3 a file cannot be read or is \
                      contradicted, 6 the message is invalid or an agreement refuses it."
    )]
    Check {
        /// Files with `[[agreement]]` and nothing else.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// A message to ask about; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
        /// As if the message had happened then: a day by Danish clocks, or a time with its offset. Otherwise its
        /// own time.
        #[arg(long, value_name = "DATE OR TIME", requires = "message", value_parser = moment)]
        at: Option<Timestamp>,
        #[command(flatten)]
        language: LanguageArg,
    },
}

/// A day, from its beginning, or an instant.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(copenhagen()).ok()?.timestamp());
    let told = text.parse().ok().or_else(day);
    told.ok_or_else(|| {
        "write a day such as 2025-08-01, or a time such as 2025-08-01T12:00:00+02:00".to_owned()
    })
}

/// One agreement as a list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) id: String,
    /// Codes; `*` for every one.
    akasser: Vec<String>,
    jobcenters: Vec<String>,
    valid_from: Date,
    valid_to: Option<Date>,
    kinds: Vec<String>,
    /// `in_force`, `not_yet` or `expired`.
    standing: &'static str,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { at } => print(&context.output, &lines(&context.settings()?, instant(at))),
        Command::Show { id, at } => {
            let settings = context.settings()?;
            let found = settings.agreement.iter().find(|a| a.id == id);
            let agreement = found.ok_or_else(|| {
                Failure::not_found(format_args!(
                    "no agreement has the id {id:?}; see `kassebro agreements list`"
                ))
            })?;
            show::show(&context.output, &settings, agreement, danish_day(instant(at)))?;
        }
        Command::Check { files, message, at, language } => {
            return check::run(context, &files, message.as_deref(), at, language.language());
        }
    }
    Ok(Exit::Done)
}

/// The beginning of the day, or now.
fn instant(at: Option<Date>) -> Timestamp {
    at.and_then(|date| date.to_zoned(copenhagen()).ok()).map_or_else(now, |zoned| zoned.timestamp())
}

/// Every agreement of the settings as it stands at an instant.
pub(super) fn lines(settings: &Settings, at: Timestamp) -> Vec<Line> {
    settings.agreement.iter().map(|agreement| line(agreement, danish_day(at))).collect()
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
        akasser: agreement.akasse_codes().cloned().collect(),
        jobcenters: agreement.jobcenter_codes().cloned().collect(),
        valid_from: agreement.valid_from,
        valid_to: agreement.valid_to,
        kinds: agreement.kinds.clone(),
        standing,
    }
}

/// The codes of a side for people.
fn parties(codes: &[String], every: &str) -> String {
    if codes.iter().any(|code| code == crate::config::agreement::EVERY) {
        every.to_owned()
    } else {
        codes.join(", ")
    }
}

pub(super) fn print(output: &Output, lines: &[Line]) {
    output.list(lines, &["id", "a-kasser", "jobcenters", "from", "to", "kinds", "standing"], |l| {
        vec![
            l.id.clone(),
            parties(&l.akasser, "every one"),
            parties(&l.jobcenters, "every one"),
            l.valid_from.to_string(),
            l.valid_to.map_or_else(|| "-".to_owned(), |d| d.to_string()),
            some(&l.kinds),
            words(l.standing).to_owned(),
        ]
    });
}

/// Names as long as they fit in a line beside the rest, then how many; `agreements show` has them all.
fn some(kinds: &[String]) -> String {
    if kinds.len() <= 3 { joined(kinds, "every kind") } else { format!("{} kinds", kinds.len()) }
}

fn words(standing: &str) -> &'static str {
    match standing {
        "in_force" => "in force",
        "not_yet" => "not yet in force",
        _ => "expired",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn agreement(to: &str) -> settings::Agreement {
        let text = format!(
            "id = \"kbh-3f\"\nakasse = \"3f\"\njobcenter = \"0101\"\nvalid_from = \"2024-01-01\"\n{to}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn an_agreement_is_in_force_from_its_first_to_its_last_day() {
        let ends = agreement("valid_to = \"2025-12-31\"");
        for (day, standing) in [
            (date(2023, 12, 31), "not_yet"),
            (date(2024, 1, 1), "in_force"),
            (date(2025, 12, 31), "in_force"),
            (date(2026, 1, 1), "expired"),
        ] {
            assert_eq!(line(&ends, day).standing, standing, "{day}");
        }
        assert_eq!(line(&agreement(""), date(2099, 1, 1)).standing, "in_force");
    }

    #[test]
    fn a_moment_is_a_danish_day_or_a_time() {
        for (text, at) in [
            ("2025-08-01", "2025-07-31T22:00:00Z"),
            ("2025-12-01", "2025-11-30T23:00:00Z"),
            ("2025-08-01T12:00:00+02:00", "2025-08-01T10:00:00Z"),
        ] {
            assert_eq!(moment(text), Ok(at.parse().unwrap()), "{text}");
        }
        assert!(moment("soon").is_err());
    }
}
