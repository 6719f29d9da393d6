//! A service of the labour-market authority (STAR), as its public wiki describes it.
//!
//! `x-requestId` has at most 46 characters, and the same one twice is answered 412. The citizen's CPR number, by
//! OIO's pattern, stands in `x-civilregistrationIdentifier`, and in no address or body. What is about one citizen
//! comes in its order. The organisation's headers and the body's members are the gateway's own names.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Found, rule, said, target};
use crate::support::receiver::Taken;

/// Judges a request by itself and by what came before.
pub(crate) fn judge(taken: &Taken, earlier: &[Taken]) -> String {
    match check(taken, earlier) {
        Err((status, code, deviation)) => {
            let body = json!({ "errorCode": code, "errorMessage": deviation });
            said(status, Some(deviation), "application/json", &body.to_string())
        }
        Ok(()) if earlier.iter().any(|before| id(before) == id(taken)) => {
            said(412, None, "application/json", "")
        }
        Ok(()) => receipt(taken),
    }
}

/// `Servicekvittering`.
pub(crate) fn receipt(taken: &Taken) -> String {
    let body = json!({ "registreringsId": id(taken), "registreringstidspunkt": "2026-11-22T10:00:00Z" });
    said(200, None, "application/json", &body.to_string())
}

/// Refuses with an error code, as the service does.
pub(crate) fn refuses(status: u16, code: u32) -> String {
    let body = json!({ "errorCode": code, "errorMessage": "om borger 0707614285" });
    said(status, None, "application/json", &body.to_string())
}

fn id(taken: &Taken) -> Option<&str> {
    taken.header("x-requestId")
}

pub(crate) fn citizen(taken: &Taken) -> Option<&str> {
    taken.header("x-civilregistrationIdentifier")
}

fn member(taken: &Taken, name: &str) -> String {
    let body: Value = serde_json::from_slice(&taken.body).unwrap_or_default();
    body[name].as_str().unwrap_or_default().to_owned()
}

/// What the request does against the rules, with status and error code.
pub(crate) fn check(taken: &Taken, earlier: &[Taken]) -> Result<(), (u16, u32, &'static str)> {
    let wrong = |status, code| move |deviation| (status, code, deviation);
    address(taken).map_err(wrong(400, 1014))?;
    request_id(taken).map_err(wrong(400, 1014))?;
    cpr_header(taken).map_err(wrong(400, 1001))?;
    organisation(taken).map_err(wrong(400, 8173))?;
    body(taken).map_err(wrong(400, 1014))?;
    let same = earlier.iter().find(|before| id(before) == id(taken));
    rule(same.is_none_or(|before| before.body == taken.body), "another body under the same x-requestId")
        .map_err(wrong(412, 1014))?;
    order(taken, earlier).map_err(wrong(400, 1014))
}

fn address(taken: &Taken) -> Found {
    let (method, address) = target(taken);
    rule(method == "POST", "not a POST")?;
    rule(!holds_ten_digits(address), "a CPR number in the address")
}

fn request_id(taken: &Taken) -> Found {
    let id = id(taken).ok_or("no x-requestId")?;
    rule((1..=46).contains(&id.len()), "an x-requestId over 46 characters")
}

fn cpr_header(taken: &Taken) -> Found {
    let cpr = citizen(taken).ok_or("no x-civilregistrationIdentifier")?;
    rule(is_oio(cpr), "a CPR number that OIO's pattern excludes")
}

/// `PersonCivilRegistrationIdentifierType`: ten digits that begin with a day of a month.
fn is_oio(cpr: &str) -> bool {
    let number = |from: usize| cpr.get(from..from + 2).and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
    let most = match number(2) {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => 0,
    };
    cpr.len() == 10 && cpr.bytes().all(|b| b.is_ascii_digit()) && (1..=most).contains(&number(0))
}

fn organisation(taken: &Taken) -> Found {
    let fits = |name| taken.header(name).is_some_and(|value| (1..=20).contains(&value.len()));
    rule(fits("x-organisationTypeIdentifier") && fits("x-organisationCode"), "no organisation")
}

fn body(taken: &Taken) -> Found {
    rule(taken.header("content-type") == Some("application/json"), "not application/json")?;
    let body: Value = serde_json::from_slice(&taken.body).map_err(|_| "not JSON")?;
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    rule(!text("beskedIdentifier").is_empty() && !text("beskedtype").is_empty(), "a member is missing")?;
    rule(text("haendelsestidspunkt").parse::<jiff::Timestamp>().is_ok(), "no time")?;
    let citizen = citizen(taken).unwrap_or_default();
    let mut texts = vec![String::from_utf8_lossy(&taken.body).into_owned()];
    if text("beskedtype").starts_with("dk.kassebro.recommendation.") {
        rule(body["beskedTypeIdentifier"] == 11, "not of type 11")?;
        rule((1..=50).contains(&text("overskrift").chars().count()), "a heading over 50 characters")?;
        rule(!text("tekst").is_empty(), "no text")?;
        let documents = body["dokumenter"].as_array().ok_or("no attachment")?;
        rule(documents.len() == 1, "more than one attachment")?;
        let encoded = documents[0]["indhold"].as_str().unwrap_or_default();
        let document = BASE64_STANDARD.decode(encoded).map_err(|_| "an attachment that is not base64")?;
        texts.push(String::from_utf8(document).map_err(|_| "an attachment that is not XML")?);
    }
    let (birthday, serial) = citizen.split_at(6);
    let written = [citizen.to_owned(), format!("{birthday}-{serial}"), format!("{birthday} {serial}")];
    let told = |text: &String| written.iter().any(|cpr| text.contains(cpr));
    rule(!texts.iter().any(told), "the citizen's CPR number in the body")
}

/// Nothing of the same citizen and kind comes after what happened later.
fn order(taken: &Taken, earlier: &[Taken]) -> Found {
    let happened = |taken| member(taken, "haendelsestidspunkt").parse::<jiff::Timestamp>().ok();
    let same = |before: &&Taken| {
        citizen(before) == citizen(taken)
            && member(before, "beskedtype") == member(taken, "beskedtype")
            && id(before) != id(taken)
    };
    let overtaken = earlier.iter().filter(same).any(|before| happened(before) > happened(taken));
    rule(!overtaken, "out of the citizen's order")
}

fn holds_ten_digits(text: &str) -> bool {
    text.as_bytes().windows(10).any(|window| window.iter().all(u8::is_ascii_digit))
}
