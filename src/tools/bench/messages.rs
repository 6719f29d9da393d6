//! The messages that are measured with: the contract's own, three kinds mixed, made before the clock starts.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::tools::generate;

/// How the ids of messages follow each other: what a store pays for an index depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// UUID version 4: what senders usually write.
    #[default]
    Random,
    /// UUID version 7: by time.
    Ordered,
}

/// What is made.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    pub count: u32,
    /// The same seed makes the same content.
    pub seed: u64,
    /// Codes of the a-kasser that send, one after the other.
    pub parties: &'a [String],
    /// Codes of the jobcentres they are for, one after the other.
    pub jobcentres: &'a [String],
    pub ids: Ids,
    /// Each carries its number in its `traceparent`, which travels to the receiver.
    pub numbered: bool,
}

impl Messages<'_> {
    /// Each message with its sender's code.
    pub fn make(&self, now: Timestamp) -> Vec<(String, Bytes)> {
        (0..self.count).map(|number| self.one(number, now)).collect()
    }

    fn one(&self, number: u32, now: Timestamp) -> (String, Bytes) {
        let place = number as usize;
        let party = &self.parties[place / generate::KINDS.len() % self.parties.len()];
        let kind = generate::KINDS[place % generate::KINDS.len()];
        let (source, receiver) =
            (format!("urn:dk:akasse:{party}"), format!("urn:dk:jobcenter:{}", self.jobcentre(number)));
        let id = match self.ids {
            Ids::Random => Uuid::new_v4(),
            Ids::Ordered => Uuid::now_v7(),
        };
        let seed = self.seed + u64::from(number);
        let mut event = generate::event(kind, seed, &id.to_string(), &source, &receiver, now);
        if self.numbered {
            event["traceparent"] = json!(traceparent(number));
        }
        (party.clone(), Bytes::from(event.to_string()))
    }

    /// The code of whom the message of that number is for. Each has every kind from every sender in turn.
    pub fn jobcentre(&self, number: u32) -> &str {
        let before = generate::KINDS.len() * self.parties.len();
        &self.jobcentres[number as usize / before % self.jobcentres.len()]
    }
}

/// The first half of the trace ids; the second is the message's number.
const TRACE: &str = "00-6b61737365622d31";

fn traceparent(number: u32) -> String {
    format!("{TRACE}{number:016x}-6b61737365622d31-01")
}

/// The number of the message whose `traceparent` it is. `None`: it is not one of ours.
pub fn number_of(traceparent: &str) -> Option<u32> {
    u32::from_str_radix(traceparent.strip_prefix(TRACE)?.get(..16)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_traceparent() {
        for number in [0, 1, 4711, u32::MAX] {
            assert_eq!(number_of(&traceparent(number)), Some(number));
        }
        assert_eq!(number_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), None);
        assert_eq!(number_of(TRACE), None);
    }

    #[test]
    fn every_sender_and_every_jobcentre_has_messages_of_every_kind() {
        let (parties, jobcentres) = (["3f".to_owned(), "krifa".into()], ["0101".to_owned(), "0707".into()]);
        let messages = Messages {
            count: 12,
            seed: 1,
            parties: &parties,
            jobcentres: &jobcentres,
            ids: Ids::Ordered,
            numbered: true,
        };
        let made = messages.make(Timestamp::UNIX_EPOCH);
        let mut seen = std::collections::BTreeSet::new();
        for (number, (party, body)) in (0..).zip(&made) {
            let event: serde_json::Value = serde_json::from_slice(body).unwrap();
            let receiver = format!("urn:dk:jobcenter:{}", messages.jobcentre(number));
            assert_eq!(
                (&event["source"], &event["receiver"]),
                (&json!(format!("urn:dk:akasse:{party}")), &json!(receiver))
            );
            assert_eq!(number_of(event["traceparent"].as_str().unwrap()), Some(number));
            seen.insert((party.clone(), event["type"].to_string(), receiver));
        }
        assert_eq!(made.len(), 12);
        // Two senders, two jobcentres, three kinds: all twelve of them.
        assert_eq!(seen.len(), 12, "{seen:?}");
    }
}
