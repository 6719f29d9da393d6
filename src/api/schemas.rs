//! The schemas that the two documents share: the envelope, the answer, and what the calls give back.
//!
//! Words and codes come from the types that write them, so that the documents cannot say otherwise.

use serde_json::{Map, Value, json};

use super::embed::embedded;
use crate::{
    domain::{
        AnswerOutcome, FaultCode,
        message::{KindId, TYPE_PREFIX},
        receipt::Business,
    },
    kinds::KINDS,
};

/// The CloudEvents `type` of an answer.
pub const ANSWER_TYPE: &str = "dk.kassebro.answer.v1";
/// Where components stand in both documents.
const AT: &str = "#/components/schemas/";

const URN: &str = "^urn:dk:(akasse:[a-z0-9-]{2,20}|jobcenter:[0-9]{4})$";

/// A reference to a component.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{AT}{name}") })
}

/// The name of a kind's event among the components.
pub(super) fn event_name(kind: &KindId) -> String {
    format!("{kind}.event")
}

/// The components of both documents: envelope, answer, and every kind with its event.
pub(super) fn shared() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert("Envelope".into(), envelope());
    schemas.insert("Violation".into(), violation());
    schemas.insert("Answer".into(), answer(&reference("Violation")));
    schemas.insert("AnswerEvent".into(), answer_event());
    for kind in KINDS {
        let id = kind.id();
        schemas.insert(id.to_string(), embedded(kind.schema, &format!("{AT}{id}")));
        schemas.insert(event_name(&id), event(&id, kind.title));
    }
    schemas
}

/// The answer's schema as a document of its own: `/schemas/answer.v1.json`.
pub fn answer_document() -> Value {
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://kassebro.dk/schemas/answer.v1.json",
    });
    merge(&mut document, answer(&json!({ "$ref": "#/$defs/violation" })));
    document["$defs"] = json!({ "violation": violation() });
    document
}

fn merge(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}

/// CloudEvents 1.0 with the attributes of this gateway.
fn envelope() -> Value {
    json!({
        "title": "CloudEvents 1.0 envelope",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "receiver", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": {
                "description": "With `source` the message's identity: the same pair and content is a duplicate and gets the first answer again; the same pair with other content is a conflict. A UUID of version 7 is best.",
                "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,46}$",
            },
            "source": { "description": "The sending party: the one whose credential brings the message.", "type": "string", "pattern": URN },
            "type": { "description": "The kind and its version.", "type": "string", "pattern": "^dk\\.kassebro\\.[a-z0-9_]{1,40}\\.v[1-9][0-9]*$" },
            "time": { "description": "When it happened in the business, with offset. The clock of a promise starts here. At most 5 minutes ahead.", "type": "string", "format": "date-time" },
            "recordedtime": { "description": "When the sender's system recorded it.", "type": "string", "format": "date-time" },
            "receiver": { "description": "The receiving party.", "type": "string", "pattern": URN },
            "agreement": { "description": "The agreement it is sent under; needed where several are in force.", "type": "string", "minLength": 1, "maxLength": 100 },
            "subject": { "description": "The sender's case reference. Never a CPR number.", "type": "string", "minLength": 1, "maxLength": 200 },
            "correlationid": { "type": "string", "minLength": 1, "maxLength": 100 },
            "causationid": { "type": "string", "minLength": 1, "maxLength": 100 },
            "traceparent": { "description": "W3C Trace Context.", "type": "string" },
            "tracestate": { "description": "W3C Trace Context; carried on beside traceparent, up to 512 characters.", "type": "string" },
            "datacontenttype": { "description": "application/json where it is left out. XML stands in `data` as a text.", "enum": ["application/json", "application/xml"] },
        },
    })
}

fn event(kind: &KindId, title: &str) -> Value {
    json!({
        "title": title,
        "allOf": [
            reference("Envelope"),
            {
                "type": "object",
                "properties": {
                    "type": { "const": format!("{TYPE_PREFIX}{kind}") },
                    "data": reference(&kind.to_string()),
                },
            },
        ],
    })
}

fn words<T: serde::Serialize>(each: impl Iterator<Item = T>) -> Value {
    let mut words: Vec<Value> = Vec::new();
    for word in each {
        let word = json!(word);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.into()
}

fn answer(violation: &Value) -> Value {
    let outcomes = || AnswerOutcome::ALL.into_iter();
    json!({
        "title": "Answer",
        "description": "What a sender is told about its message, as `data` of a CloudEvent and as the body of an HTTP answer. Readers ignore members they do not know.",
        "type": "object",
        "required": ["receiptId", "messageId", "outcome", "class", "transport", "business", "errors"],
        "properties": {
            "receiptId": { "description": "Our id of the arrival; every arrival has one.", "type": "string", "format": "uuid" },
            "messageId": { "description": "The id the message came with; null where none could be read.", "type": ["string", "null"], "maxLength": 200 },
            "outcome": { "description": "What happened.", "enum": words(outcomes()) },
            "class": { "description": "Whether sending again can help (MedCom).", "enum": words(outcomes().map(AnswerOutcome::class)) },
            "transport": { "description": "Transport receipt (KOMBIT).", "enum": ["OK", "ADVARSEL", "FEJL"] },
            "business": { "description": "Business receipt (KOMBIT). ACCEPTERET comes from the receiver.", "enum": words(Business::ALL.into_iter()) },
            "errors": { "description": "All that is wrong, at once; warnings too.", "type": "array", "maxItems": 300, "items": violation },
            "deadline": { "description": "When the receiver is to have it.", "type": "string", "format": "date-time" },
            "deliveryId": { "type": "string", "format": "uuid" },
            "deliveredAt": { "type": "string", "format": "date-time" },
            "receiverReceipt": { "description": "The receiver's own receipt id.", "type": "string" },
        },
    })
}

fn answer_event() -> Value {
    json!({
        "title": "An answer as a CloudEvent",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "description": "The same however often the answer is published.", "type": "string", "maxLength": 46 },
            "source": { "const": "urn:dk:kassebro" },
            "type": { "const": ANSWER_TYPE },
            "time": { "type": "string", "format": "date-time" },
            "datacontenttype": { "const": "application/json" },
            "correlationid": { "description": "The `id` of the message it answers.", "type": "string" },
            "data": reference("Answer"),
        },
    })
}

fn violation() -> Value {
    let codes: Vec<Value> = FaultCode::ALL
        .iter()
        .map(|code| json!({ "code": code, "class": code.class().name(), "title": code.title() }))
        .collect();
    json!({
        "title": "Violation",
        "type": "object",
        "required": ["pointer", "rule", "code", "severity", "message"],
        "properties": {
            "pointer": { "description": "JSON Pointer (RFC 6901) into the event; empty for the whole.", "type": "string" },
            "rule": { "description": "The rule's stable name.", "type": "string" },
            "code": { "description": "The fault's stable code; `x-codes` has those known now.", "type": "string", "pattern": "^GW[0-9]{4}$", "x-codes": codes },
            "severity": { "description": "An error stops the message, a warning accompanies it.", "enum": ["error", "warning"] },
            "expected": { "type": "string" },
            "actual": { "description": "What came, masked: never a person.", "type": "string" },
            "message": {
                "type": "object",
                "required": ["da", "en"],
                "properties": { "da": { "type": "string" }, "en": { "type": "string" } },
            },
            "starCode": { "description": "The nearest code of STAR's interfaces, where one is publicly known.", "type": "integer", "minimum": 0 },
        },
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        api::contract::pretty,
        domain::{Answer, ReceiptId, Text, Violation},
    };

    #[test]
    fn the_file_beside_the_kinds_schemas_is_what_the_code_says() {
        let file = include_str!("../../schemas/answer.v1.json");
        assert_eq!(
            file,
            pretty(&answer_document()),
            "write what /schemas/answer.v1.json serves into the file"
        );
    }

    #[test]
    fn every_answer_that_can_be_given_fits_its_schema() {
        let document = answer_document();
        let schema = jsonschema::options().should_validate_formats(true).build(&document).unwrap();
        let receipt = ReceiptId::from_fresh(Uuid::from_bytes([0x33; 16]));
        let now = "2026-11-02T09:15:00.123456Z".parse().unwrap();
        let text = || Text::new("fejl", "error");
        for outcome in AnswerOutcome::ALL {
            for code in FaultCode::ALL {
                let error =
                    Violation::error("/data/x", "a.rule", *code, text()).expected("y").actual("z").star(1014);
                let warning = Violation::warning("", "another.rule", *code, text());
                let mut answer = Answer::new(receipt, Some("m-1".into()), outcome, vec![error, warning]);
                answer.deadline = Some(now);
                answer.delivery_id = Some(receipt.delivery(1));
                answer.delivered_at = Some(now);
                answer.receiver_receipt = Some("r-1".into());
                let value = json!(answer);
                assert!(schema.is_valid(&value), "{value:#}");
                let known = document["properties"].as_object().unwrap();
                assert!(
                    value.as_object().unwrap().keys().eq(known.keys().filter(|k| value.get(k).is_some()))
                );
            }
            assert!(schema.is_valid(&json!(Answer::new(receipt, None, outcome, vec![]))));
        }
        let mut wrong = json!(Answer::new(receipt, None, AnswerOutcome::Late, vec![]));
        wrong["outcome"] = json!("tardy");
        assert!(!schema.is_valid(&wrong));
    }
}
