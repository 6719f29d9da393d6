//! What was expected, beside what came of it.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bound::span,
    model::{About, Claim, Expectation},
};
use crate::{
    domain::{
        AnswerOutcome,
        alert::{AlertChange, Change, Condition},
        violation::Severity,
    },
    store::views::{DeliveryView, MessageView},
};

/// One claim, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The message's name, or the alert with its labels.
    pub about: String,
    pub what: &'static str,
    pub expected: String,
    pub found: String,
    pub kept: bool,
}

/// What came of a message.
pub(super) struct Became {
    /// How it was taken: `accepted`, `duplicate`, `conflict`, `rejected`.
    pub verdict: &'static str,
    pub view: MessageView,
    /// In the order in which they were told.
    pub answers: Vec<AnswerOutcome>,
}

/// Judges one expectation. `became` is that of the message it is about.
pub(super) fn judge(
    expectation: &Expectation,
    became: Option<&Became>,
    changes: &[AlertChange],
    start: Timestamp,
) -> Vec<Check> {
    let judged = |claim: &Claim| match (&expectation.about, became) {
        (About::Message(name), Some(became)) => of_message(name, became, claim),
        (About::Message(name), None) => {
            check(name, "outcome", "it is sent", "it was not: the play was over", false)
        }
        (About::Alert { name, labels }, _) => {
            let own = |condition: &Condition| {
                condition.name == *name
                    && labels.iter().all(|(label, value)| condition.labels.get(label) == Some(value))
            };
            let mine = changes.iter().filter(|change| own(&change.condition));
            let words = labels.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>();
            let about = if words.is_empty() { name.clone() } else { format!("{name} {}", words.join(" ")) };
            of_alert(&about, mine, claim, start)
        }
    };
    expectation.claims.iter().map(judged).collect()
}

fn check(about: &str, what: &'static str, expected: &str, found: impl Into<String>, kept: bool) -> Check {
    Check { about: about.to_owned(), what, expected: expected.to_owned(), found: found.into(), kept }
}

fn of_message(name: &str, became: &Became, claim: &Claim) -> Check {
    let view = &became.view;
    match claim {
        Claim::Outcome(expected) => {
            let found = outcome(became);
            check(name, "outcome", expected, found, found == expected)
        }
        Claim::Within(within) => {
            let took = took(view);
            let found = took.map_or_else(|| "not delivered".to_owned(), span);
            let expected = format!("{} or less", span(*within));
            check(name, "within", &expected, found, took.is_some_and(|took| took <= *within))
        }
        Claim::Attempts(bound) => {
            let found: u32 = view.deliveries.iter().map(|delivery| delivery.attempts).sum();
            check(name, "attempts", &bound.to_string(), found.to_string(), bound.holds(found))
        }
        Claim::Answers(expected) => {
            let words = |answers: &[AnswerOutcome]| joined(answers.iter().map(|answer| answer.name()));
            check(name, "answers", &words(expected), words(&became.answers), *expected == became.answers)
        }
        Claim::Sla(expected) => {
            let standings: BTreeSet<&str> = view.promises.iter().map(|p| p.standing.as_str()).collect();
            let found = joined(standings);
            check(name, "sla", expected, found.clone(), found == *expected)
        }
        Claim::Errors(expected) => {
            let errors = view.findings.iter().filter(|finding| finding.severity == Severity::Error);
            let found: BTreeSet<(String, String)> =
                errors.map(|error| (error.rule.clone(), error.pointer.clone())).collect();
            let words = |errors: &BTreeSet<(String, String)>| {
                joined(errors.iter().map(|(rule, pointer)| format!("{rule} at {pointer}")))
            };
            check(name, "errors", &words(expected), words(&found), *expected == found)
        }
        Claim::Opens(_) | Claim::Resolves(_) => unreachable!("the reader takes these of alerts only"),
    }
}

fn of_alert<'a>(
    about: &str,
    changes: impl Iterator<Item = &'a AlertChange>,
    claim: &Claim,
    start: Timestamp,
) -> Check {
    let (what, change, bound) = match claim {
        Claim::Opens(bound) => ("opens", Change::Opened, bound),
        Claim::Resolves(bound) => ("resolves", Change::Resolved, bound),
        _ => unreachable!("the reader takes nothing else of alerts"),
    };
    let times = changes.filter(|told| told.change == change).map(|told| told.at);
    // It opens when it first opens, and is over when it was last resolved.
    let found = if change == Change::Opened { times.min() } else { times.max() };
    let found = found.map(|at| Duration::try_from(at.duration_since(start)).unwrap_or(Duration::ZERO));
    let kept = match (bound, found) {
        (None, None) => true,
        (Some(bound), Some(found)) => bound.holds(found),
        (None, Some(_)) | (Some(_), None) => false,
    };
    let expected = bound.map_or_else(|| "never".to_owned(), |bound| format!("after {}", bound.words()));
    let found = found.map_or_else(|| "never".to_owned(), |found| format!("after {}", span(found)));
    check(about, what, &expected, found, kept)
}

fn outcome(became: &Became) -> &str {
    match (became.verdict, became.view.line.state.as_str()) {
        ("duplicate", _) => "duplicate",
        (_, "invalid") => "rejected",
        (_, state) => state,
    }
}

/// From the message's `time` to its last delivery, where all are delivered; of two ways one is.
fn took(view: &MessageView) -> Option<Duration> {
    let begins = view.occurred.unwrap_or(view.line.received);
    let settled = |d: &DeliveryView| d.settled.filter(|_| d.state == "delivered");
    let firsts = view.deliveries.iter().filter(|d| d.second_way_of.is_none());
    let delivered = firsts.map(|first| {
        let second = view.deliveries.iter().find(|d| d.second_way_of == Some(first.delivery_id));
        settled(first).into_iter().chain(second.and_then(settled)).min()
    });
    let last = delivered.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(last.duration_since(begins).try_into().unwrap_or(Duration::ZERO))
}

fn joined<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
