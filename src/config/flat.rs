//! A configuration as a flat list of settings, each with its whole name: what is compared, kept and shown.
//!
//! Entries of the known lists are named by what identifies them (`receiver[kbh].url`), so that one that moves in its
//! file is the same one. What may hold a secret is shown without it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use toml::{Table, Value as Toml};

use super::layers::LISTS;
use crate::units;

/// Settings by their whole names.
pub type Flat = BTreeMap<String, Value>;

/// What each node has for itself, and what may therefore differ between nodes of one generation: where it listens, how
/// it writes its log, and how it reaches the store.
const NODES_OWN: [&str; 3] = ["http.listen", "log.", "store."];

/// The way of a target whose address is a secret: who knows it may write there.
const WEBHOOK: &str = "webhook";

/// Words in a setting's name that say that its value is a secret, unless it only names a file.
const SECRET: [&str; 4] = ["password", "secret", "token", WEBHOOK];

/// Every setting with its value.
pub(super) fn flat(table: &Table) -> Flat {
    let mut flat = Flat::new();
    for (key, value) in table {
        match value.as_array() {
            Some(list) if LISTS.contains(&key.as_str()) => {
                for (place, entry) in list.iter().enumerate() {
                    add(&mut flat, format!("{key}[{}]", identity(key, entry, place)), entry);
                }
            }
            _ => add(&mut flat, key.clone(), value),
        }
    }
    flat
}

fn add(flat: &mut Flat, name: String, value: &Toml) {
    match value {
        Toml::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                add(flat, format!("{name}.{key}"), value);
            }
        }
        Toml::Array(list) if list.iter().any(Toml::is_table) => {
            for (place, entry) in list.iter().enumerate() {
                add(flat, format!("{name}[{place}]"), entry);
            }
        }
        value => {
            flat.insert(name, json(value));
        }
    }
}

/// What an entry of a list is known by.
fn identity(list: &str, entry: &Toml, place: usize) -> String {
    let text = |key: &str| entry.get(key).and_then(Toml::as_str).map(str::to_owned);
    let named = match list {
        "party" => text("code"),
        "receiver" => text("name").or_else(|| text("party")),
        "agreement" => text("id"),
        "spool" => text("folder"),
        "target" => text("name"),
        _ => None,
    };
    named.unwrap_or_else(|| place.to_string())
}

fn json(value: &Toml) -> Value {
    match value {
        Toml::String(text) => text.clone().into(),
        Toml::Integer(number) => (*number).into(),
        Toml::Float(number) => (*number).into(),
        Toml::Boolean(yes) => (*yes).into(),
        Toml::Datetime(at) => at.to_string().into(),
        Toml::Array(list) => list.iter().map(json).collect(),
        Toml::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect::<Map<_, _>>())
        }
    }
}

/// SHA-256 of everything that makes two configurations the same on two nodes, in hexadecimal.
pub(super) fn hash(flat: &Flat) -> String {
    let mut hash = Sha256::new();
    for (name, value) in flat.iter().filter(|(name, _)| !is_nodes_own(name)) {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.to_string().as_bytes());
        hash.update([0]);
    }
    units::hex(&hash.finalize())
}

/// Whether a setting belongs to one node.
pub(super) fn is_nodes_own(name: &str) -> bool {
    NODES_OWN.iter().any(|own| if own.ends_with('.') { name.starts_with(own) } else { name == *own })
}

/// The same with no secret in it: it may be kept and shown. Two secrets that differ are shown differently.
pub(super) fn without_secrets(flat: &Flat) -> Flat {
    let is_hidden = |name: &str| is_secret(name) || is_webhook(flat, name);
    flat.iter().map(|(name, value)| (name.clone(), shown(value, is_hidden(name)))).collect()
}

fn shown(value: &Value, is_hidden: bool) -> Value {
    match value {
        Value::String(text) if is_hidden && !text.is_empty() => hidden(text).into(),
        Value::String(text) => {
            let masked = hidden_passwords(text);
            if masked == *text { value.clone() } else { format!("{masked} ({})", mark(text)).into() }
        }
        Value::Array(list) => list.iter().map(|value| shown(value, is_hidden)).collect(),
        value => value.clone(),
    }
}

/// Whether the setting of that name may be a secret by itself.
pub(super) fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    SECRET.iter().any(|word| last.contains(word)) && !last.ends_with("_file") && !last.ends_with("sha256")
}

/// Whether the setting is the address of a target that is told there.
fn is_webhook(flat: &Flat, name: &str) -> bool {
    let target = name.strip_suffix(".url").filter(|target| target.starts_with("target["));
    target.is_some_and(|target| flat.get(&format!("{target}.via")).is_some_and(|via| *via == WEBHOOK))
}

/// What is shown of a secret: of an address its host, of anything else nothing; and a mark that changes with it.
fn hidden(text: &str) -> String {
    let origin = text.split_once("://").map(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{} ", host.rsplit('@').next().unwrap_or_default())
    });
    format!("{}({})", origin.unwrap_or_default(), mark(text))
}

/// Eight digits of a hash: enough to see that two differ.
fn mark(text: &str) -> String {
    format!("hidden, sha256 {}…", &units::hex(&Sha256::digest(text))[..8])
}

/// The text with `***` for each password in an address: `amqp://user:***@host`.
pub fn hidden_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/\"'?#,".contains(c)).unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split(':').next().unwrap_or_default();
                let secret = if user.contains(':') { ":***" } else { "" };
                shown.extend([name, secret, "@", host]);
            }
            None => shown.push_str(authority),
        }
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Flat {
        flat(&text.parse().unwrap())
    }

    #[test]
    fn an_entry_of_a_list_keeps_its_name_wherever_it_stands() {
        let one =
            of("[[party]]\ncode = \"3f\"\n[[party]]\ncode = \"hk\"\nname = \"HK\"\n[retry]\nfirst = \"1s\"");
        let other =
            of("[retry]\nfirst = \"1s\"\n[[party]]\ncode = \"hk\"\nname = \"HK\"\n[[party]]\ncode = \"3f\"");
        assert_eq!(one, other);
        assert_eq!(one["party[hk].name"], "HK");
        assert_eq!(hash(&one), hash(&other));
    }

    #[test]
    fn what_is_a_nodes_own_makes_no_other_configuration() {
        let one =
            of("[http]\nlisten = \"a\"\nrequests_max = 1\n[store]\nurl = \"x\"\n[log]\nlevel = \"info\"");
        let same =
            of("[http]\nlisten = \"b\"\nrequests_max = 1\n[store]\nurl = \"y\"\n[log]\nlevel = \"warn\"");
        let other =
            of("[http]\nlisten = \"a\"\nrequests_max = 2\n[store]\nurl = \"x\"\n[log]\nlevel = \"info\"");
        assert_eq!(hash(&one), hash(&same));
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn no_secret_is_shown_and_two_are_told_apart() {
        let text = |password: &str| {
            format!(
                "[amqp]\nurl = \"amqp://gw:{password}@broker/x\"\npassword_file = \"/run/p\"\n[alerts]\n\
                 webhook = \"https://hooks.example/{password}?t={password}\"\n[[target]]\nname = \"desk\"\nvia = \"webhook\"\n\
                 url = \"https://u:{password}@chat.example/{password}\"\n[[target]]\nname = \"am\"\n\
                 via = \"alertmanager\"\nurl = \"http://am.example/base\"\n[[receiver]]\nname = \"a\"\napi_token = \"{password}\""
            )
        };
        let (one, other) =
            (without_secrets(&of(&text("hemmelig1"))), without_secrets(&of(&text("hemmelig2"))));
        let shown = serde_json::to_string(&one).unwrap();
        assert!(!shown.contains("hemmelig"), "{shown}");
        assert!(shown.contains("amqp://gw:***@broker/x"), "{shown}");
        assert!(shown.contains("https://hooks.example "), "{shown}");
        assert!(shown.contains("https://chat.example "), "{shown}");
        assert_eq!(one["amqp.password_file"], "/run/p");
        assert_eq!(one["target[am].url"], "http://am.example/base");
        let differ: Vec<_> = one.keys().filter(|key| one[*key] != other[*key]).collect();
        assert_eq!(differ, ["alerts.webhook", "amqp.url", "receiver[a].api_token", "target[desk].url"]);
    }

    #[test]
    fn a_password_in_an_address_is_hidden_wherever_it_stands() {
        for (text, shown) in [
            (
                "url = \"amqp://u:p@h:5672/v\" # and http://x",
                "url = \"amqp://u:***@h:5672/v\" # and http://x",
            ),
            ("postgres://gw@one,two/db", "postgres://gw@one,two/db"),
            ("a://u:p@w@h b://v:q@i", "a://u:***@h b://v:***@i"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(hidden_passwords(text), shown);
        }
    }
}
