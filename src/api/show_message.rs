//! `GET /v1/messages/{id}`: where one's own message stands, and how it got there. Never its content.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};

use super::{Api, caller::Caller, problem::Problem};
use crate::store::views::MessageView;

/// Characters of an id; a longer one is nobody's.
const ID_CHARACTERS_MAX: usize = 200;

/// By receipt id, delivery id or message id. Another party's message is not there.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<MessageView>, Problem> {
    if id.chars().count() > ID_CHARACTERS_MAX {
        return Err(Problem::not_found());
    }
    let (party, now) = (caller.code().to_owned(), api.desk.clock.now());
    let found = api.bounded(api.desk.store.message(id, Some(party), now)).await?;
    found.map(Json).ok_or_else(Problem::not_found)
}
