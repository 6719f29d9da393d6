//! The rules that several kinds share, and the list that gathers what they find.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::Date};
use serde::Deserialize;

use super::people::{Contact, Period, WorkingTime};
use crate::{
    domain::{
        Cpr, Cvr, Event, FaultCode, Severity, Text, Violation, calendar, identifiers, identifiers::CprFault,
    },
    formats::mapping,
};

pub mod days;

/// A message's violations as they are found; every rule is tried, none stops the next.
pub struct Findings {
    /// The day of receipt by Danish clocks.
    today: Date,
    found: Vec<Violation>,
}

/// Younger or older than this is worth a second look, in whole years.
const LIKELY_AGES: std::ops::RangeInclusive<i16> = 15..=110;

impl Findings {
    /// Begins without a finding. `now` is the time of receipt.
    pub fn new(now: Timestamp) -> Self {
        Self { today: day_of(now), found: Vec::new() }
    }

    /// The data as the kind's type; where it cannot be read, that is what was found.
    pub fn read<'e, T: Deserialize<'e>>(&mut self, event: &'e Event) -> Option<T> {
        read(event).map_err(|violation| self.push(*violation)).ok()
    }

    pub fn push(&mut self, violation: Violation) {
        self.found.push(violation);
    }

    /// An error of a kind's own rule.
    pub fn error(&mut self, pointer: &str, rule: &str, da: &str, en: &str) -> &mut Violation {
        self.add(Violation::error(pointer, rule, FaultCode::RuleViolation, Text::new(da, en)))
    }

    /// A warning of a kind's own rule.
    pub fn warning(&mut self, pointer: &str, rule: &str, da: &str, en: &str) -> &mut Violation {
        self.add(Violation::warning(pointer, rule, FaultCode::RuleViolation, Text::new(da, en)))
    }

    fn add(&mut self, violation: Violation) -> &mut Violation {
        self.found.push(violation);
        self.found.last_mut().expect("it was just pushed")
    }

    /// A CPR number with a real birth date, not in the future. Modulus 11 is no rule.
    pub fn cpr(&mut self, pointer: &str, text: &str) {
        match Cpr::parse(text).and_then(|cpr| cpr.not_after(self.today)) {
            Ok(cpr) => self.cpr_worth_a_look(pointer, &cpr),
            Err(fault) => self.push(wrong_cpr(pointer, text, fault)),
        }
    }

    fn cpr_worth_a_look(&mut self, pointer: &str, cpr: &Cpr) {
        if cpr.is_replacement() {
            self.push(
                Violation::warning(
                    pointer,
                    "cpr.replacement",
                    FaultCode::IdentifierWrong,
                    Text::new(
                        "Det er et erstatningsnummer (dag + 60). Modtagere, hvis system ikke tager imod sådanne, \
                         betjenes først, når en medarbejder har set på sagen.",
                        "It is a replacement number (day + 60). A receiver whose system does not take these is \
                         served once a person has looked at it.",
                    ),
                )
                .masked(cpr.digits()),
            );
        }
        let age = cpr.age_on(self.today);
        if !LIKELY_AGES.contains(&age) {
            let warning = self.warning(
                pointer,
                "cpr.age",
                "Alderen er usædvanlig for en ledig. Kontrollér CPR-nummeret.",
                "The age is unusual for an unemployed person. Check the CPR number.",
            );
            warning.expected = "15-110 years".into();
            warning.actual = Some(format!("{age} years"));
        }
    }

    /// A CVR number with its check digit.
    pub fn cvr(&mut self, pointer: &str, text: &str) {
        if text.parse::<Cvr>().is_err() {
            self.push(
                Violation::error(
                    pointer,
                    "cvr.check-digit",
                    FaultCode::IdentifierWrong,
                    Text::new("CVR-nummeret er ikke gyldigt.", "The CVR number is not valid."),
                )
                .expected("eight digits with a right check digit, the first not zero")
                .actual(text),
            );
        }
    }

    /// A Danish telephone number.
    pub fn phone(&mut self, pointer: &str, text: &str, severity: Severity) {
        if identifiers::phone(text).is_none() {
            let mut violation = Violation::error(
                pointer,
                "phone.danish",
                FaultCode::IdentifierWrong,
                Text::new(
                    "Telefonnummeret er ikke et dansk nummer.",
                    "The telephone number is not a Danish number.",
                ),
            );
            violation.severity = severity;
            self.push(violation.expected("eight digits, +45 allowed in front").masked(text).star(9157));
        }
    }

    /// A text that people read: no HTML tags, and no CPR number of someone else.
    pub fn text(&mut self, pointer: &str, text: &str, severity: Severity) {
        if holds_a_tag(text) {
            let mut violation = Violation::error(
                pointer,
                "text.html",
                FaultCode::RuleViolation,
                Text::new("Teksten indeholder HTML-koder.", "The text holds HTML tags."),
            );
            violation.severity = severity;
            self.push(violation.expected("plain text").masked(text).star(4933));
        }
        if names_a_person(text) {
            self.warning(
                pointer,
                "text.cpr",
                "Teksten ser ud til at indeholde et CPR-nummer. Teksten læses af andre end sagsbehandlere.",
                "The text seems to hold a CPR number. Others than caseworkers read it.",
            );
        }
    }

    /// Texts that people read, one by one, under the list's pointer.
    pub fn texts(&mut self, pointer: &str, texts: &[&str], severity: Severity) {
        for (index, text) in texts.iter().enumerate() {
            self.text(&format!("{pointer}/{index}"), text, severity);
        }
    }

    /// Who to ask about the message, at `/data/caseworker`: a number that is not Danish is worth a warning only.
    pub fn caseworker(&mut self, caseworker: Option<&Contact<'_>>) {
        if let Some(caseworker) = caseworker {
            self.phone("/data/caseworker/phone", caseworker.phone, Severity::Warning);
        }
    }

    /// An attachment's content, strictly by RFC 4648 with padding.
    pub fn base64(&mut self, pointer: &str, content: &str) {
        if BASE64_STANDARD.decode(content).is_err() {
            let error = self.error(
                pointer,
                "attachment.base64",
                "Bilagets indhold er ikke gyldig base64.",
                "The attachment's content is not valid base64.",
            );
            error.expected = "base64 with padding, without line ends".into();
            error.actual = Some(format!("({} characters)", content.len()));
        }
    }

    /// A message that answers another names it by `correlationid`: without it nobody knows what it is about.
    pub fn answers(&mut self, event: &Event, rule: &str) {
        if event.envelope.correlation_id.is_none() {
            self.error(
                "/correlationid",
                rule,
                "Beskeden oplyser ikke, hvilken besked den svarer på.",
                "The message does not say which message it answers.",
            )
            .expected = "the `id` of the message that it answers".into();
        }
    }

    /// A day on which something happened lies before the message that tells of it, or is the same.
    pub fn happened(&mut self, pointer: &str, text: Option<&str>, event: &Event) {
        let sent = day_of(event.envelope.time);
        if let Some(day) = text.and_then(day).filter(|day| *day > sent) {
            let warning = self.warning(
                pointer,
                "day.after-message",
                "Dagen ligger efter, at beskeden blev sendt.",
                "The day lies after the message was sent.",
            );
            warning.expected = format!("{sent} or earlier");
            warning.actual = Some(day.to_string());
        }
    }

    /// A time that does not end before it begins.
    pub fn offer_period(&mut self, pointer: &str, period: &Period<'_>) {
        let (start, end) = (day(period.start_date), period.end_date.and_then(day));
        self.period(&format!("{pointer}/endDate"), "period.reversed", start, end);
    }

    /// A job has weekly hours.
    pub fn weekly_hours(&mut self, rule: &str, time: &WorkingTime<'_>) {
        if time.weekly_hours * 60 + time.weekly_minutes == 0 {
            self.error(
                "/data/workingTime/weeklyHours",
                rule,
                "Jobbet har intet ugentligt timetal.",
                "The job has no weekly hours.",
            )
            .expected = "more than 0 minutes a week".into();
        }
    }

    pub fn finish(self) -> Vec<Violation> {
        self.found
    }
}

/// The data as the kind's type.
///
/// # Errors
/// One violation at the value that does not fit, although it passed the schema: `5.0` for an integer.
pub fn read<'e, T: Deserialize<'e>>(event: &'e Event) -> Result<T, Box<Violation>> {
    T::deserialize(&event.data).or_else(|_| {
        // Read again with the path, which costs too much for every message.
        serde_path_to_error::deserialize(&event.data).map_err(|error| {
            Violation::error(
                pointer_of(error.path()),
                "data.value",
                FaultCode::SchemaViolation,
                Text::new(
                    "Værdien kan ikke læses, som skemaet mener den.",
                    "The value cannot be read as the schema means it.",
                ),
            )
            .expected("whole numbers without a decimal point, dates as YYYY-MM-DD")
            .into()
        })
    })
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold("/data".to_owned(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{key}"),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// The citizen of data that names one.
pub fn citizen(event: &Event) -> Option<Cpr> {
    let cpr = event.data.get("citizen")?.get("cpr")?.as_str()?;
    Cpr::parse(cpr).ok()
}

/// What is wrong with the citizen's number, where the data do not fit the schema and a kind's own rules cannot be asked.
pub fn of_the_citizen(data: &serde_json::Value, now: Timestamp) -> Vec<Violation> {
    let mut findings = Findings::new(now);
    if let Some(cpr) = data.pointer("/citizen/cpr").and_then(serde_json::Value::as_str) {
        findings.cpr("/data/citizen/cpr", cpr);
    }
    findings.finish()
}

/// The calendar day by Danish clocks.
pub fn day_of(instant: Timestamp) -> Date {
    calendar::copenhagen_date(instant)
}

/// A day that the schema has checked.
pub fn day(text: &str) -> Option<Date> {
    mapping::day(text)
}

fn wrong_cpr(pointer: &str, text: &str, fault: CprFault) -> Violation {
    let (rule, da, en) = match fault {
        CprFault::NotTenDigits => {
            ("cpr.ten-digits", "CPR-nummeret er ikke ti cifre.", "The CPR number is not ten digits.")
        }
        CprFault::Unknown => (
            "cpr.unknown",
            "0000000000 betyder ukendt; beskeden skal gælde en person.",
            "0000000000 means unknown; the message must be about a person.",
        ),
        CprFault::NotADate => (
            "cpr.not-a-date",
            "CPR-nummerets seks første cifre er ikke en dato.",
            "The CPR number's first six digits are not a date.",
        ),
        CprFault::Future => (
            "cpr.future",
            "CPR-nummerets fødselsdato ligger i fremtiden.",
            "The CPR number's birth date lies in the future.",
        ),
    };
    Violation::error(pointer, rule, FaultCode::IdentifierWrong, Text::new(da, en))
        .expected("ten digits, DDMMYY and a serial number")
        .masked(text)
        .star(1001)
}

/// `<b>`, `</p>` or `<!--`: a bracket with a name or a mark behind it, closed later. `løn < 200` is none.
fn holds_a_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = &text[at + 1..];
        let name = rest.strip_prefix('/').unwrap_or(rest);
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') && name.contains('>')
    })
}

/// Ten digits, or six and four with a hyphen or a space between, that begin with a real date.
pub fn names_a_person(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = digits_at(bytes, at);
        let end = at + run;
        let number = match run {
            10 => Some(text[at..end].to_owned()),
            6 if matches!(bytes.get(end), Some(b'-' | b' ')) && digits_at(bytes, end + 1) == 4 => {
                Some(format!("{}{}", &text[at..end], &text[end + 1..end + 5]))
            }
            _ => None,
        };
        if number.is_some_and(|number| Cpr::parse(&number).is_ok()) {
            return true;
        }
        at = end;
    }
    false
}

fn digits_at(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests;
