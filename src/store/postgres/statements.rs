//! The statements of nearly every transaction, prepared when the connection is opened: they are sent one behind the
//! other, and a statement that is only prepared on the way would come after those that follow it.

use tokio_postgres::{Client, Statement};

use super::{accept, fail::Fail, logs, settle, work};

/// Makes the list, and prepares it in one round trip.
macro_rules! statements {
    ($($name:ident: $sql:expr),* $(,)?) => {
        pub(super) struct Statements {
            $(pub(super) $name: Statement,)*
        }

        impl Statements {
            pub(super) async fn prepare(client: &Client) -> Result<Self, Fail> {
                let ($($name,)*) = futures_util::try_join!($(client.prepare($sql)),*)?;
                Ok(Self { $($name,)* })
            }
        }
    };
}

statements! {
    mark: work::MARK,
    lock_keys: work::LOCK_KEYS,
    lock: work::LOCK,
    claim: accept::CLAIM,
    pending: accept::PENDING,
    settle: settle::SETTLE,
    release_next: settle::RELEASE_NEXT,
    messages: accept::insert::MESSAGES,
    deliveries: accept::insert::DELIVERIES,
    parcels: accept::insert::PARCELS,
    deadlines: accept::insert::DEADLINES,
    events: logs::EVENTS,
    answers: logs::ANSWERS,
    changes: logs::CHANGES,
}
