//! Targets and ladders: what they name is there, and steps come in an order.

use std::collections::BTreeSet;

use super::Check;
use crate::config::{
    Settings,
    alerting::{self, Via},
    promise::{NAME, is_name},
    settings::{Ladder, Target},
};

pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    let alerts = &settings.alerts;
    address(check, "alerts.alertmanager", &alerts.alertmanager);
    address(check, "alerts.webhook", &alerts.webhook);
    if alerts.repeat.is_zero() || alerts.repeat_interval.is_zero() {
        check.problem("alerts", "repeat and repeat_interval are longer than nothing");
    }
    let names = targets(settings, check);
    ladders(settings, &names, check);
}

fn address(check: &mut Check<'_>, key: &str, url: &str) {
    if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
        check.problem(key, "write an address that begins with http:// or https://");
    }
}

fn targets(settings: &Settings, check: &mut Check<'_>) -> BTreeSet<String> {
    let targets = alerting::all(settings);
    let names: BTreeSet<String> = targets.iter().map(|target| target.common.name.clone()).collect();
    for (place, Target { common, via }) in settings.target.iter().enumerate() {
        let at = |setting: &str| format!("target[{place}].{setting}");
        if targets.iter().filter(|target| target.common.name == common.name).count() > 1 {
            check.problem(at("name"), format!("{:?} is configured twice", common.name));
        }
        if !is_name(&common.name) {
            check.problem(at("name"), NAME);
        }
        if let Some(other) = &common.otherwise
            && (!names.contains(other) || *other == common.name)
        {
            check.problem(at("otherwise"), format!("{other:?} is no other target"));
        }
        let is_meant = |target: &&Target| Some(&target.common.name) == common.otherwise.as_ref();
        if targets.iter().find(is_meant).is_some_and(|target| matches!(target.via, Via::Alertmanager(_))) {
            let problem =
                "an Alertmanager ends what it is not told of again and again, and who stands in is told once";
            check.problem(at("otherwise"), problem);
        }
        if common.repeat_interval.is_some_and(|span| span.0.is_zero()) {
            check.problem(at("repeat_interval"), "it is longer than nothing");
        }
        match via {
            Via::Alertmanager(config) => address(check, &at("url"), &config.url),
            Via::Webhook(config) => address(check, &at("url"), &config.url),
            Via::Mail(_) => {}
            Via::Amqp(config) => {
                if settings.amqp.url.is_empty() {
                    check.problem(at("via"), "it needs a broker, and amqp.url names none");
                }
                let has_queue =
                    |code: &str| settings.party.iter().any(|p| p.code == code && p.amqp_user.is_some());
                if let Some(party) = config.party.as_ref().filter(|code| !has_queue(code)) {
                    check.problem(at("party"), format!("no party {party:?} has a queue of its own"));
                }
            }
        }
    }
    names
}

fn ladders(settings: &Settings, targets: &BTreeSet<String>, check: &mut Check<'_>) {
    let mut built = Vec::new();
    for (name, ladder) in &settings.ladder {
        let key = format!("ladder.{name}");
        if !is_name(name) {
            check.problem(&key, NAME);
        }
        named(settings, ladder, targets, &key, check);
        match ladder.build(name, false) {
            Err((place, problem)) => check.problem(format!("{key}.steps[{place}].at"), problem),
            Ok(ladder) => {
                for place in ladder.out_of_order() {
                    let step = &ladder.steps[place].at;
                    check.problem(
                        format!("{key}.steps[{place}].at"),
                        format!("{step} does not come after {}", ladder.steps[place - 1].at),
                    );
                }
                built.push(ladder);
            }
        }
    }
    for (place, ladder) in built.iter().enumerate() {
        if let Some(other) = built[..place].iter().find(|other| ladder.clashes(other)) {
            let key = format!("ladder.{}", ladder.name);
            check.problem(key, format!("some promises are served by it and by ladder.{} alike", other.name));
        }
    }
}

fn named(settings: &Settings, ladder: &Ladder, targets: &BTreeSet<String>, key: &str, check: &mut Check<'_>) {
    for (number, kind) in ladder.kinds.iter().enumerate() {
        check.kind(&format!("{key}.kinds[{number}]"), kind);
    }
    for (number, id) in ladder.agreements.iter().enumerate() {
        if !settings.agreement.iter().any(|agreement| agreement.id == *id) {
            check.problem(format!("{key}.agreements[{number}]"), format!("no agreement has the id {id:?}"));
        }
    }
    for (place, step) in ladder.steps.iter().enumerate() {
        let at = |setting: &str| format!("{key}.steps[{place}].{setting}");
        for (setting, names) in [("targets", step.targets.as_deref().unwrap_or(&[])), ("then", &step.then)] {
            for name in names.iter().filter(|name| !targets.contains(*name)) {
                check.problem(at(setting), format!("no target is called {name:?}"));
            }
        }
        if step.climb_after.is_some() && step.targets.is_none() {
            check.problem(at("climb_after"), "everybody is told already: name the step's targets");
        }
        if step.climb_after.is_none() && !step.then.is_empty() {
            check.problem(at("then"), "it needs climb_after");
        }
        if step.climb_after.is_some_and(|span| span.0.is_zero()) {
            check.problem(at("climb_after"), "it is longer than nothing");
        }
    }
}
