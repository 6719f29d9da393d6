//! What is said of JSON that is not taken.

use super::Parser;
use crate::domain::{FaultCode, Text, Violation};

impl Parser<'_> {
    pub(super) fn syntax(&self, da: &str, en: &str) -> Box<Violation> {
        let at = self.at;
        let text = Text::new(
            format!("Indholdet kan ikke læses som JSON: ved byte {at} ventes {da}."),
            format!("The body cannot be read as JSON: at byte {at} {en} is expected."),
        );
        Box::new(Violation::error(self.pointer(), "json.syntax", FaultCode::NotReadable, text).expected(en))
    }

    pub(super) fn duplicate(&self) -> Box<Violation> {
        let text = Text::new("Navnet står to gange i samme objekt.", "The name stands twice in one object.");
        Box::new(
            Violation::error(self.pointer(), "json.duplicate-key", FaultCode::DuplicateKey, text)
                .expected("each name once"),
        )
    }

    pub(super) fn not_exact(&self, len: usize) -> Box<Violation> {
        let text = Text::new(
            "Tallet kan ikke gemmes nøjagtigt; send færre cifre, eller send det som tekst.",
            "The number cannot be kept exactly; send fewer digits, or send it as text.",
        );
        Box::new(
            Violation::error(self.pointer(), "number.exact", FaultCode::NumberNotExact, text)
                .expected("64-bit integers, or decimals of at most 15 digits")
                .actual(format!("({len} characters)")),
        )
    }

    pub(super) fn lone_surrogate(&self) -> Box<Violation> {
        let text =
            Text::new("Teksten indeholder et halvt surrogatpar.", "The text holds half a surrogate pair.");
        Box::new(
            Violation::error(self.pointer(), "text.surrogate", FaultCode::NotUtf8, text)
                .expected("whole surrogate pairs"),
        )
    }
}
