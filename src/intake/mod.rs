//! Messages in: gather → admit → accept → acknowledge, whichever way they come.
//!
//! A message is acknowledged only after the transaction that stored it committed (invariant I1).

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::ReceiptId,
    lifecycle::crash,
    store::{Admission, Arrived, Store, StoreError, Verdict, Way, views},
    telemetry::{Metrics, Part, trace::Kind},
};

mod admit;
mod agreements;
pub mod broker;
mod clocks;
mod counted;
mod examine;
mod fallback;
mod folder;
mod headers;
pub mod held;
pub mod measured;
mod memory;
mod promised;
pub mod receipts;
mod rules;
pub mod spool;
pub mod topology;
mod withheld;

pub use admit::{AHEAD_MAX, admit, admit_timed};
pub use agreements::consult;
use counted::Counted;
pub use examine::{Examined, admit_as_source, examine};
use measured::{Batch, Came};
pub use promised::moved;
pub use rules::{CompiledKind, KindPromise, Rules, Sender};

/// The one desk at which all ways in hand their messages over. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    rules: watch::Receiver<Arc<Rules>>,
}

/// A raw message as its way brought it.
#[derive(Debug, Clone)]
pub struct RawMessage {
    /// The code of the party whose credential brought it.
    pub party: String,
    pub content_type: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
    /// The sender's word for when it was sent.
    pub sent: Option<Timestamp>,
}

impl Intake {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        rules: watch::Receiver<Arc<Rules>>,
    ) -> Self {
        Self { store, clock, metrics, rules }
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    /// Gives a raw message its receipt and the time of its arrival.
    pub fn receive(&self, raw: RawMessage, way: Way, rules: &Rules) -> Arrived {
        Arrived {
            receipt: ReceiptId::from_fresh(Uuid::now_v7()),
            party: raw.party,
            way,
            received: self.clock.now(),
            sent: raw.sent,
            content_type: raw.content_type,
            headers: raw.headers,
            raw: raw.body,
            generation: rules.generation,
            in_hand: None,
        }
    }

    /// Judges and stores a batch: one verdict each, in order, all committed.
    ///
    /// # Errors
    /// The store could not commit: nothing was taken, nothing may be acknowledged.
    pub async fn take(&self, batch: Vec<RawMessage>, way: Way) -> Result<Vec<Verdict>, StoreError> {
        let rules = self.rules();
        let name = format!("process {}", way.name());
        let came = Came { traceparent: None, tracestate: None, kind: Kind::Consumer, name: &name };
        let mut judged = Batch::new(self, batch.len());
        for raw in batch {
            let arrived = self.receive(raw, way, &rules);
            judged.judge(&came, |lap| admit_timed(&rules, arrived, lap), |_| ());
        }
        judged.accept().await.map(|(verdicts, _)| verdicts)
    }

    /// Judges the bytes of a message that was stored before by the rules of now, and stores what they come to
    /// as a new arrival. Whose identity was accepted meanwhile is a duplicate.
    ///
    /// # Errors
    /// As [`Intake::take`].
    ///
    /// # Panics
    /// The store gives another number of verdicts than it was handed admissions.
    pub async fn take_again(&self, stored: views::RawMessage) -> Result<Verdict, StoreError> {
        let views::RawMessage { party, content_type, headers, raw, .. } = stored;
        let raw = RawMessage { party, content_type, headers, body: raw, sent: None };
        let mut verdicts = self.take(vec![raw], Way::Local).await?;
        Ok(verdicts.pop().expect("the store gives one verdict for each admission"))
    }

    /// Stores what was admitted, and counts it.
    ///
    /// # Errors
    /// As [`Intake::take`].
    pub async fn accept(&self, admissions: Vec<Admission>) -> Result<Vec<Verdict>, StoreError> {
        if admissions.is_empty() {
            return Ok(vec![]);
        }
        let counted = Counted::of(&admissions);
        let began = self.clock.monotonic();
        crash::point("intake.before-commit");
        let verdicts = self.store.accept(admissions).await?;
        crash::point("intake.after-commit");
        let waited = self.clock.monotonic().saturating_sub(began);
        self.metrics
            .commit_duration
            .get_or_create(&Part { part: "intake".into() })
            .observe(waited.as_secs_f64());
        counted.count(&self.metrics, &verdicts, waited);
        Ok(verdicts)
    }
}
