//! What a receiver's answer means. Its body is hostile text: bounded, hashed, and read for one thing only.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::{
    Response,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::ANSWER_BYTES_MAX;
use crate::{
    domain::{Fault, FaultCode, attempt::Proof},
    units,
};

/// A receiver's wish to wait is believed up to this. Its lane is probed before, when it is asked for.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24);

/// A receiver's receipt id has at most this many characters.
const RECEIPT_CHARS_MAX: usize = 200;

/// What status and headers say.
#[derive(Debug, PartialEq)]
pub(in crate::channels) enum Verdict {
    /// The receiver has it; perhaps it had it already.
    Has { already: bool },
    /// It does not have it, or not surely.
    Not {
        code: FaultCode,
        says: String,
        retry_after: Option<SignedDuration>,
        /// The error code of a STAR service.
        star_code: Option<u32>,
    },
}

impl Verdict {
    pub(in crate::channels) fn not(code: FaultCode, says: impl Into<String>) -> Self {
        Self::Not { code, says: says.into(), retry_after: None, star_code: None }
    }
}

/// Judges an answer by its status, `Retry-After` and `webhook-delivery`.
///
/// A 4xx that is not spelled out says something about this message that the receiver may come to see
/// otherwise, so it is tried again: nothing dies of a status that nobody agreed on.
pub(super) fn verdict(status: u16, headers: &HeaderMap, already_have: &[u16], now: Timestamp) -> Verdict {
    if (200..300).contains(&status) {
        return Verdict::Has { already: false };
    }
    if already_have.contains(&status) {
        return Verdict::Has { already: true };
    }
    let asked = retry_after(headers, now);
    let aborts = headers
        .get("webhook-delivery")
        .is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"abort-message"));
    let (code, says, retry_after) = match status {
        _ if aborts => (FaultCode::ReceiverRefused, "asks for no further attempt", None),
        400 | 410 | 413 | 415 | 422 => (FaultCode::ReceiverRefused, "refused the message", None),
        401 | 403 | 407 => (FaultCode::ReceiverUnauthorised, "does not let us in", None),
        404 | 405 | 421 | 426 => (FaultCode::ReceiverMisplaced, "has no inbox at this address", None),
        300..=399 => (FaultCode::ReceiverMisplaced, "redirects, which is not followed", None),
        429 => (FaultCode::Throttled, "asks us to wait", asked),
        503 if asked.is_some() => (FaultCode::Throttled, "asks us to wait", asked),
        400..=599 => (FaultCode::ReceiverError, "could not take the message", asked),
        _ => (FaultCode::AnswerUnreadable, "answered with a status that does not end a request", None),
    };
    Verdict::Not { code, says: format!("{says} (status {status})"), retry_after, star_code: None }
}

/// What a `HEAD` says: any answer shows that somebody is there, some that it is not who we want.
pub(super) fn probe(status: u16, origin: &str) -> Result<(), Fault> {
    let code = match status {
        401 | 403 | 407 => FaultCode::ReceiverUnauthorised,
        404 | 300..=399 => FaultCode::ReceiverMisplaced,
        500..=599 => FaultCode::ReceiverError,
        _ => return Ok(()),
    };
    Err(Fault::new(code, format!("{origin} answered a probe with status {status}")))
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), not before now and not over a day. A text that
/// is neither is as good as none.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(RETRY_AFTER_MAX, SignedDuration::from_secs)
    } else {
        rfc2822::parse(text).ok()?.timestamp().duration_since(now)
    };
    Some(wait.clamp(SignedDuration::ZERO, RETRY_AFTER_MAX))
}

/// The whole body; `None` where it breaks off or is longer than we read.
pub(super) async fn read(mut response: Response) -> Option<Bytes> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.into())
}

/// What shows that the receiver has it. `follows`: its word is only that of somebody on the way there.
pub(super) fn proof(status: u16, already_had_it: bool, follows: bool, body: Option<&[u8]>) -> Proof {
    let body = body.filter(|body| !body.is_empty());
    Proof {
        status: Some(status),
        receipt: body.and_then(receipt_id),
        body_sha256: body.map(|body| units::hex(&Sha256::digest(body))),
        already_had_it,
        receipt_follows: status == 202 || follows,
        in_transit: follows,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(borrow, default)]
    receipt_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    registrerings_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message_identifier: Option<&'a RawValue>,
}

/// The receiver's receipt id: `receiptId`, else `id`, else what STAR's receipts call it (`registreringsId`,
/// `messageIdentifier`), of a JSON object; a text or a whole number.
fn receipt_id(body: &[u8]) -> Option<String> {
    // serde would take an array for the object too, field by field.
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let named: Named<'_> = serde_json::from_slice(body).ok()?;
    let places = [named.receipt_id, named.id, named.registrerings_id, named.message_identifier];
    places.into_iter().flatten().find_map(|value| {
        let text = match serde_json::from_str::<String>(value.get()) {
            Ok(text) => text,
            Err(_) => serde_json::from_str::<u64>(value.get()).ok()?.to_string(),
        };
        let fits = !text.trim().is_empty()
            && text.chars().count() <= RECEIPT_CHARS_MAX
            && !text.chars().any(char::is_control);
        fits.then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-02T11:00:00Z".parse().unwrap()
    }

    fn code(status: u16, headers: &[(&'static str, &str)]) -> Option<FaultCode> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        match verdict(status, &headers, &[409, 412], now()) {
            Verdict::Has { .. } => None,
            Verdict::Not { code, .. } => Some(code),
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        use FaultCode as F;
        for (statuses, meaning) in [
            (&[200, 201, 202, 204, 208, 299][..], None),
            (&[409, 412], None),
            (&[400, 410, 413, 415, 422], Some(F::ReceiverRefused)),
            (&[401, 403, 407], Some(F::ReceiverUnauthorised)),
            (&[404, 405, 421, 426, 300, 301, 302, 303, 304, 307, 308], Some(F::ReceiverMisplaced)),
            (&[429], Some(F::Throttled)),
            (&[408, 425, 500, 501, 502, 503, 504, 511, 599], Some(F::ReceiverError)),
            (&[402, 406, 411, 414, 418, 423, 431, 451], Some(F::ReceiverError)),
            (&[101, 199, 600, 999], Some(F::AnswerUnreadable)),
        ] {
            for status in statuses {
                assert_eq!(code(*status, &[]), meaning, "{status}");
            }
        }
    }

    #[test]
    fn a_conflict_is_a_delivery_only_where_the_receiver_is_known_to_mean_it_so() {
        let verdict = verdict(409, &HeaderMap::new(), &[], now());
        assert!(matches!(verdict, Verdict::Not { code: FaultCode::ReceiverError, .. }));
    }

    #[test]
    fn a_receiver_may_abort_with_any_failure_but_not_with_a_success() {
        for status in [404, 409, 429, 500, 503] {
            let expected = if status == 409 { None } else { Some(FaultCode::ReceiverRefused) };
            assert_eq!(code(status, &[("webhook-delivery", "abort-message")]), expected, "{status}");
        }
        assert_eq!(code(500, &[("webhook-delivery", "something-else")]), Some(FaultCode::ReceiverError));
        assert_eq!(code(200, &[("webhook-delivery", "abort-message")]), None);
    }

    #[test]
    fn only_503_with_a_wish_to_wait_is_throttling() {
        assert_eq!(code(503, &[("retry-after", "7")]), Some(FaultCode::Throttled));
        assert_eq!(code(503, &[("retry-after", "soon")]), Some(FaultCode::ReceiverError));
        assert_eq!(code(500, &[("retry-after", "7")]), Some(FaultCode::ReceiverError));
    }

    #[test]
    fn a_wish_to_wait_is_seconds_or_a_date_and_stays_within_a_day() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Mon, 02 Mar 2026 11:00:30 GMT", Some(30)),
            ("Mon, 02 Mar 2026 10:00:00 GMT", Some(0)),
            ("Tue, 02 Mar 2027 11:00:00 GMT", Some(86_400)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now()), seconds.map(SignedDuration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn a_receipt_id_is_read_where_the_answer_names_one() {
        let long = format!(r#"{{"receiptId":"{}"}}"#, "r".repeat(201));
        for (body, receipt) in [
            (r#"{"receiptId":"R-1"}"#, Some("R-1")),
            (r#"{"id":"B 2","receiptId":null}"#, Some("B 2")),
            (r#"{"id":"B","receiptId":"A"}"#, Some("A")),
            (r#"{"id":17,"more":{"id":"x"}}"#, Some("17")),
            (r#"{"receiptId":{"a":1},"id":"C"}"#, Some("C")),
            (r#"{"registreringsId":"D","registreringstidspunkt":"x"}"#, Some("D")),
            (r#"{"messageIdentifier":"E"}"#, Some("E")),
            (r#"{"receiptId":""}"#, None),
            (r#"{"receiptId":"a\u0000b"}"#, None),
            (r#"{"receiptId":"a\nb"}"#, None),
            (r#"["R-1"]"#, None),
            (r#"{"receiptId":"R-1""#, None),
            ("<html>", None),
            (long.as_str(), None),
        ] {
            assert_eq!(receipt_id(body.as_bytes()).as_deref(), receipt, "{body}");
        }
    }

    #[test]
    fn an_answer_nested_without_end_reads_as_nothing() {
        let deep = format!(r#"{{"receiptId":{}"#, "[".repeat(60_000));
        assert_eq!(receipt_id(deep.as_bytes()), None);
    }

    #[test]
    fn the_proof_holds_the_answers_hash() {
        let proof = proof(202, false, false, Some(b"abc"));
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(proof.body_sha256.as_deref(), Some(hash));
        assert!(proof.receipt_follows);
        assert!(!proof.in_transit);
        assert_eq!(super::proof(204, false, false, Some(b"")).body_sha256, None);
        let follows = super::proof(200, false, true, None);
        assert!(follows.in_transit && follows.receipt_follows);
    }
}
