//! Promises that last as long as an agreement leaves a citizen with the a-kasse: where such a limit is.

use serde_json::Value;

use super::Check;
use crate::{
    config::{
        Settings,
        agreement::{AgreedPromise, Agreement},
        promise::{Also, ELAPSED, LIMIT, Within},
    },
    domain::sla,
    kinds::KINDS,
};

/// No general promise knows a limit: groups are an agreement's.
pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    for (kind, promise) in &settings.promise {
        let key = format!("promise.{kind}");
        let further = promise.also.iter().enumerate();
        let further = further.map(|(number, also)| (format!("{key}.also[{number}]"), also.within));
        for (key, within) in [(key.clone(), promise.within)].into_iter().chain(further) {
            if is_limit(within) {
                check.problem(format!("{key}.within"), "only an agreement has groups with a limit");
            }
        }
    }
}

/// What an agreement promises by itself for one kind.
pub(super) fn alone(
    key: &str,
    kind: &str,
    (agreement, agreed): (&Agreement, &AgreedPromise),
    check: &mut Check<'_>,
) {
    if agreed.within.as_deref() == Some(LIMIT) {
        let problem = "that a receiver has a message is promised within a time; what else is promised, in `also`, may \
                       last to the limit";
        check.problem(format!("{key}.within"), problem);
    }
    for (number, also) in agreed.also.iter().enumerate().filter(|(_, also)| is_limit(also.within)) {
        further(&format!("{key}.also[{number}]"), kind, (agreement, also), check);
    }
}

fn further(key: &str, kind: &str, (agreement, also): (&Agreement, &Also), check: &mut Check<'_>) {
    if also.starts.0 != sla::Starts::Registration {
        let problem = "a limit is counted from the registration: write `starts = \"registration\"`";
        check.problem(format!("{key}.starts"), problem);
    }
    if also.calendar.as_deref().is_some_and(|name| name != ELAPSED) {
        check.problem(format!("{key}.calendar"), "a limit is a day and is counted by no calendar");
    }
    if agreement.groups.iter().all(|group| group.limit.is_none()) {
        check.problem(format!("{key}.within"), "no group of the agreement has a limit");
    }
    let known = KINDS.iter().find(|known| known.name == kind);
    if known.is_some_and(|kind| !tells_registration(kind.schema)) {
        let problem = format!("a limit is counted from the registration, and {kind} does not tell of it");
        check.problem(format!("{key}.within"), problem);
    }
}

fn is_limit(within: Within) -> bool {
    within.0 == sla::Within::Limit
}

fn tells_registration(schema: &str) -> bool {
    let schema: Option<Value> = serde_json::from_str(schema).ok();
    schema.is_some_and(|schema| schema.pointer("/properties/registrationDate").is_some())
}
