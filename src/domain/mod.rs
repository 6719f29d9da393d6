//! The vocabulary everyone else speaks: pure values and pure rules.
//!
//! Nothing here does I/O, reads a clock or starts a task (invariant I5). What depends on time takes `now`,
//! what depends on chance takes `jitter`.

pub mod attempt;
pub mod calendar;

pub mod agreement;
pub mod alert;
pub mod answer;
pub mod case;
pub mod circuit;
pub mod cpr;
pub mod delivery;
pub mod distribution;
pub mod fault;
pub mod figure;
pub mod forecast;
pub mod identifiers;
pub mod ladder;
pub mod maintenance;
pub mod message;
pub mod pace;
pub mod parcel;
pub mod party;
pub mod placement;
pub mod profile;
pub mod receipt;
pub mod retry;
pub mod route;
pub mod sla;
pub mod spread;

pub mod violation;

pub use agreement::Agreement;
pub use answer::{Answer, AnswerOutcome};
pub use attempt::{AttemptRecord, Outcome};
pub use delivery::{DeliveryId, HoldReason, ReceiptId};
pub use fault::{Fault, FaultClass, FaultCode};
pub use identifiers::{AkasseCode, Cpr, Cvr, EventId, Gln, MunicipalityCode, PNumber};
pub use message::{Envelope, Event, KindId};
pub use parcel::{Format, Parcel};
pub use party::Party;
pub use profile::Profile;
pub use violation::{Severity, Text, Violation};
