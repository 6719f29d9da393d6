//! KOMBIT's Beskedfordeler over HTTP: a `StandardRetur` in a 200, and 400 without a `BeskedId`.
//!
//! 20 is OK and 41 a message that cannot be parsed. The same `BeskedId` twice is the gateway's promise of
//! idempotency: it must bring the same bytes.

use super::{envelope, said};
use crate::support::receiver::Taken;

/// Judges a request by itself and by what came before.
pub(crate) fn judge(taken: &Taken, earlier: &[Taken]) -> String {
    match check(&taken.body, earlier.iter().map(|before| &before.body[..])) {
        Ok(()) => said(200, None, "application/xml", &standard_return(20, "OK")),
        Err((400, deviation)) => said(400, Some(deviation), "text/plain", "BeskedId mangler"),
        Err((_, deviation)) => {
            said(200, Some(deviation), "application/xml", &standard_return(41, "kan ikke parses"))
        }
    }
}

/// What a message does against the rules, with the HTTP status.
pub(crate) fn check<'a>(
    body: &[u8],
    mut earlier: impl Iterator<Item = &'a [u8]>,
) -> Result<(), (u16, &'static str)> {
    let envelope = envelope::read(body).ok_or((200, "no Haendelsesbesked"))?;
    if envelope.id.is_empty() {
        return Err((400, "no BeskedId"));
    }
    envelope.check.map_err(|deviation| (200, deviation))?;
    let other =
        earlier.any(|before| envelope::read(before).is_some_and(|e| e.id == envelope.id) && before != body);
    if other { Err((200, "another body under the same BeskedId")) } else { Ok(()) }
}

pub(crate) fn standard_return(code: u32, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><n:StandardRetur xmlns:n=\"urn:oio:besked:retur:1.0\">\
         <n:StatusKode>{code}</n:StatusKode><n:FejlbeskedTekst>{text}</n:FejlbeskedTekst></n:StandardRetur>"
    )
}
