//! Values that staff enters because no image tells them.

use ichor_core::{
    ClinicalName, ClinicalSource, ClinicalValue, Contribution, Provenance, UnixMs,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::append;
use crate::columns::{Json, all};
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
            note_changed(tx, study)?;
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

/// Says in the study's row whether its verdict was made on what is known by now.
pub(crate) fn note_changed(tx: &Connection, study: i64) -> Result<()> {
    let found = tx
        .prepare_cached(
            "SELECT v.provenance, v.contributions, s.age_years FROM study s
             JOIN verdict v ON v.id = s.active_verdict WHERE s.id = ?1",
        )?
        .query_row([study], |row| {
            let Json::<Provenance>(made) = row.get(0)?;
            let Json::<Vec<Contribution>>(contributions) = row.get(1)?;
            Ok((made.clinical, contributions, row.get(2)?))
        })
        .optional()?;
    let Some((used, contributions, age_years)) = found else { return Ok(()) };
    let known = ClinicalValue::known(read_clinical(tx, study)?, age_years);
    let is_changed = !changed(&contributions, &used, &known).is_empty();
    tx.execute(
        "UPDATE study SET clinical_changed = ?2 WHERE id = ?1",
        params![study, is_changed],
    )?;
    Ok(())
}

/// Names of the clinical values among `contributions` that are not in `known` as the scorer had
/// them. What the header of the images says counts as it was `used`: no person changed it.
pub(crate) fn changed<'a>(
    contributions: &'a [Contribution],
    used: &[ClinicalValue],
    known: &[ClinicalValue],
) -> Vec<&'a str> {
    let of = |values: &[ClinicalValue], name: &str| {
        let found = values.iter().find(|value| value.name == name);
        found.map(|value| (value.value, value.source == ClinicalSource::Dicom))
    };
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
    let wanted = contributions
        .iter()
        .filter_map(|push| Some((ClinicalName::of_input(&push.name)?, push.value)));
    let is_changed = |name: &str, had: Option<f64>| match (had, of(known, name)) {
        (Some(_), Some((_, true))) if of(used, name).is_some_and(|(_, dicom)| dicom) => false,
        (Some(had), Some((now, _))) => !same(had, now),
        (had, now) => had.is_some() != now.is_some(),
    };
    wanted.filter(|(name, had)| is_changed(name, *had)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::sample::{START, Scratch, at, finished, image, leased, outcome};

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

    #[test]
    fn a_row_says_that_its_verdict_was_made_on_other_values() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let study = finished(&mut store, "1", START, &asked(None, None));
        let check = |store: &Store, expected: &[&str]| {
            let detail = store.study(study).unwrap().unwrap();
            assert_eq!(detail.clinical_changed, expected);
            assert_eq!(detail.row.clinical_changed, !expected.is_empty());
            assert_eq!(store.worklist().unwrap(), [detail.row]);
        };
        // The header knows an age that the scorer was not told.
        check(&store, &["age_years"]);
        let again = |store: &mut Store, outcome: &Outcome, seconds: f64| {
            store.requeue(study, "ana", at(seconds)).unwrap();
            let job = leased(store, at(seconds + 1.0));
            store.finish(&job, "w1", outcome, at(seconds + 2.0)).unwrap();
        };
        again(&mut store, &asked(Some(64.0), None), 20.0);
        check(&store, &[]);
        // A value that this scorer never asks for changes nothing.
        store.set_clinical(study, "nihss", 4.0, "ana", at(30.0)).unwrap();
        check(&store, &[]);
        store.set_clinical(study, "gcs", 13.0, "ana", at(31.0)).unwrap();
        check(&store, &["gcs"]);
        store.set_clinical(study, "gcs", f64::NAN, "ana", at(32.0)).unwrap();
        check(&store, &[]);
        store.set_clinical(study, "age_years", 70.0, "ana", at(33.0)).unwrap();
        check(&store, &["age_years"]);
        // Entered while the study was being scored.
        again(&mut store, &asked(Some(64.0), Some(13.0)), 40.0);
        check(&store, &["age_years", "gcs"]);
    }

    /// What a scorer of age and coma scale says; the age from the header of another image of the
    /// study than the one that the row shows.
    fn asked(age_years: Option<f64>, gcs: Option<f64>) -> Outcome {
        let mut outcome = outcome(0.7);
        let result = &mut outcome.results[1];
        let push = |name: &str, value| {
            let name = format!("clinical.{name}");
            Contribution { name, value, log_odds: 0.0 }
        };
        result.contributions = vec![push("age_years", age_years), push("gcs", gcs)];
        let age = age_years.map(|value| {
            let name = "age_years".to_owned();
            ClinicalValue { name, value, source: ClinicalSource::Dicom }
        });
        result.provenance.clinical.extend(age);
        outcome
    }
}
