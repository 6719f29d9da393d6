//! What is said of XML that is not taken.

use super::text;
use crate::domain::{FaultCode, Text, Violation};

pub(super) fn syntax(at: u64, da: &str, en: &str) -> Box<Violation> {
    let text = Text::new(
        format!("Indholdet kan ikke læses som XML: ved byte {at} ventes {da}."),
        format!("The body cannot be read as XML: at byte {at} {en} is expected."),
    );
    Box::new(Violation::error("", "xml.syntax", FaultCode::NotReadable, text).expected(en))
}

pub(super) fn outside_root(at: u64) -> Box<Violation> {
    syntax(at, "intet indhold uden for rodelementet", "nothing outside the root element")
}

pub(super) fn malformed(at: u64, error: &quick_xml::Error) -> Box<Violation> {
    match error {
        quick_xml::Error::Namespace(_) => syntax(at, "tilladte navnerum", "namespaces that are allowed"),
        _ => syntax(at, "velformet XML", "well-formed XML"),
    }
}

pub(super) fn dtd(da: &str, en: &str) -> Box<Violation> {
    let text = Text::new(
        format!(
            "XML med {da} modtages ikke; kun &lt;, &gt;, &amp;, &quot;, &apos; og tegnreferencer kendes."
        ),
        format!(
            "XML with a {en} is not taken; only &lt;, &gt;, &amp;, &quot;, &apos; and character references are known."
        ),
    );
    Box::new(
        Violation::error("", "xml.dtd", FaultCode::DtdRefused, text)
            .expected("no document type and no entities"),
    )
}

pub(super) fn unknown_attribute(name: &str) -> Box<Violation> {
    let text = Text::new(
        "XML-attributter bruges ikke; værdier står i elementer.",
        "XML attributes are not used; values stand in elements.",
    );
    Box::new(
        Violation::error("", "xml.attribute", FaultCode::NotReadable, text)
            .expected("namespace declarations only")
            .masked(name),
    )
}

pub(super) fn split_text(name: &str) -> Box<Violation> {
    let text = Text::new(
        "Teksten i et element er delt af en kommentar eller en CDATA-sektion; send den i ét stykke.",
        "The text of an element is split by a comment or a CDATA section; send it in one piece.",
    );
    Box::new(
        Violation::error("", "xml.split-text", FaultCode::NotReadable, text)
            .expected("text, or one CDATA section")
            .actual(text::excerpt(name, 64)),
    )
}

pub(super) fn mixed_content(name: &str) -> Box<Violation> {
    let text = Text::new(
        "Et element har både tekst og underelementer.",
        "An element has both text and child elements.",
    );
    Box::new(
        Violation::error("", "xml.mixed-content", FaultCode::NotReadable, text)
            .expected("text or child elements")
            .actual(text::excerpt(name, 64)),
    )
}

/// The violation of a declared encoding other than UTF-8.
pub(super) fn encoding() -> Box<Violation> {
    let text = Text::new(
        "XML-erklæringen angiver en anden tegnkodning end UTF-8.",
        "The XML declaration names an encoding other than UTF-8.",
    );
    Box::new(Violation::error("", "text.utf-8", FaultCode::NotUtf8, text).expected("UTF-8"))
}
