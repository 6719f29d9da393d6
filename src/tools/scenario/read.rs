//! A scenario as it is written: TOML, read with every problem and its line.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, de::IntoDeserializer};
use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

use super::{
    bound::Bound,
    model::{About, Claim, Content, Expectation, Lines, Message, OUTCOMES, Receiver, Scenario, Whom},
};
use crate::{
    config::Problem,
    domain::{AnswerOutcome, EventId},
    kinds::KINDS,
    tools::scripted::Step,
    units::{self, parse_duration},
};

const START: &str = "2026-03-02T07:00:00Z";
const LENGTH: Duration = Duration::from_hours(25);
const STEP: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    title: Option<String>,
    start: Option<Spanned<String>>,
    #[serde(default = "length", with = "units::duration")]
    length: Duration,
    #[serde(default = "step", with = "units::duration")]
    step: Duration,
    seed: Option<u64>,
    config: Option<PathBuf>,
}

fn length() -> Duration {
    LENGTH
}

fn step() -> Duration {
    STEP
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiverEntry {
    name: Option<String>,
    party: Option<String>,
    #[serde(default)]
    script: Vec<Spanned<String>>,
    receipt_after: Option<Spanned<String>>,
    refuses: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageEntry {
    name: Spanned<String>,
    from: String,
    kind: Option<Spanned<String>>,
    to: Option<String>,
    file: Option<Spanned<PathBuf>>,
    at: Option<Spanned<String>>,
    after_delivery_of: Option<String>,
    waited: Option<Spanned<String>>,
    answers: Option<String>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectEntry {
    message: Option<Spanned<String>>,
    outcome: Option<Spanned<String>>,
    within: Option<Spanned<String>>,
    attempts: Option<Spanned<String>>,
    answers: Option<Vec<Spanned<String>>>,
    sla: Option<String>,
    errors: Option<Vec<ErrorEntry>>,
    alert: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    opens: Option<Spanned<String>>,
    resolves: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorEntry {
    rule: String,
    pointer: String,
}

/// Reads the file at `path`, and the files of messages that it names, seen from its folder.
///
/// # Errors
/// Every problem, with its line.
pub fn read(path: &Path) -> Result<Scenario, Vec<Problem>> {
    let mut reader = Reader { file: path.display().to_string(), text: String::new(), problems: Vec::new() };
    match std::fs::read_to_string(path) {
        Ok(text) => reader.text = text,
        Err(error) => {
            reader.problem(None, "", error.to_string());
            return Err(reader.problems);
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    match reader.scenario(folder) {
        Some(scenario) if reader.problems.is_empty() => Ok(scenario),
        _ => Err(reader.problems),
    }
}

struct Reader {
    file: String,
    text: String,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, offset: Option<usize>, key: &str, problem: impl Into<String>) {
        let line = offset.map(|offset| self.line(offset));
        self.problems.push(Problem {
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            problem: problem.into(),
            suggestion: None,
        });
    }

    fn line(&self, offset: usize) -> usize {
        self.text[..offset.min(self.text.len())].matches('\n').count() + 1
    }

    /// What the text of that place says, or a problem there.
    fn value<T>(
        &mut self,
        key: &str,
        text: Option<&Spanned<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = text?;
        parse(text.get_ref()).map_err(|problem| self.problem(Some(text.span().start), key, problem)).ok()
    }

    fn scenario(&mut self, folder: &Path) -> Option<Scenario> {
        let text = self.text.clone();
        let mut table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(error) => {
                self.problem(error.span().map(|span| span.start), "", error.message());
                return None;
            }
        };
        let receivers = self.entries::<ReceiverEntry>(table.get_mut(), "receiver");
        let messages = self.entries::<MessageEntry>(table.get_mut(), "message");
        let expects = self.entries::<ExpectEntry>(table.get_mut(), "expect");
        let head = Head::deserialize(table.into_deserializer())
            .map_err(|error| self.problem(error.span().map(|span| span.start), "", error.message()))
            .ok()?;
        let start = self.value("start", head.start.as_ref(), |text| {
            text.parse().map_err(|_| format!("{text:?} is no instant: write \"2026-03-02T08:00:00+01:00\""))
        });
        let lines = Lines {
            receivers: receivers.iter().map(|(offset, _)| self.line(*offset)).collect(),
            messages: messages.iter().map(|(offset, _)| self.line(*offset)).collect(),
        };
        let receivers = receivers.into_iter().filter_map(|(at, entry)| self.receiver(at, entry)).collect();
        let messages = self.messages(folder, messages);
        let known: BTreeSet<&str> = messages.iter().map(|message| message.name.as_str()).collect();
        let expectations =
            expects.into_iter().filter_map(|(at, entry)| self.expect(at, entry, &known)).collect();
        Some(Scenario {
            title: head.title.unwrap_or_else(|| self.file.clone()),
            start: start.unwrap_or_else(|| START.parse().expect("an instant of the program's own")),
            length: head.length,
            step: head.step,
            seed: head.seed.unwrap_or(1),
            config: head.config.map(|config| folder.join(config)),
            receivers,
            messages,
            expectations,
            lines,
        })
    }

    /// Takes the entries of a list out of the table, each with where it stands.
    fn entries<T: for<'de> Deserialize<'de>>(
        &mut self,
        table: &mut DeTable<'_>,
        list: &str,
    ) -> Vec<(usize, T)> {
        let Some(value) = table.remove(list) else { return vec![] };
        let at = value.span().start;
        let DeValue::Array(entries) = value.into_inner() else {
            self.problem(Some(at), list, format!("write it as [[{list}]]"));
            return vec![];
        };
        let mut found = Vec::new();
        for (place, entry) in entries.into_iter().enumerate() {
            let at = entry.span().start;
            match T::deserialize(entry.into_deserializer()) {
                Ok(entry) => found.push((at, entry)),
                Err(error) => {
                    let at = error.span().map_or(at, |span| span.start);
                    let message = error.message().lines().next().unwrap_or_default().to_owned();
                    self.problem(Some(at), &format!("{list}[{place}]"), message);
                }
            }
        }
        found
    }

    fn receiver(&mut self, at: usize, entry: ReceiverEntry) -> Option<Receiver> {
        let whom = match (entry.name, entry.party) {
            (Some(name), None) => Some(Whom::Name(name)),
            (None, Some(party)) => Some(Whom::Party(party)),
            _ => {
                self.problem(
                    Some(at),
                    "receiver",
                    "name the receiver, or the party whose receivers are meant",
                );
                None
            }
        };
        let steps = entry.script.iter().filter_map(|step| self.value("script", Some(step), Step::from_str));
        let steps = steps.collect();
        let receipt_after = self.value("receipt_after", entry.receipt_after.as_ref(), parse_duration);
        if entry.refuses.is_some() && entry.receipt_after.is_none() {
            self.problem(Some(at), "refuses", "a refusal is a receipt: say when, with receipt_after");
        }
        Some(Receiver { whom: whom?, steps, receipt_after, refuses: entry.refuses })
    }

    fn messages(&mut self, folder: &Path, entries: Vec<(usize, MessageEntry)>) -> Vec<Message> {
        let names: Vec<String> = entries.iter().map(|(_, entry)| entry.name.get_ref().clone()).collect();
        let mut messages = Vec::new();
        for (place, (at, entry)) in entries.into_iter().enumerate() {
            let name_at = Some(entry.name.span().start);
            let name = entry.name.get_ref().clone();
            if names[..place].contains(&name) {
                self.problem(name_at, "name", format!("two messages are called {name:?}"));
            }
            if name.parse::<EventId>().is_err() {
                self.problem(
                    name_at,
                    "name",
                    "the name is the message's id too: write letters, digits and hyphens",
                );
            }
            for (key, other) in [("answers", &entry.answers), ("after_delivery_of", &entry.after_delivery_of)]
            {
                if let Some(other) = other.as_ref().filter(|other| !names[..place].contains(other)) {
                    self.problem(Some(at), key, format!("no message before this one is called {other:?}"));
                }
            }
            let content = self.content(folder, at, &entry);
            let at = self.value("at", entry.at.as_ref(), parse_duration).unwrap_or_default();
            let waited = self.value("waited", entry.waited.as_ref(), parse_duration).unwrap_or_default();
            let Some(content) = content else { continue };
            let put = entry.set.into_iter().map(|(pointer, value)| (pointer, Some(value)));
            let set = put.chain(entry.remove.into_iter().map(|pointer| (pointer, None))).collect();
            messages.push(Message {
                name,
                from: entry.from,
                content,
                at,
                after_delivery_of: entry.after_delivery_of,
                waited,
                answers: entry.answers,
                set,
            });
        }
        messages
    }

    fn content(&mut self, folder: &Path, at: usize, entry: &MessageEntry) -> Option<Content> {
        match (&entry.kind, &entry.to, &entry.file) {
            (Some(kind), Some(to), None) => {
                if !KINDS.iter().any(|known| known.name == kind.get_ref()) {
                    let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
                    let problem =
                        format!("no kind is called {:?}; the kinds are {}", kind.get_ref(), known.join(", "));
                    self.problem(Some(kind.span().start), "kind", problem);
                    return None;
                }
                Some(Content::Generated { kind: kind.get_ref().clone(), to: to.clone() })
            }
            (None, None, Some(file)) => {
                let path = folder.join(file.get_ref());
                let text = std::fs::read_to_string(&path);
                text.map_err(|error| {
                    self.problem(Some(file.span().start), "file", format!("{}: {error}", path.display()));
                })
                .map(Content::Text)
                .ok()
            }
            _ => {
                self.problem(Some(at), "message", "say its kind and to whom it goes, or the file that it is");
                None
            }
        }
    }

    fn expect(&mut self, at: usize, entry: ExpectEntry, known: &BTreeSet<&str>) -> Option<Expectation> {
        let mut claims = Vec::new();
        let ExpectEntry { outcome, within, attempts, answers, sla, errors, opens, resolves, .. } = &entry;
        let outcome = self.value("outcome", outcome.as_ref(), |text| {
            let problem = || format!("{text:?} is no outcome: write {}", OUTCOMES.join(", "));
            OUTCOMES.contains(&text).then(|| text.to_owned()).ok_or_else(problem)
        });
        claims.extend(outcome.map(Claim::Outcome));
        claims.extend(self.value("within", within.as_ref(), parse_duration).map(Claim::Within));
        claims.extend(self.value("attempts", attempts.as_ref(), Bound::number).map(Claim::Attempts));
        if let Some(answers) = answers {
            let named = answers.iter().filter_map(|answer| {
                self.value("answers", Some(answer), |text| {
                    let known = AnswerOutcome::ALL.map(AnswerOutcome::name).join(", ");
                    AnswerOutcome::from_name(text)
                        .ok_or_else(|| format!("{text:?} is no answer: write {known}"))
                })
            });
            claims.push(Claim::Answers(named.collect()));
        }
        claims.extend(sla.clone().map(Claim::Sla));
        if let Some(errors) = errors {
            let errors = errors.iter().map(|error| (error.rule.clone(), error.pointer.clone()));
            claims.push(Claim::Errors(errors.collect()));
        }
        let when = |text: &str| if text == "never" { Ok(None) } else { Bound::time(text).map(Some) };
        let (opens, resolves) =
            (self.value("opens", opens.as_ref(), when), self.value("resolves", resolves.as_ref(), when));
        let of_alert = opens.is_some() || resolves.is_some() || !entry.labels.is_empty();
        let of_message = !claims.is_empty();
        claims.extend(opens.map(Claim::Opens).into_iter().chain(resolves.map(Claim::Resolves)));
        let about = match (entry.message, entry.alert) {
            (Some(message), None) if !known.contains(message.get_ref().as_str()) => {
                let problem = format!("no message is called {:?}", message.get_ref());
                self.problem(Some(message.span().start), "message", problem);
                None
            }
            (Some(_), None) if of_alert => {
                self.problem(Some(at), "expect", "labels, opens and resolves are said of an alert");
                None
            }
            (None, Some(_)) if of_message => {
                self.problem(Some(at), "expect", "of an alert labels, opens and resolves can be said");
                None
            }
            (Some(message), None) => Some(About::Message(message.into_inner())),
            (None, Some(name)) => Some(About::Alert { name, labels: entry.labels }),
            _ => {
                self.problem(Some(at), "expect", "name one message, or one alert");
                None
            }
        };
        if claims.is_empty() && about.is_some() {
            self.problem(Some(at), "expect", "nothing is expected here");
        }
        Some(Expectation { about: about?, claims })
    }
}
