//! What one configuration generation judges messages by.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;

use crate::{
    codec::{Limits, Schema},
    domain::{
        Agreement, KindId, Party, agreement::OutsideValidity, answer::Subscription, route::Receiver,
        sla::Promise,
    },
    kinds::{self, Kind},
};

/// A kind with its compiled schema.
pub struct CompiledKind {
    pub kind: &'static Kind,
    pub schema: Schema,
}

/// A party that may send.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    pub party: Party,
    /// The AMQP user whose messages are the party's.
    pub amqp_user: Option<String>,
    pub answers: Subscription,
    /// Headers of a legacy sender, by the attribute they stand for: header name in lower case → attribute.
    pub headers: BTreeMap<String, String>,
    /// Attributes that a legacy sender never sends, with their fixed values.
    pub defaults: BTreeMap<String, String>,
}

/// What a kind is promised, and how long it is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct KindPromise {
    pub promise: Promise,
    /// After its deadline it is tried this long; `None`: for ever.
    pub retry_window: Option<SignedDuration>,
}

/// Everything admission needs to know; immutable. A reload makes a new one with a higher generation.
pub struct Rules {
    pub generation: u64,
    pub limits: Limits,
    pub kinds: BTreeMap<KindId, CompiledKind>,
    pub senders: BTreeMap<String, Sender>,
    pub agreements: Vec<Agreement>,
    pub outside_validity: OutsideValidity,
    pub receivers: Vec<Receiver>,
    pub promises: BTreeMap<String, KindPromise>,
    /// For kinds without a promise of their own.
    pub promise: KindPromise,
    /// How far ahead of our clock a business time may lie.
    pub ahead_max: SignedDuration,
    /// How old a business time may be: as long as identities are kept.
    pub age_max: SignedDuration,
}

impl Rules {
    /// Every kind's schema, compiled.
    ///
    /// # Panics
    /// A schema that ships with the program does not compile; a test compiles them all.
    pub fn compile_kinds() -> BTreeMap<KindId, CompiledKind> {
        kinds::KINDS
            .iter()
            .map(|kind| {
                let schema = Schema::compile(kind.schema).expect("every schema that ships compiles");
                (kind.id(), CompiledKind { kind, schema })
            })
            .collect()
    }

    /// The party whose messages an AMQP user brings.
    pub fn sender_of_user(&self, user: &str) -> Option<&Sender> {
        self.senders.values().find(|s| s.amqp_user.as_deref() == Some(user))
    }

    pub fn promise_of(&self, kind: &str) -> &KindPromise {
        self.promises.get(kind).unwrap_or(&self.promise)
    }

    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
