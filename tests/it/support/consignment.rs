//! Parcels for tests: invented, short, and each with its own key.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use bytes::Bytes;
use kassebro::{
    channels::Consignment,
    domain::{Format, Parcel, ReceiptId},
};

/// A parcel with a fresh key and this text in it.
pub(crate) fn saying(text: &str) -> Consignment {
    Consignment {
        delivery: ReceiptId::from_fresh(uuid::Uuid::now_v7()).delivery(1),
        parcel: Parcel {
            format: Format::Cloudevents,
            format_version: 1,
            content_type: "application/cloudevents+json".into(),
            body: Bytes::copy_from_slice(text.as_bytes()),
            citizen: None,
        },
        event_type: "dk.kassebro.complaint.v1".into(),
        source: "urn:dk:akasse:testkassen".into(),
        message_id: "test-1".into(),
        correlation_id: Some("case-7".into()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracestate: Some("rojo=00f067aa0ba902b7".into()),
        due: jiff::Timestamp::from_second(1_772_535_600).unwrap(),
        now: jiff::Timestamp::from_second(1_772_449_200).unwrap(),
    }
}
