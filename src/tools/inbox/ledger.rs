//! What the inbox has taken: every idempotency key, how often it came and with which body.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::units;

/// Keys remembered. Beyond it new ones are refused: forgetting one would take a duplicate for a delivery.
pub const KEYS_MAX: usize = 2_000_000;

/// Deliveries whose bodies are kept for showing, and at most so much of each.
const BODIES_MAX: usize = 100;
const BODY_SHOWN_BYTES_MAX: usize = 64 * 1024;

/// Deliveries that can be listed; older ones are only counted.
const LISTED_MAX: usize = 100_000;

/// What came, by number from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub number: u64,
    pub key: String,
    pub receipt_id: String,
    pub content_type: String,
    pub bytes: usize,
    /// In hex.
    pub body_sha256: String,
    pub at: Timestamp,
    pub verdict: Taken,
}

/// What the key says of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Taken {
    /// The key is new.
    New,
    /// The key came before, with this very body.
    Duplicate,
    /// The key came before with another body: the sender has broken its promise.
    OtherBody,
}

/// How much came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests that could have been a delivery, taken or not.
    pub attempts: u64,
    /// Different keys.
    pub unique: u64,
    /// The same key and body again.
    pub duplicates: u64,
    /// The same key with another body.
    pub other_body: u64,
    /// Answered with a failure, or not answered, and not taken.
    pub not_taken: u64,
    /// Without a key, a signature or a readable body.
    pub wrong: u64,
}

/// Everything that was taken since the start.
#[derive(Debug, Default)]
pub struct Ledger {
    keys: HashMap<String, Known>,
    listed: VecDeque<Delivery>,
    bodies: VecDeque<(u64, Bytes)>,
    stats: Stats,
    number: u64,
}

#[derive(Debug)]
struct Known {
    body: [u8; 32],
    /// The number of the delivery that brought the key: its receipt is repeated.
    first: u64,
}

impl Ledger {
    pub fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn attempted(&mut self) {
        self.stats.attempts += 1;
    }

    pub(super) fn not_taken(&mut self) {
        self.stats.not_taken += 1;
    }

    pub(super) fn wrong(&mut self) {
        self.stats.wrong += 1;
    }

    /// Enters a delivery. `None`: [`KEYS_MAX`] are known already.
    pub fn take(&mut self, key: &str, content_type: &str, body: &Bytes, at: Timestamp) -> Option<&Delivery> {
        let hash: [u8; 32] = Sha256::digest(body).into();
        let number = self.number + 1;
        let (verdict, first) = match self.keys.get(key) {
            None if self.keys.len() >= KEYS_MAX => return None,
            None => {
                self.keys.insert(key.to_owned(), Known { body: hash, first: number });
                self.stats.unique += 1;
                (Taken::New, number)
            }
            Some(known) if known.body == hash => {
                self.stats.duplicates += 1;
                (Taken::Duplicate, known.first)
            }
            Some(known) => {
                self.stats.other_body += 1;
                (Taken::OtherBody, known.first)
            }
        };
        self.number = number;
        if self.listed.len() == LISTED_MAX {
            self.listed.pop_front();
        }
        if self.bodies.len() == BODIES_MAX {
            self.bodies.pop_front();
        }
        self.bodies.push_back((number, body.slice(..body.len().min(BODY_SHOWN_BYTES_MAX))));
        self.listed.push_back(Delivery {
            number,
            key: key.to_owned(),
            receipt_id: format!("INBOX-{first:08}"),
            content_type: content_type.to_owned(),
            bytes: body.len(),
            body_sha256: units::hex(&hash),
            at,
            verdict,
        });
        self.listed.back()
    }

    /// The deliveries with a number above `after`, at most `most`, oldest first.
    pub fn after(&self, after: u64, most: usize) -> Vec<Delivery> {
        let from = self.listed.partition_point(|delivery| delivery.number <= after);
        self.listed.range(from..).take(most).cloned().collect()
    }

    /// The latest deliveries, newest first.
    pub(super) fn latest(&self, most: usize) -> impl Iterator<Item = &Delivery> {
        self.listed.iter().rev().take(most)
    }

    /// The body of a delivery, while it is kept.
    pub(super) fn body(&self, number: u64) -> Option<Bytes> {
        self.bodies.iter().find(|(kept, _)| *kept == number).map(|(_, body)| body.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_a_duplicate_from_a_delivery_and_from_a_broken_promise() {
        let mut ledger = Ledger::default();
        let taken: Vec<_> = [("a", "x"), ("a", "x"), ("b", "x"), ("a", "y")]
            .into_iter()
            .map(|(key, body)| {
                let delivery =
                    ledger.take(key, "text/plain", &Bytes::from(body), Timestamp::UNIX_EPOCH).unwrap();
                (delivery.verdict, delivery.receipt_id.clone())
            })
            .collect();
        let expected = [
            (Taken::New, "INBOX-00000001".to_owned()),
            (Taken::Duplicate, "INBOX-00000001".to_owned()),
            (Taken::New, "INBOX-00000003".to_owned()),
            (Taken::OtherBody, "INBOX-00000001".to_owned()),
        ];
        assert_eq!(taken, expected);
        let Stats { unique, duplicates, other_body, .. } = ledger.stats();
        assert_eq!((unique, duplicates, other_body), (2, 1, 1));
    }

    #[test]
    fn what_is_kept_for_showing_is_bounded_and_counting_goes_on() {
        let mut ledger = Ledger::default();
        let body = Bytes::from(vec![b'x'; BODY_SHOWN_BYTES_MAX + 1]);
        for number in 1..=150 {
            ledger.take(&number.to_string(), "text/plain", &body, Timestamp::UNIX_EPOCH).unwrap();
        }
        assert_eq!(ledger.bodies.len(), BODIES_MAX);
        assert_eq!(ledger.body(150).map(|body| body.len()), Some(BODY_SHOWN_BYTES_MAX));
        assert_eq!(ledger.body(1), None);
        assert_eq!(ledger.stats().unique, 150);
        assert_eq!(ledger.after(148, 1).iter().map(|delivery| delivery.number).collect::<Vec<_>>(), [149]);
    }
}
