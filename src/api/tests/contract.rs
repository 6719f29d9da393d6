//! The two documents: valid by their official schemas, and kept by every answer that any test gets.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::{
    super::{
        asyncapi, openapi,
        routes::{ROUTES, Route},
    },
    rig::{Reply, Rig},
};
use crate::kinds::{KINDS, receipt};

static OPENAPI: LazyLock<Value> = LazyLock::new(openapi::document);

/// Whether an answer is one that the contract states: its status, its media type, and its body's schema.
pub(super) fn hold(method: &str, path: &str, reply: &Reply) {
    let Some(route) = ROUTES.iter().find(|route| matches(route, method, path)) else {
        assert!(matches!(reply.status.as_u16(), 404 | 405), "{method} {path} is no call: {}", reply.status);
        return;
    };
    let status = reply.status.as_u16().to_string();
    let stated = &OPENAPI["paths"][route.path][route.method.name()]["responses"][&status];
    assert!(
        stated.is_object(),
        "{method} {path} answered {status}, which the contract does not state: {}",
        reply.text()
    );
    let media_type = reply.header("content-type").split(';').next().unwrap();
    let Some(content) = stated["content"].as_object() else {
        assert_eq!(reply.text(), "", "{method} {path} {status} has no body by the contract");
        return;
    };
    let stated =
        content.get(media_type).unwrap_or_else(|| panic!("{method} {path} {status} is {media_type}"));
    if media_type.ends_with("json") && stated["schema"].is_object() {
        let body = reply.json();
        let mut schema = stated["schema"].clone();
        schema["components"] = OPENAPI["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:#?}\n{body:#}");
    }
}

fn matches(route: &Route, method: &str, path: &str) -> bool {
    let (template, asked): (Vec<_>, Vec<_>) = (route.path.split('/').collect(), path.split('/').collect());
    let segment = |(template, asked): (&&str, &&str)| {
        template.starts_with('{') && !asked.is_empty() || template == asked
    };
    route.method.name().eq_ignore_ascii_case(method)
        && template.len() == asked.len()
        && template.iter().zip(&asked).all(segment)
}

fn validator(schema: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::options().should_validate_formats(true).offline().build(&schema).unwrap()
}

fn faults(validator: &jsonschema::Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_openapi_document_is_valid_by_the_official_schema() {
    let schema = validator(include_str!("../../../tests/contract/openapi-3.1/schema.json"));
    assert_eq!(faults(&schema, &OPENAPI), [] as [String; 0]);
    let mut wrong = OPENAPI.clone();
    wrong["paths"]["/livez"]["get"]["responses"] = json!({ "fine": {} });
    assert!(!schema.is_valid(&wrong), "the schema can tell");
}

#[test]
fn the_asyncapi_document_is_valid_by_the_official_schema() {
    let schema = validator(include_str!("../../../tests/contract/asyncapi-3.0/schema.json"));
    let document = asyncapi::document();
    assert_eq!(faults(&schema, &document), [] as [String; 0]);
    let mut wrong = document;
    wrong["operations"]["send-answer"]["action"] = json!("whisper");
    assert!(!schema.is_valid(&wrong), "the schema can tell");
}

#[test]
fn every_schema_in_the_documents_is_one_and_every_reference_leads_somewhere() {
    for document in [OPENAPI.clone(), asyncapi::document()] {
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}");
        }
        walk(&document, &mut |value| {
            let Some(reference) = value["$ref"].as_str() else {
                return;
            };
            let target = reference
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("{reference} leads out of the document"));
            assert!(document.pointer(target).is_some(), "{reference} leads nowhere");
        });
    }
}

fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

#[test]
fn a_receipt_has_the_same_words_and_limits_as_a_call_and_as_a_message() {
    let message: Value = serde_json::from_str(receipt::KIND.schema).unwrap();
    let call = &OPENAPI["components"]["schemas"]["Receipt"]["properties"];
    for (name, keywords) in [
        ("deliveryId", ["format"].as_slice()),
        ("business", &["enum"]),
        ("receiptId", &["minLength", "maxLength"]),
        ("text", &["minLength", "maxLength"]),
    ] {
        for keyword in keywords {
            let of_message = &message["properties"][name][keyword];
            assert!(!of_message.is_null() && call[name][keyword] == *of_message, "{name} {keyword}");
        }
    }
}

#[test]
fn the_documents_name_every_kind_and_every_call() {
    let (openapi, asyncapi) = (OPENAPI.to_string(), asyncapi::document());
    for kind in KINDS {
        let id = kind.id();
        assert!(openapi.contains(&id.event_type()), "{id}");
        let operation = format!("receive-{}-v{}", kind.name.replace('_', "-"), kind.version);
        let reply = &asyncapi["operations"][&operation]["reply"]["messages"][0]["$ref"];
        assert_eq!(reply, "#/channels/queue-out/messages/answer.v1", "{operation}");
    }
    let ids: BTreeSet<&str> = ROUTES.iter().map(|route| route.id).collect();
    assert_eq!(ids.len(), ROUTES.len(), "an operation's name is its own");
}

#[tokio::test]
async fn every_call_in_the_table_is_served_and_no_other_method() {
    let rig = Rig::new();
    for route in ROUTES {
        let path = route
            .path
            .replace("{id}", "m-1")
            .replace("{deliveryId}", "d-1")
            .replace("{file}", "complaint.v1.json");
        let ask = |method: &str| Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let reply = rig.ask(ask(route.method.name().to_uppercase().as_str())).await;
        let expected = if route.key { 401 } else { 200 };
        assert_eq!(reply.status, expected, "{} {path}", route.method.name());
        let reply = rig.ask(ask("DELETE")).await;
        assert_eq!(reply.status, 405, "{path}");
        assert_eq!(reply.json()["type"], "https://kassebro.dk/problems/method-not-allowed");
        assert!(
            reply.header("allow").contains(&route.method.name().to_uppercase()),
            "{path}: {}",
            reply.header("allow")
        );
    }
    let reply = rig.get("", "/v2/anything").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, "application/problem+json"));
}

#[tokio::test]
async fn the_contract_is_served_as_it_is_made_and_may_be_kept() {
    let rig = Rig::new();
    assert_eq!(rig.get("", "/openapi.json").await.json(), *OPENAPI);
    assert_eq!(rig.get("", "/asyncapi.json").await.json(), asyncapi::document());
    for kind in KINDS {
        let reply = rig.get("", &format!("/schemas/{}.json", kind.id())).await;
        assert_eq!(reply.text(), kind.schema);
        assert_eq!(reply.header("content-type"), "application/schema+json");
    }
    assert_eq!(rig.get("", "/schemas/answer.v1.json").await.json()["title"], "Answer");
    assert_eq!(rig.get("", "/schemas/nothing.v1.json").await.status, 404);
    let tag = rig.get("", "/openapi.json").await.header("etag").to_owned();
    let again = Request::get("/openapi.json").header("if-none-match", tag).body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(rig.router.clone(), again).await.unwrap();
    assert_eq!(response.status(), 304);
}
