//! AMQP properties and headers as plain text pairs, within bounds.

use lapin::{BasicProperties, types::AMQPValue};

/// Headers that are looked at; a message with more is read without the rest, and refused by its envelope.
const HEADERS_MAX: usize = 100;
/// Bytes of one value.
const VALUE_MAX: usize = 4 * 1024;

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
