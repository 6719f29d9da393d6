//! What an agreement says beside its rules: each with the clause it comes from, and nothing that cannot be.

use super::Check;
use crate::{
    config::agreement::Agreement,
    domain::identifiers::Gln,
    kinds::{KINDS, has_price},
};

/// `at` makes a key of the agreement's setting.
pub(super) fn check(agreement: &Agreement, at: impl Fn(&str) -> String, check: &mut Check<'_>) {
    clauses(agreement, &at, check);
    for (number, cap) in agreement.caps.iter().enumerate() {
        let known = |kind: &&String| KINDS.iter().any(|known| known.name == **kind);
        for kind in cap.kinds.iter().filter(known).filter(|kind| !has_price(kind)) {
            let problem = format!("a cap counts prices, and {kind} has none");
            check.problem(at(&format!("cap[{number}].kinds")), problem);
        }
    }
    targets(agreement, &at, check);
    for (number, cadence) in agreement.cadences.iter().enumerate() {
        if let (Some(from), Some(until)) = (cadence.from, cadence.until)
            && until < from
        {
            let there = check.place(at(&format!("cadence[{number}].from")));
            let problem = format!("it ends before it begins ({there})");
            check.problem(at(&format!("cadence[{number}].until")), problem);
        }
    }
    for (number, contact) in agreement.contacts.iter().enumerate() {
        let key = |setting: &str| at(&format!("contact[{number}].{setting}"));
        if contact.gln.as_ref().is_some_and(|gln| gln.parse::<Gln>().is_err()) {
            check.problem(key("gln"), "an EAN number is thirteen digits with a right check digit");
        }
        if contact.email.as_ref().is_some_and(|email| !is_mail(email)) {
            check.problem(key("email"), "it is no mail address");
        }
    }
}

/// What is measured is measured by one target, and told of by a kind that the agreement takes.
fn targets(agreement: &Agreement, at: &impl Fn(&str) -> String, check: &mut Check<'_>) {
    for (number, target) in agreement.targets.iter().enumerate() {
        let key = |setting: &str| at(&format!("target[{number}].{setting}"));
        if !(1..=100).contains(&target.at_least_percent) {
            check.problem(key("at_least_percent"), "a target is 1 to 100 percent");
        }
        let Some(measure) = target.of else {
            if target.at_least_own {
                check.problem(key("at_least_own"), "nothing is measured by this target: say what it is of");
            }
            continue;
        };
        if let Some(first) = agreement.targets[..number].iter().position(|other| other.of == Some(measure)) {
            let there = check.place(at(&format!("target[{first}].of")));
            check.problem(key("of"), format!("the same is measured by another target ({there})"));
        }
        let kind = measure.kind();
        if !agreement.kinds.is_empty() && !agreement.kinds.iter().any(|taken| taken == kind) {
            let there = check.place(at("kinds"));
            check.problem(
                key("of"),
                format!("it is measured by {kind}, which is not among the kinds it takes ({there})"),
            );
        }
    }
}

/// Whoever is refused by it is told the clause.
fn clauses(agreement: &Agreement, at: &impl Fn(&str) -> String, check: &mut Check<'_>) {
    let numbered = |list: &'static str, clauses: Vec<&String>| {
        let keys = clauses.into_iter().cloned().enumerate();
        keys.map(move |(number, clause)| (format!("{list}[{number}]"), clause)).collect::<Vec<_>>()
    };
    let mut all = numbered("group", agreement.groups.iter().map(|group| &group.clause).collect());
    all.extend(numbered("phase", agreement.phases.iter().map(|phase| &phase.clause).collect()));
    all.extend(numbered("cap", agreement.caps.iter().map(|cap| &cap.clause).collect()));
    all.extend(numbered("target", agreement.targets.iter().map(|target| &target.clause).collect()));
    all.extend(numbered("cadence", agreement.cadences.iter().map(|cadence| &cadence.clause).collect()));
    all.extend(numbered("contact", agreement.contacts.iter().map(|contact| &contact.clause).collect()));
    all.extend(agreement.notice.iter().map(|notice| ("notice".to_owned(), notice.clause.clone())));
    let effort = agreement.special_effort.iter();
    all.extend(effort.map(|effort| ("special_effort".to_owned(), effort.clause.clone())));
    for (key, clause) in all {
        if clause.trim().is_empty() {
            check.problem(at(&format!("{key}.clause")), "it names the clause it comes from");
        }
    }
}

fn is_mail(text: &str) -> bool {
    let whole = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    text.split_once('@').is_some_and(|(name, host)| whole(name) && whole(host) && host.contains('.'))
}
