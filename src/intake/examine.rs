//! What is wrong with a message by itself, before anyone asks who sent it; for people who check files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{
    admit,
    rules::{CompiledKind, Rules},
};
use crate::{
    codec::{self, Limits, Raw, Transport, limits::VIOLATIONS_MAX},
    domain::{Envelope, Event, KindId, Party, ReceiptId, Violation},
    kinds,
    store::{Admission, Arrived, Way},
};

/// A file that was looked at.
#[derive(Debug)]
pub struct Examined {
    /// There where nothing is wrong with it.
    pub event: Option<Event>,
    /// Errors and warnings, at most [`VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

/// Limits, envelope, schema and the kind's rules, all at once. `now` is when it is thought to arrive.
pub fn examine(
    kinds: &BTreeMap<KindId, CompiledKind>,
    limits: &Limits,
    body: &[u8],
    now: Timestamp,
) -> Examined {
    let schema_of = |id: &KindId| kinds.get(id).map(|k| k.schema.document());
    let (mut violations, kind, envelope, data) = match codec::decode(&file(body), limits, &schema_of) {
        Ok(decoded) => {
            let Event { envelope, data } = decoded.event;
            (Vec::new(), Some(envelope.kind.clone()), Some(envelope), Some(data))
        }
        Err(refused) => (refused.violations, refused.kind, refused.envelope, refused.data),
    };
    if let (Some(compiled), Some(data)) = (kind.and_then(|kind| kinds.get(&kind)), &data) {
        violations.extend(content(compiled, envelope.as_ref(), data, now));
    }
    violations.truncate(VIOLATIONS_MAX);
    let event = match (envelope, data) {
        (Some(envelope), Some(data)) if !violations.iter().any(Violation::is_error) => {
            Some(Event { envelope, data })
        }
        _ => None,
    };
    Examined { event, violations }
}

/// Schema, then the kind's rules where the data fit it and the envelope could be read; else what is to be said of the
/// citizen all the same.
pub(super) fn content(
    compiled: &CompiledKind,
    envelope: Option<&Envelope>,
    data: &Value,
    now: Timestamp,
) -> Vec<Violation> {
    let found = compiled.schema.validate(data, "/data");
    match envelope {
        Some(envelope) if found.is_empty() => {
            let event = Event { envelope: envelope.clone(), data: data.clone() };
            compiled.kind.check(&event, now)
        }
        _ => beside(found, kinds::rules::of_the_citizen(data, now)),
    }
}

/// What the schema found, and of the rest what is said of places that it is content with.
pub(super) fn beside(mut found: Vec<Violation>, mut rest: Vec<Violation>) -> Vec<Violation> {
    let is_around = |outer: &str, place: &str| {
        place.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    rest.retain(|violation| !found.iter().any(|told| is_around(&told.pointer, &violation.pointer)));
    found.append(&mut rest);
    found
}

/// Admits a file as if the party that it names as its source had handed it in at `at`. Nothing is stored.
pub fn admit_as_source(rules: &Rules, body: &[u8], at: Timestamp) -> Admission {
    let arrived = Arrived {
        receipt: ReceiptId::from_fresh(Uuid::now_v7()),
        party: source_of(rules, body).map_or_else(String::new, |party| party.code().to_owned()),
        way: Way::Local,
        received: at,
        sent: None,
        content_type: None,
        headers: vec![],
        raw: body.to_vec().into(),
        generation: rules.generation,
        in_hand: None,
    };
    admit(rules, arrived)
}

fn source_of(rules: &Rules, body: &[u8]) -> Option<Party> {
    let schema_of = |id: &KindId| rules.kinds.get(id).map(|k| k.schema.document());
    match codec::decode(&file(body), &rules.limits, &schema_of) {
        Ok(decoded) => Some(decoded.event.envelope.source),
        Err(refused) => refused.named.source?.parse().ok(),
    }
}

fn file(body: &[u8]) -> Raw<'_> {
    Raw { body, content_type: None, headers: &[], transport: Transport::File }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::testing;

    fn found(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut value = testing::generated("recommendation", 7);
        change(&mut value);
        let now = testing::NOW.parse().unwrap();
        let examined =
            examine(&Rules::compile_kinds(), &Limits::default(), value.to_string().as_bytes(), now);
        assert_eq!(examined.event.is_some(), !examined.violations.iter().any(Violation::is_error));
        examined.violations.into_iter().map(|v| format!("{} {}", v.pointer, v.rule)).collect()
    }

    #[test]
    fn a_message_without_a_fault_becomes_its_event() {
        assert_eq!(found(|_| ()), [] as [String; 0]);
    }

    #[test]
    fn a_wrong_envelope_does_not_hide_what_is_wrong_with_the_data() {
        assert_eq!(
            found(|value| {
                value["id"] = json!("a b");
                value["data"]["surprise"] = json!(1);
            }),
            ["/id envelope.id", "/data/surprise schema.additionalProperties"]
        );
        assert_eq!(
            found(|value| {
                value["subject"] = json!("0707614285");
                value["data"]["citizen"]["cpr"] = json!("3002000000");
            }),
            ["/subject envelope.subject", "/data/citizen/cpr cpr.not-a-date"]
        );
    }

    /// A configuration whose a-kasse sends old headers of its own.
    const SITE: &str = "[[party]]\ncode = \"3f\"\nheaders = { x-msg-id = \"id\" }\n[[receiver]]\nparty = \"0101\"\n\
                        channel = \"mailbox\"\n[[agreement]]\nid = \"a\"\nakasse = \"3f\"\njobcenter = \"0101\"\n\
                        valid_from = \"2024-01-01\"\n";

    #[test]
    fn a_message_taken_again_is_read_by_the_headers_it_came_with() {
        let settings = crate::config::from_text("site.toml", SITE).unwrap();
        let rules = crate::config::rules(&settings, 1).unwrap();
        let event = testing::generated("complaint", 3);
        for (prefix, id) in
            [("ce-", "ce-id"), ("cloudevents_", "cloudevents_id"), ("cloudevents:", "x-msg-id")]
        {
            let named = ["specversion", "source", "type", "time", "receiver"]
                .map(|name| (format!("{prefix}{name}"), event[name].as_str().unwrap().to_owned()));
            let mut headers = named.to_vec();
            headers.push((id.to_owned(), "m-3".to_owned()));
            let arrived = Arrived {
                receipt: ReceiptId::from_fresh(Uuid::now_v7()),
                party: "3f".to_owned(),
                way: Way::Local,
                received: testing::NOW.parse().unwrap(),
                sent: None,
                content_type: Some("application/json".to_owned()),
                headers,
                raw: event["data"].to_string().into(),
                generation: 1,
                in_hand: None,
            };
            let admission = admit(&rules, arrived);
            assert!(
                matches!(&admission, Admission::Accepted(m) if m.envelope.id.as_str() == "m-3"),
                "{admission:?}"
            );
        }
    }
}
