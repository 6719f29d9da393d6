//! What commands print: tables for people, JSON for machines; messages go to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the terminal is written to")]

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::Failure;
use crate::config::Invalid;

/// Where output goes, and in which form.
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// One line for people; nothing in JSON.
    pub(super) fn line(&self, text: impl std::fmt::Display) {
        if !self.json {
            println!("{text}");
        }
    }

    /// A message beside the output.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// Text as it is, in either form.
    pub(super) fn raw(&self, text: impl std::fmt::Display) {
        println!("{text}");
    }

    /// A value as JSON, indented for people too.
    pub(super) fn value(&self, value: &impl Serialize) {
        println!("{}", serde_json::to_string_pretty(value).expect("plain data of ours serialises"));
    }

    /// Items as JSON, or as a table with these columns.
    pub(super) fn list<T: Serialize>(&self, items: &[T], columns: &[&str], row: impl Fn(&T) -> Vec<String>) {
        if self.json {
            self.value(&items);
            return;
        }
        if items.is_empty() {
            println!("nothing");
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns);
        for item in items {
            table.add_row(row(item));
        }
        println!("{table}");
    }

    /// Why the command failed, once, with its causes.
    pub(super) fn failure(&self, failure: &Failure) {
        if let Some(Invalid(problems)) = failure.error.downcast_ref::<Invalid>() {
            if self.json {
                self.value(problems);
            } else {
                for problem in problems {
                    eprintln!("{problem}");
                }
            }
            return;
        }
        eprintln!("kassebro: {:#}", failure.error);
    }
}

/// A time as people here read it: Danish local time, to the second.
pub(super) fn local(at: jiff::Timestamp) -> String {
    let zoned = at.to_zoned(crate::domain::agreement::copenhagen());
    zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub(super) fn local_or_dash(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), local)
}

/// A span as people read it: `3h12m`, `-00m40s` when it lies behind.
pub(super) fn span(duration: jiff::SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let seconds = duration.as_secs().unsigned_abs();
    let (days, hours, minutes, rest) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{sign}{minutes:02}m{rest:02}s"),
        (0, _) => format!("{sign}{hours}h{minutes:02}m"),
        _ => format!("{sign}{days}d{hours:02}h"),
    }
}
