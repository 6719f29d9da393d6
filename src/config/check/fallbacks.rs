//! Second ways: another receiver of the same party that can carry the kind, in time for the promise.

use jiff::SignedDuration;

use super::{
    Check,
    ways::{goes, is_offered, takes},
};
use crate::{
    config::{
        Settings,
        agreement::{AgreedPromise, Agreement, EVERY, Fallback},
        promise::{ELAPSED, Within},
        settings::Receiver,
    },
    domain::{Party, ladder::At, party::PartyKind, sla},
    kinds::{self, Direction},
};

/// Of every agreement, with the receivers that are configured.
pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    for (place, Receiver { common, .. }) in settings.receiver.iter().enumerate() {
        if common.fallback_only && !common.kinds.is_empty() {
            let there = check.place(format!("receiver[{place}].fallback_only"));
            let problem = format!(
                "it takes nothing but what an agreement sends it as a second way ({there}): leave its kinds out"
            );
            check.problem(format!("receiver[{place}].kinds"), problem);
        }
    }
    for (place, agreement) in settings.agreement.iter().enumerate() {
        for (kind, agreed) in &agreement.promises {
            let Some(fallback) = &agreed.fallback else { continue };
            let key = format!("agreement[{place}].promises.{kind}");
            one(settings, (agreement, kind, fallback), &key, check);
        }
    }
}

/// What an agreement says of it by itself.
pub(super) fn alone(key: &str, agreed: &AgreedPromise, check: &mut Check<'_>) {
    let Some(fallback) = &agreed.fallback else { return };
    let at = format!("{key}.fallback.at");
    let Some(within) = &agreed.within else {
        let there = check.place(key);
        let problem = format!("a second way goes with a promise of its agreement: write `within` ({there})");
        return check.problem(format!("{key}.fallback"), problem);
    };
    let step: At = match fallback.at.parse() {
        Ok(At::Breach | At::After(_)) => {
            return check.problem(at, "a second way is tried before the deadline: \"75%\" or \"4h left\"");
        }
        Ok(step) => step,
        Err(problem) => return check.problem(at, problem),
    };
    foreseen(key, fallback, step, check);
    let At::Left(lead) = step else { return };
    let is_elapsed = agreed.calendar.as_deref().is_none_or(|name| name == ELAPSED);
    if let Ok(Within(sla::Within::Time(budget))) = within.parse()
        && is_elapsed
        && budget > SignedDuration::ZERO
        && lead >= budget
    {
        let there = check.place(format!("{key}.within"));
        check.problem(at, format!("of {within} ({there}) so much is never left when a message comes"));
    }
}

/// What a forecast lets go, it lets go before its time.
fn foreseen(key: &str, fallback: &Fallback, at: At, check: &mut Check<'_>) {
    let Some(written) = &fallback.when_predicted else { return };
    let place = format!("{key}.fallback.when_predicted");
    match fallback.when_predicted() {
        Ok(Some(early)) if !early.is_before(at) => {
            let there = check.place(format!("{key}.fallback.at"));
            let problem = format!(
                "{written} is not before {at} ({there}): what a forecast lets go, it lets go earlier; or write \"never\""
            );
            check.problem(place, problem);
        }
        Ok(_) => {}
        Err(problem) => check.problem(place, format!("{problem}, or \"never\"")),
    }
}

fn one(
    settings: &Settings,
    (agreement, kind, fallback): (&Agreement, &str, &Fallback),
    key: &str,
    check: &mut Check<'_>,
) {
    let at = format!("{key}.fallback.receiver");
    let found = settings.receiver.iter().enumerate().find(|(_, r)| r.common.name() == fallback.receiver);
    let Some((number, second)) = found else {
        return check.problem(at, format!("no receiver is called {:?}", fallback.receiver));
    };
    let there = |check: &Check<'_>, setting: &str| check.place(format!("receiver[{number}].{setting}"));
    if takes(settings, second, kind) {
        let place = there(check, "party");
        let problem = format!(
            "{} ({place}) takes {kind} anyway: it is the first way, and cannot be the second",
            fallback.receiver
        );
        return check.problem(at, problem);
    }
    let Ok(party) = Party::from_code(&second.common.party) else { return };
    let (side, way) = match party.kind() {
        PartyKind::Akasse => (agreement.akasse_codes().collect::<Vec<_>>(), Direction::ToAkasse),
        PartyKind::Jobcenter => (agreement.jobcenter_codes().collect(), Direction::ToJobcenter),
        // Nobody writes its code.
        PartyKind::Gateway => return,
    };
    if !side.iter().any(|code| *code == EVERY || *code == &second.common.party) {
        let place = there(check, "party");
        let problem = format!("{} ({place}) is no party of this agreement", second.common.party);
        return check.problem(at, problem);
    }
    if !goes(kind, way) {
        let place = there(check, "party");
        return check.problem(at, format!("{kind} does not go to {} ({place})", second.common.party));
    }
    let of_party = |r: &&Receiver| r.common.party == second.common.party;
    let first: Vec<&str> = settings
        .receiver
        .iter()
        .filter(of_party)
        .filter(|r| takes(settings, r, kind))
        .map(|r| r.common.name())
        .collect();
    if first.len() != 1 {
        let place = there(check, "party");
        let who = if first.is_empty() {
            "nobody takes".to_owned()
        } else {
            format!("{} take", first.join(" and "))
        };
        let problem = format!(
            "{who} {kind} for {} ({place}): a second way stands behind one first",
            second.common.party
        );
        return check.problem(at, problem);
    }
    let agreed = agreement.rules.get(kind).and_then(|rules| rules.format);
    let own = kinds::KINDS.iter().find(|known| known.name == kind).map(|known| known.format());
    if let Some(format) = second.common.format.or(agreed).or(own)
        && !is_offered(kind, format)
    {
        let place = there(check, "format");
        let problem =
            format!("{} reads {format} ({place}), and {kind} does not become that", fallback.receiver);
        check.problem(at, problem);
    }
}
