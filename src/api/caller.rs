//! The party that calls, by its key, within what one party may ask at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Access, Api, Config,
    problem::{Kind, Problem},
};
use crate::domain::Text;

/// Calls under way, by party: one party's flood is answered 429 and leaves the others their share.
pub(super) struct Caps {
    requests_max: usize,
    waiting_max: usize,
    /// Made at a party's first call, and kept: a reload of the configuration may bring new ones.
    parties: Mutex<BTreeMap<String, Arc<Cap>>>,
}

struct Cap {
    requests: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Caps {
    pub(super) fn new(config: &Config) -> Self {
        let (requests_max, waiting_max) = (config.requests_max, config.waiting_max);
        Self { requests_max, waiting_max, parties: Mutex::default() }
    }

    fn of(&self, party: &str) -> Arc<Cap> {
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        let known = parties.get(party).cloned();
        known.unwrap_or_else(|| {
            let cap = Arc::new(Cap {
                requests: Arc::new(Semaphore::new(self.requests_max)),
                waiting: Arc::new(Semaphore::new(self.waiting_max)),
            });
            parties.insert(party.to_owned(), Arc::clone(&cap));
            cap
        })
    }
}

/// A party, let in. Holds its place among the party's requests until it is dropped.
pub(super) struct Caller {
    pub(super) access: Access,
    place: OwnedSemaphorePermit,
}

impl Caller {
    /// # Errors
    /// 401 without a known key, 429 where the party has too many requests under way.
    pub(super) fn admit(api: &Api, headers: &HeaderMap) -> Result<Self, Problem> {
        let access = key(headers).and_then(|key| api.desk.parties.find(key)).ok_or_else(unauthenticated)?;
        let requests = Arc::clone(&api.caps.of(access.code()).requests);
        let place = requests.try_acquire_owned().map_err(|_| too_many())?;
        Ok(Self { access, place })
    }

    pub(super) fn code(&self) -> &str {
        self.access.code()
    }

    /// Changes its place among the requests for one among the calls that wait, so that waiting hinders no
    /// sending.
    ///
    /// # Errors
    /// 429 where the party has too many waiting calls.
    pub(super) fn waits(self, api: &Api) -> Result<Self, Problem> {
        let waiting = Arc::clone(&api.caps.of(self.code()).waiting);
        let place = waiting.try_acquire_owned().map_err(|_| too_many())?;
        Ok(Self { place, ..self })
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({}, {} place)", self.code(), self.place.num_permits())
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Self::admit(api, &parts.headers)
    }
}

/// The key of `Authorization: Bearer <key>`. Two such headers are nobody's.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

fn unauthenticated() -> Problem {
    let text = Text::new(
        "Send partens nøgle: Authorization: Bearer <nøgle>.",
        "Send the party's key: Authorization: Bearer <key>.",
    );
    Problem::new(Kind::Unauthenticated, text)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kassebro\""))
}

fn too_many() -> Problem {
    let text = Text::new(
        "Parten har for mange kald i gang; prøv igen om et øjeblik.",
        "The party has too many calls under way; try again in a moment.",
    );
    Problem::new(Kind::TooMany, text).retry_after(1)
}
