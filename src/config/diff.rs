//! What differs between two configurations, setting by setting, and what of it a process cannot change while it runs.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{Flat, Loaded, Problem, flat::without_secrets, loaded::value_text};

/// What is read once, when a process starts: where it listens, how it logs, and where it remembers.
const FIXED: [&str; 4] = ["store.", "http.", "log.", "trace."];

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// E.g. `receiver[kbh].url`.
    pub key: String,
    /// `None`: it was not there.
    pub old: Option<Value>,
    /// `None`: it is there no more.
    pub new: Option<Value>,
}

/// Everything that differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Whole entries, e.g. `receiver[kbh]`; their settings are among the changes too.
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changes: Vec<Change>,
}

impl Diff {
    /// From the one to the other.
    pub fn between(old: &Flat, new: &Flat) -> Self {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changes = keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(|key| Change {
            key: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
        });
        let (before, after) = (entries(old), entries(new));
        Self {
            added: after.difference(&before).map(|entry| (*entry).to_owned()).collect(),
            removed: before.difference(&after).map(|entry| (*entry).to_owned()).collect(),
            changes: changes.collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes of entries that stay, and of settings that belong to none: those of an entry that came or went are
    /// told with it.
    pub fn of_what_stays(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| {
            entry(&change.key)
                .is_none_or(|of| !self.added.iter().chain(&self.removed).any(|whole| whole == of))
        })
    }
}

/// The entry of a list that a setting belongs to: `receiver[kbh]` of `receiver[kbh].url`. Names may hold dots.
fn entry(key: &str) -> Option<&str> {
    let end = key.find("].").map(|end| end + 1)?;
    key[..end].find(['[', '.']).filter(|first| key[*first..].starts_with('[')).map(|_| &key[..end])
}

fn entries(flat: &Flat) -> BTreeSet<&str> {
    flat.keys().filter_map(|key| entry(key)).collect()
}

/// What would have to be another process: each with both values.
pub fn needs_restart(old: &Loaded, new: &Loaded) -> Vec<Problem> {
    let (before, after) = (old.all(), new.all());
    let (shown_before, shown_after) = (without_secrets(&before), without_secrets(&after));
    let word = |flat: &Flat, key: &str| flat.get(key).map_or_else(|| "not set".to_owned(), value_text);
    Diff::between(&before, &after)
        .changes
        .into_iter()
        .filter(|change| FIXED.iter().any(|fixed| change.key.starts_with(fixed)))
        .map(|Change { key, .. }| Problem {
            problem: format!(
                "it needs a restart: {} is in force, {} is written",
                word(&shown_before, &key),
                word(&shown_after, &key)
            ),
            ..new.at(&key)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_text;

    const SITE: &str = "[retry]\nfirst = \"30s\"\n\n[[party]]\ncode = \"3f\"\n\n[[receiver]]\nname = \"k.b\"\nparty = \"0101\"\nchannel = \"mailbox\"\n";

    fn effective(text: &str) -> Flat {
        read_text("site.toml", text).unwrap().effective()
    }

    #[test]
    fn a_change_is_named_with_both_values_and_an_entry_as_a_whole() {
        let new = SITE.replace("30s", "10s").replace("k.b", "kbh") + "permits = 4\n";
        let diff = Diff::between(&effective(SITE), &effective(&new));
        assert_eq!(
            (&diff.added[..], &diff.removed[..]),
            (&["receiver[kbh]".to_owned()][..], &["receiver[k.b]".to_owned()][..])
        );
        let stays: Vec<_> = diff.of_what_stays().collect();
        assert_eq!(stays.len(), 1, "{stays:?}");
        assert_eq!(
            (&*stays[0].key, &stays[0].old, &stays[0].new),
            ("retry.first", &Some("30s".into()), &Some("10s".into()))
        );
        assert!(diff.changes.iter().any(|c| c.key == "receiver[kbh].permits" && c.old.is_none()));
        assert!(Diff::between(&effective(SITE), &effective(SITE)).is_empty());
    }

    #[test]
    fn what_is_read_once_is_refused_with_both_values_and_its_line() {
        let old = read_text("site.toml", SITE).unwrap();
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:1\"\n[store]\nurl = \"postgres://gw:pw@db/x\"\n{}",
            SITE.replace("30s", "9s")
        );
        let problems = needs_restart(&old, &read_text("site.toml", &text).unwrap());
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(
            told[0],
            "site.toml:2: http.listen: it needs a restart: 127.0.0.1:8080 is in force, 127.0.0.1:1 is written"
        );
        assert!(
            told[1].contains("sqlite:kassebro.db is in force, postgres://gw:***@db/x (hidden"),
            "{told:?}"
        );
        assert!(needs_restart(&old, &read_text("site.toml", &SITE.replace("30s", "9s")).unwrap()).is_empty());
    }
}
