//! `POST /v1/messages`: a message in, over the same admission as every other way.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use jiff::Timestamp;

use super::{
    Api, body, errors, idempotency,
    problem::{Kind, Problem},
};
use crate::{
    codec::CONTENT_TYPE_RULE,
    domain::{Answer, Text},
    intake::{
        RawMessage, Rules, admit_timed,
        measured::{Batch, Came},
    },
    store::{Verdict, Way},
    telemetry::trace::{self, Span},
};

/// What a body may be written in.
pub(super) const TAKEN: [&str; 3] = ["application/cloudevents+json", "application/json", "application/xml"];

pub(super) async fn post(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let rules = api.desk.intake.rules();
    let taken = body::take(&api, request, rules.limits.body_bytes).await?;
    let party = taken.caller.code();
    let mut headers = carried(&taken.parts.headers, &rules, party);
    let key = idempotency::key(&taken.parts.headers);
    idempotency::lend(key.as_deref(), &mut headers, &rules, party);
    let content_type = taken.parts.headers.get(CONTENT_TYPE).map(text);
    let wrong_type = content_type.as_deref().is_some_and(|content_type| !is_taken(content_type));
    let raw =
        RawMessage { party: party.to_owned(), content_type, headers, body: taken.body.clone(), sent: None };
    let arrived = api.desk.intake.receive(raw, Way::Http, &rules);
    let traceparent = taken.parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
    // Several headers of this name are one list (W3C Trace Context, 3.3.1).
    let states = taken.parts.headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok());
    let tracestate = states.collect::<Vec<_>>().join(",");
    let came = Came {
        traceparent,
        tracestate: Some(&tracestate),
        kind: trace::Kind::Server,
        name: "POST /v1/messages",
    };
    let mut batch = Batch::new(&api.desk.intake, 1);
    batch.judge(&came, |lap| idempotency::check(key.as_deref(), admit_timed(&rules, arrived, lap)), describe);
    let (mut verdicts, _) = api.bounded(batch.accept()).await?;
    let verdict = verdicts.pop().expect("the store gives one verdict for each admission");
    answer(verdict, wrong_type)
}

/// By the conventions for HTTP servers.
fn describe(span: &mut Span) {
    span.set("http.request.method", "POST");
    span.set("http.route", "/v1/messages");
}

/// The headers that carry the envelope: those of CloudEvents, and those that this party's old system uses for
/// them. The others, and the key above all, go no further.
fn carried(headers: &HeaderMap, rules: &Rules, party: &str) -> Vec<(String, String)> {
    let own = rules.senders.get(party).map(|sender| &sender.headers);
    headers
        .iter()
        .filter(|(name, _)| {
            name.as_str().starts_with("ce-") || own.is_some_and(|own| own.contains_key(name.as_str()))
        })
        .filter(|(name, _)| **name != axum::http::header::AUTHORIZATION)
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Whether the content type itself is one that is read here, whatever the body then holds.
fn is_taken(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let other_charset =
        |part: String| part.strip_prefix("charset=").is_some_and(|set| set.trim_matches('"') != "utf-8");
    (TAKEN.contains(&essence.as_str()) || essence == "text/json" || essence == "text/xml")
        && !parts.any(other_charset)
}

fn answer(verdict: Verdict, wrong_type: bool) -> Result<Response, Problem> {
    match verdict {
        Verdict::Accepted(answer) => Ok(taken(StatusCode::ACCEPTED, answer)),
        Verdict::Duplicate(answer) => Ok(taken(StatusCode::OK, answer)),
        Verdict::Conflict(answer) => Err(Problem::of_message(Kind::Conflict, conflict(), &answer)),
        Verdict::Rejected(answer) => Err(rejected(&answer, wrong_type)),
    }
}

/// The answer as its JSON, the same bytes however often it is given.
fn taken(status: StatusCode, mut answer: Answer) -> Response {
    // The store keeps microseconds: a finer first answer would differ from the ones that repeat it.
    answer.deadline = answer.deadline.and_then(|at| Timestamp::from_microsecond(at.as_microsecond()).ok());
    let location = format!("/v1/messages/{}", answer.receipt_id);
    let location = HeaderValue::from_str(&location).expect("a UUID is plain ASCII");
    (status, [(LOCATION, location)], Json(answer)).into_response()
}

fn rejected(answer: &Answer, wrong_type: bool) -> Problem {
    let count = errors(&answer.errors).count();
    let alone = |rule: &str| count > 0 && errors(&answer.errors).all(|error| error.rule == rule);
    if alone("party.source") {
        let text = Text::new(
            "Beskedens source er ikke den part, som nøglen hører til.",
            "The message's source is not the party whose key it came with.",
        );
        return Problem::of_message(Kind::NotYourSource, text, answer);
    }
    if wrong_type && alone(CONTENT_TYPE_RULE) {
        let text = Text::new(
            format!("Send {} i UTF-8.", TAKEN.join(", ")),
            format!("Send {} in UTF-8.", TAKEN.join(", ")),
        );
        return Problem::of_message(Kind::UnsupportedType, text, answer)
            .header(HeaderName::from_static("accept-post"), HeaderValue::from_static(ACCEPT_POST));
    }
    let text = match count {
        1 => Text::new("1 fejl; se errors.", "1 error; see errors."),
        _ => Text::new(format!("{count} fejl; se errors."), format!("{count} errors; see errors.")),
    };
    Problem::of_message(Kind::Invalid, text, answer)
}

const ACCEPT_POST: &str = "application/cloudevents+json, application/json, application/xml";

fn conflict() -> Text {
    Text::new(
        "En anden besked er allerede modtaget under dette id. Send den nye under et nyt id.",
        "Another message was taken under this id. Send the new one under a new id.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_is_read_apart_from_the_body() {
        for (content_type, taken) in [
            ("application/cloudevents+json", true),
            ("Application/CloudEvents+JSON; charset=\"UTF-8\"", true),
            ("text/xml; charset=utf-8", true),
            ("application/json; charset=iso-8859-1", false),
            ("application/cloudevents-batch+json", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            assert_eq!(is_taken(content_type), taken, "{content_type}");
        }
        assert_eq!(ACCEPT_POST, TAKEN.join(", "));
    }
}
