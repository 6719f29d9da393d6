//! The calls over HTTP as OpenAPI 3.1, made from the table that serves them.

use serde_json::{Map, Value, json};

use super::{
    post_message, problem, receipts,
    routes::{Gives, Parameter, ROUTES, Route, Shape, Takes},
    schemas::{event_name, reference, shared},
};
use crate::{
    domain::{
        case::CaseState,
        receipt::{Business, TEXT_CHARACTERS_MAX},
    },
    kinds::KINDS,
};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kassebro",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Messages between unemployment funds (a-kasser) and job centres",
            "description": "A caller is a party, by its key. It sends its own messages, reads its own answers, and settles the deliveries to its own receivers.",
            "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
        },
        "servers": [{ "url": "/", "description": "Where this document came from" }],
        "security": [],
        "tags": [
            { "name": "v1", "description": "For the parties' systems" },
            { "name": "contract", "description": "The contract and the state of the service" },
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "The party's API key." },
            },
            "schemas": components(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route.path).collect();
    parameters.extend(route.query.iter().map(query_parameter));
    if route.takes == Takes::Message {
        parameters.extend(message_headers());
    }
    let mut responses = Map::new();
    for gives in route.gives {
        responses.insert(gives.status.to_string(), response(gives));
    }
    for kind in route.problems {
        let status = kind.status().as_u16().to_string();
        let title = kind.title().en;
        responses.insert(
            status,
            json!({ "description": title, "content": content(problem::MEDIA_TYPE, &reference("Problem")) }),
        );
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [if route.key { "v1" } else { "contract" }],
        "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if route.key {
        operation["security"] = json!([{ "key": [] }]);
    }
    match route.takes {
        Takes::Nothing => {}
        Takes::Message => {
            operation["requestBody"] = json!({ "required": true, "content": message_content() });
        }
        Takes::Receipt => {
            operation["requestBody"] =
                json!({ "required": true, "content": content("application/json", &reference("Receipt")) });
        }
    }
    operation
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        let description = match name {
            "deliveryId" => "The delivery's id, as the mailbox lists it or as it came with the parcel.",
            "file" => "<kind>.v<n>.json",
            _ => "The receipt id, or the message's own id.",
        };
        Some(json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string", "maxLength": 200 } }))
    })
}

fn query_parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": { "type": "integer", "minimum": 0, "maximum": parameter.most, "default": parameter.default },
    })
}

fn message_headers() -> impl Iterator<Item = Value> {
    let header = |(name, description): (&str, &str)| json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } });
    [
        ("Idempotency-Key", "The message's id, said once more; in binary mode without ce-id it serves as the id. Anything else is refused."),
        ("Accept-Language", "da or en, for the title and detail of a problem."),
        ("ce-id", "Binary mode: the envelope stands in ce-* headers, and the body is the data."),
        ("ce-specversion", "Binary mode."),
        ("ce-source", "Binary mode."),
        ("ce-type", "Binary mode."),
        ("ce-time", "Binary mode."),
        ("ce-receiver", "Binary mode."),
        ("ce-agreement", "Binary mode."),
        ("ce-subject", "Binary mode."),
    ]
    .into_iter()
    .map(header)
}

fn message_content() -> Value {
    let [structured, json, xml] = post_message::TAKEN;
    let events: Vec<Value> = KINDS.iter().map(|kind| reference(&event_name(&kind.id()))).collect();
    let data: Vec<Value> = KINDS.iter().map(|kind| reference(&kind.id().to_string())).collect();
    let mapping: Map<String, Value> = KINDS
        .iter()
        .map(|kind| {
            let id = kind.id();
            (id.event_type(), format!("#/components/schemas/{}", event_name(&id)).into())
        })
        .collect();
    json!({
        structured: { "schema": { "oneOf": events, "discriminator": { "propertyName": "type", "mapping": mapping } } },
        json: { "schema": { "description": "Binary mode: the data of the kind that ce-type names.", "anyOf": data } },
        xml: { "schema": { "description": "Binary mode: the data as XML in the namespace urn:dk:kassebro:<kind>:v<n>; or KOMBIT's Haendelsesbesked (urn:oio:besked:kuvert:1.0) with all of it.", "type": "string" } },
    })
}

fn content(media_type: &str, schema: &Value) -> Value {
    json!({ media_type: { "schema": schema } })
}

fn response(gives: &Gives) -> Value {
    let mut response = json!({ "description": gives.description });
    match gives.shape {
        Shape::Empty => {}
        Shape::Json(name) => response["content"] = content("application/json", &reference(name)),
        Shape::Text(media_type) => response["content"] = content(media_type, &json!({})),
        Shape::Parcel => {
            response["content"] =
                json!({ "application/json": {}, "application/xml": {}, "application/cloudevents+json": {} });
        }
    }
    if gives.shape == Shape::Json("Answer") {
        let uri = json!({ "type": "string", "format": "uri-reference" });
        response["headers"] =
            json!({ "Location": { "description": "Where the message's state can be read.", "schema": uri } });
    }
    response
}

fn components() -> Map<String, Value> {
    let mut schemas = shared();
    let own = [
        ("Problem", problem_schema()),
        ("Message", message()),
        ("Answers", answers()),
        ("Mailbox", mailbox()),
        ("Receipt", receipt()),
        ("Kept", kept()),
        ("Readiness", readiness()),
    ];
    schemas.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    schemas
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn problem_schema() -> Value {
    let types: Vec<String> = problem::Kind::ALL.into_iter().map(problem::Kind::uri).collect();
    let own = json!({
        "type": { "enum": types },
        "title": text(),
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "detail": text(),
        "instance": { "type": "string", "format": "uri-reference" },
        "errorsOmitted": { "description": "Errors left out of a body that would have been over 64 KiB.", "type": "integer", "minimum": 1 },
    });
    let problem = object(&["type", "title", "status", "detail", "instance"], &own);
    json!({
        "title": "Problem (RFC 9457)",
        "description": "Where the problem is with a message, every member of its answer stands in it too.",
        "allOf": [problem],
        "if": { "required": ["receiptId"] },
        "then": reference("Answer"),
    })
}

fn message() -> Value {
    let cases: Vec<Value> =
        CaseState::ALL.iter().map(|state| json!(state)).chain(std::iter::once(Value::Null)).collect();
    let properties = json!({
        "receiptId": { "type": "string", "format": "uuid" },
        "messageId": or_null("string"),
        "party": text(),
        "kind": or_null("string"),
        "receiver": or_null("string"),
        "received": instant(),
        "state": { "enum": ["invalid", "pending", "delivered", "dead", "cancelled"] },
        "due": or_null("string"),
        "findings": { "type": "array", "items": reference("Violation") },
        "deliveries": { "type": "array", "items": object(&["deliveryId", "receiver", "state", "attempts", "due"], &json!({
            "deliveryId": { "type": "string", "format": "uuid" },
            "receiver": text(),
            "state": { "enum": ["pending", "delivered", "dead", "cancelled"] },
            "hold": or_null("string"),
            "secondWayOf": { "description": "The first way to the same receiver; this one is tried when that endangers the promise.", "type": "string", "format": "uuid" },
            "released": { "description": "When it was let go as a second way.", "type": "string", "format": "date-time" },
            "attempts": { "type": "integer", "minimum": 0 },
            "due": instant(),
        })) },
        "promises": { "type": "array", "items": object(&["promise", "starts", "due", "met", "standing"], &json!({
            "promise": text(),
            "starts": instant(),
            "due": instant(),
            "met": or_null("string"),
            "standing": text(),
        })) },
        "case": { "description": "How the matter stands at its receiver, by what return messages said.", "enum": cases },
        "history": { "type": "array", "items": object(&["at", "what"], &json!({ "at": instant(), "what": text() })) },
    });
    object(
        &[
            "receiptId",
            "messageId",
            "party",
            "kind",
            "received",
            "state",
            "deliveries",
            "promises",
            "history",
        ],
        &properties,
    )
}

fn answers() -> Value {
    let cursor = json!({ "type": "string", "pattern": "^[0-9]+$" });
    let event =
        json!({ "allOf": [reference("AnswerEvent"), object(&["cursor"], &json!({ "cursor": cursor }))] });
    let answers = json!({ "type": "array", "items": event });
    object(&["answers", "next"], &json!({ "answers": answers, "next": cursor }))
}

fn mailbox() -> Value {
    let parcel = object(
        &["deliveryId", "receiver", "type", "source", "messageId", "due", "contentType", "body"],
        &json!({
            "deliveryId": { "description": "The same over retries and restarts: what a receiver knows a repeated parcel by.", "type": "string", "format": "uuid" },
            "receiver": text(),
            "type": text(),
            "source": text(),
            "messageId": text(),
            "due": instant(),
            "contentType": text(),
            "body": { "type": "string", "contentEncoding": "base64" },
        }),
    );
    object(&["parcels"], &json!({ "parcels": { "type": "array", "items": parcel } }))
}

fn receipt() -> Value {
    let limited = |most: usize| json!({ "type": "string", "minLength": 1, "maxLength": most });
    let properties = json!({
        "deliveryId": { "type": "string", "format": "uuid" },
        "business": { "enum": Business::ALL },
        "receiptId": limited(receipts::ID_CHARACTERS_MAX),
        "text": limited(TEXT_CHARACTERS_MAX),
        "level": { "enum": ["business"], "description": "As in a message of the kind receipt." },
        "receivedAt": instant(),
        "errors": { "type": "array", "maxItems": 50, "items": object(&["code", "text"], &json!({
            "code": limited(50),
            "text": limited(TEXT_CHARACTERS_MAX),
        })) },
    });
    let mut receipt = object(&["deliveryId", "business"], &properties);
    receipt["additionalProperties"] = json!(false);
    receipt["description"] = json!("No CPR number in any text.");
    receipt
}

fn kept() -> Value {
    object(
        &["deliveryId", "kept", "changed", "state"],
        &json!({
            "deliveryId": { "type": "string", "format": "uuid" },
            "kept": { "const": true },
            "changed": { "const": false },
            "state": { "description": "The state the delivery has and keeps.", "enum": ["pending", "delivered", "dead", "cancelled"] },
        }),
    )
}

fn readiness() -> Value {
    let check = object(&["status"], &json!({ "status": { "enum": ["pass", "fail"] }, "output": text() }));
    let degraded = object(&["part", "why"], &json!({ "part": text(), "why": text() }));
    object(
        &["status", "version", "roles", "checks", "degraded"],
        &json!({
            "status": { "enum": ["pass", "warn", "fail"] },
            "version": text(),
            "roles": {
                "description": "What this process does.",
                "type": "array",
                "items": { "enum": ["intake", "dispatch", "watch", "api"] },
            },
            "checks": object(&["store", "configuration"], &json!({ "store": check, "configuration": check })),
            "degraded": { "type": "array", "items": degraded },
        }),
    )
}
