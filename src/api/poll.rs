//! Waiting for something to fetch: looked for at a bell, and each second, until the time is up.

use std::{sync::Arc, time::Duration};

use axum::extract::{Query, rejection::QueryRejection};
use tokio::sync::Notify;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::domain::Text;

/// The longest a call waits, seconds. More is taken as this.
pub(super) const WAIT_SECONDS_MAX: u64 = 60;
/// A bell is a hint; this is the promise.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The query, or what is wrong with it.
///
/// # Errors
/// 400 for a parameter that is not known or not a number.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|rejection| {
        let text = Text::new(
            format!("Forespørgslens parametre kan ikke læses: {}", rejection.body_text()),
            format!("The query cannot be read: {}", rejection.body_text()),
        );
        Problem::new(Kind::BadRequest, text)
    })
}

/// Looks until there is something, or `seconds` have passed, or the process stops. The last look is what the
/// caller gets, empty or not.
///
/// # Errors
/// What looking fails with.
pub(super) async fn until_something<T, F>(
    api: &Api,
    seconds: u64,
    bell: Option<Arc<Notify>>,
    mut look: impl FnMut() -> F,
) -> Result<Vec<T>, Problem>
where
    F: Future<Output = Result<Vec<T>, Problem>>,
{
    let clock = &api.desk.clock;
    let until = clock.monotonic() + Duration::from_secs(seconds.min(WAIT_SECONDS_MAX));
    loop {
        let found = look().await?;
        let left = until.saturating_sub(clock.monotonic());
        if !found.is_empty() || left.is_zero() || api.stop.is_soft() {
            return Ok(found);
        }
        let rung = async {
            match &bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rung => {}
            () = clock.sleep(left.min(LOOK_EVERY)) => {}
            () = api.stop.soft() => {}
        }
    }
}
