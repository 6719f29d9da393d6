//! The event as it is: a structured `CloudEvent` 1.0 in JSON, for receivers that read the contract itself.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    mapping::{self, Differs},
    packed,
};
use crate::domain::{Event, Format, Parcel, Violation};

/// Counted up when the bytes of an unchanged event change.
pub const VERSION: u16 = 1;

#[derive(Serialize)]
struct Structured<'e> {
    specversion: &'static str,
    id: &'e str,
    source: &'e crate::domain::Party,
    r#type: String,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    recordedtime: Option<Timestamp>,
    receiver: &'e crate::domain::Party,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'e str>,
    datacontenttype: &'static str,
    data: &'e Value,
}

/// The event, re-read and compared.
///
/// # Errors
/// What the finished bytes do not say.
pub fn render(event: &Event) -> Result<Parcel, Vec<Violation>> {
    let envelope = &event.envelope;
    let structured = Structured {
        specversion: "1.0",
        id: envelope.id.as_str(),
        source: &envelope.source,
        r#type: envelope.kind.event_type(),
        time: envelope.time,
        recordedtime: envelope.recorded,
        receiver: &envelope.receiver,
        agreement: envelope.agreement.as_deref(),
        subject: envelope.subject.as_deref(),
        correlationid: envelope.correlation_id.as_deref(),
        causationid: envelope.causation_id.as_deref(),
        traceparent: envelope.traceparent.as_deref(),
        tracestate: envelope.tracestate.as_deref(),
        datacontenttype: "application/json",
        data: &event.data,
    };
    let body = serde_json::to_vec(&structured).expect("texts, numbers and instants are always JSON");
    compare(&body, event).map_err(|differs| vec![differs.into()])?;
    Ok(Parcel {
        format: Format::Cloudevents,
        format_version: VERSION,
        content_type: "application/cloudevents+json".into(),
        body: packed(body),
        citizen: None,
    })
}

/// Reads the finished bytes: each attribute, the data, and no attribute more.
fn compare(body: &[u8], event: &Event) -> Result<(), Differs> {
    let envelope = &event.envelope;
    let read: Value = serde_json::from_slice(body).map_err(|_| mapping::differs(""))?;
    let text = |name: &str| read.get(name).and_then(Value::as_str);
    let instant = |name: &str| text(name).and_then(|text| text.parse::<Timestamp>().ok());
    for (name, same) in [
        ("specversion", text("specversion") == Some("1.0")),
        ("id", text("id") == Some(envelope.id.as_str())),
        ("source", text("source").and_then(|t| t.parse().ok()).as_ref() == Some(&envelope.source)),
        (
            "type",
            text("type").and_then(crate::domain::KindId::from_event_type).as_ref() == Some(&envelope.kind),
        ),
        ("time", instant("time") == Some(envelope.time)),
        ("recordedtime", instant("recordedtime") == envelope.recorded),
        ("receiver", text("receiver").and_then(|t| t.parse().ok()).as_ref() == Some(&envelope.receiver)),
        ("agreement", text("agreement") == envelope.agreement.as_deref()),
        ("subject", text("subject") == envelope.subject.as_deref()),
        ("correlationid", text("correlationid") == envelope.correlation_id.as_deref()),
        ("causationid", text("causationid") == envelope.causation_id.as_deref()),
        ("traceparent", text("traceparent") == envelope.traceparent.as_deref()),
        ("tracestate", text("tracestate") == envelope.tracestate.as_deref()),
        ("datacontenttype", text("datacontenttype") == Some("application/json")),
        ("data", read.get("data") == Some(&event.data)),
    ] {
        if !same {
            return Err(mapping::differs(format!("/{name}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::testing;

    #[test]
    fn the_event_comes_out_as_it_went_in() {
        let value = testing::read_example("schemas/examples/recommendation.v1/valid-marks.json");
        let event = testing::event(&value);
        let rendered: Value = serde_json::from_slice(&render(&event).unwrap().body).unwrap();
        for name in
            ["specversion", "id", "source", "type", "receiver", "correlationid", "datacontenttype", "data"]
        {
            assert_eq!(rendered[name], value[name], "{name}");
        }
        assert_eq!(rendered["time"], "2026-11-02T09:15:00Z");
        assert_eq!(rendered.get("subject"), None);
    }

    #[test]
    fn finished_bytes_that_say_something_else_are_refused() {
        let mut event =
            testing::event(&testing::read_example("schemas/examples/recommendation.v1/valid-course.json"));
        event.envelope.agreement = Some("norddjurs-2024".to_owned());
        let body = String::from_utf8(render(&event).unwrap().body.to_vec()).unwrap();
        for (from, to, pointer) in [
            ("745000", "745001", "/data"),
            ("jobcenter:0101", "jobcenter:0707", "/receiver"),
            ("T09:15:00Z", "T09:15:01Z", "/time"),
            ("norddjurs-2024", "norddjurs-2025", "/agreement"),
            ("recommendation.v1", "recommendation.v2", "/type"),
        ] {
            assert!(body.contains(from), "{from}");
            let other = body.replacen(from, to, 1);
            assert_eq!(compare(other.as_bytes(), &event).unwrap_err().pointer, pointer, "{from}");
        }
    }
}
