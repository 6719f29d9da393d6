//! The messages over RabbitMQ as AsyncAPI 3.0, made from the kinds and the names of exchanges and queues.
//!
//! The document speaks for the gateway: what it receives is what a party sends.

use serde_json::{Map, Value, json};

use super::{
    alert_schema::alert_event,
    schemas::{event_name, reference, shared},
};
use crate::{domain::AnswerOutcome, kinds::KINDS};

/// The name of the answer among the messages.
const ANSWER: &str = "answer.v1";
/// The name of a notice of alerts among them.
const ALERT: &str = "alert.v1";
const STRUCTURED: &str = "application/cloudevents+json";

/// The document.
pub fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kassebro",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Messages between unemployment funds (a-kasser) and job centres. A party publishes persistent messages with `user-id` set, and reads its answers from its own queue. A message is acknowledged once it is stored.",
            "license": { "name": "EUPL-1.2" },
        },
        "defaultContentType": STRUCTURED,
        "servers": {
            "broker": {
                "host": "localhost:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ of the installation.",
                "security": [{ "$ref": "#/components/securitySchemes/user" }],
            },
        },
        "channels": channels(),
        "operations": operations(),
        "components": {
            "securitySchemes": {
                "user": { "type": "userPassword", "description": "The party's AMQP user. Its messages speak for no other party." },
            },
            "messages": messages(),
            "schemas": schemas(),
        },
    })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = shared();
    schemas.insert("AlertEvent".to_owned(), alert_event());
    schemas
}

/// A party's code in an address.
fn party() -> Value {
    json!({ "description": "The party's code: an a-kasse's (3f, krifa) or a municipality's four digits (0101).", "examples": ["3f", "0101"] })
}

fn channels() -> Value {
    let kinds: Vec<String> = KINDS.iter().map(|kind| kind.id().to_string()).collect();
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let told: Vec<&str> =
        AnswerOutcome::ALL.map(AnswerOutcome::name).into_iter().chain(names.iter().copied()).collect();
    let answers: Vec<String> = std::iter::once(ANSWER.to_owned()).chain(kinds.iter().cloned()).collect();
    json!({
        "messages": {
            "address": "{party}.{kind}",
            "title": "What parties send",
            "description": "The routing key of the exchange kassebro.messages.",
            "parameters": { "party": party(), "kind": { "description": "The kind, without its version.", "enum": names } },
            "messages": of_channel(&kinds),
            "bindings": { "amqp": exchange("kassebro.messages") },
        },
        "queue-in": {
            "address": "kassebro.in.{party}",
            "title": "A party's messages, as the gateway reads them",
            "parameters": { "party": party() },
            "messages": of_channel(&kinds),
            "bindings": { "amqp": queue("kassebro.in.{party}") },
        },
        "answers": {
            "address": "{party}.{what}",
            "title": "What parties are told, and what is addressed to them",
            "description": "The routing key of the exchange kassebro.answers.",
            "parameters": { "party": party(), "what": { "description": "What happened to a message of theirs, or the kind of a message to them.", "enum": told } },
            "messages": of_channel(&answers),
            "bindings": { "amqp": exchange("kassebro.answers") },
        },
        "alerts": {
            "address": "alert.{target}",
            "title": "What targets of alerts are told",
            "description": "The routing key of the exchange kassebro.answers; the queue is kassebro.out.alert.{target}. A target that names a party is told under {party}.alert, in that party's own queue.",
            "parameters": { "target": { "description": "The target's name in configuration." } },
            "messages": of_channel(&[ALERT.to_owned()]),
            "bindings": { "amqp": exchange("kassebro.answers") },
        },
        "queue-out": {
            "address": "kassebro.out.{party}",
            "title": "A party's answers and messages, as it reads them",
            "parameters": { "party": party() },
            "messages": of_channel(&answers),
            "bindings": { "amqp": queue("kassebro.out.{party}") },
        },
    })
}

fn of_channel(names: &[String]) -> Map<String, Value> {
    names
        .iter()
        .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect()
}

fn exchange(name: &str) -> Value {
    json!({
        "is": "routingKey",
        "exchange": { "name": name, "type": "topic", "durable": true, "autoDelete": false },
        "bindingVersion": "0.3.0",
    })
}

fn queue(name: &str) -> Value {
    json!({
        "is": "queue",
        "queue": { "name": name, "durable": true, "exclusive": false, "autoDelete": false },
        "bindingVersion": "0.3.0",
    })
}

fn operations() -> Map<String, Value> {
    let in_channel =
        |channel: &str, name: &str| json!([{ "$ref": format!("#/channels/{channel}/messages/{name}") }]);
    let mut operations = Map::new();
    for kind in KINDS {
        let name = kind.id().to_string();
        operations.insert(
            format!("receive-{}-v{}", kind.name.replace('_', "-"), kind.version),
            json!({
                "action": "receive",
                "channel": { "$ref": "#/channels/messages" },
                "title": kind.title,
                "messages": in_channel("messages", &name),
                "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "bindingVersion": "0.3.0" } },
                "reply": { "channel": { "$ref": "#/channels/queue-out" }, "messages": in_channel("queue-out", ANSWER) },
            }),
        );
    }
    for kind in KINDS {
        let name = kind.id().to_string();
        operations.insert(
            format!("send-{}-v{}", kind.name.replace('_', "-"), kind.version),
            json!({
                "action": "send",
                "channel": { "$ref": "#/channels/answers" },
                "title": kind.title,
                "messages": in_channel("answers", &name),
                "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "bindingVersion": "0.3.0" } },
            }),
        );
    }
    operations.insert(
        "send-answer".to_owned(),
        json!({
            "action": "send",
            "channel": { "$ref": "#/channels/answers" },
            "title": "Tell a sender what became of its message",
            "messages": in_channel("answers", ANSWER),
            "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "bindingVersion": "0.3.0" } },
        }),
    );
    operations.insert(
        "send-alert".to_owned(),
        json!({
            "action": "send",
            "channel": { "$ref": "#/channels/alerts" },
            "title": "Tell a target what changed about alerts",
            "messages": in_channel("alerts", ALERT),
            "bindings": { "amqp": { "deliveryMode": 2, "mandatory": true, "bindingVersion": "0.3.0" } },
        }),
    );
    operations
}

fn messages() -> Map<String, Value> {
    let correlation = json!({ "location": "$message.payload#/id", "description": "The answer's `correlationid` is this id." });
    let mut messages: Map<String, Value> = KINDS
        .iter()
        .map(|kind| {
            let id = kind.id();
            let message = json!({
                "name": id.event_type(),
                "title": kind.title,
                "contentType": STRUCTURED,
                "payload": reference(&event_name(&id)),
                "correlationId": correlation,
            });
            (id.to_string(), message)
        })
        .collect();
    let answer = json!({
        "name": super::schemas::ANSWER_TYPE,
        "title": "Answer",
        "contentType": STRUCTURED,
        "payload": reference("AnswerEvent"),
        "correlationId": { "location": "$message.payload#/correlationid", "description": "The id of the message it answers." },
    });
    messages.insert(ANSWER.to_owned(), answer);
    let alert = json!({
        "name": crate::domain::alert::EVENT_TYPE,
        "title": "Notice of alerts",
        "contentType": STRUCTURED,
        "payload": reference("AlertEvent"),
    });
    messages.insert(ALERT.to_owned(), alert);
    messages
}
