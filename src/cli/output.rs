//! What commands print: tables for people, JSON for machines; messages go to standard error.
#![expect(clippy::print_stderr, reason = "this is where the terminal is written to")]

use std::io::{self, Write};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle, presets};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Failure;
use crate::config::Invalid;

/// A line under the header and none between rows: a list is read, and cut with `grep`.
const STYLE: TableStyle = presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

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
            self.raw(text);
        }
    }

    /// A message beside the output.
    #[expect(clippy::unused_self, reason = "it is the output that this stands beside")]
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// Text as it is, in either form.
    pub(super) fn raw(&self, text: impl std::fmt::Display) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Bytes as they are, with nothing added.
    #[expect(clippy::unused_self, reason = "it is the output that is written to")]
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
            // Whoever read has seen enough (`| head`): there is nobody left to tell.
            std::process::exit(0);
        }
    }

    /// What is written piece by piece.
    #[expect(clippy::unused_self, reason = "it is the output that is written to")]
    pub(super) fn stream(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if write(&mut out).and_then(|()| out.flush()).is_err() {
            // As above; and what is left in the buffer is not tried again.
            std::process::exit(0);
        }
    }

    /// A value as JSON, indented for people too.
    pub(super) fn value(&self, value: &impl Serialize) {
        self.raw(serde_json::to_string_pretty(value).expect("plain data of ours serialises"));
    }

    /// A value as JSON on one line: for output that goes on.
    pub(super) fn json_line(&self, value: &impl Serialize) {
        self.raw(serde_json::to_string(value).expect("plain data of ours serialises"));
    }

    /// Items as JSON, or as a table with these columns.
    pub(super) fn list<T: Serialize>(&self, items: &[T], columns: &[&str], row: impl Fn(&T) -> Vec<String>) {
        if self.json {
            self.value(&items);
            return;
        }
        if items.is_empty() {
            self.raw("nothing");
            return;
        }
        self.raw(Self::table(columns, items.iter().map(row)));
    }

    /// A table with these columns, as text.
    pub(super) fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns);
        table.add_rows(rows);
        table.to_string()
    }

    /// A heading over what follows, for people.
    pub(super) fn heading(&self, text: &str) {
        self.line(format_args!("\n{text}"));
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
pub(super) fn local(at: Timestamp) -> String {
    let zoned = at.to_zoned(crate::domain::agreement::copenhagen());
    zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub(super) fn local_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), local)
}

pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// The list in one cell; what stands for an empty one is the caller's word.
pub(super) fn joined(items: &[String], none: &str) -> String {
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

/// `1 error`, `2 errors`.
pub(super) fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// A span as people read it: `3h12m`, `-00m40s` when it lies behind.
pub(super) fn span(duration: SignedDuration) -> String {
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

/// Bytes as people read them: `12 B`, `3.4 KiB`, `812.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_at_a_glance() {
        for (seconds, text) in [
            (0, "00m00s"),
            (59, "00m59s"),
            (-40, "-00m40s"),
            (3_600, "1h00m"),
            (11_520, "3h12m"),
            (86_400, "1d00h"),
            (-90_000, "-1d01h"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn a_time_is_shown_by_danish_clocks() {
        assert_eq!(local("2026-07-01T12:00:00Z".parse().unwrap()), "2026-07-01 14:00:00");
        assert_eq!(local("2026-12-01T12:00:00.9Z".parse().unwrap()), "2026-12-01 13:00:00");
        assert_eq!(local_or_dash(None), "-");
    }

    #[test]
    fn a_size_keeps_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (5 * 1024 * 1024 * 1024, "5.0 GiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_count_has_its_word() {
        assert_eq!(counted(1, "error", "errors"), "1 error");
        assert_eq!(counted(0, "error", "errors"), "0 errors");
        assert_eq!(joined(&[], "every kind"), "every kind");
    }
}
