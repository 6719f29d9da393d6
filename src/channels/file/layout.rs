//! How the files of one receiver are named, as agreed with it.
//!
//! A name is made of what is the gateway's own: words of its configuration, numbers it gave, its own clock. What a
//! sender chose, which may be a CPR number, has no placeholder.

use jiff::{Timestamp, fmt::strtime};

use crate::{
    channels::{Consignment, amqp::kind_of},
    domain::{DeliveryId, calendar},
};

/// The longest name: what is put before and behind it while it is written still fits a file system's 255 bytes.
const NAME_MAX: usize = 200;
/// Marker files end with a dot and at most so many letters or digits.
const MARKER_MAX: usize = 10;
/// Longer than the name of any kind.
const LONG_KIND: &str = "a_kind_with_a_name_that_is_as_long_as_that";

/// Names, folders and markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    parts: Vec<Part>,
    folder_per_kind: bool,
    marker: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Kind,
    Delivery,
    /// In the directions of `strftime`.
    Time(String),
}

/// Where one parcel is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder within the receiver's, where there is one for each kind.
    pub(super) folder: Option<String>,
    /// With its ending.
    pub(super) name: String,
    /// The name of the file that says that the other one is whole.
    pub(super) marker: Option<String>,
}

impl Layout {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(
        name: &str,
        folder_per_kind: bool,
        marker: Option<&str>,
        receiver: &str,
    ) -> Result<Self, String> {
        let parts = parts(name, receiver).map_err(|problem| format!("file_name = {name:?}: {problem}"))?;
        if let Some(marker) = marker {
            let word = marker.strip_prefix('.').unwrap_or_default();
            let fits =
                (1..=MARKER_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric());
            if !fits || word == "tmp" {
                return Err(format!(
                    "marker = {marker:?}: write a dot and 1-{MARKER_MAX} letters or digits, such as \".ok\""
                ));
            }
        }
        let layout = Self { parts, folder_per_kind, marker: marker.map(ToOwned::to_owned) };
        layout.tried().map_err(|problem| format!("file_name = {name:?}: {problem}"))?;
        Ok(layout)
    }

    /// Names a delivery, as every one will be named but for its numbers.
    fn tried(&self) -> Result<(), String> {
        if !self.parts.contains(&Part::Delivery) {
            return Err("without {delivery} two deliveries could have one name".into());
        }
        let delivery = crate::domain::ReceiptId::from_fresh(uuid::Uuid::nil()).delivery(1);
        for moment in ["2026-01-01T00:00:00Z", "2026-09-30T22:22:22.222Z"] {
            let moment = moment.parse().expect("an instant");
            let name = self.base(LONG_KIND, delivery, moment)?;
            if name.starts_with('.') {
                return Err("a name that begins with a dot is an unfinished file".into());
            }
            if name.len() > NAME_MAX {
                return Err(format!("names would be longer than {NAME_MAX} characters"));
            }
            if let Some(other) = name.chars().find(|c| !is_safe(*c)) {
                return Err(format!(
                    "names have a-z, A-Z, 0-9, dot, underscore and hyphen, and no {other:?}"
                ));
            }
        }
        Ok(())
    }

    /// The place of a parcel: the same at every attempt.
    pub(super) fn place(&self, consignment: &Consignment, ending: &str) -> Place {
        let kind: String =
            kind_of(&consignment.event_type).chars().map(|c| if is_safe(c) { c } else { '-' }).collect();
        let delivery = consignment.delivery;
        let base = self.base(&kind, delivery, delivery.given());
        let name = format!("{}.{ending}", base.unwrap_or_else(|_| delivery.to_string()));
        Place {
            folder: self.folder_per_kind.then_some(kind),
            marker: self.marker.as_ref().map(|marker| format!("{name}{marker}")),
            name,
        }
    }

    fn base(&self, kind: &str, delivery: DeliveryId, moment: Timestamp) -> Result<String, String> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Kind => name.push_str(kind),
                Part::Delivery => name.push_str(&delivery.to_string()),
                Part::Time(directions) => {
                    let local = calendar::in_denmark(moment);
                    let text = strtime::format(directions, &local).map_err(|error| error.to_string())?;
                    name.push_str(&text);
                }
            }
        }
        Ok(name)
    }
}

/// Reads `{kind}_{time:%Y%m%d-%H%M%S}_{delivery}`.
fn parts(name: &str, receiver: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some((text, after)) = rest.split_once('{') {
        let (placeholder, after) = after.split_once('}').ok_or("a { is not closed")?;
        parts.push(Part::Text(text.to_owned()));
        parts.push(match placeholder {
            "receiver" => Part::Text(receiver.to_owned()),
            "kind" => Part::Kind,
            "delivery" => Part::Delivery,
            other => match other.strip_prefix("time:") {
                Some(directions) => Part::Time(directions.to_owned()),
                None => {
                    return Err(format!(
                        "{{{other}}} is none of {{receiver}}, {{kind}}, {{delivery}} and {{time:%Y%m%d}}"
                    ));
                }
            },
        });
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// Plain on every file system, and no step to another folder.
fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(name: &str) -> Result<Layout, String> {
        Layout::new(name, false, None, "kbh")
    }

    fn delivery() -> DeliveryId {
        // The milliseconds of 2026-03-29T00:59:59.999Z, the last before summer time, and zeros.
        crate::domain::ReceiptId::from_fresh(uuid::Uuid::from_u128(1_774_745_999_999 << 80)).delivery(2)
    }

    fn consignment(event_type: &str) -> Consignment {
        Consignment {
            delivery: delivery(),
            parcel: crate::domain::Parcel {
                citizen: None,
                format: crate::domain::Format::Cloudevents,
                format_version: 1,
                content_type: "application/json".into(),
                body: bytes::Bytes::new(),
            },
            event_type: event_type.to_owned(),
            source: String::new(),
            message_id: "010203-1234".into(),
            correlation_id: None,
            traceparent: None,
            tracestate: None,
            due: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_name_is_made_of_its_parts_and_of_the_time_the_delivery_was_given() {
        let name = "{receiver}_{kind}_{time:%Y%m%d-%H%M%S}_{delivery}";
        let layout = Layout::new(name, true, Some(".ok"), "kbh").unwrap();
        let place = layout.place(&consignment("dk.kassebro.job_order.v1"), "json");
        let id = delivery();
        assert_eq!(place.name, format!("kbh_job_order_20260329-015959_{id}.json"));
        assert_eq!(place.folder.as_deref(), Some("job_order"));
        assert_eq!(place.marker, Some(format!("{}.ok", place.name)));
        let usual = layout_of_old().place(&consignment("dk.kassebro.complaint.v1"), "xml");
        assert_eq!(usual, Place { folder: None, name: format!("{id}.xml"), marker: None });
    }

    fn layout_of_old() -> Layout {
        layout("{delivery}").unwrap()
    }

    #[test]
    fn what_is_no_kind_of_ours_leads_to_no_other_folder() {
        let layout = Layout::new("{kind}{delivery}", true, None, "kbh").unwrap();
        let place = layout.place(&consignment("../../etc/æ.v1"), "json");
        assert_eq!(place.folder.as_deref(), Some("..-..-etc--"));
        assert!(place.name.chars().all(is_safe), "{place:?}");
    }

    #[test]
    fn a_name_that_could_not_be_kept_is_refused_with_the_reason() {
        for (name, says) in [
            ("{kind}", "without {delivery}"),
            ("{delivery", "not closed"),
            ("{cpr}-{delivery}", "{cpr} is none of"),
            ("{messageId}-{delivery}", "is none of"),
            ("../{delivery}", "dot"),
            ("a/{delivery}", "no '/'"),
            ("{delivery} x", "no ' '"),
            ("æ{delivery}", "no 'æ'"),
            (".{delivery}", "dot"),
            ("{time:%H:%M}-{delivery}", "no ':'"),
            ("{time:%Q%}-{delivery}", "file_name = "),
            (&format!("{}{{delivery}}", "a".repeat(165)), "longer than"),
        ] {
            let error = layout(name).unwrap_err();
            assert!(error.contains(says), "{name}: {error}");
        }
        for marker in ["", "ok", ".", ".o k", ".tmp", ".a/b", ".abcdefghijk"] {
            assert!(Layout::new("{delivery}", false, Some(marker), "kbh").is_err(), "{marker:?}");
        }
    }
}
