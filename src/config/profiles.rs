//! What contradicts a receiver's profile: a channel that cannot carry it, a format that it cannot be fed with.
//! Each problem names both places.

use super::{
    Settings,
    check::Check,
    settings::{Party, Receiver, ReceiverCommon},
};
use crate::{
    channels::ChannelConfig,
    domain::{Format, Profile, party::PartyKind},
    kinds,
};

pub(super) fn check(settings: &Settings, check: &mut Check<'_>) {
    for (place, receiver) in settings.receiver.iter().enumerate() {
        let at = |setting: &str| format!("receiver[{place}].{setting}");
        let common = &receiver.common;
        distribution(settings, receiver, &at, check);
        let Some(profile) = common.profile else {
            if common.format == Some(Format::Star) {
                let problem =
                    "only the profile star says whom such a message is about; set profile = \"star\"";
                check.problem(at("format"), problem);
            }
            continue;
        };
        channel(profile, receiver, &at, check);
        format(profile, common, &at, check);
        if profile == Profile::Star {
            star(settings, receiver, &at, check);
        }
    }
}

/// `site.toml:12: receiver[0].channel`
fn whereabouts(check: &Check<'_>, key: &str) -> String {
    let found = check.layers.at(key);
    let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {key}", found.file)
}

fn channel(profile: Profile, receiver: &Receiver, at: &dyn Fn(&str) -> String, check: &mut Check<'_>) {
    let channel = receiver.channel.name();
    if !profile.channels().contains(&channel) {
        let carried = profile.channels().join(" or ");
        let other = whereabouts(check, &at("channel"));
        let problem = format!("the profile {profile} goes over {carried}, and {other} is {channel:?}");
        check.problem(at("profile"), problem);
    }
}

fn format(profile: Profile, common: &ReceiverCommon, at: &dyn Fn(&str) -> String, check: &mut Check<'_>) {
    let Some(format) = common.format else { return };
    if !profile.formats().contains(&format) {
        let fed: Vec<_> = profile.formats().iter().map(|format| format.name()).collect();
        let other = whereabouts(check, &at("format"));
        let problem =
            format!("the profile {profile} is fed with {}, and {other} is \"{format}\"", fed.join(" or "));
        check.problem(at("profile"), problem);
    }
    for (number, kind) in common.kinds.iter().enumerate() {
        let key = at(&format!("kinds[{number}]"));
        let known = kinds::KINDS.iter().find(|known| known.name == kind);
        if known.is_some_and(|known| profile.formats().contains(&format) && !known.offers(format)) {
            let other = whereabouts(check, &at("profile"));
            check.problem(
                key,
                format!("{kind} cannot be had in the format {format} that {other} = \"{profile}\" asks for"),
            );
        }
    }
}

/// A distributor must be told where everything goes, and in whose name, whoever sends it.
fn distribution(
    settings: &Settings,
    receiver: &Receiver,
    at: &dyn Fn(&str) -> String,
    check: &mut Check<'_>,
) {
    let common = &receiver.common;
    let distributes = common.profile == Some(Profile::Sf2900);
    let Some(distribution) = &common.sf2900 else {
        if distributes && Profile::Sf2900.channels().contains(&receiver.channel.name()) {
            let problem = "the profile sf2900 is not told where its parcels go: set sf2900 = { senders, authority, kle }";
            check.problem(at("profile"), problem);
        }
        return;
    };
    if !distributes {
        check.problem(at("sf2900"), "it belongs to the profile sf2900");
        return;
    }
    let kind = |code: &str| crate::domain::Party::from_code(code).ok().map(|party| party.kind());
    let own = kind(&common.party);
    for (place, party) in settings.party.iter().enumerate() {
        let known = distribution.senders.contains_key(&party.code) || kind(&party.code) == own;
        if !known {
            let other = whereabouts(check, &format!("party[{place}].code"));
            let problem = format!("senders has no CVR number of {:?} of {other}", party.code);
            check.problem(at("sf2900"), problem);
        }
    }
}

/// Who is told to speak must be known of every sender, or its messages would wait for it.
fn star(settings: &Settings, receiver: &Receiver, at: &dyn Fn(&str) -> String, check: &mut Check<'_>) {
    let ChannelConfig::Http(http) = &receiver.channel else { return };
    let Some(organisation) = &http.star else { return };
    let known = |party: &Party| organisation.organisation_codes.contains_key(&party.code);
    let sends = |party: &Party| {
        crate::domain::Party::from_code(&party.code).is_ok_and(|party| party.kind() == PartyKind::Akasse)
    };
    for (place, party) in settings.party.iter().enumerate().filter(|(_, party)| sends(party) && !known(party))
    {
        let other = whereabouts(check, &format!("party[{place}].code"));
        let problem = format!("organisation_codes has none for the sender {:?} of {other}", party.code);
        check.problem(at("star"), problem);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invalid, from_text};

    const HTTP: &str = "channel = \"http\"\nurl = \"https://jobcenter.example/inbox\"\n";
    const AMQP: &str = "channel = \"amqp\"\nurl = \"amqp://broker.example\"\nrouting_key = \"inbox\"\n";

    const SF2900: &str =
        "sf2900 = { senders = { 3f = \"31378028\" }, authority = \"64942212\", kle = \"15.20.00\" }\n";

    fn site(settings: &str) -> String {
        format!("[[party]]\ncode = \"3f\"\n\n[[receiver]]\nparty = \"0101\"\n{settings}")
    }

    fn told(settings: &str) -> Vec<String> {
        match from_text("site.toml", &site(settings)) {
            Ok(_) => vec![],
            Err(Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_profile_sets_what_nothing_else_is_said_of() {
        let receiver = |settings: &str| from_text("site.toml", &site(settings)).unwrap().receiver.remove(0);
        let star = receiver(&format!("profile = \"star\"\n{HTTP}"));
        assert_eq!(
            (star.common.format.map(super::Format::name), star.already_have()),
            (Some("star"), &[409, 412][..])
        );
        let own = receiver(&format!("profile = \"star\"\nalready_have = [412]\n{HTTP}"));
        assert_eq!(own.already_have(), [412]);
        let kombit = receiver(&format!("profile = \"kombit\"\n{AMQP}"));
        let super::ChannelConfig::Amqp(queue) = &kombit.channel else { panic!("a queue") };
        assert_eq!((queue.exchange.as_str(), queue.receipt_follows), ("AFSEND_BESKED_EXCHANGE", true));
        let sf2900 = format!("profile = \"sf2900\"\n{SF2900}");
        for (settings, follows) in [
            ("profile = \"kombit\"\n", true),
            (&sf2900, true),
            ("profile = \"kombit\"\nreceipt_follows = false\n", false),
            ("profile = \"star\"\nalready_have = []\n", false),
            ("", false),
        ] {
            let over_http = receiver(&format!("{settings}{HTTP}"));
            let super::ChannelConfig::Http(http) = &over_http.channel else { panic!("an address") };
            assert_eq!(
                http.receipt_follows, follows,
                "{settings}: a distributor's 2xx is not the jobcenter's"
            );
            assert!(over_http.already_have().is_empty());
        }
    }

    #[test]
    fn a_star_receiver_is_tried_again_by_the_shorter_of_two_schedules() {
        for (profile, doubling) in [("profile = \"star\"\n", Some(10_800)), ("", None)] {
            let settings = from_text("site.toml", &site(&format!("{profile}{HTTP}"))).unwrap();
            let lanes = super::super::build(&settings, 1).unwrap().lanes;
            assert_eq!(lanes[0].0.retry.doubling_until.map(|longest| longest.as_secs()), doubling);
        }
    }

    #[test]
    fn what_a_profile_cannot_be_is_told_with_both_places() {
        for (settings, problem) in [
            (
                "profile = \"star\"\nchannel = \"mailbox\"\n".to_owned(),
                "site.toml:6: receiver[0].profile: the profile star goes over http, and site.toml:7: receiver[0].channel is \"mailbox\"",
            ),
            (
                format!("profile = \"sf2900\"\nexchange = \"\"\n{AMQP}"),
                "site.toml:6: receiver[0].profile: the profile sf2900 goes over http, and site.toml:8: receiver[0].channel is \"amqp\"",
            ),
            (
                format!("profile = \"sf2900\"\n{HTTP}"),
                "site.toml:6: receiver[0].profile: the profile sf2900 is not told where its parcels go: set sf2900 = { senders, authority, kle }",
            ),
            (
                format!("profile = \"sf2900\"\n{}{HTTP}", SF2900.replace("3f", "hk")),
                "site.toml:7: receiver[0].sf2900: senders has no CVR number of \"3f\" of site.toml:2: party[0].code",
            ),
            (
                format!("profile = \"kombit\"\n{SF2900}{HTTP}"),
                "site.toml:7: receiver[0].sf2900: it belongs to the profile sf2900",
            ),
            (
                format!("profile = \"kombit\"\nformat = \"jobag\"\n{HTTP}"),
                "site.toml:6: receiver[0].profile: the profile kombit is fed with kombit, and site.toml:7: receiver[0].format is \"jobag\"",
            ),
            (
                format!("profile = \"star\"\nformat = \"beskedmodul\"\n{HTTP}"),
                "site.toml:6: receiver[0].profile: the profile star is fed with star, and site.toml:7: receiver[0].format is \"beskedmodul\"",
            ),
            (
                format!("profile = \"star\"\nkinds = [\"complaint\", \"job_order\"]\n{HTTP}"),
                "site.toml:7: receiver[0].kinds[1]: job_order cannot be had in the format star that site.toml:6: receiver[0].profile = \"star\" asks for",
            ),
            (
                format!(
                    "profile = \"star\"\n{HTTP}star = {{ organisation_type = \"5\", organisation_codes = {{ hk = \"1\" }} }}\n"
                ),
                "site.toml:9: receiver[0].star: organisation_codes has none for the sender \"3f\" of site.toml:2: party[0].code",
            ),
            (
                format!("format = \"star\"\n{HTTP}"),
                "site.toml:6: receiver[0].format: only the profile star says whom such a message is about; set profile = \"star\"",
            ),
        ] {
            assert_eq!(told(&settings), [problem], "{settings}");
        }
        assert!(told(&format!("profile = \"sap\"\n{HTTP}"))[0].contains("unknown variant `sap`"));
        let wrong =
            |from: &str, to: &str| told(&format!("profile = \"sf2900\"\n{}{HTTP}", SF2900.replace(from, to)));
        assert!(wrong("31378028", "31378029")[0].contains("CVR number"));
        assert!(wrong("15.20.00", "15.20")[0].contains("like 15.20.00"));
    }
}
