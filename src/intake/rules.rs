//! What one configuration generation judges messages by.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;

use crate::{
    codec::{Limits, Schema},
    domain::{
        Agreement, KindId, Party,
        agreement::OutsideValidity,
        answer::Subscription,
        route::Receiver,
        sla::{Promise, Stops},
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
    /// That the receiver has it.
    pub promise: Arc<Promise>,
    /// What else is promised.
    pub further: Vec<Arc<Promise>>,
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
    /// The kinds that a promise of an earlier message waits for.
    pub awaited: BTreeSet<String>,
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

    /// What a message is promised beside being delivered: what is promised in general, and in its place what the
    /// agreement promises under the same name.
    pub fn further<'a>(
        &'a self,
        kind: &str,
        agreement: Option<&'a Agreement>,
    ) -> impl Iterator<Item = &'a Arc<Promise>> {
        let agreed = agreement.map_or(&[][..], |agreement| agreement.further(kind));
        let general = self.promise_of(kind).further.iter();
        general.filter(|promise| !agreed.iter().any(|own| own.name() == promise.name())).chain(agreed)
    }

    /// The kinds that some promise waits for.
    pub fn awaited<'a>(
        promises: impl Iterator<Item = &'a KindPromise>,
        agreements: &'a [Agreement],
    ) -> BTreeSet<String> {
        let agreed = agreements.iter().flat_map(|agreement| agreement.promises.values());
        let further = promises.flat_map(|of| &of.further).chain(agreed.flat_map(|agreed| &agreed.further));
        let kinds = further.filter_map(|promise| match &promise.terms.stops {
            Stops::Kind(kind) => Some(kind.clone()),
            _ => None,
        });
        kinds.collect()
    }

    pub fn promise_of(&self, kind: &str) -> &KindPromise {
        self.promises.get(kind).unwrap_or(&self.promise)
    }

    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
