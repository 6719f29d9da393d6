//! AMQP properties and headers as plain text pairs, within bounds.

use lapin::{BasicProperties, types::AMQPValue};

use crate::domain::EventId;

/// Headers that are looked at; a message with more is read without the rest, and refused by its envelope.
const HEADERS_MAX: usize = 100;
/// Bytes of one value.
const VALUE_MAX: usize = 4 * 1024;

/// The message's id as its sender gives it outside the body: a hint by which to find a message whose body is
/// not read. Nothing rests on it.
pub(super) fn named(properties: &BasicProperties, headers: &[(String, String)]) -> Option<EventId> {
    let header =
        headers.iter().find(|(name, _)| ["cloudevents_id", "cloudevents:id"].contains(&name.as_str()));
    let header = header.and_then(|(_, value)| value.parse().ok());
    header.or_else(|| properties.message_id().as_ref()?.as_str().parse().ok())
}

/// Every header with a scalar value, names in lower case. Tables and arrays, however deep, are not walked.
pub(super) fn amqp(properties: &BasicProperties) -> Vec<(String, String)> {
    let Some(table) = properties.headers() else { return Vec::new() };
    table
        .inner()
        .iter()
        .take(HEADERS_MAX)
        .filter_map(|(name, value)| Some((name.to_string().to_lowercase(), scalar(value)?)))
        .collect()
}

fn scalar(value: &AMQPValue) -> Option<String> {
    let text = match value {
        AMQPValue::LongString(text) => {
            let bytes = text.as_bytes();
            String::from_utf8_lossy(&bytes[..bytes.len().min(VALUE_MAX)]).into_owned()
        }
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => {
            jiff::Timestamp::from_second(i64::try_from(*seconds).ok()?).ok()?.to_string()
        }
        AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::Void => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    #[test]
    fn an_unread_message_is_named_by_its_header_or_its_property() {
        let found = |header: Option<(&str, &str)>, property: Option<&str>| {
            let mut table = FieldTable::default();
            if let Some((name, value)) = header {
                table.insert(name.into(), AMQPValue::LongString(value.into()));
            }
            let properties = BasicProperties::default().with_headers(table);
            let properties = match property {
                Some(id) => properties.with_message_id(id.into()),
                None => properties,
            };
            named(&properties, &amqp(&properties)).map(|id| id.to_string())
        };
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(found(None, Some("m-1")), some("m-1"));
        assert_eq!(found(Some(("cloudEvents:id", "m-2")), Some("m-1")), some("m-2"));
        assert_eq!(found(Some(("cloudEvents_id", "m-2")), None), some("m-2"));
        assert_eq!(found(Some(("cloudEvents_id", "no id of ours")), Some("m-1")), some("m-1"));
        assert_eq!(found(None, Some("no id of ours")), None);
        assert_eq!(found(None, None), None);
    }
}
