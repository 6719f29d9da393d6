//! A receiver that fetches: the parcel lies in the store until it is asked for and acknowledged.

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};

use serde::Deserialize;

use super::{Channel, Consignment};
use crate::domain::{Fault, Outcome};

/// There is nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The way out that waits to be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mailbox;

impl Channel for Mailbox {
    fn send<'a>(&'a self, _: &'a Consignment) -> BoxFuture<'a, Outcome> {
        ready(Outcome::Deposited).boxed()
    }

    /// There is nothing to reach: the receiver comes to us.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        ready(Ok(())).boxed()
    }
}
