//! What a caller is told when its request is not met: problem details by RFC 9457, in its language.

use std::sync::Arc;

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tracing::{error, warn};

use super::language::Language;
use crate::{
    domain::{Answer, Text},
    store::StoreError,
};

/// Bytes of a problem's body. Of a message with more to say the last errors are left out, and counted.
pub(super) const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Characters of the path that a problem repeats.
const INSTANCE_CHARACTERS_MAX: usize = 200;
/// What every problem's `type` begins with.
const TYPES: &str = "https://kassebro.dk/problems/";
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// The kinds of problems: one status, one type, one title each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BadRequest,
    Unauthenticated,
    NotYourSource,
    NotFound,
    MethodNotAllowed,
    BodyTimeout,
    Conflict,
    TooLarge,
    UnsupportedType,
    Invalid,
    TooMany,
    Internal,
    Unavailable,
}

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::NotYourSource,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedType,
        Self::Invalid,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
    ];

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NotYourSource => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The problem's `type`.
    pub(super) fn uri(self) -> String {
        let slug = match self {
            Self::BadRequest => "bad-request",
            Self::Unauthenticated => "unauthenticated",
            Self::NotYourSource => "not-your-source",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyTimeout => "body-timeout",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::UnsupportedType => "unsupported-type",
            Self::Invalid => "invalid",
            Self::TooMany => "too-many-requests",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        };
        format!("{TYPES}{slug}")
    }

    pub(super) fn title(self) -> Text {
        let (da, en) = match self {
            Self::BadRequest => ("Forespørgslen kan ikke læses", "The request cannot be read"),
            Self::Unauthenticated => ("Nøglen kendes ikke", "The key is not known"),
            Self::NotYourSource => {
                ("Beskeden taler for en anden part", "The message speaks for another party")
            }
            Self::NotFound => ("Findes ikke", "Not found"),
            Self::MethodNotAllowed => ("Metoden findes ikke her", "Not a method of this path"),
            Self::BodyTimeout => ("Indholdet kom ikke i tide", "The body did not come in time"),
            Self::Conflict => ("Id'et er brugt til en anden besked", "The id was used for another message"),
            Self::TooLarge => ("Indholdet er for stort", "The body is too large"),
            Self::UnsupportedType => ("Indholdstypen modtages ikke", "The content type is not taken"),
            Self::Invalid => ("Beskeden er afvist", "The message is rejected"),
            Self::TooMany => ("For mange kald på én gang", "Too many calls at a time"),
            Self::Internal => ("Fejl hos os", "An error of ours"),
            Self::Unavailable => ("Kan ikke tage imod lige nu", "Cannot take anything just now"),
        };
        Text::new(da, en)
    }
}

/// A request that is not met, before it is put into words.
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    detail: Text,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What it is about, where that is not the path that was asked for.
    instance: Option<String>,
    /// The members of the answer to a message.
    members: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: Text) -> Self {
        Self(Box::new(Parts { kind, detail, headers: Vec::new(), instance: None, members: Map::new() }))
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub(super) fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, seconds.into())
    }

    /// The problem with a message: every member of its answer stands in it.
    pub(super) fn of_message(kind: Kind, detail: Text, answer: &Answer) -> Self {
        let Ok(Value::Object(members)) = serde_json::to_value(answer) else {
            unreachable!("an answer is a JSON object")
        };
        let mut problem = Self::new(kind, detail);
        problem.0.instance = Some(format!("/v1/messages/{}", answer.receipt_id));
        problem.0.members = members;
        problem
    }

    /// The store did not do what was asked: nothing was taken, as far as the caller may rely on it.
    pub(super) fn of_store(fault: &StoreError) -> Self {
        match fault {
            StoreError::Unavailable(_) | StoreError::Unusable(_) => {
                warn!(error = %fault, "A request was answered 503: the store cannot be used just now");
                let text = Text::new(
                    "Der kan ikke gemmes lige nu, så intet er modtaget. Send det samme igen om lidt.",
                    "Nothing can be stored just now, so nothing was taken. Send the same again in a while.",
                );
                Self::new(Kind::Unavailable, text).retry_after(5)
            }
            StoreError::Corrupt { .. } | StoreError::Content(_) => {
                error!(error = %fault, "A request was answered 500: a row cannot be read or written");
                Self::internal()
            }
        }
    }

    pub(super) fn internal() -> Self {
        let text = Text::new(
            "Kaldet standsede i vores egen kode. Der er intet galt med det, du sendte.",
            "The call stopped in our own code. Nothing is wrong with what you sent.",
        );
        Self::new(Kind::Internal, text)
    }

    pub(super) fn not_found() -> Self {
        let text =
            Text::new("Det findes ikke, eller det er ikke dit.", "It does not exist, or it is not yours.");
        Self::new(Kind::NotFound, text)
    }

    /// Puts it into words.
    pub(super) fn render(&self, language: Language, path: &str) -> Response {
        let parts = &self.0;
        let instance =
            parts.instance.clone().unwrap_or_else(|| path.chars().take(INSTANCE_CHARACTERS_MAX).collect());
        let mut body = Map::new();
        body.insert("type".into(), parts.kind.uri().into());
        body.insert("title".into(), language.of_text(&parts.kind.title()).into());
        body.insert("status".into(), parts.kind.status().as_u16().into());
        body.insert("detail".into(), language.of_text(&parts.detail).into());
        body.insert("instance".into(), instance.into());
        body.extend(parts.members.clone());
        let mut response = (parts.kind.status(), Json(within_bounds(Value::Object(body)))).into_response();
        let headers = response.headers_mut();
        headers.extend(parts.headers.iter().cloned());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        response
    }
}

/// Leaves out the last errors of a body that is too long, and says how many.
fn within_bounds(mut body: Value) -> Value {
    let (mut length, mut omitted) = (body.to_string().len(), 0);
    // Room for the member that counts what is left out.
    while length > PROBLEM_BYTES_MAX - 32
        && let Some(last) = body["errors"].as_array_mut().and_then(Vec::pop)
    {
        length -= last.to_string().len() + 1;
        omitted += 1;
    }
    if omitted > 0 {
        body["errorsOmitted"] = json!(omitted);
    }
    body
}

impl IntoResponse for Problem {
    /// The status alone; [`super::guard`] puts the words in, because it knows the caller's language.
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
