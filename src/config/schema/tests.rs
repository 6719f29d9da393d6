//! What the published schema promises.

use std::path::Path;

use super::{super::layers::LISTS, *};

fn valid(schema: &Value, text: &str) -> Vec<String> {
    let table: Table = text.parse().unwrap();
    let value = serde_json::to_value(table).unwrap();
    let validator = jsonschema::draft202012::new(schema).unwrap();
    validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn the_schema_in_the_repository_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/config.schema.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == text(), "write it anew: kassebro config schema > schemas/config.schema.json");
}

#[test]
fn every_default_and_the_example_fit_it() {
    let schema = schema();
    for file in ["config/default.toml", "config/example.toml", "config/agreements/koebenhavn-2009.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(valid(&schema, &text), Vec::<String>::new(), "{file}");
    }
    assert_eq!(valid(&schema, ENTRIES), Vec::<String>::new());
    let target = "[[target]]\nname = \"duty\"\nvia = \"mail\"\nhost = \"smtp.example\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n\
                  tell = \"critical\"\nheartbeat = \"6h\"\ntls = \"implicit\"";
    assert_eq!(
        valid(&schema, target),
        Vec::<String>::new(),
        "a target with settings of its own and of its way"
    );
    let by_days = "[promise.complaint]\nwithin = \"2 business days\"\ncalendar = \"every_day\"\nretry_window = \"never\"\n\
                   also = [{ name = \"decided\", within = \"10 business days\", stops = \"decided\" }]";
    assert_eq!(valid(&schema, by_days), Vec::<String>::new(), "budgets in days");
    let by_profile = "[[receiver]]\nparty = \"0101\"\nchannel = \"amqp\"\nprofile = \"kombit\"\nurl = \"amqps://b.example\"\n\
                      routing_key = \"k\"";
    assert_eq!(valid(&schema, by_profile), Vec::<String>::new(), "a profile says where to");
}

#[test]
fn every_list_is_described_by_an_entry_and_what_differs_by_one_for_each_word() {
    let entries: Table = ENTRIES.parse().unwrap();
    for list in LISTS {
        assert!(entries.get(list).and_then(Toml::as_array).is_some_and(|list| !list.is_empty()), "{list}");
        let items = &schema()["properties"][list]["items"];
        assert!(items["properties"].is_object(), "{list}: nothing is known of its entries: {items}");
    }
    for (list, words) in [("receiver", &ChannelConfig::NAMES[..]), ("target", &Via::NAMES[..])] {
        let tag = tag(list).unwrap();
        let has =
            |word: &&str| entries[list].as_array().unwrap().iter().any(|e| e[tag].as_str() == Some(word));
        assert!(words.iter().all(has), "{list}");
    }
}

#[test]
fn what_the_program_refuses_it_refuses_too() {
    let schema = schema();
    for wrong in [
        "sore = 1",
        "[http]\nlisen = \"x\"",
        "[retry]\nfirst = \"soon\"",
        "[retry]\nfirst = 30",
        "[retry]\nfirst = \"2 business days\"",
        "[retention]\ncontent = \"for ever\"",
        "[amqp]\nqueue_type = \"quorun\"",
        "[[party]]\nname = \"no code\"",
        "[[receiver]]\nparty = \"0101\"\nchannel = \"http\"\nurl = \"x\"\nurll = \"y\"",
        "[[receiver]]\nparty = \"0101\"\nchannel = \"fax\"",
        "[[receiver]]\nparty = \"0101\"\nchannel = \"mailbox\"\nurl = \"x\"",
        "[[agreement]]\nid = \"a\"",
        "[[target]]\nvia = \"webhook\"\nurl = \"x\"",
        "[[target]]\nname = \"a\"\nvia = \"fax\"",
        "[[target]]\nname = \"a\"\nurl = \"x\"",
        "[[target]]\nname = \"a\"\nvia = \"webhook\"",
        "[[target]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"x\"\nurll = \"y\"",
        "[[target]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"x\"\ntell = \"some\"",
        "[[target]]\nname = \"a\"\nvia = \"mail\"\nhost = \"smtp.example\"\nfrom = \"a@b.example\"",
    ] {
        assert_ne!(valid(&schema, wrong), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn every_default_is_in_it_with_its_description() {
    let schema = schema();
    let mut without = Vec::new();
    for (section, value) in DEFAULT.parse::<Table>().unwrap() {
        let Some(table) =
            value.as_table().filter(|_| !["promise", "calendar", "ladder"].contains(&&*section))
        else {
            continue;
        };
        for (key, value) in table {
            let found = &schema["properties"][&section]["properties"][key];
            assert_eq!(found["default"], serde_json::to_value(value).unwrap(), "{section}.{key}");
            if found["description"].is_null() {
                without.push(format!("{section}.{key}"));
            }
        }
    }
    assert!(without.len() < 12, "write what they are for in config/default.toml: {without:?}");
}
