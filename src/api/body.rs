//! Reading a request's body: within its size, in time, and within the memory that bodies may take.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT},
        request::Parts,
    },
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Api,
    caller::Caller,
    problem::{Kind, Problem},
};
use crate::domain::Text;

/// What memory for bodies is counted in, bytes.
pub(super) const UNIT: usize = 1024;

/// A body that is refused is still read and thrown away for so long and so far, so that the caller, who may be
/// in the middle of sending, gets to read why.
const DRAIN_TIME: Duration = Duration::from_secs(1);
const DRAIN_BYTES: usize = 32 * 1024 * 1024;

/// A request whose caller is known and whose body is here.
pub(super) struct Taken {
    pub(super) caller: Caller,
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    /// Held as long as the body is.
    _memory: OwnedSemaphorePermit,
}

/// Lets the caller in and reads the body.
///
/// # Errors
/// 401, 429, 415 for a compressed body, 413 over `bytes_max`, 408 for one that is too slow, 503 where bodies
/// take all the memory they may.
pub(super) async fn take(api: &Api, request: Request, bytes_max: usize) -> Result<Taken, Problem> {
    let (parts, mut body) = request.into_parts();
    let taken = tokio::select! {
        taken = read(api, &parts, &mut body, bytes_max) => taken,
        () = api.desk.clock.sleep(api.config.body_timeout) => return Err(too_slow()),
    };
    match taken {
        Ok((caller, bytes, memory)) => Ok(Taken { caller, parts, body: bytes, _memory: memory }),
        Err(problem) => {
            if parts.headers.get(EXPECT).is_none() {
                tokio::select! {
                    () = drain(&mut body) => {}
                    () = api.desk.clock.sleep(DRAIN_TIME) => {}
                }
            }
            Err(problem)
        }
    }
}

async fn read(
    api: &Api,
    parts: &Parts,
    body: &mut Body,
    bytes_max: usize,
) -> Result<(Caller, Bytes, OwnedSemaphorePermit), Problem> {
    let caller = Caller::admit(api, &parts.headers)?;
    if parts.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(compressed());
    }
    let announced = announced(&parts.headers);
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let units = announced.unwrap_or(bytes_max) / UNIT + 1;
    let units = u32::try_from(units).map_err(|_| too_large(bytes_max))?;
    let memory = Arc::clone(&api.bodies).try_acquire_many_owned(units).map_err(|_| no_room())?;
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((caller, bytes.freeze(), memory))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn drain(body: &mut Body) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > DRAIN_BYTES {
            return;
        }
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let text = Text::new(
        format!("Indholdet må højst fylde {bytes_max} byte."),
        format!("A body may be {bytes_max} bytes at the most."),
    );
    Problem::new(Kind::TooLarge, text)
}

fn too_slow() -> Problem {
    let text = Text::new("Indholdet kom ikke i tide.", "The body did not come in time.");
    Problem::new(Kind::BodyTimeout, text)
}

fn compressed() -> Problem {
    let text = Text::new("Komprimeret indhold modtages ikke.", "A compressed body is not taken.");
    Problem::new(Kind::UnsupportedType, text).header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

fn no_room() -> Problem {
    let text = Text::new(
        "Der er for meget på vej ind lige nu; prøv igen om et øjeblik.",
        "Too much is on its way in just now; try again in a moment.",
    );
    Problem::new(Kind::Unavailable, text).retry_after(1)
}

fn broken() -> Problem {
    let text = Text::new("Indholdet kom ikke helt frem.", "The body did not come whole.");
    Problem::new(Kind::BadRequest, text)
}
