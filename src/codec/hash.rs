//! The fingerprint of what a message says, alike in every syntax.

use jiff::Timestamp;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::domain::{Event, Party};

/// Names the walk; another walk gets another name, or old and new fingerprints would be compared.
const WALK: &[u8] = b"kassebro event 1";

/// SHA-256 over the envelope and the data.
///
/// Equal for equal messages whatever their syntax, white space and order of members: times count as instants,
/// an empty list as no list (XML cannot tell them apart), a whole number as an integer. `traceparent`
/// and `tracestate` do not count: a sender's second try has new ones. Every part goes in with its kind and length, so that no two
/// messages walk alike.
pub fn canonical_hash(event: &Event) -> [u8; 32] {
    let envelope = &event.envelope;
    let mut walk = Walk { sha: Sha256::new() };
    walk.text(b'w', WALK);
    walk.text(b'i', envelope.id.as_str().as_bytes());
    walk.party(&envelope.source);
    walk.text(b'k', envelope.kind.name.as_bytes());
    walk.sha.update(envelope.kind.version.to_be_bytes());
    walk.time(Some(envelope.time));
    walk.time(envelope.recorded);
    walk.party(&envelope.receiver);
    for attribute in
        [&envelope.agreement, &envelope.subject, &envelope.correlation_id, &envelope.causation_id]
    {
        match attribute {
            Some(text) => walk.text(b'a', text.as_bytes()),
            None => walk.mark(b'-'),
        }
    }
    walk.value(&event.data);
    walk.sha.finalize().into()
}

struct Walk {
    sha: Sha256,
}

impl Walk {
    fn mark(&mut self, mark: u8) {
        self.sha.update([mark]);
    }

    fn count(&mut self, mark: u8, count: usize) {
        self.mark(mark);
        self.sha.update((count as u64).to_be_bytes());
    }

    fn text(&mut self, mark: u8, text: &[u8]) {
        self.count(mark, text.len());
        self.sha.update(text);
    }

    fn party(&mut self, party: &Party) {
        let mark = match party {
            Party::Akasse(_) => b'A',
            Party::Jobcenter(_) => b'J',
            Party::Gateway => b'G',
        };
        self.text(mark, party.code().as_bytes());
    }

    fn time(&mut self, time: Option<Timestamp>) {
        match time {
            Some(time) => {
                self.mark(b't');
                self.sha.update(time.as_nanosecond().to_be_bytes());
            }
            None => self.mark(b'-'),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.mark(b'0'),
            Value::Bool(false) => self.mark(b'F'),
            Value::Bool(true) => self.mark(b'T'),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.text(b's', text.as_bytes()),
            Value::Array(items) => {
                self.count(b'[', items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(members) => {
                let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
                // The map keeps its members in the order of their names.
                let members = members.iter().filter(|(_, value)| !empty(value));
                self.count(b'{', members.clone().count());
                for (name, value) in members {
                    self.text(b'n', name.as_bytes());
                    self.value(value);
                }
            }
        }
    }

    fn number(&mut self, number: &Number) {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        if let Some(whole) = whole {
            self.mark(b'#');
            self.sha.update(whole.to_be_bytes());
        } else {
            self.mark(b'.');
            self.sha.update(number.as_f64().unwrap_or(f64::NAN).to_bits().to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::domain::{Envelope, KindId};

    fn event() -> Event {
        Event {
            envelope: Envelope {
                id: "a-1".parse().unwrap(),
                source: "urn:dk:akasse:3f".parse().unwrap(),
                kind: KindId::new("complaint", 1),
                time: "2026-03-02T09:30:00+01:00".parse().unwrap(),
                recorded: None,
                receiver: "urn:dk:jobcenter:0101".parse().unwrap(),
                agreement: None,
                subject: None,
                correlation_id: None,
                causation_id: None,
                traceparent: None,
                tracestate: None,
            },
            data: json!({"a": "x", "b": [1, 2]}),
        }
    }

    fn changed(change: impl FnOnce(&mut Event)) -> [u8; 32] {
        let mut event = event();
        change(&mut event);
        canonical_hash(&event)
    }

    #[test]
    fn what_says_the_same_has_the_same_fingerprint() {
        let same = canonical_hash(&event());
        assert_eq!(changed(|e| e.envelope.time = "2026-03-02T08:30:00Z".parse().unwrap()), same);
        assert_eq!(changed(|e| e.envelope.traceparent = Some("t".into())), same);
        assert_eq!(changed(|e| e.data = json!({"b": [1, 2], "c": [], "a": "x"})), same);
    }

    #[test]
    fn what_says_something_else_has_another_fingerprint() {
        let all = [
            canonical_hash(&event()),
            changed(|e| e.envelope.id = "a-2".parse().unwrap()),
            changed(|e| e.envelope.source = "urn:dk:akasse:foa".parse().unwrap()),
            changed(|e| e.envelope.receiver = "urn:dk:jobcenter:0707".parse().unwrap()),
            changed(|e| e.envelope.kind = KindId::new("complaint", 2)),
            changed(|e| e.envelope.time = "2026-03-02T08:30:00.000000001Z".parse().unwrap()),
            changed(|e| e.envelope.recorded = Some(e.envelope.time)),
            changed(|e| e.envelope.agreement = Some("x".into())),
            changed(|e| e.envelope.subject = Some("x".into())),
            changed(|e| e.envelope.correlation_id = Some("x".into())),
            changed(|e| e.envelope.causation_id = Some("x".into())),
            changed(|e| e.data = json!({"a": "x", "b": [2, 1]})),
            changed(|e| e.data = json!({"a": "x", "b": ["1", 2]})),
            changed(|e| e.data = json!({"a": "x", "b": [[1], 2]})),
            changed(|e| e.data = json!({"a": "x", "b": [1, 2], "c": null})),
            changed(|e| e.data = json!({"a": "x", "b": [1, 2], "c": {}})),
            changed(|e| e.data = json!({"a": "xb", "": [1, 2]})),
            changed(|e| e.data = json!({"a": "x", "b": [1, 2.5]})),
            changed(|e| e.data = json!({"a": "x", "b": [1, true]})),
            changed(|e| e.data = json!("ab")),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
