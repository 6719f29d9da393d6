//! Formats and channels: a receiver reads what its kinds can become, and goes the way that is agreed.

use super::Check;
use crate::{
    channels::ChannelConfig,
    config::{Settings, calendar::calendars, settings::Receiver},
    domain::{Format, Party},
    kinds::{self, Direction},
};

pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    for (place, Receiver { common, .. }) in settings.receiver.iter().enumerate() {
        for kind in &common.kinds {
            // What a profile asks for is its own check's.
            let format =
                common.format.filter(|format| common.profile.is_none() && !is_offered(kind, *format));
            let Some(format) = format else { continue };
            let there = check.place(format!("receiver[{place}].kinds"));
            check.problem(
                format!("receiver[{place}].format"),
                format!("{kind}, which it takes ({there}), does not become {format}"),
            );
        }
    }
    let calendars = calendars(settings).unwrap_or_default();
    for (place, agreement) in settings.agreement.iter().enumerate() {
        let Ok(built) = agreement.build(&calendars) else { continue };
        for (kind, rules) in &built.rules {
            let key = format!("agreement[{place}].rules.{kind}");
            for (number, channel) in rules.channels.iter().enumerate() {
                if !ChannelConfig::NAMES.contains(&channel.as_str()) {
                    let known = ChannelConfig::NAMES.join(", ");
                    check.problem(
                        format!("{key}.channels[{number}]"),
                        format!("no channel is called {channel:?}; the channels are {known}"),
                    );
                }
            }
            if let Some(format) = rules.format.filter(|format| !is_offered(kind, *format)) {
                check.problem(format!("{key}.format"), format!("{kind} does not become {format}"));
            }
            if rules.format.is_none() && rules.channels.is_empty() {
                continue;
            }
            for (number, receiver) in settings.receiver.iter().enumerate() {
                let Ok(party) = Party::from_code(&receiver.common.party) else { continue };
                let theirs = built.jobcenters.has(&party) && goes(kind, Direction::ToJobcenter)
                    || built.akasser.has(&party) && goes(kind, Direction::ToAkasse);
                if theirs && takes(settings, receiver, kind) {
                    check_receiver((number, receiver), (&key, kind, &built.id), rules, check);
                }
            }
        }
    }
}

/// Whether a kind goes that way, if not both.
pub(super) fn goes(kind: &str, way: Direction) -> bool {
    kinds::KINDS
        .iter()
        .any(|known| known.name == kind && [way, Direction::BothWays].contains(&known.direction))
}

/// Whether a kind becomes that format.
pub(super) fn is_offered(kind: &str, format: Format) -> bool {
    kinds::KINDS.iter().any(|known| known.name == kind && known.offers(format))
}

/// Whether routing gives the receiver that kind.
pub(super) fn takes(settings: &Settings, receiver: &Receiver, kind: &str) -> bool {
    let names = |r: &Receiver| r.common.kinds.iter().any(|k| k == kind);
    let of_party = |r: &&Receiver| r.common.party == receiver.common.party;
    names(receiver)
        || (receiver.common.kinds.is_empty()
            && !receiver.common.fallback_only
            && !settings.receiver.iter().filter(of_party).any(names))
}

fn check_receiver(
    (number, receiver): (usize, &Receiver),
    (key, kind, id): (&str, &str, &str),
    rules: &crate::domain::agreement::KindRules,
    check: &mut Check<'_>,
) {
    let clause = &rules.clause;
    if let (Some(reads), Some(agreed)) = (receiver.common.format, rules.format)
        && reads != agreed
    {
        let there = check.place(format!("{key}.format"));
        check.problem(
            format!("receiver[{number}].format"),
            format!(
                "it reads {reads}, and agreement {id} ({there}) has {kind} go as {agreed} only: {clause}"
            ),
        );
    }
    let channel = receiver.channel.name();
    if !rules.channels.is_empty() && !rules.channels.iter().any(|agreed| agreed == channel) {
        let there = check.place(format!("{key}.channels"));
        let agreed = rules.channels.join(" or ");
        check.problem(
            format!("receiver[{number}].channel"),
            format!("it is reached by {channel}, and agreement {id} ({there}) has {kind} go by {agreed} only: {clause}"),
        );
    }
}
