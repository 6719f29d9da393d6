//! What can go wrong in a transaction, and what to do about it.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// Why an operation did not come to its end.
#[derive(Debug)]
pub(super) enum Fail {
    Database(tokio_postgres::Error),
    /// A row holds what no version of ours writes.
    Unreadable(StoreError),
    /// Another node was in between: the same transaction again comes to an end.
    Again,
    /// It took too long, and the connection is given up with all that was begun on it.
    Cut,
}

impl From<tokio_postgres::Error> for Fail {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// What the writer does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same again, on the same connection.
    Again,
    /// The same again, on another connection.
    Reconnect,
    /// Each operation for itself: one of them is at fault.
    Part,
    /// Nothing: it is told.
    Tell,
}

impl Fail {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Again => Remedy::Again,
            Self::Cut => Remedy::Reconnect,
            Self::Unreadable(_) => Remedy::Part,
            Self::Database(error) => match error.code() {
                Some(code) => of_code(code),
                None => Remedy::Reconnect,
            },
        }
    }

    /// As callers are told.
    pub(super) fn store_error(&self) -> StoreError {
        match self {
            Self::Unreadable(error) => error.clone(),
            Self::Again => unavailable("other nodes were in between again and again"),
            Self::Cut => unavailable("the database took too long"),
            Self::Database(error) if is_content(error) => StoreError::Content(Arc::from(text(error))),
            Self::Database(error) => unavailable(&text(error)),
        }
    }
}

/// By the class of PostgreSQL's error code (appendix A of its manual).
fn of_code(code: &SqlState) -> Remedy {
    match code.code() {
        // Serialization failure, deadlock, and a lock or a statement that took too long.
        "40001" | "40P01" | "55P03" | "57014" => Remedy::Again,
        // Gone over to a standby, or become one: another connection may find the primary.
        "25006" => Remedy::Reconnect,
        // The server's own end of an idle transaction.
        "25P03" => Remedy::Reconnect,
        code if code.starts_with("08") || code.starts_with("57") => Remedy::Reconnect,
        code if code.starts_with("22") || code.starts_with("23") => Remedy::Part,
        _ => Remedy::Tell,
    }
}

fn is_content(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23"))
}

/// The error's message and code, without the detail, which may show a row.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} ({})", told.message(), told.code().code());
    }
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(super) fn unavailable(text: &str) -> StoreError {
    StoreError::Unavailable(Arc::from(text))
}

pub(super) fn unusable(text: String) -> StoreError {
    StoreError::Unusable(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_mends_is_tried_again_and_what_content_spoils_is_parted() {
        for (code, remedy) in [
            (SqlState::T_R_SERIALIZATION_FAILURE, Remedy::Again),
            (SqlState::T_R_DEADLOCK_DETECTED, Remedy::Again),
            (SqlState::LOCK_NOT_AVAILABLE, Remedy::Again),
            (SqlState::ADMIN_SHUTDOWN, Remedy::Reconnect),
            (SqlState::READ_ONLY_SQL_TRANSACTION, Remedy::Reconnect),
            (SqlState::CONNECTION_FAILURE, Remedy::Reconnect),
            (SqlState::CHARACTER_NOT_IN_REPERTOIRE, Remedy::Part),
            (SqlState::CHECK_VIOLATION, Remedy::Part),
            (SqlState::DISK_FULL, Remedy::Tell),
            (SqlState::UNDEFINED_TABLE, Remedy::Tell),
        ] {
            assert_eq!(of_code(&code), remedy, "{code:?}");
        }
    }
}
