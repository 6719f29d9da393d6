//! The configuration as a JSON Schema, for editors.
//!
//! It is not written by hand: whatever reads the settings is asked what it takes. A setting that is not known is
//! answered with the names of those that are, a value of a wrong type with the type, a wrong word with the right ones.
//! Defaults and descriptions are those of `config/default.toml`. So the schema cannot say something else than the
//! program.

use serde_json::{Map, Value, json};
use toml::{Table, Value as Toml};

use super::{
    DEFAULT, Settings,
    alerting::{MailConfig, TargetCommon, Via},
    settings::ReceiverCommon,
};
use crate::{channels::ChannelConfig, domain::Profile};

mod described;

use described::Described;

/// Where the schema is published.
const ID: &str = "https://kassebro.dk/schemas/config.schema.json";
/// A key that is nobody's; it comes before all others.
const UNKNOWN: &str = "\u{1}";
/// The same, or a number of days that somebody works, or an agreement's limit, as a promise has them.
const DURATION_OR_DAYS: &str = r"^(limit|\s*[0-9]+(\s*(ms|s|m|h|d)| (business )?days?)\s*)$";
/// A whole number and a unit, as `units::parse_duration` reads it.
const DURATION: &str = r"^\s*[0-9]+\s*(ms|s|m|h|d)\s*$";
/// What a clock may go by beside the words for it: one of a message's dates.
const DATE: &str = "^(before )?[a-z][A-Za-z0-9]{0,39}$";
const DURATION_OR_NEVER: &str = r"^(never|\s*[0-9]+\s*(ms|s|m|h|d)\s*)$";
/// No setting lies deeper.
const DEPTH_MAX: usize = 12;

/// One valid entry of each list, with no more than it must have; of receivers one for each channel, of targets for each
/// way.
const ENTRIES: &str = include_str!("schema/entries.toml");

/// The schema, with a final newline.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("JSON serialises");
    text.push('\n');
    text
}

/// The schema of a configuration file: everything may be left out that has a default.
pub fn schema() -> Value {
    let asked = Asked::new();
    let mut schema = asked.object(&[]);
    let own = schema.as_object_mut().expect("a table is an object");
    own.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    own.insert("$id".into(), ID.into());
    own.insert("title".into(), "Configuration of Kassebro".into());
    own.remove("required");
    schema
}

/// One step to a value.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Place(usize),
}

/// Whoever reads the settings, and a document that it takes.
struct Asked {
    whole: Toml,
    defaults: Toml,
    described: Described,
}

/// What a value was answered with.
enum Answer {
    Taken,
    Refused(String),
}

impl Answer {
    /// The value is of a wrong type; whatever else is wrong, its type is not.
    fn is_type(&self) -> bool {
        matches!(self, Self::Refused(why) if why.contains("invalid type: "))
    }

    /// What stands between backticks after `beginning`.
    fn names(&self, beginning: &str) -> Option<Vec<String>> {
        let Self::Refused(why) = self else { return None };
        let rest = &why[why.find(beginning)?..];
        if rest.contains(", there are no fields") {
            return Some(vec![]);
        }
        let expected = rest.split_once(", expected")?.1;
        Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    }

    fn missing(&self) -> Option<String> {
        let Self::Refused(why) = self else { return None };
        let name = why.split_once("missing field `")?.1.split('`').next()?;
        Some(name.to_owned())
    }
}

impl Asked {
    fn new() -> Self {
        let defaults: Table = DEFAULT.parse().expect("a test reads the defaults");
        let mut whole = defaults.clone();
        whole.extend(ENTRIES.parse::<Table>().expect("a test reads them"));
        Self {
            whole: Toml::Table(whole),
            defaults: Toml::Table(defaults),
            described: Described::read(DEFAULT),
        }
    }

    /// What is said to that value in that place.
    fn try_value(&self, at: &[Step], value: Toml) -> Answer {
        let mut whole = self.whole.clone();
        put(&mut whole, at, value);
        match whole.try_into::<Settings>() {
            Ok(_) => Answer::Taken,
            Err(error) => Answer::Refused(error.message().to_owned()),
        }
    }

    /// The table that is there, as far as it must be for the rest to be read.
    fn present(&self, at: &[Step]) -> Table {
        get(&self.whole, at).and_then(Toml::as_table).cloned().unwrap_or_default()
    }

    /// The keys that a table takes; `None`: any.
    fn keys(&self, at: &[Step]) -> Option<Vec<String>> {
        let mut table = self.present(at);
        table.insert(UNKNOWN.into(), Toml::Boolean(true));
        let mut keys = self.try_value(at, Toml::Table(table)).names("unknown field")?;
        if let [Step::Key(list), Step::Place(_)] = at
            && let Some(tag) = tag(list)
        {
            // Whoever reads the entry takes these out before it looks at the rest.
            let taken: &[&str] = if list == "receiver" { &ReceiverCommon::KEYS } else { &TargetCommon::KEYS };
            keys.extend(taken.iter().map(|key| (*key).to_owned()));
            keys.push(tag.to_owned());
            if self.present(at).get(tag).and_then(Toml::as_str) == Some("mail") && list == "target" {
                keys.extend(MailConfig::KEYS.map(str::to_owned));
            }
        }
        keys.sort();
        keys.dedup();
        Some(keys)
    }

    /// The schema of a table.
    fn object(&self, at: &[Step]) -> Value {
        let Some(keys) = self.keys(at) else {
            let value = self.value(&step(at, Step::Key("x".into())));
            return json!({ "type": "object", "additionalProperties": value });
        };
        let mut properties = Map::new();
        for key in keys {
            let at = step(at, Step::Key(key.clone()));
            let tagged = tag(&key).filter(|_| at.len() == 1);
            let mut value = tagged.map_or_else(|| self.value(&at), |tag| self.tagged(&key, tag));
            if let Some(schema) = value.as_object_mut() {
                if let Some(text) = self.described.of(&self.section(&at), &key) {
                    schema.insert("description".into(), text.into());
                }
                if let Some(default) = get(&self.defaults, &at).filter(|value| !value.is_table()) {
                    schema.insert("default".into(), serde_json::to_value(default).unwrap_or_default());
                }
            }
            properties.insert(key, value);
        }
        let required = self.required(at, &properties);
        let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !required.is_empty() {
            object["required"] = required.into();
        }
        object
    }

    /// The entries of a list whose settings depend on one of them: receivers by their channel.
    fn tagged(&self, list: &str, tag: &str) -> Value {
        let count = self.whole[list].as_array().map_or(0, Vec::len);
        let each = (0..count).map(|place| {
            let at = [Step::Key(list.into()), Step::Place(place)];
            let mut object = self.object(&at);
            let word = self.whole[list][place][tag].as_str().unwrap_or_default();
            let described = object["properties"][tag]["description"].take();
            object["properties"][tag] = json!({ "const": word });
            if !described.is_null() {
                object["properties"][tag]["description"] = described;
            }
            let required = object["required"].as_array_mut();
            if let Some(required) = required.filter(|required| !required.contains(&tag.into())) {
                required.push(tag.into());
            }
            object
        });
        let each: Vec<Value> = each.collect();
        let known: &[&str] = if list == "receiver" { &ChannelConfig::NAMES } else { &Via::NAMES };
        json!({ "type": "array", "items": {
            "type": "object", "required": [tag], "properties": { tag: { "enum": known } }, "oneOf": each,
        } })
    }

    /// What must be there.
    fn required(&self, at: &[Step], properties: &Map<String, Value>) -> Vec<String> {
        // What has a default need not be in a file.
        if at.is_empty()
            || get(&self.defaults, at).is_some()
            || matches!(at, [Step::Key(of), _] if of == "promise")
        {
            return vec![];
        }
        let (mut table, mut required) = (Table::new(), Vec::new());
        for tag in ["channel", "via"] {
            table.extend(self.present(at).get(tag).map(|word| (tag.to_owned(), word.clone())));
        }
        while let Some(missing) = self.try_value(at, Toml::Table(table.clone())).missing() {
            let Some(schema) = properties.get(&missing).filter(|_| !table.contains_key(&missing)) else {
                break;
            };
            let by_profile = Profile::ALL.iter().any(|profile| {
                let mut table = table.clone();
                table.insert("profile".into(), profile.name().into());
                at.first() == Some(&Step::Key("receiver".into()))
                    && self.try_value(at, Toml::Table(table)).missing().as_ref() != Some(&missing)
            });
            let present = self.present(at).get(&missing).cloned();
            table.insert(missing.clone(), present.unwrap_or_else(|| sample(schema)));
            if !by_profile {
                required.push(missing);
            }
        }
        required
    }

    /// The schema of one value, by what is taken there.
    fn value(&self, at: &[Step]) -> Value {
        assert!(at.len() < DEPTH_MAX, "a setting lies deeper than any should: {at:?}");
        if let Some(words) = self.try_value(at, Toml::String(UNKNOWN.into())).names("unknown variant") {
            return json!({ "enum": words });
        }
        let mut anything = Table::new();
        anything.insert(UNKNOWN.into(), Toml::Array(vec![true.into(), UNKNOWN.into()]));
        // What is missing beside it has nothing to do with the value.
        let is_taken = |value: Toml| {
            let answer = self.try_value(at, value);
            matches!(answer, Answer::Taken) || answer.missing().is_some()
        };
        if is_taken(Toml::Table(anything)) && is_taken(Toml::Float(1.5)) {
            return json!({});
        }
        let takes = |value: Toml| !self.try_value(at, value).is_type();
        let mut kinds = Vec::new();
        if takes(Toml::Boolean(true)) {
            kinds.push(json!({ "type": "boolean" }));
        }
        if takes(Toml::Float(1.5)) {
            kinds.push(json!({ "type": "number" }));
        } else if takes(Toml::Integer(1)) {
            let negative = matches!(&self.try_value(at, Toml::Integer(-1)), Answer::Refused(why) if why.contains("invalid value"));
            kinds.push(if negative {
                json!({ "type": "integer", "minimum": 0 })
            } else {
                json!({ "type": "integer" })
            });
        }
        if takes(Toml::String(UNKNOWN.into())) {
            kinds.push(self.word(at));
        }
        if takes(Toml::Table(Table::new())) {
            kinds.push(self.object(at));
        } else if takes(Toml::Array(vec![])) {
            // What is read from a table can be read from its values in order too; nobody writes that.
            kinds.push(json!({ "type": "array", "items": self.value(&step(at, Step::Place(0))) }));
        }
        match kinds.len() {
            1 => kinds.remove(0),
            _ => json!({ "anyOf": kinds }),
        }
    }

    /// What a text may be.
    fn word(&self, at: &[Step]) -> Value {
        let answer = self.try_value(at, Toml::String(UNKNOWN.into()));
        if let Answer::Refused(why) = &answer
            && why.contains("is not a duration")
        {
            let takes = |word: &str| {
                let answer = self.try_value(at, Toml::String(word.into()));
                !matches!(answer, Answer::Refused(why) if why.contains("is not a duration"))
            };
            let pattern = match (takes("never"), takes("1 business day")) {
                (true, _) => DURATION_OR_NEVER,
                (false, true) => DURATION_OR_DAYS,
                (false, false) => DURATION,
            };
            return json!({ "type": "string", "pattern": pattern });
        }
        if let Answer::Refused(why) = &answer
            && why.contains("starts no clock")
        {
            let words: Vec<&str> = why.split('`').skip(1).step_by(2).collect();
            return json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": DATE }] });
        }
        json!({ "type": "string" })
    }

    /// The name by which the defaults' file describes what lies there: `amqp`, `receiver.http`.
    fn section(&self, at: &[Step]) -> String {
        match at {
            [Step::Key(list), Step::Place(place), Step::Key(_)] if tag(list).is_some() => {
                let word = tag(list).and_then(|tag| self.whole[list][*place][tag].as_str());
                format!("{list}.{}", word.unwrap_or_default())
            }
            [Step::Key(section), Step::Key(_)] | [Step::Key(section), Step::Place(_), Step::Key(_)] => {
                section.clone()
            }
            [Step::Key(_)] => String::new(),
            _ => "nowhere".to_owned(),
        }
    }
}

/// The setting of a list's entries that says which others they have.
fn tag(list: &str) -> Option<&'static str> {
    match list {
        "receiver" => Some("channel"),
        "target" => Some("via"),
        _ => None,
    }
}

/// Something of that kind, so that it is not missing.
fn sample(schema: &Value) -> Toml {
    let first = schema["anyOf"].get(0).unwrap_or(schema);
    match (first["enum"].get(0).and_then(Value::as_str), first["type"].as_str()) {
        (Some(word), _) => word.into(),
        (_, Some("boolean")) => true.into(),
        (_, Some("integer" | "number")) => 1.into(),
        (_, Some("array")) => Toml::Array(vec![]),
        (_, Some("object")) => Toml::Table(Table::new()),
        _ if first["pattern"].is_string() => "1d".into(),
        _ => "2024-01-01".into(),
    }
}

fn step(at: &[Step], next: Step) -> Vec<Step> {
    at.iter().cloned().chain([next]).collect()
}

fn get<'a>(whole: &'a Toml, at: &[Step]) -> Option<&'a Toml> {
    at.iter().try_fold(whole, |value, step| match step {
        Step::Key(key) => value.get(key.as_str()),
        Step::Place(place) => value.get(*place),
    })
}

/// Puts a value in its place, with whatever lies around it.
fn put(whole: &mut Toml, at: &[Step], value: Toml) {
    let Some((first, rest)) = at.split_first() else {
        *whole = value;
        return;
    };
    match first {
        Step::Key(key) => {
            if !whole.is_table() {
                *whole = Toml::Table(Table::new());
            }
            let Some(table) = whole.as_table_mut() else { return };
            put(table.entry(key.clone()).or_insert_with(|| Toml::Table(Table::new())), rest, value);
        }
        Step::Place(place) => {
            if !whole.is_array() {
                *whole = Toml::Array(vec![]);
            }
            let Some(list) = whole.as_array_mut() else { return };
            while list.len() <= *place {
                list.push(Toml::Table(Table::new()));
            }
            put(&mut list[*place], rest, value);
        }
    }
}

#[cfg(test)]
mod tests;
