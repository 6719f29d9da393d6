//! `Idempotency-Key`: the message's own id, said once more. One word for one identity.

use axum::http::HeaderMap;

use crate::{
    codec::text::excerpt,
    domain::{FaultCode, Text, Violation},
    intake::Rules,
    store::{Admission, Invalid},
};

/// Characters of a key that a refusal repeats.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// The key, with or without the quotes that make it a structured field.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get("idempotency-key")?.as_bytes()).into_owned();
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Some(inner.unwrap_or(value).to_owned())
}

/// Lends the key to a message in binary mode that has no id of its own.
pub(super) fn lend(key: Option<&str>, headers: &mut Vec<(String, String)>, rules: &Rules, party: &str) {
    let sender = rules.senders.get(party);
    let carries_id = |name: &str| {
        name == "ce-id"
            || sender.and_then(|sender| sender.headers.get(name)).is_some_and(|attribute| attribute == "id")
    };
    let binary = !headers.is_empty();
    if let Some(key) = key
        && binary
        && !headers.iter().any(|(name, _)| carries_id(name))
    {
        headers.push(("ce-id".to_owned(), key.to_owned()));
    }
}

/// Refuses a message whose id is another than its key. Where no id could be read, that has been said.
pub(super) fn check(key: Option<&str>, admission: Admission) -> Admission {
    let Some(key) = key else { return admission };
    let id = match &admission {
        Admission::Accepted(message) => Some(message.envelope.id.as_str()),
        Admission::Invalid(message) => message.message_id.as_deref(),
    };
    if id.is_none_or(|id| id == key) {
        return admission;
    }
    let differs = differs(key);
    Admission::Invalid(Box::new(match admission {
        Admission::Accepted(message) => Invalid {
            message_id: Some(message.envelope.id.to_string()),
            source: Some(message.envelope.source.to_string()),
            kind: Some(message.envelope.kind.to_string()),
            receiver: Some(message.envelope.receiver.to_string()),
            violations: [message.warnings, vec![differs]].concat(),
            answers: message.answers,
            astray_in: None,
            arrived: message.arrived,
        },
        Admission::Invalid(mut message) => {
            message.violations.push(differs);
            *message
        }
    }))
}

fn differs(key: &str) -> Violation {
    let text = Text::new(
        "Idempotency-Key skal være beskedens id eller udelades.",
        "Idempotency-Key must be the message's id, or be left out.",
    );
    Violation::error("/id", "envelope.idempotency-key", FaultCode::EnvelopeWrong, text)
        .expected("the same as Idempotency-Key")
        .masked(&excerpt(key, SHOWN_CHARACTERS_MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_read_with_and_without_quotes() {
        for (header, expected) in
            [("abc", "abc"), ("\"abc\"", "abc"), ("\"abc", "\"abc"), ("\"", "\""), ("", "")]
        {
            let headers = [("idempotency-key".parse().unwrap(), HeaderValue::from_static(header))]
                .into_iter()
                .collect();
            assert_eq!(key(&headers).as_deref(), Some(expected), "{header}");
        }
        assert_eq!(key(&HeaderMap::new()), None);
    }
}
