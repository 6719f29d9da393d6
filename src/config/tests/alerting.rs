//! Targets and ladders.

use super::{SMALL, from_text, problems};
use crate::config::{self, DEFAULT};

fn keys(text: &str) -> Vec<String> {
    problems(&format!("{SMALL}\n{text}")).into_iter().map(|p| p.key).collect()
}

#[test]
fn what_targets_name_must_be_there() {
    let webhook = |name: &str, more: &str| {
        format!("[[target]]\nname = \"{name}\"\nvia = \"webhook\"\nurl = \"https://a.example\"\n{more}\n")
    };
    assert!(keys(&webhook("a", "")).is_empty());
    for (text, key) in [
        (webhook("a", "otherwise = \"b\""), "target[0].otherwise"),
        (webhook("a", "otherwise = \"a\""), "target[0].otherwise"),
        (
            "[alerts]\nalertmanager = \"http://a.example\"\n".to_owned()
                + &webhook("a", "otherwise = \"alertmanager\""),
            "target[0].otherwise",
        ),
        (
            webhook("a", "otherwise = \"b\"")
                + "[[target]]\nname = \"b\"\nvia = \"alertmanager\"\nurl = \"https://a.example\"\n",
            "target[0].otherwise",
        ),
        (webhook("A b", ""), "target[0].name"),
        (webhook("a", "") + &webhook("a", ""), "target[0].name"),
        (webhook("a", "repeat_interval = \"0s\""), "target[0].repeat_interval"),
        ("[[target]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"a.example\"\n".into(), "target[0].url"),
        ("[[target]]\nname = \"a\"\nvia = \"amqp\"\n".into(), "target[0].via"),
        ("[[target]]\nname = \"a\"\nvia = \"amqp\"\nparty = \"krifa\"\n".into(), "target[0].party"),
        (
            "[alerts]\nwebhook = \"https://a.example\"\n".to_owned() + &webhook("webhook", ""),
            "target[0].name",
        ),
    ] {
        assert!(keys(&text).iter().any(|found| found == key), "{key}: {:?}", keys(&text));
    }
    let unknown = problems(
        "[[target]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"https://a.example\"\nsecret = \"x\"\n",
    );
    assert!(unknown[0].to_string().contains("secret"), "{unknown:?}");
    assert_eq!(unknown[0].line, Some(5));
}

#[test]
fn steps_come_in_order_and_name_targets_that_are_there() {
    let ladder =
        |name: &str, filter: &str, steps: &str| format!("[ladder.{name}]\n{filter}\nsteps = [{steps}]\n");
    let desk = "[[target]]\nname = \"desk\"\nvia = \"webhook\"\nurl = \"https://a.example\"\n";
    let step = |at: &str, more: &str| format!("{{ at = \"{at}\", urgency = \"critical\"{more} }}");
    let named = step("4h left", ", targets = [\"desk\"], climb_after = \"30m\", then = [\"desk\"]");
    assert!(keys(&format!("{desk}{}", ladder("default", "", &named))).is_empty());
    for (text, key) in [
        (ladder("default", "", &step("soon", "")), "ladder.default.steps[0].at"),
        (
            ladder("default", "", &format!("{}, {}", step("breach", ""), step("75%", ""))),
            "ladder.default.steps[1].at",
        ),
        (ladder("default", "", &step("75%", ", targets = [\"desk\"]")), "ladder.default.steps[0].targets"),
        (
            ladder("default", "", &step("75%", ", climb_after = \"1h\"")),
            "ladder.default.steps[0].climb_after",
        ),
        (
            ladder("default", "", &step("75%", ", then = []").replace("[]", "[\"x\"]")),
            "ladder.default.steps[0].then",
        ),
        (ladder("Mine", "promises = [\"x\"]", &step("75%", "")), "ladder.Mine"),
        (ladder("mine", "kinds = [\"klage\"]", &step("75%", "")), "ladder.mine.kinds[0]"),
        (ladder("mine", "agreements = [\"none\"]", &step("75%", "")), "ladder.mine.agreements[0]"),
        (ladder("mine", "kinds = [\"complaint\"]", &step("75%", "")), "ladder.mine"),
    ] {
        assert!(keys(&text).iter().any(|found| found == key), "{key}: {:?}", keys(&text));
    }
}

#[test]
fn complaints_are_told_of_four_hours_before_their_deadline() {
    let ladders = config::ladders(&from_text("site.toml", DEFAULT).unwrap()).unwrap();
    let steps = |kind: &str| -> Vec<String> {
        ladders.of(kind, None, "delivered").unwrap().steps.iter().map(|step| step.at.to_string()).collect()
    };
    assert_eq!(steps("complaint.v1"), ["75%", "4h left", "90%", "breach"]);
    assert_eq!(steps("job_order.v1"), ["75%", "90%", "breach"]);
}
