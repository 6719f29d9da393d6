//! `/v1/mailbox`: a party that fetches its parcels, and says when it has them, instead of being pushed to.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Api, caller::Caller, poll, problem::Problem, receipts};
use crate::{
    domain::DeliveryId,
    store::{Command, Commanded, MailboxItem},
};

/// Parcels in one page, and of one receiver in memory.
pub(super) const PARCELS_MAX: u32 = 20;
/// Bytes of parcels in one page, before base64; the first parcel is always in it.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Seconds to wait where there is nothing yet.
    #[serde(default)]
    wait: u64,
    /// Parcels at the most.
    #[serde(default = "parcels_max")]
    max: u32,
}

fn parcels_max() -> u32 {
    PARCELS_MAX
}

/// One page of what lies there.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    parcels: Vec<Value>,
}

/// Nearest deadline first. What is not acknowledged lies there still at the next call.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let asked = poll::query(asked)?;
    let caller = if asked.wait > 0 { caller.waits(&api)? } else { caller };
    let most = asked.max.clamp(1, PARCELS_MAX);
    let found =
        poll::until_something(&api, asked.wait, None, || read(&api, caller.access.receivers.clone(), most))
            .await?;
    let mut bytes = 0;
    let fits = |item: &MailboxItem| {
        let first = bytes == 0;
        bytes += item.parcel.body.len();
        first || bytes <= PAGE_BYTES_MAX
    };
    Ok(Json(Page { parcels: found.into_iter().take_while(fits).map(|item| parcel(&item)).collect() }))
}

async fn read(api: &Api, receivers: Vec<String>, most: u32) -> Result<Vec<MailboxItem>, Problem> {
    let _reading = api.mailbox_readings.acquire().await.expect("the semaphore is never closed");
    api.bounded(api.desk.store.mailbox(receivers, most)).await
}

fn parcel(item: &MailboxItem) -> Value {
    json!({
        "deliveryId": item.delivery,
        "receiver": item.receiver,
        "type": item.event_type,
        "source": item.source,
        "messageId": item.message_id,
        "due": item.due,
        "contentType": item.parcel.content_type,
        "body": BASE64_STANDARD.encode(&item.parcel.body),
    })
}

/// The bytes of one parcel that lies there, as a push would have brought them.
pub(super) async fn fetch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (delivery, _) = own(&api, &caller, &id).await?;
    let item = api.bounded(api.desk.store.parcel(delivery)).await?.ok_or_else(Problem::not_found)?;
    let content_type = HeaderValue::from_str(&item.parcel.content_type).map_err(|_| Problem::internal())?;
    let key = HeaderValue::from_str(&delivery.to_string()).expect("a UUID is plain ASCII");
    let headers = [(CONTENT_TYPE, content_type), (HeaderName::from_static("idempotency-key"), key)];
    Ok((headers, item.parcel.body).into_response())
}

/// The party has the parcel. Saying so twice is once.
pub(super) async fn acknowledge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (delivery, _) = own(&api, &caller, &id).await?;
    let by = caller.access.party.to_string();
    let confirm = Command::Confirm { delivery, receipt: None, by: by.clone() };
    match api.bounded(api.desk.store.command(confirm, by, api.desk.clock.now())).await? {
        Commanded::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Commanded::Already | Commanded::NotNow => {
            let state = receipts::state(&api, delivery).await?;
            if state == "delivered" {
                return Ok(StatusCode::NO_CONTENT.into_response());
            }
            Ok(receipts::kept(delivery, &state))
        }
        Commanded::NotFound => Err(Problem::not_found()),
    }
}

/// A delivery to one of the caller's receivers, with that receiver's name. Any other is not there.
pub(super) async fn own(api: &Api, caller: &Caller, id: &str) -> Result<(DeliveryId, String), Problem> {
    let delivery: DeliveryId = id.parse().map_err(|_| Problem::not_found())?;
    let receiver = api.bounded(api.desk.store.delivery_receiver(delivery)).await?;
    let receiver = receiver.filter(|receiver| caller.access.owns(receiver)).ok_or_else(Problem::not_found)?;
    Ok((delivery, receiver))
}
