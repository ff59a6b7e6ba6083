//! How rows are read and values stand in columns: enums as their words, quantities as reals, the rest as JSON.

use ichor_core::UnitError;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, StoreError, StudyState, VerdictKind};

/// All rows of a query.
pub(crate) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_map(params, read)?.collect::<rusqlite::Result<_>>()?)
}

/// A value that stands as JSON in a text column.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// The JSON of `value`, once it has been seen that it can be read back: JSON turns numbers that
/// are not finite into `null`, and a row that cannot be read would blind the console.
pub(crate) fn readable<T: Serialize + DeserializeOwned>(
    what: &'static str,
    value: &T,
) -> Result<String> {
    let checked = serde_json::to_string(value)
        .and_then(|json| serde_json::from_str::<T>(&json).map(|_| json));
    checked.map_err(|source| StoreError::Unstorable { what, source })
}

/// A quantity that stands as a real in the unit of its column's name.
pub(crate) struct Quantity<T>(pub(crate) T);

impl<T: TryFrom<f64, Error = UnitError>> FromSql for Quantity<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::try_from(value.as_f64()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A unit's words in SQL are those of its JSON.
macro_rules! words {
    ($name:ty { $($word:literal => $value:path),+ $(,)? }) => {
        impl $name {
            /// The word that the store, scripts and screens use.
            pub fn word(self) -> &'static str {
                match self { $($value => $word),+ }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok($value),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

words!(StudyState {
    "receiving" => StudyState::Receiving,
    "queued" => StudyState::Queued,
    "scoring" => StudyState::Scoring,
    "done" => StudyState::Done,
    "failed" => StudyState::Failed,
});
words!(VerdictKind {
    "expands" => VerdictKind::Expands,
    "stable" => VerdictKind::Stable,
    "withheld" => VerdictKind::Withheld,
});
