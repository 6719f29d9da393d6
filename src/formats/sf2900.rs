//! A finished parcel as KOMBIT's Fordelingskomponent (SF2900) is handed it: a `FordelingsobjektAfsendRequest` whose
//! `DistributionContext` says from whom and to whom, and whose object is a form with the parcel in it.
//!
//! Elements, order, patterns and namespaces are those of the published schemas. The SOAP envelope around it and its
//! token are not written: they are for whoever holds the agreement with KOMBIT. That a parcel is a form, its type and its
//! format's name are our reading.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    mapping::{self, Differs},
    packed,
    xml::{Document, NotAsWritten, Reading},
};
use crate::domain::{Cvr, DeliveryId, Event, Parcel, Text, Violation, distribution::Distribution};

/// The namespace of the operation.
const OPERATION: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/types";
/// The namespace of what it distributes.
const TYPES: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/2/types";
const ROOT: &str = "FordelingsobjektAfsendRequest";
/// `FormatNavn` of what is in the form.
const FORMAT: &str = "XML";

/// What a request says, beside its parcel.
struct Said<'a> {
    distribution: &'a Distribution,
    sender: &'a Cvr,
    delivery: String,
    form: String,
    kind: String,
    title: &'a str,
    xml: &'a str,
}

/// The parcel inside a request, re-read and compared. `title` is what the kind is called.
///
/// # Errors
/// The sender has no CVR number there, the parcel is no XML, or what the finished bytes do not say.
pub fn wrap(
    parcel: Parcel,
    event: &Event,
    distribution: &Distribution,
    delivery: DeliveryId,
    title: &str,
) -> Result<Parcel, Vec<Violation>> {
    let source = &event.envelope.source;
    let sender =
        distribution.senders.get(source.code()).ok_or_else(|| vec![unknown_sender(source.code())])?;
    let xml = std::str::from_utf8(&parcel.body).ok().and_then(element);
    let said = Said {
        distribution,
        sender,
        delivery: delivery.to_string(),
        form: delivery.receipt().to_string(),
        kind: event.envelope.kind.event_type(),
        title,
        xml: xml.ok_or_else(|| vec![mapping::differs("").into()])?,
    };
    let body = write(&said);
    compare(&body, &said).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel { body: packed(body), ..parcel })
}

/// A document's one element, without the declaration before it and the blanks around it.
fn element(document: &str) -> Option<&str> {
    let (declaration, element) = document.split_once("?>")?;
    let element = element.trim_ascii();
    (declaration.starts_with("<?xml ") && element.starts_with('<')).then_some(element)
}

fn unknown_sender(code: &str) -> Violation {
    let text = Text::new(
        "Afsenderen har intet CVR-nummer hos modtagerens fordeler.",
        "The sender has no CVR number at the receiver's distributor.",
    );
    mapping::cannot("/source".to_owned(), "format.sender-cvr", text).actual(code)
}

fn write(said: &Said<'_>) -> String {
    let Distribution { authority, kle, facet, recipient, .. } = said.distribution;
    let mut document = Document::new(ROOT, OPERATION, 4096 + said.xml.len() * 7 / 3);
    document.open("anmodning");
    document.open_in("DistributionContext", TYPES);
    document.leaf("AnvenderTransaktionsID", &said.delivery);
    document.leaf("AfsendendeMyndighed", said.sender.as_str());
    document.leaf("RoutingMyndighed", authority.as_str());
    document.open("RoutingValg");
    if let Some(recipient) = recipient {
        document.leaf("RoutingModtagerAktoer", &recipient.to_string());
    } else {
        document.open("RoutingKLEEmneHandling");
        document.leaf("RoutingKLEEmne", kle.as_str());
        if let Some(facet) = facet {
            document.leaf("RoutingHandlingFacet", facet.as_str());
        }
        document.close("RoutingKLEEmneHandling");
    }
    document.close("RoutingValg");
    document.close("DistributionContext");
    document.open_in("DistributionObject", TYPES);
    document.leaf("ObjektType", "FORMULAR");
    document.open("ObjektIndhold");
    document.open("DistributionFormular");
    document.leaf("ID", &said.form);
    document.leaf("KLEEmneForslag", kle.as_str());
    if let Some(facet) = facet {
        document.leaf("HandlingFacetForslag", facet.as_str());
    }
    document.open("Meddelelse");
    document.leaf("FormularType", &said.kind);
    document.open("Formular");
    document.leaf("TitelTekst", said.title);
    document.leaf("FormatNavn", FORMAT);
    document.leaf("FormularIndhold", &BASE64_STANDARD.encode(said.xml));
    document.open("FormularXML");
    document.verbatim(said.xml);
    for name in [
        "FormularXML",
        "Formular",
        "Meddelelse",
        "DistributionFormular",
        "ObjektIndhold",
        "DistributionObject",
        "anmodning",
    ] {
        document.close(name);
    }
    document.finish()
}

/// Reads the finished bytes, element by element.
fn compare(body: &str, said: &Said<'_>) -> Result<(), Differs> {
    let whole = |_: NotAsWritten| mapping::differs("");
    let mut reading = Reading::new(body, ROOT, OPERATION).map_err(whole)?;
    read(&mut reading, said).map_err(whole)?;
    reading.finish().map_err(whole)
}

fn read(reading: &mut Reading<'_>, said: &Said<'_>) -> Result<(), NotAsWritten> {
    let Distribution { authority, kle, facet, recipient, .. } = said.distribution;
    let is = |reading: &mut Reading<'_>, name: &str, text: &str| {
        if reading.leaf(name)? == text { Ok(()) } else { Err(NotAsWritten) }
    };
    reading.open("anmodning")?;
    reading.open_in("DistributionContext", TYPES)?;
    is(reading, "AnvenderTransaktionsID", &said.delivery)?;
    is(reading, "AfsendendeMyndighed", said.sender.as_str())?;
    is(reading, "RoutingMyndighed", authority.as_str())?;
    reading.open("RoutingValg")?;
    if let Some(recipient) = recipient {
        is(reading, "RoutingModtagerAktoer", &recipient.to_string())?;
    } else {
        reading.open("RoutingKLEEmneHandling")?;
        is(reading, "RoutingKLEEmne", kle.as_str())?;
        if let Some(facet) = facet {
            is(reading, "RoutingHandlingFacet", facet.as_str())?;
        }
        reading.close()?;
    }
    reading.close()?;
    reading.close()?;
    reading.open_in("DistributionObject", TYPES)?;
    is(reading, "ObjektType", "FORMULAR")?;
    reading.open("ObjektIndhold")?;
    reading.open("DistributionFormular")?;
    is(reading, "ID", &said.form)?;
    is(reading, "KLEEmneForslag", kle.as_str())?;
    if let Some(facet) = facet {
        is(reading, "HandlingFacetForslag", facet.as_str())?;
    }
    reading.open("Meddelelse")?;
    is(reading, "FormularType", &said.kind)?;
    reading.open("Formular")?;
    is(reading, "TitelTekst", said.title)?;
    is(reading, "FormatNavn", FORMAT)?;
    let content = BASE64_STANDARD.decode(reading.leaf("FormularIndhold")?.as_bytes());
    if content.as_deref() != Ok(said.xml.as_bytes()) || reading.verbatim("FormularXML")? != said.xml {
        return Err(NotAsWritten);
    }
    // The form, its message, the form as an object, the object, its content, and the request.
    (0..6).try_for_each(|_| reading.close())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Format, ReceiptId},
        formats,
        kinds::testing,
    };

    fn distribution(more: &str) -> Distribution {
        toml::from_str(&format!(
            "senders = {{ 3f = \"31378028\" }}\nauthority = \"64942212\"\nkle = \"15.20.00\"\n{more}"
        ))
        .unwrap()
    }

    fn delivery() -> DeliveryId {
        ReceiptId::from_fresh(uuid::Uuid::from_bytes([0x11; 16])).delivery(2)
    }

    fn wrapped(kind: &str, format: Format, more: &str) -> Result<(Event, String, String), Vec<Violation>> {
        let event = testing::event(&testing::generated(kind, 3));
        let parcel = formats::render(&event, format).unwrap();
        let inner = String::from_utf8(parcel.body.to_vec()).unwrap();
        let whole = wrap(parcel, &event, &distribution(more), delivery(), "Complaint (klage)")?;
        assert_eq!((whole.format, &*whole.content_type), (format, "application/xml"));
        Ok((event, inner, String::from_utf8(whole.body.to_vec()).unwrap()))
    }

    #[test]
    fn a_parcel_is_a_form_and_its_context_says_from_whom_to_whom() {
        for (kind, format) in [
            ("complaint", Format::Klagesag),
            ("complaint", Format::Kombit),
            ("recommendation", Format::Beskedmodul),
        ] {
            let (_, inner, whole) = wrapped(kind, format, "facet = \"G01\"").unwrap();
            let context = whole.split_once("<DistributionContext").unwrap().1;
            let context = context.split_once("</DistributionContext>").unwrap().0;
            let id = delivery();
            assert!(
                context.ends_with(&format!(
                    "><AnvenderTransaktionsID>{id}</AnvenderTransaktionsID><AfsendendeMyndighed>31378028</AfsendendeMyndighed>\
                     <RoutingMyndighed>64942212</RoutingMyndighed><RoutingValg><RoutingKLEEmneHandling>\
                     <RoutingKLEEmne>15.20.00</RoutingKLEEmne><RoutingHandlingFacet>G01</RoutingHandlingFacet>\
                     </RoutingKLEEmneHandling></RoutingValg>"
                )),
                "{context}"
            );
            let inner = inner.split_once("?>").unwrap().1.trim_ascii();
            assert!(whole.contains(&format!("<FormularXML>{inner}</FormularXML>")), "{whole}");
            assert!(whole.contains(&BASE64_STANDARD.encode(inner)));
        }
    }

    #[test]
    fn a_system_that_is_named_takes_the_place_of_the_subject() {
        let to = "5c1d6d2e-0000-4000-8000-000000000001";
        let (_, _, whole) = wrapped("complaint", Format::Klagesag, &format!("recipient = \"{to}\"")).unwrap();
        assert!(whole.contains(&format!(
            "<RoutingValg><RoutingModtagerAktoer>{to}</RoutingModtagerAktoer></RoutingValg>"
        )));
        assert!(!whole.contains("RoutingKLEEmne<") && whole.contains("<KLEEmneForslag>15.20.00<"));
    }

    #[test]
    fn nothing_is_sent_in_the_name_of_a_sender_without_a_number() {
        let event = testing::event(&testing::generated("complaint", 3));
        let parcel = formats::render(&event, Format::Klagesag).unwrap();
        let mut unknown = distribution("");
        unknown.senders.clear();
        let faults = wrap(parcel, &event, &unknown, delivery(), "x").unwrap_err();
        assert_eq!((faults[0].pointer.as_str(), faults[0].rule.as_str()), ("/source", "format.sender-cvr"));
        let json = formats::render(&event, Format::Cloudevents).unwrap();
        assert!(wrap(json, &event, &distribution(""), delivery(), "x").is_err(), "a form is XML");
    }

    #[test]
    fn finished_bytes_that_say_something_else_are_refused() {
        let (event, inner, whole) = wrapped("complaint", Format::Klagesag, "facet = \"G01\"").unwrap();
        let distribution = distribution("facet = \"G01\"");
        let said = Said {
            distribution: &distribution,
            sender: &distribution.senders["3f"],
            delivery: delivery().to_string(),
            form: delivery().receipt().to_string(),
            kind: event.envelope.kind.event_type(),
            title: "Complaint (klage)",
            xml: element(&inner).unwrap(),
        };
        assert!(compare(&whole, &said).is_ok());
        for (from, to) in [
            ("31378028", "31378029"),
            ("64942212", "64942213"),
            ("<RoutingKLEEmne>15.20.00", "<RoutingKLEEmne>15.20.01"),
            ("<RoutingHandlingFacet>G01", "<RoutingHandlingFacet>G02"),
            ("FORMULAR", "DOKUMENT"),
            ("complaint.v1", "complaint.v2"),
            ("<FormularIndhold>", "<FormularIndhold>QQ"),
            ("/2/types", "/1/types"),
            ("<Klagesag ", "<Klagesag  "),
            ("</anmodning>", "<mere/></anmodning>"),
        ] {
            assert!(whole.contains(from), "{from}");
            assert!(compare(&whole.replacen(from, to, 1), &said).is_err(), "{from}");
        }
    }
}
