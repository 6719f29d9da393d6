//! What `kassebro check` finds, and what it says.

use super::{DEFAULT, Invalid, Problem, Settings, from_text, load};

const SMALL: &str = r#"
[[party]]
code = "3f"
amqp_user = "3f"

[[receiver]]
name = "kbh"
party = "0101"
channel = "mailbox"

[[agreement]]
id = "kbh-3f"
akasse = "3f"
jobcenter = "0101"
valid_from = "2024-01-01"
"#;

fn problems(text: &str) -> Vec<Problem> {
    match from_text("site.toml", text) {
        Ok(_) => vec![],
        Err(Invalid(problems)) => problems,
    }
}

fn first(text: &str) -> String {
    problems(text).first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_defaults_and_a_small_deployment_are_valid() {
    let settings: Settings = from_text("site.toml", SMALL).unwrap();
    assert_eq!(settings.receiver[0].common.name(), "kbh");
    assert!(super::build(&settings, 1).is_ok());
}

#[test]
fn every_default_is_explained() {
    let mut explained = false;
    for line in DEFAULT.lines().take_while(|line| !line.starts_with("# Parties, receivers")) {
        if line.contains(" = ") && !line.starts_with('#') && line.starts_with("url") {
            assert!(explained, "{line} has no comment above it");
        }
        explained = line.starts_with('#');
    }
}

#[test]
fn an_unknown_setting_is_named_with_its_line_and_a_suggestion() {
    let told = first("[http]\nlisten = \"127.0.0.1:1\"\nlisen = \"x\"\n");
    assert!(told.starts_with("site.toml:3: http.lisen: unknown field `lisen`, expected "), "{told}");
    assert!(told.ends_with(" (did you mean `listen`?)"), "{told}");
}

#[test]
fn values_that_do_not_fit_are_all_found_at_once() {
    let text = format!(
        "sore = 1\n\n[http]\nlisen = \"x\"\n\n[watch]\nperiod = \"soon\"\n{SMALL}urll = 1\n\n[[party]]\ncode = 7\n"
    );
    let keys: Vec<String> = problems(&text).into_iter().map(|p| p.key).collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in ["sore", "http.lisen", "watch.period", "agreement[0].urll", "party[1].code"] {
        assert!(keys.iter().any(|found| found == key), "{key}: {keys:?}");
    }
}

#[test]
fn a_wrong_channel_setting_is_found_in_its_receiver() {
    let text = SMALL.replace("channel = \"mailbox\"", "channel = \"http\"\nurll = \"https://a.example\"");
    let told = first(&text);
    assert!(told.starts_with("site.toml:"), "{told}");
    assert!(told.contains("receiver[0]") && told.contains("urll"), "{told}");
}

#[test]
fn text_that_is_not_toml_is_named_with_its_line() {
    assert!(first("[http]\nlisten = \n").starts_with("site.toml:2: "), "{}", first("[http]\nlisten = \n"));
}

#[test]
fn contradictions_are_all_found_at_once() {
    let text = format!(
        "{SMALL}\n[[party]]\ncode = \"3f\"\napi_key_sha256 = [\"abc\"]\n\n[[receiver]]\nname = \"kbh\"\nparty = \"9999\"\nchannel = \"mailbox\"\nkinds = [\"klage\"]\n"
    );
    let keys: Vec<String> = problems(&text).into_iter().map(|p| p.key).collect();
    assert_eq!(
        keys,
        [
            "party[1].code",
            "party[1].api_key_sha256[0]",
            "receiver[1].party",
            "receiver[1].name",
            "receiver[1].kinds[0]"
        ]
    );
    let lines: Vec<Option<usize>> = problems(&text).into_iter().map(|p| p.line).collect();
    assert_eq!(lines, [Some(18), Some(19), Some(23), Some(22), Some(25)]);
}

#[test]
fn the_environment_overrides_and_is_blamed_by_name() {
    let overlay = |name: &str, value: &str| load(None, &[(name.to_owned(), value.to_owned())]);
    assert_eq!(overlay("KASSEBRO__STORE__URL", "sqlite:/tmp/x.db").unwrap().store.url, "sqlite:/tmp/x.db");
    assert_eq!(overlay("KASSEBRO__AMQP__BATCH_MAX", "7").unwrap().amqp.batch_max, 7);
    assert!(overlay("KASSEBRO__STORE__URRL", "x").is_err());
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let Err(Invalid(problems)) = load(Some("no-such-folder/kassebro.toml".as_ref()), &[]) else {
        unreachable!()
    };
    assert!(problems[0].to_string().starts_with("no-such-folder/kassebro.toml: "));
}

#[test]
fn a_party_without_a_receiver_gets_what_is_addressed_to_it_all_the_same() {
    let text = "[amqp]\nurl = \"amqp://broker.example\"\n\n[[party]]\ncode = \"3f\"\namqp_user = \"3f\"\n\n\
                [[party]]\ncode = \"krifa\"\napi_key_sha256 = [\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\n\n\
                [[party]]\ncode = \"foa\"\n\n[[party]]\ncode = \"0101\"\namqp_user = \"kbh\"\n\n\
                [[receiver]]\nname = \"kbh\"\nparty = \"0101\"\nchannel = \"mailbox\"\n";
    let settings = from_text("site.toml", text).unwrap();
    let found: Vec<(&str, &str)> =
        settings.receiver.iter().map(|r| (r.common.name(), r.channel.name())).collect();
    assert_eq!(found, [("kbh", "mailbox"), ("3f", "amqp"), ("krifa", "mailbox")]);
    let crate::channels::ChannelConfig::Amqp(queue) = &settings.receiver[1].channel else {
        panic!("a queue")
    };
    assert_eq!((queue.exchange.as_str(), queue.routing_key.as_str()), ("kassebro.answers", "3f.{kind}"));
    assert!(!queue.receipt_follows, "what is in its own queue it has");
}

#[test]
fn an_attempt_over_mail_may_wait_for_the_next_mail() {
    let text = "[[party]]\ncode = \"0101\"\napi_key_sha256 = \
                [\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\n\n[[receiver]]\nparty = \"0101\"\n\
                channel = \"mail\"\nhost = \"smtp.example\"\nfrom = \"gw@example.dk\"\nto = \"jc@example.dk\"\n\
                fetch_at = \"https://gw.example/\"\n";
    let settings = from_text("site.toml", text).unwrap();
    assert_eq!(settings.receiver[0].common.attempt_timeout.as_secs(), 60 + 30 + 45);
    let told = first(&format!("{text}attempt_timeout = \"90s\"\n"));
    assert!(told.contains("attempt_timeout") && told.contains("(90s)"), "{told}");
}

mod agreements;

mod alerting;
mod fallbacks;
mod loaded;
mod promises;
mod targets;

#[test]
fn replicas_are_of_quorum_queues_and_few() {
    for (amqp, problem) in [
        ("queue_replicas = 5", ""),
        ("queue_type = \"classic\"\nqueue_replicas = 3", "a classic queue has no replicas"),
        ("queue_replicas = 10", "up to 9 replicas"),
        ("url = \"amqp://a:s3cret@one,two,:5672/v\"", "names a host, or several parted by commas"),
    ] {
        let told = first(&format!("[amqp]\n{amqp}\n"));
        assert!(told.contains(problem) && told.is_empty() == problem.is_empty(), "{amqp}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
