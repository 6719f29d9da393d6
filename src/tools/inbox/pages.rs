//! The inbox's addresses: `POST` takes a delivery, `GET` shows what was taken, `/control` changes how it
//! behaves.

use std::{
    convert::Infallible,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use super::{
    BODY_BYTES_MAX,
    behaviour::{Answer, Behaviour, Close, LONG_BODY_BYTES_MAX},
    ledger::{Delivery, Ledger},
};
use crate::{
    clock::{Clock, System},
    webhook_signature::WebhookSecret,
};

/// `{}` packed by gzip 1.12.
const GZIP: &[u8] =
    &[0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xab, 0xae, 0x05, 0, 0x43, 0xbf, 0xa6, 0xa3, 0x02, 0, 0, 0];

/// A signature older or younger than this is refused (Standard Webhooks, "Verifying webhook authenticity").
const SIGNATURE_AGE_SECONDS_MAX: i64 = 300;

/// Marks an answer that is to be a closed connection.
#[derive(Clone)]
pub(super) struct Hangup;

/// What all requests share.
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    behaviour: Mutex<Behaviour>,
    secrets: Vec<WebhookSecret>,
    refuse: Notify,
}

impl Shared {
    pub(super) fn new(secrets: Vec<WebhookSecret>) -> Self {
        Self { ledger: Mutex::default(), behaviour: Mutex::default(), secrets, refuse: Notify::new() }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn behave(&self, behaviour: Behaviour) -> Result<(), String> {
        behaviour.check()?;
        *self.behaviour() = behaviour;
        self.refuse.notify_one();
        Ok(())
    }

    /// How long nobody may connect, told once.
    pub(super) fn refusal(&self) -> Option<Duration> {
        let refuse = std::mem::take(&mut self.behaviour().refuse);
        (!refuse.is_zero()).then_some(refuse)
    }

    pub(super) async fn told_to_refuse(&self) {
        self.refuse.notified().await;
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(overview).post(deliver))
        .route("/stats", get(stats).post(deliver))
        .route("/deliveries", get(deliveries).post(deliver))
        .route("/deliveries/{number}", get(body).post(deliver))
        .route("/control", post(control).get(behaviour))
        .route("/{*path}", post(deliver))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn deliver(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.ledger().attempted();
    let behaviour = shared.behaviour().clone();
    if !behaviour.delay.is_zero() {
        System.sleep(behaviour.delay).await;
    }
    if behaviour.close == Close::BeforeTaking {
        shared.ledger().not_taken();
        return hangup();
    }
    if let Some(status) = failure(&behaviour) {
        shared.ledger().not_taken();
        return failed(status, &behaviour);
    }
    let Some(key) = text(&headers, "idempotency-key").filter(|key| (1..=255).contains(&key.len())) else {
        return wrong(&shared, StatusCode::BAD_REQUEST, "no Idempotency-Key");
    };
    if !shared.secrets.is_empty() && !signed(&shared.secrets, &headers, &body) {
        return wrong(&shared, StatusCode::UNAUTHORIZED, "no valid signature");
    }
    let content_type = text(&headers, "content-type").unwrap_or_default();
    let taken = shared.ledger().take(key, content_type, &body, System.now()).cloned();
    match taken {
        None => failed(StatusCode::INSUFFICIENT_STORAGE, &behaviour),
        Some(_) if behaviour.close == Close::AfterTaking => hangup(),
        Some(delivery) => answer(&behaviour, &delivery).await,
    }
}

fn failure(behaviour: &Behaviour) -> Option<StatusCode> {
    let status = if behaviour.status >= 300 {
        behaviour.status
    } else if behaviour.fail_share > 0.0 && rand::random::<f64>() < behaviour.fail_share {
        behaviour.fail_status
    } else {
        return None;
    };
    StatusCode::from_u16(status).ok()
}

fn failed(status: StatusCode, behaviour: &Behaviour) -> Response {
    let mut response = (status, Json(json!({"error": "the inbox was told to fail"}))).into_response();
    let mut set = |name: HeaderName, value: Option<&str>| {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::RETRY_AFTER, behaviour.retry_after.as_deref());
    set(header::LOCATION, behaviour.location.as_deref());
    set(HeaderName::from_static("webhook-delivery"), behaviour.abort.then_some("abort-message"));
    response
}

fn wrong(shared: &Shared, status: StatusCode, error: &str) -> Response {
    shared.ledger().wrong();
    (status, Json(json!({"error": error}))).into_response()
}

fn hangup() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(Hangup);
    response
}

async fn answer(behaviour: &Behaviour, delivery: &Delivery) -> Response {
    let status = StatusCode::from_u16(behaviour.status).unwrap_or(StatusCode::ACCEPTED);
    let receipt = json!({"receiptId": delivery.receipt_id, "verdict": delivery.verdict}).to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    match behaviour.answer {
        Answer::Receipt => (status, json, receipt).into_response(),
        Answer::Empty => status.into_response(),
        Answer::Broken => (status, json, receipt[..receipt.len() / 2].to_owned()).into_response(),
        Answer::Slow => (status, json, trickle(receipt)).into_response(),
        Answer::Endless => (status, endless()).into_response(),
        Answer::Gzip => (status, json, [(header::CONTENT_ENCODING, "gzip")], GZIP).into_response(),
        Answer::Never => std::future::pending().await,
    }
}

fn trickle(text: String) -> Body {
    Body::from_stream(stream::unfold(Bytes::from(text), async |mut left| {
        if left.is_empty() {
            return None;
        }
        System.sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, Infallible>(left.split_to(1)), left))
    }))
}

fn endless() -> Body {
    static CHUNK: [u8; 16 * 1024] = [b' '; 16 * 1024];
    let chunks = LONG_BODY_BYTES_MAX / CHUNK.len() as u64;
    Body::from_stream(stream::iter((0..chunks).map(|_| Ok::<_, Infallible>(Bytes::from_static(&CHUNK)))))
}

fn signed(secrets: &[WebhookSecret], headers: &HeaderMap, body: &[u8]) -> bool {
    let (Some(id), Some(at), Some(signature)) =
        (text(headers, "webhook-id"), text(headers, "webhook-timestamp"), text(headers, "webhook-signature"))
    else {
        return false;
    };
    let Ok(at) = at.parse::<i64>() else { return false };
    let age = System.now().as_second().saturating_sub(at).saturating_abs();
    age <= SIGNATURE_AGE_SECONDS_MAX && secrets.iter().any(|secret| secret.verify(signature, id, at, body))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.ledger().stats()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn deliveries(State(shared): State<Arc<Shared>>, Query(After { after }): Query<After>) -> Response {
    Json(shared.ledger().after(after, 1000)).into_response()
}

/// A body as text, whatever it says it is: a browser must not run what a sender wrote.
async fn body(State(shared): State<Arc<Shared>>, Path(number): Path<u64>) -> Response {
    let plain = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match shared.ledger().body(number) {
        Some(body) => (plain, body).into_response(),
        None => (StatusCode::NOT_FOUND, "not kept").into_response(),
    }
}

async fn behaviour(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.behaviour().clone()).into_response()
}

async fn control(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let told = serde_json::from_slice::<Behaviour>(&body).map_err(|error| error.to_string());
    match told.and_then(|behaviour| shared.behave(behaviour)) {
        Ok(()) => behaviour(State(shared)).await,
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": error}))).into_response(),
    }
}

async fn overview(State(shared): State<Arc<Shared>>) -> Response {
    const LATEST: usize = 100;
    let ledger = shared.ledger();
    let stats = ledger.stats();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Reference inbox</title>\
         <h1>Reference inbox</h1><p>{} deliveries, {} duplicates, {} with another body under a known key, \
         {} not taken, {} wrong.</p><table><tr><th>Number<th>Time<th>Key<th>Receipt<th>Content type<th>Bytes<th>Verdict",
        stats.unique, stats.duplicates, stats.other_body, stats.not_taken, stats.wrong,
    );
    for Delivery { number, key, receipt_id, content_type, bytes, at, verdict, .. } in ledger.latest(LATEST) {
        let (key, content_type) = (escaped(key), escaped(content_type));
        write!(
            page,
            "<tr><td><a href=\"/deliveries/{number}\">{number}</a><td>{at}<td>{key}<td>{receipt_id}\
             <td>{content_type}<td>{bytes}<td>{verdict:?}"
        )
        .expect("writing to a String does not fail");
    }
    drop(ledger);
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    (policy, Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_wrote_is_text_on_the_page() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
