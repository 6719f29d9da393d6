//! Second ways that cannot be, with both places.

use super::{SMALL, first};
use crate::config::{Settings, from_text};

/// The small deployment with a second receiver, which `second` says more of, and a second way in its agreement.
fn with(second: &str, promise: &str) -> String {
    format!(
        "{}\n[agreement.promises]\ncomplaint = {{ {promise} }}\n",
        SMALL.replace(
            "\n[[agreement]]",
            &format!("\n[[receiver]]\nname = \"kbh-2\"\nchannel = \"mailbox\"\n{second}\n\n[[agreement]]")
        )
    )
}

const ONLY: &str = "party = \"0101\"\nfallback_only = true";
const FALLBACK: &str = "within = \"24h\", fallback = { receiver = \"kbh-2\", at = \"4h left\" }";

#[test]
fn a_second_way_is_another_receiver_of_the_party() {
    assert_eq!(first(&with(ONLY, FALLBACK)), "");
    let settings: Settings = from_text("site.toml", &with(ONLY, FALLBACK)).unwrap();
    let rules = crate::config::rules(&settings, 1).unwrap();
    let fallback = rules.agreements[0].fallback("complaint").expect("it has one");
    assert_eq!((fallback.receiver.as_str(), fallback.at.to_string().as_str()), ("kbh-2", "4h left"));
    assert_eq!(fallback.when_predicted.map(|at| at.to_string()).as_deref(), Some("50%"));
    for (written, comes_to) in [("6h left", Some("6h left")), ("75%", Some("75%")), ("never", None)] {
        let with_it = FALLBACK.replace("4h left\"", &format!("4h left\", when_predicted = \"{written}\""));
        let settings: Settings = from_text("site.toml", &with(ONLY, &with_it)).unwrap();
        let fallback =
            crate::config::rules(&settings, 1).unwrap().agreements[0].fallback("complaint").cloned();
        let when = fallback.and_then(|fallback| fallback.when_predicted).map(|at| at.to_string());
        assert_eq!(when.as_deref(), comes_to);
    }
    // What takes other kinds by name may be the second way of this one.
    assert_eq!(first(&with("party = \"0101\"\nkinds = [\"job_order\"]", FALLBACK)), "");
}

#[test]
fn what_a_second_way_contradicts_is_found_with_both_places() {
    let fallback = |fallback: &str| format!("within = \"24h\", fallback = {{ {fallback} }}");
    for (second, promise, told) in [
        (
            ONLY,
            fallback("receiver = \"nobody\", at = \"75%\""),
            "complaint.fallback.receiver: no receiver is called \"nobody\"",
        ),
        (
            ONLY,
            fallback("receiver = \"kbh\", at = \"75%\""),
            "fallback.receiver: kbh (site.toml:8) takes complaint anyway: it is the first way",
        ),
        (
            "party = \"0101\"",
            FALLBACK.to_owned(),
            "fallback.receiver: kbh-2 (site.toml:14) takes complaint anyway: it is the first way",
        ),
        (
            "party = \"0707\"\nfallback_only = true",
            FALLBACK.to_owned(),
            "fallback.receiver: 0707 (site.toml:14) is no party of this agreement",
        ),
        (
            "party = \"0101\"\nfallback_only = true\nformat = \"jobag\"",
            FALLBACK.to_owned(),
            "fallback.receiver: kbh-2 reads jobag (site.toml:16), and complaint does not become that",
        ),
        (
            ONLY,
            "fallback = { receiver = \"kbh-2\", at = \"75%\" }, also = [{ name = \"seen\", within = \"8h\", stops = \"receipt\" }]"
                .to_owned(),
            "promises.complaint.fallback: a second way goes with a promise of its agreement: write `within` (site.toml:",
        ),
        (ONLY, fallback("receiver = \"kbh-2\", at = \"breach\""), "fallback.at: a second way is tried before the deadline"),
        (ONLY, fallback("receiver = \"kbh-2\", at = \"soon\""), "fallback.at: \"soon\" is no step"),
        (
            ONLY,
            fallback("receiver = \"kbh-2\", at = \"24h left\""),
            "fallback.at: of 24h (site.toml:24) so much is never left when a message comes",
        ),
        (
            ONLY,
            fallback("receiver = \"kbh-2\", at = \"4h left\", when_predicted = \"4h left\""),
            "fallback.when_predicted: 4h left is not before 4h left (site.toml:24)",
        ),
        (
            ONLY,
            fallback("receiver = \"kbh-2\", at = \"75%\", when_predicted = \"90%\""),
            "fallback.when_predicted: 90% is not before 75% (site.toml:24)",
        ),
        (
            ONLY,
            fallback("receiver = \"kbh-2\", at = \"75%\", when_predicted = \"breach\""),
            "fallback.when_predicted: breach is not before 75%",
        ),
        (
            ONLY,
            fallback("receiver = \"kbh-2\", at = \"75%\", when_predicted = \"soon\""),
            "fallback.when_predicted: \"soon\" is no step",
        ),
        (ONLY, fallback("receiver = \"kbh-2\""), "missing field `at`"),
        (
            "party = \"0101\"\nfallback_only = true\nkinds = [\"complaint\"]",
            FALLBACK.to_owned(),
            "receiver[1].kinds: it takes nothing but what an agreement sends it as a second way (site.toml:15)",
        ),
    ] {
        let found = first(&with(second, &promise));
        assert!(found.contains(told), "{found}\n  is not\n{told}");
    }
}

#[test]
fn a_second_way_stands_behind_one_first() {
    let two = with(ONLY, FALLBACK).replace(
        "\n[[agreement]]",
        "\n[[receiver]]\nname = \"kbh-3\"\nparty = \"0101\"\nchannel = \"mailbox\"\n\n[[agreement]]",
    );
    let found = first(&two);
    assert!(found.contains("kbh and kbh-3 take complaint for 0101 (site.toml:14)"), "{found}");
    let none = with(ONLY, FALLBACK).replace("name = \"kbh\"", "name = \"kbh\"\nkinds = [\"job_order\"]");
    let found = first(&none);
    assert!(found.contains("nobody takes complaint for 0101"), "{found}");
}
