//! The bytes of a scenario's message: generated, or a file with its places filled.

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde_json::{Value, json};

use super::model::{Content, Message};
use crate::{
    domain::{Party, calendar::copenhagen},
    tools::generate,
    units::parse_duration,
};

/// What a message is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    pub seed: u64,
    /// When it is sent.
    pub now: Timestamp,
}

/// Makes the message's bytes.
///
/// # Errors
/// A place of its file says nothing that is known, or a pointer of `set` leads nowhere.
pub(super) fn body(message: &Message, making: Making) -> Result<Vec<u8>, String> {
    let waited = SignedDuration::try_from(message.waited).unwrap_or(SignedDuration::MAX);
    let time = making.now.checked_sub(waited).unwrap_or(Timestamp::MIN);
    let text = match &message.content {
        Content::Generated { kind, to } => {
            let urn = |code: &str| {
                Party::from_code(code)
                    .map(|party| party.to_string())
                    .map_err(|_| format!("{code:?} is no party"))
            };
            let (source, receiver) = (urn(&message.from)?, urn(to)?);
            let mut event = generate::event(kind, making.seed, &message.name, &source, &receiver, time);
            if let Some(answered) = &message.answers {
                event["correlationid"] = json!(answered);
            }
            event.to_string()
        }
        Content::Text(text) => filled(text, message, time)?,
    };
    if message.set.is_empty() {
        return Ok(text.into_bytes());
    }
    let mut event: Value =
        serde_json::from_str(&text).map_err(|error| format!("only JSON can be changed: {error}"))?;
    for (pointer, value) in &message.set {
        change(&mut event, pointer, value.as_ref())?;
    }
    Ok(event.to_string().into_bytes())
}

/// Fills `{{id}}`, `{{answers}}`, `{{time}}`, `{{time+2h}}`, `{{date}}` and `{{date-3d}}`.
fn filled(text: &str, message: &Message, time: Timestamp) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (place, after) =
            behind.split_once("}}").ok_or("a place begins with {{ and does not end with }}")?;
        filled.push_str(before);
        filled.push_str(&value(place.trim(), message, time)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(place: &str, message: &Message, time: Timestamp) -> Result<String, String> {
    let unknown = || {
        format!(
            "{{{{{place}}}}} is not known: write id, answers, time, time+2h, date or date-3d between the braces"
        )
    };
    if place == "id" {
        return Ok(message.name.clone());
    }
    if place == "answers" {
        return message
            .answers
            .clone()
            .ok_or_else(|| "{{answers}} stands in a message that answers none".to_owned());
    }
    let split = place.find(['+', '-']).unwrap_or(place.len());
    let (word, shift) = place.split_at(split);
    let shift = match (shift.chars().next(), shift.get(1..).unwrap_or_default()) {
        (None, _) => SignedDuration::ZERO,
        (Some(sign), duration) => {
            let duration = SignedDuration::try_from(parse_duration(duration)?).map_err(|_| unknown())?;
            if sign == '-' { -duration } else { duration }
        }
    };
    let at = time.checked_add(shift).map_err(|_| unknown())?;
    match word {
        "time" => Ok(at.display_with_offset(copenhagen().to_offset(at)).to_string()),
        "date" => {
            let date: Date = copenhagen().to_datetime(at).date();
            Ok(date.to_string())
        }
        _ => Err(unknown()),
    }
}

/// Puts the value there, or takes away what is there. All but the last step must be there already.
fn change(event: &mut Value, pointer: &str, value: Option<&toml::Value>) -> Result<(), String> {
    let nowhere = || format!("the pointer {pointer:?} leads nowhere in the message");
    let (parent, last) = pointer.rsplit_once('/').ok_or_else(nowhere)?;
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = event.pointer_mut(parent).ok_or_else(nowhere)?;
    match (parent, value) {
        (Value::Object(object), None) => object.remove(&last).map(drop).ok_or_else(nowhere),
        (Value::Object(object), Some(value)) => {
            object.insert(last, json!(value));
            Ok(())
        }
        (Value::Array(values), value) => {
            let place = last.parse().ok().filter(|place| *place < values.len()).ok_or_else(nowhere)?;
            match value {
                Some(value) => values[place] = json!(value),
                None => drop(values.remove(place)),
            }
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(content: Content) -> Message {
        Message {
            name: "klage-1".into(),
            from: "3f".into(),
            content,
            at: Duration::ZERO,
            after_delivery_of: None,
            waited: Duration::from_hours(5),
            answers: Some("rec-1".into()),
            set: [("/data/new".to_owned(), Some(toml::Value::Boolean(true)))].into(),
        }
    }

    fn made(message: &Message) -> Result<Value, String> {
        let now = "2026-03-02T11:00:00Z".parse().unwrap();
        body(message, Making { seed: 1, now }).map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn a_generated_message_has_its_name_its_time_and_what_is_set() {
        let event =
            made(&message(Content::Generated { kind: "complaint".into(), to: "0101".into() })).unwrap();
        assert_eq!(event["id"], "klage-1");
        assert_eq!(event["time"], "2026-03-02T07:00:00+01:00");
        assert_eq!(event["receiver"], "urn:dk:jobcenter:0101");
        assert_eq!(event["correlationid"], "rec-1");
        assert_eq!(event["data"]["new"], true);
    }

    #[test]
    fn the_places_of_a_file_are_filled() {
        let text = r#"{"a":"{{id}} {{answers}}","b":"{{time+2h}}","c":"{{ date-3d }}","data":{}}"#;
        let event = made(&message(Content::Text(text.into()))).unwrap();
        assert_eq!(event["a"], "klage-1 rec-1");
        assert_eq!(event["b"], "2026-03-02T09:00:00+01:00");
        assert_eq!(event["c"], "2026-02-27");
        for wrong in ["{{name}}", "{{time+x}}", "{{id"] {
            assert!(made(&message(Content::Text(wrong.into()))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pointer_that_leads_nowhere_is_said() {
        let mut wrong = message(Content::Generated { kind: "complaint".into(), to: "0101".into() });
        wrong.set = [("/data/no/where".to_owned(), None)].into();
        assert!(made(&wrong).unwrap_err().contains("/data/no/where"));
    }
}
