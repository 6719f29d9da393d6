//! The contract for machines: OpenAPI, AsyncAPI and the schemas, made once and served as they are.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{asyncapi, openapi, problem::Problem, schemas};
use crate::kinds::KINDS;

/// A document with its entity tag.
struct Document {
    media_type: &'static str,
    body: Bytes,
    tag: HeaderValue,
}

impl Document {
    fn new(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = Sha256::digest(&body);
        let tag = format!(
            "\"{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}\"",
            hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]
        );
        Self {
            media_type,
            body,
            tag: HeaderValue::from_str(&tag).expect("hexadecimal digits are plain ASCII"),
        }
    }

    fn json(document: &Value) -> Self {
        Self::new("application/json", pretty(document))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let kept = [
            (header::ETAG, self.tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        ];
        if headers.get(header::IF_NONE_MATCH) == Some(&self.tag) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type))];
        (kept, content_type, self.body.clone()).into_response()
    }
}

/// A document as it is served and as it stands in a file.
pub(super) fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a JSON value serialises");
    text.push('\n');
    text
}

static OPENAPI: LazyLock<Document> = LazyLock::new(|| Document::json(&openapi::document()));
static ASYNCAPI: LazyLock<Document> = LazyLock::new(|| Document::json(&asyncapi::document()));

/// By file name: `complaint.v1.json`.
static SCHEMAS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    let kinds = KINDS.iter().map(|kind| (kind.id().to_string(), kind.schema.to_owned()));
    let answer = ("answer.v1".to_owned(), pretty(&schemas::answer_document()));
    kinds
        .chain([answer])
        .map(|(name, text)| (format!("{name}.json"), Document::new("application/schema+json", text)))
        .collect()
});

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    OPENAPI.answer(&headers)
}

pub(super) async fn asyncapi(headers: HeaderMap) -> Response {
    ASYNCAPI.answer(&headers)
}

pub(super) async fn schema(Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    SCHEMAS.get(&file).map(|document| document.answer(&headers)).ok_or_else(Problem::not_found)
}
