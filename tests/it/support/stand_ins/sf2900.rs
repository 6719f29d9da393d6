//! KOMBIT's Fordelingskomponent (SF2900), by its published schemas: a `FordelingsobjektAfsendRequest` whose
//! `DistributionContext` says from whom and to whom, and whose object is a form; answered by a `TransportKvittering`.
//!
//! The SOAP envelope and its token are not enforced: the gateway does not write them.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    Found,
    envelope::{Element, elements},
    rule, said, target,
};
use crate::support::receiver::Taken;

const OPERATION: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/types";
const TYPES: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/2/types";

/// What an element holds, in this order; `?` marks what may be left out, `|` a choice of one.
const CHILDREN: &[(&str, &[&str])] = &[
    ("FordelingsobjektAfsendRequest", &["anmodning"]),
    ("anmodning", &["DistributionContext", "DistributionObject"]),
    (
        "DistributionContext",
        &[
            "AnvenderTransaktionsID",
            "DistributionTransktionsID?",
            "DigitalPostMeddelelsesID?",
            "AfsendendeMyndighed",
            "RoutingMyndighed",
            "RoutingValg",
            "DokumentFilNavn?",
        ],
    ),
    ("RoutingValg", &["RoutingKLEEmneHandling|RoutingModtagerAktoer"]),
    ("RoutingKLEEmneHandling", &["RoutingKLEEmne", "RoutingHandlingFacet?"]),
    ("DistributionObject", &["ObjektType", "ObjektIndhold"]),
    ("ObjektIndhold", &["DistributionFormular"]),
    ("DistributionFormular", &["ID", "KLEEmneForslag", "HandlingFacetForslag?", "Meddelelse"]),
    ("Meddelelse", &["FormularType", "Formular"]),
    ("Formular", &["TitelTekst", "FormatNavn", "FormularIndhold", "FormularXML"]),
];

/// Judges a request by itself and by what came before.
pub(crate) fn judge(taken: &Taken, earlier: &[Taken]) -> String {
    match check(taken, earlier) {
        Ok(()) => said(200, None, "application/xml", &receipt("OK", "")),
        Err(deviation) => {
            let error =
                "<k:Fejl><k:FejlKode>17</k:FejlKode><k:FejlTekst>om 070761-4285</k:FejlTekst></k:Fejl>";
            said(200, Some(deviation), "application/xml", &receipt("FEJL", error))
        }
    }
}

pub(crate) fn check(taken: &Taken, earlier: &[Taken]) -> Found {
    let (method, address) = target(taken);
    rule(method == "POST" && !address.contains('?'), "not a plain POST")?;
    rule(taken.header("content-type") == Some("application/xml"), "not XML")?;
    let elements = elements(&taken.body).ok_or("no request")?;
    let root = elements.first().ok_or("no request")?;
    rule(root.namespace == OPERATION && root.name == "FordelingsobjektAfsendRequest", "no request")?;
    let form = elements.iter().position(|e| e.name == "FormularXML");
    for (place, element) in elements.iter().enumerate() {
        if Some(place) != form && !is_within(&elements, element, form) {
            let expected = if ["FordelingsobjektAfsendRequest", "anmodning"].contains(&&*element.name) {
                OPERATION
            } else {
                TYPES
            };
            rule(element.namespace == expected, "an element of another namespace")?;
            holds(&elements, place)?;
            value(element)?;
        }
    }
    rule(elements.iter().filter(|e| e.parent == form).count() == 1, "not one element in FormularXML")?;
    let id = transaction(&taken.body).ok_or("no transaction id")?;
    let same = earlier.iter().find(|before| transaction(&before.body).as_ref() == Some(&id));
    rule(same.is_none_or(|before| before.body == taken.body), "another body under the same transaction id")
}

/// `AnvenderTransaktionsID`
pub(crate) fn transaction(body: &[u8]) -> Option<String> {
    elements(body)?.into_iter().find(|e| e.name == "AnvenderTransaktionsID").map(|e| e.text)
}

fn is_within(elements: &[Element], element: &Element, around: Option<usize>) -> bool {
    let mut parent = element.parent;
    while let Some(place) = parent {
        if Some(place) == around {
            return true;
        }
        parent = elements[place].parent;
    }
    false
}

/// The children are those of the schema, in its order.
fn holds(elements: &[Element], place: usize) -> Found {
    let Some((_, sequence)) = CHILDREN.iter().find(|(name, _)| *name == elements[place].name) else {
        return Ok(());
    };
    let mut children = elements.iter().filter(|e| e.parent == Some(place)).map(|e| &*e.name).peekable();
    for wanted in *sequence {
        let (names, optional) = wanted.strip_suffix('?').map_or((*wanted, false), |names| (names, true));
        let found = children.next_if(|child| names.split('|').any(|name| name == *child)).is_some();
        rule(found || optional, "an element is missing or out of order")?;
    }
    rule(children.next().is_none(), "an element that the schema does not have")
}

/// The patterns of the schema.
fn value(element: &Element) -> Found {
    let text = &*element.text;
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    match &*element.name {
        "AnvenderTransaktionsID" | "DistributionTransktionsID" | "RoutingModtagerAktoer" | "ID" => {
            rule(text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(), "an id that is no UUID")
        }
        "AfsendendeMyndighed" | "RoutingMyndighed" => {
            rule(digits(text, 8), "an authority that is no CVR number")
        }
        "RoutingKLEEmne" | "KLEEmneForslag" => {
            let fits = text.split('.').count() == 3 && text.split('.').all(|part| digits(part, 2));
            rule(fits, "a subject that is not of KLE")
        }
        "RoutingHandlingFacet" | "HandlingFacetForslag" => {
            let mut characters = text.chars();
            let letter = characters.next().is_some_and(|c| c.is_ascii_uppercase() || "ÆØÅ".contains(c));
            rule(letter && digits(characters.as_str(), 2), "a facet that is not of KLE")
        }
        "ObjektType" => {
            rule(text == "FORMULAR", "an object that is none of the three, or not the one that is there")
        }
        "FormularIndhold" => rule(BASE64_STANDARD.decode(text).is_ok(), "content that is not base64"),
        _ => Ok(()),
    }
}

pub(crate) fn receipt(word: &str, errors: &str) -> String {
    format!(
        "<k:DistribuerSvar xmlns:k=\"urn:oio:sts:kvittering:2.0\"><k:TransportKvittering>\
         <k:TransportValideringsKode>{word}</k:TransportValideringsKode><k:FejlListe>{errors}</k:FejlListe>\
         </k:TransportKvittering></k:DistribuerSvar>"
    )
}

/// What the operation itself answers with.
pub(crate) fn response(word: &str) -> String {
    format!(
        "<t:FordelingsobjektAfsendResponse xmlns:t=\"{OPERATION}\" xmlns:d=\"{TYPES}\"><t:ForretningsKvittering>\
         <d:ForretningsValideringsKode>{word}</d:ForretningsValideringsKode><d:Kvitteringstype>Teknisk</d:Kvitteringstype>\
         </t:ForretningsKvittering></t:FordelingsobjektAfsendResponse>"
    )
}
