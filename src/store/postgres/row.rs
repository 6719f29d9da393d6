//! Reads the columns of ours that need more than a cast.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::FromSqlOwned};
use uuid::Uuid;

use super::fail::Fail;
use crate::{
    domain::{Cpr, Fault, Parcel, ReceiptId, Violation},
    store::StoreError,
};

/// Reads a row by the names of its columns. A value that none of our versions writes is an error, never a panic.
pub(super) trait Read {
    fn value<T: FromSqlOwned>(&self, column: &'static str) -> Result<T, Fail>;

    /// What was counted: never negative.
    fn count(&self, column: &'static str) -> Result<u32, Fail> {
        let count: i32 = self.value(column)?;
        u32::try_from(count).map_err(|_| unreadable(column))
    }

    fn small(&self, column: &'static str) -> Result<u8, Fail> {
        let small: i16 = self.value(column)?;
        u8::try_from(small).map_err(|_| unreadable(column))
    }

    fn instant(&self, column: &'static str) -> Result<Timestamp, Fail> {
        self.instant_or_none(column)?.ok_or_else(|| unreadable(column))
    }

    fn instant_or_none(&self, column: &'static str) -> Result<Option<Timestamp>, Fail> {
        let Some(microseconds) = self.value::<Option<i64>>(column)? else { return Ok(None) };
        Timestamp::from_microsecond(microseconds).map(Some).map_err(|_| unreadable(column))
    }

    fn receipt(&self, column: &'static str) -> Result<ReceiptId, Fail> {
        ReceiptId::from_stored(self.value::<Uuid>(column)?).ok_or_else(|| unreadable(column))
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, Fail> {
        let Some(text) = self.value::<Option<String>>(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| unreadable(column))
    }

    fn fault(&self, column: &'static str) -> Result<Option<Fault>, Fail> {
        self.json(column)
    }

    fn violations(&self, column: &'static str) -> Result<Vec<Violation>, Fail> {
        self.json(column).map(Option::unwrap_or_default)
    }

    /// The finished bytes, from the columns `format`, `format_version`, `content_type`, `body` and `citizen`.
    fn parcel(&self) -> Result<Parcel, Fail> {
        let format: String = self.value("format")?;
        Ok(Parcel {
            format: format.parse().map_err(|_: String| unreadable("format"))?,
            format_version: self
                .value::<i32>("format_version")?
                .try_into()
                .map_err(|_| unreadable("format_version"))?,
            content_type: self.value::<String>("content_type")?.into(),
            body: self.value::<Vec<u8>>("body")?.into(),
            citizen: self
                .value::<Option<String>>("citizen")?
                .map(|digits| Cpr::parse(&digits).map_err(|_| unreadable("citizen")))
                .transpose()?,
        })
    }
}

impl Read for Row {
    fn value<T: FromSqlOwned>(&self, column: &'static str) -> Result<T, Fail> {
        self.try_get(column).map_err(|_| unreadable(column))
    }
}

pub(super) fn unreadable(column: &'static str) -> Fail {
    Fail::Unreadable(StoreError::Corrupt { table: "the database", column, row: 0 })
}
