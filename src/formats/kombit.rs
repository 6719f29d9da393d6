//! Any kind as KOMBIT's `Haendelsesbesked` (`urn:oio:besked:kuvert:1.0`) around the kind's XML: for systems that
//! take part in the Beskedfordeler, and for kinds that no system of the jobcenters has a published format for.
//!
//! The envelope is [`codec::kombit`]'s, which also reads it; so what is delivered can be sent again as it is.

use super::{mapping, packed};
use crate::{
    codec,
    domain::{Event, Format, Parcel, Text, Violation},
};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

/// The envelope, re-read and compared.
///
/// # Errors
/// What XML cannot carry, or what the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let body = codec::kombit::write(event).map_err(|not_xml| {
        let text = Text::new("XML kan ikke bære værdien.", "XML cannot carry the value.");
        vec![mapping::cannot(not_xml.pointer, "format.not-xml", text)]
    })?;
    if let Some(pointer) = codec::kombit::differs(&body, event) {
        return Err(vec![mapping::differs(pointer).into()]);
    }
    Ok(Parcel {
        format: Format::Kombit,
        format_version: VERSION,
        content_type: "application/xml".into(),
        body: packed(body),
        citizen: None,
    })
}
