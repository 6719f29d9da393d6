//! The error codes of the labour-market authority's services (STAR), and what follows from each.
//!
//! The codes and their meanings stand on the authority's public wiki; nobody has confirmed them to us, nor in
//! which member of an answer they stand. So a code is looked for wherever it is named as one, and a code that
//! is not listed here changes nothing: the HTTP status says what follows.

use serde_json::Value;

use super::{super::http::answer::Verdict, xml};
use crate::domain::FaultCode;

/// What a code says of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blame {
    /// Our access to the service: credentials, rights, the organisation we speak for. Nothing dies of it.
    Access,
    /// The service itself, just now.
    Service,
    /// This message, for good.
    Message,
}

/// Members and elements that hold a code, in small letters.
const NAMES: [&str; 7] =
    ["errorcode", "code", "fejlkode", "kode", "errornumber", "errorcodeidentifier", "fejlnummer"];

/// The published ones have four to six digits.
const CODES: std::ops::RangeInclusive<u32> = 1_000..=999_999;

/// Codes in one answer that are looked at.
const CODES_MAX: usize = 20;

/// What an answer means. The documented 412 and every success are the status's to tell; so is what asks us to
/// wait. Of the rest a listed code says more than the status, except that nothing dies of a 5xx.
pub(super) fn judge(status: u16, by_status: Verdict, body: &[u8]) -> Verdict {
    if (200..400).contains(&status) || matches!(status, 408 | 412 | 425 | 429) {
        return by_status;
    }
    let Some(code) = code(body) else { return by_status };
    let fault = match blame(code) {
        Some(Blame::Access) => Some((FaultCode::ReceiverUnauthorised, "does not let us in")),
        Some(Blame::Service) => Some((FaultCode::ReceiverError, "could not take the message")),
        Some(Blame::Message) if status < 500 => Some((FaultCode::ReceiverRefused, "refused the message")),
        Some(Blame::Message) | None => None,
    };
    let noted = |says: &str| format!("{says} (status {status}, STAR code {code})");
    match (by_status, fault) {
        (Verdict::Not { retry_after, .. }, Some((fault, says))) => {
            Verdict::Not { code: fault, says: noted(says), retry_after, star_code: Some(code) }
        }
        (Verdict::Not { code: fault, retry_after, .. }, None) => {
            Verdict::Not { code: fault, says: noted("answered"), retry_after, star_code: Some(code) }
        }
        (Verdict::Has { .. }, Some((fault, says))) => {
            Verdict::Not { code: fault, says: noted(says), retry_after: None, star_code: Some(code) }
        }
        (has @ Verdict::Has { .. }, None) => has,
    }
}

/// Who is to blame for a code that is known.
fn blame(code: u32) -> Option<Blame> {
    Some(match code {
        // Log-on, rights, our certificate, authorisation. By our own reading, too: the service's configuration,
        // the kind of authority, organisation and user, and what the metadata headers say.
        1009 | 1012 | 1013 | 1101 | 4413 | 4575 | 8173 | 8174 | 8232..=8235 => Blame::Access,
        // An internal error, an error.
        1011 | 1100 => Blame::Service,
        // The citizen's number, a period, an unknown citizen, the message, code lists.
        1001 | 1003 | 1010 | 1014 | 2001..=2003 => Blame::Message,
        // Enrolment, an unknown or dead person, identifiers, interviews, periods, membership, HTML.
        4313 | 4314 | 4316 | 4318 | 4338 | 4367 | 4385 | 4404 | 4405 | 4589 | 4708 | 4709 | 4768 | 4783
        | 4792 | 4856 | 4857 | 4933 => Blame::Message,
        // The citizen's jobcenter, plans, documents, prices, phones and addresses, bookings.
        6005 | 8002..=8015 | 8103 | 8112..=8115 | 9156..=9158 | 90_000..=90_036 => Blame::Message,
        _ => return None,
    })
}

/// The code that an answer names: of several, the one that kills least; else the first.
fn code(body: &[u8]) -> Option<u32> {
    let mut codes = match serde_json::from_slice(body) {
        Ok(json) => in_json(&json),
        Err(_) => xml::leaves(body).map_or_else(|| in_text(body), |leaves| in_xml(&leaves)),
    };
    codes.truncate(CODES_MAX);
    let known = codes.iter().copied().filter(|code| blame(*code).is_some());
    known.min_by_key(|code| blame(*code)).or_else(|| codes.first().copied())
}

fn in_json(json: &Value) -> Vec<u32> {
    let mut codes = Vec::new();
    let mut waiting = vec![json];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::Number(number) if is_name(name) => {
                            codes.extend(whole(number));
                        }
                        Value::String(text) if is_name(name) => codes.extend(number(text)),
                        _ => waiting.push(member),
                    }
                }
            }
            Value::Array(items) => waiting.extend(items.iter().rev()),
            // A number on its own is a code where it is the whole answer, and nobody's in a list.
            Value::Number(number) if std::ptr::eq(value, json) => codes.extend(whole(number)),
            Value::String(text) if std::ptr::eq(value, json) => codes.extend(in_text(text.as_bytes())),
            _ => {}
        }
    }
    codes
}

fn in_xml(leaves: &[xml::Leaf]) -> Vec<u32> {
    leaves.iter().filter(|leaf| is_name(leaf.name())).filter_map(|leaf| number(&leaf.text)).collect()
}

/// A number that begins the text, or that a word for a code stands before: `Error code: 1014`. No other: the
/// end of a person's number has four digits too.
fn in_text(body: &[u8]) -> Vec<u32> {
    let Ok(text) = std::str::from_utf8(body) else { return vec![] };
    let mut codes = Vec::new();
    let mut before: Option<String> = None;
    for word in text.split_whitespace().flat_map(|word| word.split_inclusive([':', '=', '#', '('])) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let names_one = before.as_deref().is_none_or(|before| {
            ["code", "kode", "error", "fejl", "fault"].iter().any(|word| before.ends_with(word))
        });
        // Six digits may be a birthday: only what is listed is a code here.
        codes.extend(number(bare).filter(|code| names_one && blame(*code).is_some()));
        if !bare.is_empty() {
            before = Some(bare.to_lowercase());
        }
    }
    codes
}

fn is_name(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = (4..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| CODES.contains(number))
}

fn whole(number: &serde_json::Number) -> Option<u32> {
    number.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| CODES.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_where_an_answer_names_one() {
        for (body, found) in [
            (r#"{"errorCode":1014}"#, Some(1014)),
            (r#"{"code":"4856","message":"x"}"#, Some(4856)),
            (r#"{"errors":[{"ErrorCode":4575}]}"#, Some(4575)),
            (r#"{"fault":{"detail":{"fejlkode":"90012"}}}"#, Some(90_012)),
            ("1014", Some(1014)),
            (r#""1014: message not valid""#, Some(1014)),
            ("1014 message not valid", Some(1014)),
            ("Fejlkode: 1011.", Some(1011)),
            ("error=1100", Some(1100)),
            ("<Fault><ErrorCode>1013</ErrorCode></Fault>", Some(1013)),
            (r#"{"errorCode":7777}"#, Some(7777)),
            (r#"{"message":"1014"}"#, None),
            (r#"{"code":42}"#, None),
            (r#"{"code":0707614285}"#, None),
            (r#"{"code":"0707614285"}"#, None),
            ("borger 120385-1014 findes ikke", None),
            ("født 2001", None),
            ("", None),
            ("<html>1014</html>", None),
        ] {
            assert_eq!(code(body.as_bytes()), found, "{body}");
        }
    }

    #[test]
    fn of_several_codes_the_one_that_kills_least_counts() {
        assert_eq!(code(br#"{"errors":[{"code":1014},{"code":4575},{"code":1011}]}"#), Some(4575));
        assert_eq!(code(br#"{"errors":[{"code":1014},{"code":1011},{"code":7777}]}"#), Some(1011));
    }

    fn judged(status: u16, by_status: FaultCode, body: &str) -> (Option<FaultCode>, Option<u32>) {
        match judge(status, Verdict::not(by_status, "x"), body.as_bytes()) {
            Verdict::Has { .. } => (None, None),
            Verdict::Not { code, star_code, .. } => (Some(code), star_code),
        }
    }

    #[test]
    fn a_listed_code_says_more_than_the_status() {
        use FaultCode as F;
        for (status, by_status, code, meant) in [
            (400, F::ReceiverRefused, 1014, F::ReceiverRefused),
            (404, F::ReceiverMisplaced, 1010, F::ReceiverRefused),
            (400, F::ReceiverRefused, 1011, F::ReceiverError),
            (422, F::ReceiverRefused, 1100, F::ReceiverError),
            (400, F::ReceiverRefused, 1012, F::ReceiverUnauthorised),
            (400, F::ReceiverRefused, 1013, F::ReceiverUnauthorised),
            (422, F::ReceiverRefused, 1101, F::ReceiverUnauthorised),
            (400, F::ReceiverRefused, 4575, F::ReceiverUnauthorised),
            (500, F::ReceiverError, 4575, F::ReceiverUnauthorised),
            (500, F::ReceiverError, 1014, F::ReceiverError),
            (400, F::ReceiverRefused, 7777, F::ReceiverRefused),
            (401, F::ReceiverUnauthorised, 7777, F::ReceiverUnauthorised),
        ] {
            let body = format!(r#"{{"errorCode":{code}}}"#);
            assert_eq!(judged(status, by_status, &body), (Some(meant), Some(code)), "{status} {code}");
        }
        assert_eq!(judged(429, F::Throttled, r#"{"errorCode":1014}"#), (Some(F::Throttled), None));
        assert_eq!(judged(400, F::ReceiverRefused, "no"), (Some(F::ReceiverRefused), None));
    }

    #[test]
    fn having_it_already_is_no_delivery_where_the_answer_names_a_fault() {
        let had = |status, body: &str| judge(status, Verdict::Has { already: true }, body.as_bytes());
        assert_eq!(had(409, ""), Verdict::Has { already: true });
        assert_eq!(had(412, r#"{"errorCode":1014}"#), Verdict::Has { already: true }, "412 is documented");
        assert!(matches!(
            had(409, r#"{"errorCode":4708}"#),
            Verdict::Not { code: FaultCode::ReceiverRefused, .. }
        ));
    }
}
