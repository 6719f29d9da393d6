//! What `config/default.toml` says of each setting, in force or commented out.

use std::collections::{BTreeMap, BTreeSet};

/// Descriptions by section and key.
pub(super) struct Described {
    texts: BTreeMap<(String, String), String>,
    entries: BTreeMap<String, String>,
    /// Sections that were closed.
    seen: BTreeSet<String>,
}

/// A block of commented settings: `# [[receiver]]` and what follows it.
#[derive(Default)]
struct Block {
    section: String,
    channel: Option<String>,
    texts: Vec<(String, String)>,
}

impl Described {
    pub(super) fn read(text: &str) -> Self {
        let mut described = Self { texts: BTreeMap::new(), entries: BTreeMap::new(), seen: BTreeSet::new() };
        let (mut block, mut above) = (Block::default(), Vec::<&str>::new());
        for line in text.lines() {
            let bare = line.trim_start_matches('#').trim();
            if let Some((section, comment)) = header(bare) {
                described.close(std::mem::take(&mut block));
                section.clone_into(&mut block.section);
                let whole = if above.is_empty() { comment.to_owned() } else { above.join(" ") };
                if !whole.is_empty() {
                    described.entries.entry(section.to_owned()).or_insert(whole);
                }
                above.clear();
            } else if let Some((key, value, comment)) = setting(bare) {
                if key == "channel" || key == "via" {
                    block.channel =
                        value.trim().strip_prefix('"').and_then(|v| v.split('"').next()).map(str::to_owned);
                }
                let texts = [above.join(" "), comment.to_owned()];
                let whole = texts.iter().filter(|t| !t.is_empty()).cloned().collect::<Vec<_>>().join(" ");
                block.texts.push((key.to_owned(), whole));
                above.clear();
            } else if let Some(more) = bare.strip_prefix('#') {
                // A comment beside a setting goes on below it.
                if let Some((_, text)) = block.texts.last_mut() {
                    text.push(' ');
                    text.push_str(more.trim());
                }
            } else if line.starts_with('#') && !bare.is_empty() {
                above.push(bare);
            } else {
                above.clear();
            }
        }
        described.close(block);
        described
    }

    fn close(&mut self, block: Block) {
        let section = match &block.channel {
            Some(channel) => format!("{}.{channel}", block.section),
            None => block.section.clone(),
        };
        // What the first block of several says holds for all of them, unless they say otherwise.
        let first = self.seen.insert(block.section.clone()) || block.channel.is_none();
        for (key, text) in block.texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let general = (block.section.clone(), key.clone());
            self.texts.entry((section.clone(), key)).or_insert_with(|| text.clone());
            if first {
                self.texts.entry(general).or_insert(text);
            }
        }
    }

    /// What is said of a setting; of a channel's where that says nothing, what is said of it for any receiver.
    pub(super) fn of(&self, section: &str, key: &str) -> Option<&str> {
        let general = section.split('.').next().unwrap_or_default();
        let named = |section: &str| self.texts.get(&(section.to_owned(), key.to_owned()));
        let whole = || if section.is_empty() { self.entries.get(key) } else { None };
        named(section).or_else(|| named(general)).or_else(whole).map(String::as_str)
    }
}

/// `[section]` or `[[section]]`, and what is said beside it. Of `[promise.default]` it is `promise`.
fn header(line: &str) -> Option<(&str, &str)> {
    let inner = line.strip_prefix("[[").or_else(|| line.strip_prefix('['))?;
    let (name, rest) = inner.split_once(']')?;
    let comment = rest.trim_start_matches(']').trim().trim_start_matches('#').trim();
    let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
    fits.then(|| (name.split('.').next().unwrap_or(name), comment))
}

/// `key = value   # comment`.
fn setting(line: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = line.split_once(" = ")?;
    let fits =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let starts = rest.starts_with(['"', '[', '{'])
        || rest.starts_with(|c: char| c.is_ascii_digit())
        || rest.starts_with("true")
        || rest.starts_with("false");
    if !fits || !starts {
        return None;
    }
    let (value, comment) = rest.rsplit_once(" # ").unwrap_or((rest, ""));
    Some((key, value, comment.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_or_beside_a_setting_describes_it() {
        let text = "[one]\n# Above it,\n# in two lines.\na = \"x\"\nb = 1\n\n# Lost.\n\nc = true   # beside\n\
            # d = \"y\"\n# [[receiver]]\n# url = \"a\"   # where\n# channel = \"http\"\n#\n# [[receiver]]\n\
            # channel = \"mail\"\n# url = \"b\"   # a mail's\n#              # and more\n# name = \"n\" # its name\n";
        let described = Described::read(text);
        for (section, key, says) in [
            ("one", "a", Some("Above it, in two lines.")),
            ("one", "b", None),
            ("one", "c", Some("beside")),
            ("receiver.http", "url", Some("where")),
            ("receiver.mail", "url", Some("a mail's and more")),
            ("receiver.http", "name", None),
        ] {
            assert_eq!(described.of(section, key), says, "{section}.{key}");
        }
    }
}
