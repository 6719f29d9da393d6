//! Closed days from an iCalendar file (RFC 5545): whole days, once or each year. A subset, read strictly: what is not
//! understood is an error with its line, and never a day that is silently open.

use std::collections::BTreeSet;

use jiff::{ToSpan, civil::Date};

use super::Yearly;

/// Bytes of a file.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Events in a file.
pub const EVENTS_MAX: usize = 2_000;
/// Days that one event lasts.
const DAYS_MAX: i32 = 366;
/// Characters of a line that are shown where it is wrong.
const SHOWN_MAX: usize = 60;

/// The days of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days {
    pub once: BTreeSet<Date>,
    pub yearly: Vec<Yearly>,
    /// Left out of what comes each year (`EXDATE`).
    pub except: BTreeSet<Date>,
}

/// What is wrong, and in which line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Wrong {
    pub line: usize,
    pub problem: String,
}

/// An event as its lines say it.
#[derive(Default)]
struct Event {
    line: usize,
    start: Option<Date>,
    end: Option<Date>,
    rule: Option<Rule>,
    except: Vec<Date>,
    /// It takes no time off (`TRANSP:TRANSPARENT`) or does not take place (`STATUS:CANCELLED`).
    is_open: bool,
}

/// Each year, every `interval`-th, up to a bound.
struct Rule {
    line: usize,
    interval: i16,
    count: Option<i16>,
    until: Option<Date>,
}

/// Reads the days of every `VEVENT`.
///
/// # Errors
/// The first line that is not understood.
pub fn read(text: &str) -> Result<Days, Wrong> {
    let wrong = |line, problem: &str| Wrong { line, problem: problem.to_owned() };
    if text.len() > BYTES_MAX {
        return Err(wrong(1, "the file is larger than 1 MiB"));
    }
    let mut days = Days::default();
    let mut open: Vec<String> = Vec::new();
    let (mut event, mut events) = (Event::default(), 0);
    let mut last = 1;
    for (line, content) in unfolded(text) {
        last = line;
        let Some((name, value)) = content.split_once(':') else {
            return Err(not_understood(line, &content));
        };
        let mut parts = name.split(';');
        let name = parts.next().unwrap_or_default().to_ascii_uppercase();
        let parameters: Vec<String> = parts.map(str::to_ascii_uppercase).collect();
        match name.as_str() {
            "BEGIN" => {
                open.push(value.to_ascii_uppercase());
                if value.eq_ignore_ascii_case("VEVENT") {
                    events += 1;
                    event = Event { line, ..Event::default() };
                }
            }
            "END" => {
                if open.pop().is_none_or(|begun| !begun.eq_ignore_ascii_case(value)) {
                    return Err(wrong(line, "it ends what was not begun"));
                }
                if value.eq_ignore_ascii_case("VEVENT") {
                    add(&mut days, std::mem::take(&mut event))?;
                }
            }
            _ if open.last().map(String::as_str) == Some("VEVENT") => {
                event.take(line, &name, &parameters, value).map_err(|problem| Wrong { line, problem })?;
            }
            _ if open.is_empty() => return Err(not_understood(line, &content)),
            _ => {}
        }
        if events > EVENTS_MAX {
            return Err(wrong(line, "the file has more than 2000 events"));
        }
    }
    match open.last() {
        Some(begun) => Err(Wrong { line: last, problem: format!("the file ends within a {begun}") }),
        None if events == 0 => Err(wrong(last, "the file has no VEVENT")),
        None => Ok(days),
    }
}

impl Event {
    fn take(&mut self, line: usize, name: &str, parameters: &[String], value: &str) -> Result<(), String> {
        match name {
            "DTSTART" => self.start = Some(whole_day(parameters, value)?),
            "DTEND" => self.end = Some(whole_day(parameters, value)?),
            "RRULE" => self.rule = Some(rule(line, value)?),
            "EXDATE" => {
                for value in value.split(',') {
                    self.except.push(whole_day(parameters, value)?);
                }
            }
            "TRANSP" => self.is_open |= value.eq_ignore_ascii_case("TRANSPARENT"),
            "STATUS" => self.is_open |= value.eq_ignore_ascii_case("CANCELLED"),
            "DURATION" | "RDATE" | "EXRULE" | "RECURRENCE-ID" => {
                return Err(format!("{name} is not read: write DTSTART, DTEND and a yearly RRULE"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn add(days: &mut Days, event: Event) -> Result<(), Wrong> {
    let Event { line, start, end, rule, except, is_open } = event;
    let wrong = |problem: &str| Wrong { line, problem: problem.to_owned() };
    let start = start.ok_or_else(|| wrong("the event has no DTSTART"))?;
    // DTEND is the day after the last; without it an event lasts its day.
    let lasts = end.map_or(1, |end| end.since(start).map_or(0, |span| span.get_days()));
    if !(1..=DAYS_MAX).contains(&lasts) {
        return Err(wrong("the event ends before it begins, or lasts longer than 366 days"));
    }
    if is_open {
        return Ok(());
    }
    let Some(rule) = rule else {
        let dates = start.series(1.day()).take(usize::try_from(lasts).unwrap_or(0));
        days.once.extend(dates.filter(|date| !except.contains(date)));
        return Ok(());
    };
    if lasts > 28 && !except.is_empty() {
        return Err(wrong("an event that comes each year with exceptions lasts 28 days at the most"));
    }
    for date in &except {
        days.except.extend(date.series(1.day()).take(usize::try_from(lasts).unwrap_or(0)));
    }
    yearly(days, start, lasts, &rule).ok_or(Wrong {
        line: rule.line,
        problem: "every n-th year is read with COUNT or UNTIL only, for 200 times at the most".to_owned(),
    })
}

/// The years of a rule. `None` where they would be too many to be written out one by one.
fn yearly(days: &mut Days, start: Date, lasts: i32, rule: &Rule) -> Option<()> {
    let (month, day) = (start.month(), start.day());
    let lasts = u16::try_from(lasts).ok()?;
    let until = rule.until.map_or(9998, |until| {
        let this_year = Date::new(until.year(), month, day).is_ok_and(|date| date <= until);
        if this_year { until.year() } else { until.year() - 1 }
    });
    if rule.interval == 1 && (rule.count.is_none() || (month, day) != (2, 29)) {
        let counted = rule.count.map_or(9998, |count| start.year().saturating_add(count - 1));
        days.yearly.push(Yearly { month, day, days: lasts, first: start.year(), last: until.min(counted) });
        return Some(());
    }
    let mut left = rule.count.unwrap_or(i16::MAX);
    let years = (start.year()..=until.min(9998)).step_by(usize::try_from(rule.interval).ok()?);
    for (place, year) in years.filter(|year| Date::new(*year, month, day).is_ok()).enumerate() {
        if left == 0 {
            break;
        }
        if place == 200 {
            return None;
        }
        left -= 1;
        days.yearly.push(Yearly { month, day, days: lasts, first: year, last: year });
    }
    Some(())
}

fn rule(line: usize, value: &str) -> Result<Rule, String> {
    let mut rule = Rule { line, interval: 1, count: None, until: None };
    let mut is_yearly = false;
    for part in value.split(';') {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} is no part of a rule"))?;
        let number = || {
            let number = value.parse::<i16>().ok().filter(|n| (1..=1_000).contains(n));
            number.ok_or_else(|| format!("{name} is 1 to 1000"))
        };
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => is_yearly = value.eq_ignore_ascii_case("YEARLY"),
            "INTERVAL" => rule.interval = number()?,
            "COUNT" => rule.count = Some(number()?),
            "UNTIL" => rule.until = Some(date(value.get(..8).unwrap_or(value))?),
            "WKST" => {}
            _ => {
                return Err(format!(
                    "{name} is not read: of rules only FREQ=YEARLY with COUNT, UNTIL and INTERVAL"
                ));
            }
        }
    }
    if is_yearly { Ok(rule) } else { Err("of rules only FREQ=YEARLY is read".to_owned()) }
}

/// A day. A time of day would leave open which part of the day is closed.
fn whole_day(parameters: &[String], value: &str) -> Result<Date, String> {
    let is_date = parameters.iter().any(|p| p == "VALUE=DATE");
    if !is_date && value.len() != 8 {
        return Err(format!("{value:?} is no whole day: write VALUE=DATE and a day such as 20261224"));
    }
    date(value)
}

fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("{text:?} is no day: write it as 20261224");
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<i16>().map_err(|_| wrong());
    let small = |number: i16| i8::try_from(number).map_err(|_| wrong());
    Date::new(number(0..4)?, small(number(4..6)?)?, small(number(6..8)?)?).map_err(|_| wrong())
}

fn not_understood(line: usize, content: &str) -> Wrong {
    let shown: String = content.chars().take(SHOWN_MAX).collect();
    Wrong { line, problem: format!("{shown:?} is no line of an iCalendar file") }
}

/// The lines with their numbers; one that begins with a blank goes on the one before it.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, before))) => before.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn file(events: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
    }

    fn event(lines: &str) -> String {
        file(&format!("BEGIN:VEVENT\r\nSUMMARY:Lukket\r\n{lines}\r\nEND:VEVENT\r\n"))
    }

    #[test]
    fn days_are_read_once_and_each_year() {
        let once = read(&event("DTSTART;VALUE=DATE:20261012\r\nDTEND;VALUE=DATE:20261015")).unwrap();
        assert_eq!(once.once, [12, 13, 14].map(|day| date(2026, 10, day)).into());
        let folded = read(&event("DTSTART;VALUE=DATE\r\n :20260605")).unwrap();
        assert_eq!(folded.once, [date(2026, 6, 5)].into());
        let yearly =
            read(&event("DTSTART;VALUE=DATE:20251224\r\nRRULE:FREQ=YEARLY;COUNT=3\r\nEXDATE:20261224"))
                .unwrap();
        assert_eq!(yearly.yearly, [Yearly { month: 12, day: 24, days: 1, first: 2025, last: 2027 }]);
        assert_eq!(yearly.except, [date(2026, 12, 24)].into());
        let until = read(&event("DTSTART:20251224\r\nRRULE:FREQ=YEARLY;UNTIL=20281223T235959Z")).unwrap();
        assert_eq!(until.yearly[0].last, 2027, "the last one comes before that day");
        let second = read(&event("DTSTART:20240229\r\nRRULE:FREQ=YEARLY;COUNT=2")).unwrap();
        assert_eq!(second.yearly.iter().map(|y| y.first).collect::<Vec<_>>(), [2024, 2028]);
        assert_eq!(read(&event("DTSTART:20260605\r\nTRANSP:TRANSPARENT")).unwrap(), Days::default());
        let alarm = "DTSTART:20260605\r\nBEGIN:VALARM\r\nTRIGGER:-P1D\r\nDURATION:PT5M\r\nEND:VALARM";
        assert_eq!(read(&event(alarm)).unwrap().once.len(), 1, "what an alarm says is not the event's");
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        for (text, line, problem) in [
            (event("DTSTART:20261012T080000"), 5, "no whole day"),
            (event("DTSTART:20261312"), 5, "no day"),
            (event("DTSTART:20261012\r\nDURATION:P2D"), 6, "DURATION is not read"),
            (event("DTSTART:20261012\r\nRRULE:FREQ=WEEKLY"), 6, "only FREQ=YEARLY"),
            (event("DTSTART:20261012\r\nRRULE:FREQ=YEARLY;BYDAY=1MO"), 6, "BYDAY is not read"),
            (event("DTSTART:20261012\r\nRRULE:FREQ=YEARLY;INTERVAL=2"), 6, "COUNT or UNTIL only"),
            (event("DTSTART:20261012\r\nDTEND:20261012"), 3, "ends before it begins"),
            (event("LOCATION:x"), 3, "no DTSTART"),
            (file(""), 3, "no VEVENT"),
            ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n".to_owned(), 2, "ends within a VEVENT"),
            ("hello".to_owned(), 1, "no line of an iCalendar file"),
            ("END:VEVENT".to_owned(), 1, "was not begun"),
        ] {
            let wrong = read(&text).unwrap_err();
            assert!(wrong.problem.contains(problem), "{wrong:?}");
            assert_eq!(wrong.line, line, "{wrong:?}");
        }
        let many = "BEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\n".repeat(EVENTS_MAX + 1);
        assert!(read(&file(&many)).unwrap_err().problem.contains("2000 events"));
        assert!(read(&" ".repeat(BYTES_MAX + 1)).unwrap_err().problem.contains("1 MiB"));
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_it_is_read_or_refused(text in "(BEGIN:VEVENT|END:VEVENT|DTSTART|DTEND|RRULE|[:;=,\n 0-9A-Z])*") {
            let _ = read(&text);
        }
    }
}
