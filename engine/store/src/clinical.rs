//! Values that staff enters because no image tells them.

use ichor_core::{ClinicalName, ClinicalSource, ClinicalValue, UnixMs};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::append;
use crate::columns::all;
use crate::queue::uid;
use crate::{Result, Store};

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
        let value = known.check(value)?;
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

    /// The values that staff entered for a study, by name.
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
            source: ClinicalSource::Staff { by: row.get(2)?, at: UnixMs(row.get(3)?) },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, at, image};

    #[test]
    fn a_value_that_cannot_be_is_not_stored() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        let mut check = |name: &str, value: f64, expected: &str| {
            let error = store.set_clinical(1, name, value, "ana", START).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        check("gcs", 2.0, "2 is no gcs: it must be a whole number from 3 to 15");
        check("nihss", f64::INFINITY, "inf is no nihss");
        check("onset", 1.0, "no clinical value is called \"onset\"; known: onset_to_ct_h");
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
            source: ClinicalSource::Staff { by: "ben".to_owned(), at: at(2.0) },
        };
        assert_eq!(store.clinical(1).unwrap(), [entered]);
        store.set_clinical(1, "onset_to_ct_h", f64::NAN, "ben", at(3.0)).unwrap();
        assert_eq!(store.clinical(1).unwrap(), []);
        let last = store.audit(1, 10).unwrap().pop().unwrap();
        assert_eq!(last.detail, r#"{"from":2.5,"name":"onset_to_ct_h","to":null}"#);
    }
}
