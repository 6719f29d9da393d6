//! A message as XML: an element for each member, repeated for each item of a list.

use bytes::Bytes;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use serde_json::Value;

pub(super) fn document(event: &Value) -> anyhow::Result<Bytes> {
    let mut writer = Writer::new(Vec::with_capacity(4096));
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    element(&mut writer, "message", event)?;
    Ok(writer.into_inner().into())
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> anyhow::Result<()> {
    if let Value::Array(items) = value {
        for item in items {
            element(writer, name, item)?;
        }
        return Ok(());
    }
    writer.write_event(Event::Start(BytesStart::new(name)))?;
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                element(writer, name, value)?;
            }
        }
        Value::String(text) => writer.write_event(Event::Text(BytesText::new(text)))?,
        other => writer.write_event(Event::Text(BytesText::new(&other.to_string())))?,
    }
    writer.write_event(Event::End(BytesEnd::new(name)))?;
    Ok(())
}
