//! Tables that pair the canonical names of a message with a receiver's names and limits.
//!
//! A renderer walks the table to write, and walks it again over the bytes it wrote to compare every value
//! with the canonical event. A canonical property that no table names is a fault, so nothing is left out
//! silently.

use std::borrow::Cow;

use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::{
    codec::text,
    domain::{FaultCode, Text, Violation, identifiers},
};

/// One canonical property and what the receiver calls it.
#[derive(Debug)]
pub struct Field {
    /// The property's name in the canonical data.
    pub key: &'static str,
    /// The receiver's name for it.
    pub name: &'static str,
    pub shape: Shape,
}

impl Field {
    pub const fn new(key: &'static str, name: &'static str, shape: Shape) -> Self {
        Self { key, name, shape }
    }
}

/// Pairs of a canonical code and the receiver's code for it.
pub type Codes = &'static [(&'static str, &'static str)];

/// How a value is written for the receiver, and its bounds there.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// 1 to `max` characters, as they are.
    Text {
        max: usize,
    },
    /// A whole number, 0 to `max`.
    Integer {
        max: u64,
    },
    Boolean,
    /// A calendar day, `YYYY-MM-DD`.
    Day,
    /// A Danish telephone number as eight digits; a foreign one as it stands.
    Phone,
    Code(Codes),
    /// A code that the receiver is told even where the sender leaves it out: then it is `default`, a
    /// canonical code.
    CodeOr {
        codes: Codes,
        default: &'static str,
    },
    Group(&'static [Field]),
    /// A list of groups: repeated elements in XML, an array in JSON.
    Groups(&'static [Field]),
    /// A list of texts.
    Texts {
        max: usize,
    },
}

/// Where the walk stands in the canonical data; made into a JSON Pointer only when something is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The event's data.
    pub const DATA: Path<'static> = Path { parent: None, step: Step::Key("data") };

    pub fn key(&'p self, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    pub fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// The RFC 6901 pointer into the event. Our property names hold neither `~` nor `/`.
    pub fn pointer(&self) -> String {
        let parent = self.parent.map(Path::pointer).unwrap_or_default();
        match self.step {
            Step::Key(key) => format!("{parent}/{key}"),
            Step::Index(index) => format!("{parent}/{index}"),
        }
    }
}

/// The text of one value for the receiver.
///
/// # Errors
/// The value does not fit the receiver: too long, empty, an unknown code, a control character.
pub fn encode<'v>(shape: Shape, value: &'v Value, path: &Path<'_>) -> Result<Cow<'v, str>, Box<Violation>> {
    match shape {
        Shape::Text { max } | Shape::Texts { max } => {
            let text = value.as_str().ok_or_else(|| wrong_type(path, "text"))?;
            fits(text, max, path).map(|()| Cow::Borrowed(text))
        }
        Shape::Integer { max } => {
            let number = value.as_u64().filter(|n| *n <= max);
            number.map(|n| Cow::Owned(n.to_string())).ok_or_else(|| wrong_type(path, &format!("0-{max}")))
        }
        Shape::Boolean => match value.as_bool() {
            Some(true) => Ok(Cow::Borrowed("true")),
            Some(false) => Ok(Cow::Borrowed("false")),
            None => Err(wrong_type(path, "true, false")),
        },
        Shape::Day => {
            let day = value.as_str().filter(|text| day(text).is_some());
            day.map(Cow::Borrowed).ok_or_else(|| wrong_type(path, "YYYY-MM-DD"))
        }
        Shape::Phone => {
            let text = value.as_str().ok_or_else(|| wrong_type(path, "text"))?;
            fits(text, PHONE_CHARACTERS_MAX, path)?;
            Ok(identifiers::phone(text).map_or(Cow::Borrowed(text), Cow::Owned))
        }
        Shape::Code(codes) | Shape::CodeOr { codes, .. } => {
            let code = value.as_str().and_then(|code| codes.iter().find(|(canonical, _)| *canonical == code));
            code.map(|(_, theirs)| Cow::Borrowed(*theirs)).ok_or_else(|| wrong_type(path, "a known code"))
        }
        Shape::Group(_) | Shape::Groups(_) => Err(wrong_type(path, "an object")),
    }
}

/// Whether the receiver's text says what the canonical value says. Decodes in its own way rather than
/// encoding again, so that a fault in [`encode`] does not excuse itself.
pub fn says(shape: Shape, value: &Value, text: &str) -> bool {
    match shape {
        Shape::Text { .. } | Shape::Texts { .. } => value.as_str() == Some(text),
        Shape::Integer { .. } => value.is_u64() && text.parse::<u64>().ok() == value.as_u64(),
        Shape::Boolean => value.is_boolean() && text.parse::<bool>().ok() == value.as_bool(),
        Shape::Day => day(text).is_some() && day(text) == value.as_str().and_then(day),
        Shape::Phone => value.as_str().is_some_and(|phone| same_phone(phone, text)),
        Shape::Code(codes) | Shape::CodeOr { codes, .. } => {
            let canonical = codes.iter().find(|(_, theirs)| *theirs == text).map(|(canonical, _)| *canonical);
            canonical.is_some() && canonical == value.as_str()
        }
        Shape::Group(_) | Shape::Groups(_) => false,
    }
}

/// The longest telephone number that is carried, in characters.
pub const PHONE_CHARACTERS_MAX: usize = 20;

/// The same subscriber, however the number is spaced and prefixed.
pub fn same_phone(canonical: &str, written: &str) -> bool {
    match identifiers::phone(canonical) {
        Some(digits) => written.chars().filter(|c| *c != ' ').eq(digits.chars()),
        None => canonical == written,
    }
}

/// A day as the schemas allow it: ten characters.
pub fn day(text: &str) -> Option<Date> {
    if text.len() == 10 { text.parse().ok() } else { None }
}

/// The properties of `map` that no field of the table carries.
///
/// # Errors
/// One violation per property.
pub fn uncarried(fields: &[Field], map: &Map<String, Value>, path: &Path<'_>, faults: &mut Vec<Violation>) {
    for key in map.keys() {
        if !fields.iter().any(|field| field.key == key) {
            faults.push(cannot(
                path.key(key).pointer(),
                "format.not-carried",
                Text::new(
                    "Modtagerens format har ikke plads til feltet.",
                    "The receiver's format has no place for this.",
                ),
            ));
        }
    }
}

/// A text that the receiver can hold and XML can carry.
fn fits(text: &str, max: usize, path: &Path<'_>) -> Result<(), Box<Violation>> {
    // Bytes are never fewer than characters, so most texts are not counted.
    let too_long = text.len() > max && text.chars().count() > max;
    if text.is_empty() || too_long {
        let violation = cannot(
            path.pointer(),
            "format.length",
            Text::new(
                "Teksten passer ikke i modtagerens felt.",
                "The text does not fit the receiver's field.",
            ),
        );
        return Err(Box::new(violation.expected(format!("1-{max} characters")).masked(text)));
    }
    if carries_control(text) {
        let violation = cannot(
            path.pointer(),
            "format.control-character",
            Text::new(
                "Teksten rummer et kontroltegn, som XML ikke kan bære.",
                "The text holds a control character that XML cannot carry.",
            ),
        );
        return Err(Box::new(violation.expected("no control characters but tabulator and line ends")));
    }
    Ok(())
}

/// What XML 1.0 has no character for: controls other than TAB, LF and CR, and U+FFFE and U+FFFF.
pub fn carries_control(text: &str) -> bool {
    let suspicious = text::holds(text, [(0, 0x08), (0x0b, 0x0c), (0x0e, 0x1f), (0xef, 0xef)]);
    suspicious
        && text.chars().any(|c| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}'))
}

fn wrong_type(path: &Path<'_>, expected: &str) -> Box<Violation> {
    let text =
        Text::new("Modtagerens felt kan ikke rumme værdien.", "The receiver's field cannot hold the value.");
    Box::new(cannot(path.pointer(), "format.value", text).expected(expected))
}

/// What was written does not say what the event says.
#[derive(Debug, PartialEq, Eq)]
pub struct Differs {
    /// JSON Pointer to the value, as in [`Violation`].
    pub pointer: String,
}

pub fn differs(pointer: impl Into<String>) -> Differs {
    Differs { pointer: pointer.into() }
}

impl From<Differs> for Violation {
    fn from(differs: Differs) -> Self {
        cannot(
            differs.pointer,
            "format.differs",
            Text::new(
                "Det færdige brev siger ikke det samme som beskeden.",
                "The finished parcel does not say what the message says.",
            ),
        )
    }
}

/// A violation of what the receiver reads.
pub fn cannot(pointer: String, rule: &'static str, message: Text) -> Violation {
    Violation::error(pointer, rule, FaultCode::CannotRender, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CODES: Codes = &[("written", "SKRIFTLIG"), ("oral", "MUNDTLIG")];

    #[test]
    fn what_is_written_says_what_the_value_says() {
        for (shape, value, text) in [
            (Shape::Text { max: 3 }, json!("æøå"), "æøå"),
            (Shape::Integer { max: 59 }, json!(59), "59"),
            (Shape::Boolean, json!(true), "true"),
            (Shape::Day, json!("2026-02-28"), "2026-02-28"),
            (Shape::Phone, json!("+45 20 12 34 56"), "20123456"),
            (Shape::Phone, json!("+46 8 123 456"), "+46 8 123 456"),
            (Shape::Code(CODES), json!("oral"), "MUNDTLIG"),
        ] {
            assert_eq!(encode(shape, &value, &Path::DATA).unwrap(), text);
            assert!(says(shape, &value, text), "{text}");
        }
    }

    #[test]
    fn what_says_something_else_is_noticed() {
        for (shape, value, text) in [
            (Shape::Text { max: 9 }, json!("æ"), "ae"),
            (Shape::Text { max: 9 }, json!("a\r\nb"), "a\nb"),
            (Shape::Integer { max: 59 }, json!(5), "6"),
            (Shape::Boolean, json!(true), "false"),
            (Shape::Boolean, json!("true"), "true"),
            (Shape::Day, json!("2026-02-28"), "2026-03-01"),
            (Shape::Day, json!("not a day!"), "not a day!"),
            (Shape::Phone, json!("20123456"), "20123457"),
            (Shape::Code(CODES), json!("oral"), "SKRIFTLIG"),
            (Shape::Code(CODES), json!("sung"), "SUNGET"),
        ] {
            assert!(!says(shape, &value, text), "{value} {text}");
        }
    }

    #[test]
    fn what_the_receiver_cannot_hold_is_refused_and_never_cut() {
        for (shape, value, rule) in [
            (Shape::Text { max: 3 }, json!("æøåæ"), "format.length"),
            (Shape::Text { max: 3 }, json!(""), "format.length"),
            (Shape::Text { max: 3 }, json!("a\u{1}"), "format.control-character"),
            (Shape::Text { max: 3 }, json!("a\u{FFFE}"), "format.control-character"),
            (Shape::Text { max: 3 }, json!(1), "format.value"),
            (Shape::Integer { max: 59 }, json!(60), "format.value"),
            (Shape::Integer { max: 59 }, json!(5.0), "format.value"),
            (Shape::Integer { max: 59 }, json!(-1), "format.value"),
            (Shape::Day, json!("2026-02-30"), "format.value"),
            (Shape::Phone, json!("1".repeat(21)), "format.length"),
            (Shape::Code(CODES), json!("sung"), "format.value"),
        ] {
            let violation = encode(shape, &value, &Path::DATA.key("a").index(2)).unwrap_err();
            assert_eq!((violation.rule.as_str(), violation.pointer.as_str()), (rule, "/data/a/2"));
            assert_eq!(violation.code, FaultCode::CannotRender);
        }
    }

    #[test]
    fn letters_beyond_ascii_are_not_control_characters() {
        assert!(!carries_control("æøå ÆØÅ é \u{FF21} \u{FEFF}\t\r\n"));
    }
}
