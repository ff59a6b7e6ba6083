//! Values that staff enters because no image tells them.

use ichor_core::UnixMs;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::append;
use crate::columns::all;
use crate::queue::uid;
use crate::{ClinicalValue, Result, Store, StoreError};

/// A value that may be entered; scorers know it as `clinical.` and its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClinicalName {
    /// The name, with its unit.
    pub name: &'static str,
    /// Lowest value taken.
    pub low: f64,
    /// Highest value taken.
    pub high: f64,
    /// Whether only whole numbers are taken; 0 and 1 stand for no and yes.
    pub whole: bool,
}

impl ClinicalName {
    const fn new(name: &'static str, low: f64, high: f64) -> Self {
        Self { name, low, high, whole: false }
    }

    const fn whole(name: &'static str, low: f64, high: f64) -> Self {
        Self { name, low, high, whole: true }
    }

    /// Every value that may be entered.
    pub const ALL: [Self; 10] = [
        Self::new("onset_to_ct_h", 0.0, 72.0),
        Self::new("age_years", 0.0, 120.0),
        Self::new("sbp_mmhg", 40.0, 320.0),
        Self::whole("gcs", 3.0, 15.0),
        Self::whole("anticoagulant", 0.0, 1.0),
        Self::whole("antiplatelet", 0.0, 1.0),
        Self::new("glucose_mgdl", 20.0, 1500.0),
        Self::whole("nihss", 0.0, 42.0),
        Self::whole("recurrent_ich", 0.0, 1.0),
        Self::whole("ivh", 0.0, 1.0),
    ];

    /// The entry called `name`, with or without the prefix `clinical.`.
    pub fn find(name: &str) -> Result<&'static Self> {
        let bare = name.strip_prefix("clinical.").unwrap_or(name);
        let found = const { &Self::ALL }.iter().find(|known| known.name == bare);
        found.ok_or_else(|| StoreError::ClinicalName { name: name.to_owned() })
    }

    fn check(&self, value: f64) -> Result<()> {
        let Self { name, low, high, whole } = *self;
        if (low..=high).contains(&value) && !(whole && value.fract() != 0.0) {
            return Ok(());
        }
        Err(StoreError::ClinicalValue { name, value, low, high, whole })
    }
}

impl Store {
    /// Enters a value in place of an earlier one; NaN, the value of what is missing, takes it
    /// back. What was entered before stays in the audit.
    pub fn set_clinical(
        &mut self,
        study: i64,
        name: &str,
        value: f64,
        by: &str,
        now: UnixMs,
    ) -> Result<()> {
        let known = ClinicalName::find(name)?;
        if !value.is_nan() {
            known.check(value)?;
        }
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            let before: Option<f64> = tx
                .query_row(
                    "DELETE FROM clinical WHERE study = ?1 AND name = ?2 RETURNING value",
                    params![study, known.name],
                    |row| row.get(0),
                )
                .optional()?;
            if !value.is_nan() {
                tx.execute(
                    "INSERT INTO clinical (study, name, value, who, at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![study, known.name, value, by, now.0],
                )?;
            }
            let detail = json!({"name": known.name, "from": before, "to": value});
            append(tx, now, by, "clinical", Some(&study_uid), &detail)
        })
    }

    /// The values entered for a study, by name.
    pub fn clinical(&self, study: i64) -> Result<Vec<ClinicalValue>> {
        read_clinical(&self.conn, study)
    }
}

pub(crate) fn read_clinical(conn: &Connection, study: i64) -> Result<Vec<ClinicalValue>> {
    let sql = "SELECT name, value, who, at_ms FROM clinical WHERE study = ?1 ORDER BY name";
    all(conn, sql, [study], |row| {
        Ok(ClinicalValue {
            name: row.get(0)?,
            value: row.get(1)?,
            by: row.get(2)?,
            at: UnixMs(row.get(3)?),
        })
    })
}

/// The names and ranges in words.
pub(crate) fn known() -> String {
    let one =
        |known: &ClinicalName| format!("{} ({} to {})", known.name, known.low, known.high);
    ClinicalName::ALL.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, at, image};

    #[test]
    fn a_value_out_of_its_range_is_refused_with_the_range() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        let mut check = |name: &str, value: f64, expected: &str| {
            let error = store.set_clinical(1, name, value, "ana", START).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("gcs", 2.0, "2 is no gcs: it must be a whole number from 3 to 15");
        check("gcs", 13.5, "13.5 is no gcs: it must be a whole number from 3 to 15");
        check(
            "onset_to_ct_h",
            72.5,
            "72.5 is no onset_to_ct_h: it must be a number from 0 to 72",
        );
        check(
            "nihss",
            f64::INFINITY,
            "inf is no nihss: it must be a whole number from 0 to 42",
        );
        check(
            "onset",
            1.0,
            "no clinical value is called \"onset\"; known: onset_to_ct_h (0 to 72), \
             age_years (0 to 120), sbp_mmhg (40 to 320), gcs (3 to 15), anticoagulant (0 to 1), \
             antiplatelet (0 to 1), glucose_mgdl (20 to 1500), nihss (0 to 42), \
             recurrent_ich (0 to 1), ivh (0 to 1)",
        );
        assert_eq!(store.clinical(1).unwrap(), []);
    }

    #[test]
    fn the_last_value_counts_and_can_be_taken_back() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        store.set_clinical(1, "clinical.onset_to_ct_h", 1.5, "ana", at(1.0)).unwrap();
        store.set_clinical(1, "onset_to_ct_h", 2.5, "ben", at(2.0)).unwrap();
        let entered = ClinicalValue {
            name: "onset_to_ct_h".to_owned(),
            value: 2.5,
            by: "ben".to_owned(),
            at: at(2.0),
        };
        assert_eq!(store.clinical(1).unwrap(), [entered]);
        store.set_clinical(1, "onset_to_ct_h", f64::NAN, "ben", at(3.0)).unwrap();
        assert_eq!(store.clinical(1).unwrap(), []);
        let last = store.audit(1, 10).unwrap().pop().unwrap();
        assert_eq!(last.detail, r#"{"from":2.5,"name":"onset_to_ct_h","to":null}"#);
    }
}
