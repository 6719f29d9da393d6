//! What tests are put together of.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::RECEIVER;
use crate::{
    domain::{
        Cpr, Fault, FaultCode, Format, Parcel,
        sla::{DELIVERED, Promise},
    },
    store::NewDelivery,
};

pub(super) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(super) fn fault(code: FaultCode) -> Fault {
    Fault::new(code, "as the test wants it")
}

/// Something owed to [`RECEIVER`] within `within` of `starts`.
pub(crate) fn delivery(starts: Timestamp, within: SignedDuration) -> NewDelivery {
    NewDelivery {
        receiver: RECEIVER.into(),
        parcel: Parcel {
            format: Format::Cloudevents,
            format_version: 1,
            content_type: "application/json".into(),
            body: Bytes::from_static(b"{}"),
            citizen: Cpr::parse("0707614285").ok(),
        },
        ordering_key: None,
        promise: Arc::new(Promise::elapsed(DELIVERED, within)).clocked(starts),
        further: vec![],
        expires: None,
        hold: None,
        other_way: None,
    }
}
