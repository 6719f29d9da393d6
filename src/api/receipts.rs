//! `POST /v1/receipts`: what a jobcenter says of a delivery afterwards, in KOMBIT's words.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, body,
    mailbox::own,
    problem::{Kind, Problem},
};
use crate::{
    codec::{envelope::holds_cpr, text},
    domain::{
        DeliveryId, Text,
        receipt::{Business, TEXT_CHARACTERS_MAX, reason},
    },
    intake::AHEAD_MAX,
    kinds::receipt::Level,
    store::{Command, Commanded, views::TraceOf},
    telemetry::trace::{self, Context, Span},
};

/// Bytes of a receipt.
const RECEIPT_BYTES_MAX: usize = 16 * 1024;
/// Errors in one receipt, and characters of the code of each.
const ERRORS_MAX: usize = 50;
const CODE_CHARACTERS_MAX: usize = 50;
/// Characters of the receiver's own receipt id.
pub(super) const ID_CHARACTERS_MAX: usize = 100;

/// What the receiver says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Said {
    delivery_id: String,
    business: Business,
    receipt_id: Option<String>,
    text: Option<String>,
    /// As in a message of the kind `receipt`: only business receipts come by this call.
    level: Option<Level>,
    /// When the receiver took it, by its own clock.
    received_at: Option<Timestamp>,
    #[serde(default)]
    errors: Vec<Fejl>,
}

/// One of KOMBIT's `FejlListe`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fejl {
    code: String,
    text: String,
}

pub(super) async fn post(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let taken = body::take(&api, request, RECEIPT_BYTES_MAX).await?;
    let content_type =
        taken.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let text = Text::new("Send application/json.", "Send application/json.");
        return Err(Problem::new(Kind::UnsupportedType, text)
            .header(HeaderName::from_static("accept-post"), HeaderValue::from_static("application/json")));
    }
    let receipt = read(&taken.body)?;
    let ahead = api.desk.clock.now() + AHEAD_MAX;
    if receipt.received_at.is_some_and(|at| at > ahead) {
        let (da, en) = ("receivedAt ligger i fremtiden.", "receivedAt lies in the future.");
        return Err(invalid(da.into(), en.into()));
    }
    let (delivery, receiver) = own(&api, &taken.caller, &receipt.delivery_id).await?;
    let by = taken.caller.access.party.to_string();
    let command = if receipt.business.takes() {
        Command::Confirm { delivery, receipt: receipt.receipt_id, by: by.clone() }
    } else {
        let errors = receipt.errors.iter().map(|fejl| (&*fejl.code, &*fejl.text));
        let (reason, id) = (reason(receipt.text.as_deref(), errors), receipt.receipt_id.as_deref());
        let fault = receipt.business.refusal(&receiver, reason.as_deref(), id);
        Command::Refuse { delivery, fault, by: by.clone() }
    };
    let started = api.desk.clock.now();
    let commanded = api.bounded(api.desk.store.command(command, by, started)).await;
    record(&api, delivery, &taken.parts.headers, started).await;
    match commanded? {
        Commanded::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Commanded::Already | Commanded::NotNow => Ok(kept(delivery, &state(&api, delivery).await?)),
        Commanded::NotFound => Err(Problem::not_found()),
    }
}

/// A span for the receipt, linked to where the message was created, where that is traced.
async fn record(api: &Api, delivery: DeliveryId, headers: &HeaderMap, started: Timestamp) {
    let tracer = &api.desk.metrics.tracer;
    if !tracer.is_on() {
        return;
    }
    let original = api.desk.store.traceparent(TraceOf::Receipt(delivery.receipt())).await.ok().flatten();
    let created = original.as_deref().and_then(Context::parse);
    let Some(created) = created.filter(|created| tracer.samples(created)) else { return };
    let caller = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(Context::parse);
    let context = caller.map_or_else(Context::root, |caller| caller.child());
    let mut span =
        Span { parent: caller, ..Span::new(context, trace::Kind::Server, "POST /v1/receipts", started) };
    span.ended = api.desk.clock.now();
    span.links.push(created);
    span.set("http.request.method", "POST");
    span.set("http.route", "/v1/receipts");
    span.set("kassebro.delivery", delivery.to_string());
    tracer.record(span);
}

fn read(body: &[u8]) -> Result<Said, Problem> {
    let receipt: Said = serde_json::from_slice(body).map_err(|error| {
        // The position only: the parser's sentence may repeat what it read.
        let (line, column) = (error.line(), error.column());
        invalid(
            format!("Kvitteringen kan ikke læses (linje {line}, tegn {column}); se skemaet Receipt i /openapi.json."),
            format!("The receipt cannot be read (line {line}, column {column}); see the schema Receipt in /openapi.json."),
        )
    })?;
    if receipt.level == Some(Level::Transport) {
        return Err(invalid(
            "Transportkvitteringen er svaret på selve afleveringen; her tages kun imod forretningskvitteringer.".into(),
            "The transport receipt is the answer to the delivery itself; only business receipts are taken here.".into(),
        ));
    }
    if receipt.errors.len() > ERRORS_MAX {
        return Err(invalid(
            format!("errors har højst {ERRORS_MAX} fejl."),
            format!("errors has at most {ERRORS_MAX} errors."),
        ));
    }
    let fields =
        [("receiptId", &receipt.receipt_id, ID_CHARACTERS_MAX), ("text", &receipt.text, TEXT_CHARACTERS_MAX)];
    let fields = fields.into_iter().filter_map(|(name, value, most)| Some((name, value.as_ref()?, most)));
    let errors = receipt.errors.iter().flat_map(|fejl| {
        [("errors.code", &fejl.code, CODE_CHARACTERS_MAX), ("errors.text", &fejl.text, TEXT_CHARACTERS_MAX)]
    });
    for (name, value, most) in fields.chain(errors) {
        if value.is_empty() || value.chars().count() > most || value.chars().any(text::is_forbidden) {
            return Err(invalid(
                format!("{name} skal være 1-{most} tegn uden styretegn."),
                format!("{name} must be 1-{most} characters without control characters."),
            ));
        }
        if holds_cpr(value) {
            return Err(invalid(
                format!("{name} indeholder et CPR-nummer; skriv det ikke her."),
                format!("{name} holds a CPR number; do not write it here."),
            ));
        }
    }
    Ok(receipt)
}

fn invalid(da: String, en: String) -> Problem {
    Problem::new(Kind::Invalid, Text::new(da, en))
}

/// The state that a delivery is in.
pub(super) async fn state(api: &Api, delivery: DeliveryId) -> Result<String, Problem> {
    let message =
        api.bounded(api.desk.store.message(delivery.to_string(), None, api.desk.clock.now())).await?;
    let of = |message: crate::store::views::MessageView| {
        message.deliveries.into_iter().find(|d| d.delivery_id == delivery)
    };
    message.and_then(of).map(|found| found.state).ok_or_else(Problem::not_found)
}

/// The receipt came after the end, or says what was said: it is in the history, and that is all.
pub(super) fn kept(delivery: DeliveryId, state: &str) -> Response {
    Json(json!({ "deliveryId": delivery, "kept": true, "changed": false, "state": state })).into_response()
}
