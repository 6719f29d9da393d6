//! `GET /v1/answers`: what the caller is told about its messages, in order, by cursor.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Api, caller::Caller, poll, problem::Problem, schemas::ANSWER_TYPE};
use crate::{
    domain::Party,
    store::{LoggedAnswer, hints},
};

/// Answers in one page.
const PAGE_MAX: u32 = 100;
/// Bytes of a page; the first answer is always in it.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The `next` of the page before.
    #[serde(default)]
    after: u64,
    /// Seconds to wait where there is nothing yet.
    #[serde(default)]
    wait: u64,
}

/// One page.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    answers: Vec<Value>,
    /// Where the next page begins, also where this one is empty.
    next: String,
}

pub(super) async fn fetch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let asked = poll::query(asked)?;
    let caller = if asked.wait > 0 { caller.waits(&api)? } else { caller };
    let after = i64::try_from(asked.after).unwrap_or(i64::MAX);
    let bell = api.desk.store.hints().bell(&hints::answers(caller.code()));
    let found = poll::until_something(&api, asked.wait, Some(bell), || {
        api.bounded(api.desk.store.answers(caller.code().to_owned(), after, PAGE_MAX))
    });
    Ok(Json(page(found.await?, after)))
}

/// As many as fit a page.
fn page(found: Vec<LoggedAnswer>, after: i64) -> Page {
    let mut page = Page { answers: Vec::with_capacity(found.len()), next: after.to_string() };
    let mut bytes = 0;
    for logged in found {
        let event = event(&logged);
        bytes += event.to_string().len();
        if bytes > PAGE_BYTES_MAX && !page.answers.is_empty() {
            break;
        }
        page.answers.push(event);
        page.next = logged.seq.to_string();
    }
    page
}

/// The answer as the CloudEvent it is on every way out, with its cursor.
fn event(logged: &LoggedAnswer) -> Value {
    let answer = &logged.answer;
    let mut event = json!({
        "cursor": logged.seq.to_string(),
        "specversion": "1.0",
        "id": answer.id(),
        "source": Party::Gateway,
        "type": ANSWER_TYPE,
        "time": logged.at,
        "datacontenttype": "application/json",
        "data": answer,
    });
    if let Some(id) = &answer.message_id {
        event["correlationid"] = json!(id);
    }
    event
}
