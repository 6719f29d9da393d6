//! Receipt (kvittering): what the jobcenter's systems say of a delivery, in KOMBIT's words.
//!
//! The words and the list of errors are those of KOMBIT's distribution component (SF2900): a transport receipt says
//! whether the bytes could be taken, a business receipt what became of the message. A receipt is never answered by
//! another.

use serde::Deserialize;

use super::{
    Direction, Kind,
    rules::{self, Findings},
};
use crate::domain::{
    DeliveryId, Event, Format, Severity,
    case::{CaseState, Said},
    receipt::{Business, reason},
};

pub static KIND: Kind = Kind {
    name: "receipt",
    version: 1,
    title: "Receipt for transport or business (transport- og forretningskvittering)",
    schema: include_str!("../../schemas/receipt.v1.json"),
    example: include_str!("../../schemas/examples/receipt.v1/valid-business.json"),
    direction: Direction::ToAkasse,
    formats: &[Format::Cloudevents, Format::Kombit],
    // A receipt is about a delivery, and waits for nothing.
    ordering_domain: None,
    check,
    says,
    bears: |_| None,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub delivery_id: Option<&'e str>,
    pub level: Level,
    pub transport: Option<Transport>,
    pub business: Option<Business>,
    #[serde(borrow)]
    pub receipt_id: Option<&'e str>,
    #[serde(borrow)]
    pub text: Option<&'e str>,
    #[serde(borrow)]
    pub received_at: Option<&'e str>,
    #[serde(borrow, default)]
    pub errors: Vec<Fejl<'e>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Transportkvittering
    Transport,
    /// Forretningskvittering
    Business,
}

/// KOMBIT's transport receipt (`TransportValideringsKode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transport {
    Ok,
    Advarsel,
    Fejl,
}

/// One of KOMBIT's `FejlListe`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fejl<'e> {
    pub code: &'e str,
    pub text: &'e str,
}

impl Data<'_> {
    /// Something was wrong: there is a reason to tell.
    fn complains(&self) -> bool {
        self.business.is_some_and(|business| !business.takes())
            || matches!(self.transport, Some(Transport::Advarsel | Transport::Fejl))
    }
}

/// Where the case stands by the receiver's word.
fn says_of(business: Business) -> CaseState {
    match business {
        Business::Modtaget | Business::Afleveret => CaseState::Received,
        Business::Accepteret => CaseState::InProcess,
        Business::Afvist => CaseState::Refused,
        Business::Fejlet => CaseState::Incomplete,
    }
}

fn says(event: &Event) -> Option<Said> {
    let data = rules::read::<Data<'_>>(event).ok()?;
    let business = data.business?;
    let refusal = || {
        let errors = data.errors.iter().map(|fejl| (fejl.code, fejl.text));
        let by = event.envelope.source.to_string();
        business.refusal(&by, reason(data.text, errors).as_deref(), data.receipt_id)
    };
    Some(Said {
        state: says_of(business),
        refusal: (!business.takes()).then(refusal),
        delivery: data.delivery_id.and_then(|id| id.parse().ok()),
        receipt: data.receipt_id.map(str::to_owned),
    })
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    check_delivery(&data, event, findings);
    check_words(&data, findings);
    check_reason(&data, findings);
    check_texts(&data, findings);
    if data.received_at.and_then(rules::days::instant).is_some_and(|received| received > event.envelope.time)
    {
        findings
            .warning(
                "/data/receivedAt",
                "receipt.received-later",
                "Kvitteringen er dateret, før beskeden blev modtaget.",
                "The receipt is dated before the message was received.",
            )
            .expected = format!("{} or earlier", event.envelope.time);
    }
}

/// The receipt says what it is for: a delivery, or a message.
fn check_delivery(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    match data.delivery_id {
        None => findings.answers(event, "receipt.correlation"),
        Some(id) if id.parse::<DeliveryId>().is_err() => {
            findings
                .error(
                    "/data/deliveryId",
                    "receipt.delivery-id",
                    "Værdien er ikke id'et på en aflevering fra Kassebro.",
                    "The value is not the id of a delivery of Kassebro.",
                )
                .expected = "the id that came with the delivery".into();
        }
        Some(_) => {}
    }
}

/// Exactly the word of its own level.
fn check_words(data: &Data<'_>, findings: &mut Findings) {
    let transport = ("/data/transport", data.transport.is_some());
    let business = ("/data/business", data.business.is_some());
    let (own, other) = match data.level {
        Level::Transport => (transport, business),
        Level::Business => (business, transport),
    };
    if !own.1 {
        findings.error(
            own.0,
            "receipt.word-missing",
            "Kvitteringens kode mangler.",
            "The receipt lacks the word of its level.",
        );
    }
    if other.1 {
        findings.error(
            other.0,
            "receipt.word-unexpected",
            "Koden hører til en kvittering på det andet niveau.",
            "The word belongs to a receipt of the other level.",
        );
    }
}

fn check_reason(data: &Data<'_>, findings: &mut Findings) {
    if data.complains() && data.text.is_none() && data.errors.is_empty() {
        findings.warning(
            "/data/text",
            "receipt.reason",
            "Kvitteringen siger ikke, hvad der er galt.",
            "The receipt does not say what is wrong.",
        );
    }
    if !data.complains() && !data.errors.is_empty() {
        findings.warning(
            "/data/errors",
            "receipt.errors-unexpected",
            "Kvitteringen nævner fejl, men koden siger, at alt er i orden.",
            "The receipt names errors, but its word says that all is well.",
        );
    }
}

/// What a receipt says is shown to operators and stands in answers and alerts, where no person may be named.
fn check_texts(data: &Data<'_>, findings: &mut Findings) {
    let own = [("/data/receiptId".to_owned(), data.receipt_id), ("/data/text".to_owned(), data.text)];
    let errors = data.errors.iter().enumerate();
    let errors = errors.map(|(index, error)| (format!("/data/errors/{index}/text"), Some(error.text)));
    for (pointer, text) in own.into_iter().chain(errors) {
        let text = text.unwrap_or_default();
        if rules::names_a_person(text) {
            findings.error(
                &pointer,
                "receipt.cpr",
                "En kvittering må ikke indeholde et CPR-nummer.",
                "A receipt may not hold a CPR number.",
            );
        } else {
            findings.text(&pointer, text, Severity::Warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::testing;

    const EXAMPLE: &str = "schemas/examples/receipt.v1/valid-business.json";
    const REFUSED: &str = "schemas/examples/receipt.v1/valid-transport-error.json";

    #[test]
    fn every_rule_is_found_at_its_place() {
        testing::check_table(
            EXAMPLE,
            &[
                (&[], &[]),
                (&[("/data/deliveryId", json!(null))], &[]),
                (&[("/correlationid", json!(null))], &[]),
                (
                    &[("/correlationid", json!(null)), ("/data/deliveryId", json!(null))],
                    &["/correlationid receipt.correlation"],
                ),
                (
                    &[("/data/deliveryId", json!("019a4c10-7d00-7000-8000-000000000000"))],
                    &["/data/deliveryId receipt.delivery-id"],
                ),
                (&[("/data/business", json!(null))], &["/data/business receipt.word-missing"]),
                (&[("/data/transport", json!("OK"))], &["/data/transport receipt.word-unexpected"]),
                (
                    &[("/data/level", json!("transport"))],
                    &["/data/business receipt.word-unexpected", "/data/transport receipt.word-missing"],
                ),
                (
                    &[("/data/business", json!("FEJLET")), ("/data/text", json!(null))],
                    &["/data/text receipt.reason"],
                ),
                (
                    &[("/data/errors", json!([{"code": "41", "text": "Kan ikke læses"}]))],
                    &["/data/errors receipt.errors-unexpected"],
                ),
                (&[("/data/receiptId", json!("0707614285"))], &["/data/receiptId receipt.cpr"]),
                (&[("/data/text", json!("Om 070761-4285"))], &["/data/text receipt.cpr"]),
                (&[("/data/text", json!("<b>Nej</b>"))], &["/data/text text.html"]),
                (
                    &[("/data/receivedAt", json!("2026-11-02T10:15:01+01:00"))],
                    &["/data/receivedAt receipt.received-later"],
                ),
            ],
        );
        testing::check_table(
            REFUSED,
            &[
                (&[("/data/errors", json!(null))], &[]),
                (
                    &[("/data/errors", json!(null)), ("/data/text", json!(null))],
                    &["/data/text receipt.reason"],
                ),
                (
                    &[("/data/errors/0/text", json!("Ukendt: 0707614285"))],
                    &["/data/errors/0/text receipt.cpr"],
                ),
            ],
        );
    }

    #[test]
    fn a_business_receipt_says_where_the_case_stands_and_a_transport_receipt_does_not() {
        use CaseState::{InProcess, Incomplete, Received, Refused};
        let states = [Received, Received, InProcess, Refused, Incomplete];
        for (word, state) in Business::ALL.into_iter().zip(states) {
            assert_eq!(testing::says(EXAMPLE, &[("/data/business", json!(word))]), Some(state), "{word:?}");
        }
        assert_eq!(testing::says(REFUSED, &[]), None);
    }

    #[test]
    fn who_refuses_is_quoted_with_text_and_errors() {
        let refused = [
            ("/data/business", json!("AFVIST")),
            ("/data/text", json!("Mangler bilag")),
            (
                "/data/errors",
                json!([{"code": "41", "text": "Kan ikke læses"}, {"code": "7", "text": "Ukendt"}]),
            ),
        ];
        let fault = testing::said(EXAMPLE, &refused).unwrap().refusal.unwrap();
        assert_eq!(
            fault.detail,
            "urn:dk:jobcenter:0101 answered AFVIST: Mangler bilag; 41 Kan ikke læses; 7 Ukendt (receipt KVIT-2026-0815)"
        );
        assert_eq!(testing::said(EXAMPLE, &[]).unwrap().refusal, None);
    }
}
