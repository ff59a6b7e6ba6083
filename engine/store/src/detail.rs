//! Everything about one study, and how a person names it.

use ichor_core::{ClinicalValue, Features, UnitId, UnixMs};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, params};

use crate::clinical::read_clinical;
use crate::columns::{Json, Quantity, all};
use crate::worklist::read_row;
use crate::{Acknowledgement, Note, Result, SeriesRow, Store, StoreError, StoredVerdict};
use crate::{Row, ShadowFailure, StudyDetail};

impl Store {
    /// One study with all that belongs to it, as it stands at one moment.
    pub fn study(&self, study: i64) -> Result<Option<StudyDetail>> {
        self.read(|conn| {
            let Some(row) = read_row(conn, study)? else { return Ok(None) };
            detail(conn, study, row).map(Some)
        })
    }

    /// The row that `text` means: a row number (`12` or `#12`), a `StudyInstanceUID`, or the
    /// `PatientID` of a single study. `#12` never means a patient, `12` fails when it means both.
    pub fn find_study(&self, text: &str) -> Result<i64> {
        let text = text.trim();
        let number = text.strip_prefix('#').unwrap_or(text).parse::<i64>().ok();
        let patient = Some(text).filter(|text| !text.is_empty() && !text.starts_with('#'));
        let rows: Vec<i64> = all(
            &self.conn,
            "SELECT id FROM study WHERE id = ?1 OR uid = ?2 OR patient_id = ?2 ORDER BY id",
            params![number, patient],
            |row| row.get(0),
        )?;
        match rows[..] {
            [study] => Ok(study),
            [] => Err(StoreError::NoStudy { asked: text.to_owned() }),
            _ => Err(StoreError::SeveralStudies { asked: text.to_owned(), rows }),
        }
    }

    /// The feature sets that the last finished job of a revision was scored on, in the order of
    /// its outcome; empty where none was.
    pub fn features(&self, study: i64, revision: u32) -> Result<Vec<(UnitId, Features)>> {
        all(
            &self.conn,
            "SELECT f.unit, n.names, f.numbers FROM feature_set f
             JOIN feature_names n ON n.id = f.names
             WHERE f.job = (SELECT max(id) FROM job
                            WHERE study = ?1 AND revision = ?2 AND state = 'done')
             ORDER BY f.rank",
            params![study, revision],
            |row| {
                let unit: String = row.get(0)?;
                let unit = unit.parse().map_err(FromSqlError::other)?;
                let Json(names) = row.get(1)?;
                let numbers: Vec<u8> = row.get(2)?;
                let (numbers, _) = numbers.as_chunks();
                let values = numbers.iter().map(|number| f64::from_le_bytes(*number)).collect();
                Ok((unit, Features::new(names, values).map_err(FromSqlError::other)?))
            },
        )
    }
}

fn detail(conn: &Connection, study: i64, row: Row) -> Result<StudyDetail> {
    let (revision, accession, description) = conn
        .prepare_cached("SELECT revision, accession, description FROM study WHERE id = ?1")?
        .query_row([study], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let clinical = ClinicalValue::known(read_clinical(conn, study)?, row.age_years);
    let verdicts = verdicts(conn, study)?;
    let active = verdicts.iter().find(|verdict| Some(verdict.id) == row.verdict);
    let clinical_changed = active.map(|verdict| verdict.changed_since(&clinical));
    let clinical_changed = clinical_changed.into_iter().flatten().map(str::to_owned).collect();
    Ok(StudyDetail {
        row,
        revision,
        accession,
        description,
        series: series(conn, study)?,
        verdicts,
        notes: notes(conn, study)?,
        acknowledgements: acknowledgements(conn, study)?,
        shadow_failures: shadow_failures(conn, study)?,
        clinical,
        clinical_changed,
    })
}

fn series(conn: &Connection, study: i64) -> Result<Vec<SeriesRow>> {
    let sql =
        "SELECT uid, modality, description, n_images FROM series WHERE study = ?1 ORDER BY id";
    all(conn, sql, [study], |row| {
        Ok(SeriesRow {
            series_uid: row.get(0)?,
            modality: row.get(1)?,
            description: row.get(2)?,
            n_images: row.get(3)?,
        })
    })
}

fn verdicts(conn: &Connection, study: i64) -> Result<Vec<StoredVerdict>> {
    let sql = "SELECT id, revision, created_ms, kind, withheld, risk, threshold, volume_ml,
                   motion, shadow, provenance, contributions
               FROM verdict WHERE study = ?1 ORDER BY revision DESC, job DESC, shadow, id";
    all(conn, sql, [study], |row| {
        Ok(StoredVerdict {
            id: row.get(0)?,
            revision: row.get(1)?,
            created: UnixMs(row.get(2)?),
            kind: row.get(3)?,
            withheld: row.get::<_, Option<Json<_>>>(4)?.map(|json| json.0),
            risk: row.get::<_, Option<Quantity<_>>>(5)?.map(|risk| risk.0),
            threshold: row.get::<_, Option<Quantity<_>>>(6)?.map(|threshold| threshold.0),
            volume: row.get::<_, Option<Quantity<_>>>(7)?.map(|volume| volume.0),
            motion: row.get::<_, Option<Quantity<_>>>(8)?.map(|motion| motion.0),
            shadow: row.get(9)?,
            provenance: row.get::<_, Json<_>>(10)?.0,
            contributions: row.get::<_, Json<_>>(11)?.0,
        })
    })
}

fn shadow_failures(conn: &Connection, study: i64) -> Result<Vec<ShadowFailure>> {
    let sql = "SELECT scorer, revision, at_ms, why FROM shadow_failure
               WHERE study = ?1 ORDER BY revision DESC, job DESC, scorer";
    all(conn, sql, [study], |row| {
        let scorer: String = row.get(0)?;
        Ok(ShadowFailure {
            scorer: scorer.parse().map_err(FromSqlError::other)?,
            revision: row.get(1)?,
            at: UnixMs(row.get(2)?),
            why: row.get(3)?,
        })
    })
}

fn notes(conn: &Connection, study: i64) -> Result<Vec<Note>> {
    let sql = "SELECT at_ms, who, text FROM note WHERE study = ?1 ORDER BY id";
    all(conn, sql, [study], |row| {
        Ok(Note { at: UnixMs(row.get(0)?), by: row.get(1)?, text: row.get(2)? })
    })
}

/// Those that stand; withdrawn ones are told by the audit.
fn acknowledgements(conn: &Connection, study: i64) -> Result<Vec<Acknowledgement>> {
    let sql = "SELECT at_ms, who, verdict FROM acknowledgement
               WHERE study = ?1 AND withdrawn_ms IS NULL ORDER BY id";
    all(conn, sql, [study], |row| {
        Ok(Acknowledgement { at: UnixMs(row.get(0)?), by: row.get(1)?, verdict: row.get(2)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Incoming;
    use crate::sample::{START, Scratch, at, finished, image, outcome};

    #[test]
    fn a_study_is_found_by_row_uid_or_patient() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let patient = |study: &str, id: &str| Incoming {
            patient_id: id.to_owned(),
            ..image(study, 1, START)
        };
        store
            .record(&[
                patient("1", "A"),
                patient("2", "B"),
                patient("3", "B"),
                patient("4", "2"),
                patient("5", ""),
            ])
            .unwrap();
        let check = |text: &str, expected: &str| {
            let found = match store.find_study(text) {
                Ok(row) => row.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{text}");
        };
        check("3", "3");
        check(" #2 ", "2");
        check("1.2.4", "4");
        check("A", "1");
        check("B", "B means several studies: give one of the row numbers #2, #3");
        check("2", "2 means several studies: give one of the row numbers #2, #4");
        let none = |text: &str| {
            format!(
                "no study {text}: give a row number, a StudyInstanceUID or a PatientID of the list"
            )
        };
        check("99", &none("99"));
        check("#", &none("#"));
        check("", &none(""));
    }

    #[test]
    fn the_detail_holds_what_belongs_to_the_study() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        finished(&mut store, "2", at(-100.0), &outcome(0.7));
        let row = finished(&mut store, "1", START, &outcome(0.7));
        let late = Incoming {
            series_uid: "1.2.1.2".to_owned(),
            series_description: "Bone".to_owned(),
            ..image("1", 2, at(20.0))
        };
        store.record(&[late]).unwrap();
        store.note(row, "ana", " called ", at(30.0)).unwrap();
        store.set_clinical(row, "gcs", 13.0, "ana", at(31.0)).unwrap();
        let verdict = store.row(row).unwrap().unwrap().verdict;
        store.acknowledge(row, verdict, "ana", at(32.0)).unwrap();

        let detail = store.study(row).unwrap().unwrap();
        assert_eq!(detail.revision, 1);
        assert_eq!(
            detail.series.iter().map(|s| (&s.description[..], s.n_images)).collect::<Vec<_>>(),
            [("Axial", 1), ("Bone", 1)]
        );
        let note = Note { at: at(30.0), by: "ana".to_owned(), text: "called".to_owned() };
        assert_eq!(detail.notes, [note]);
        let seen = Acknowledgement { at: at(32.0), by: "ana".to_owned(), verdict };
        assert_eq!(detail.acknowledgements, [seen]);
        let clinical = detail.clinical.iter().map(|v| (&v.name[..], v.value, v.source.who()));
        let known = [("age_years", 63.0, "DICOM"), ("gcs", 13.0, "ana")];
        assert_eq!(clinical.collect::<Vec<_>>(), known);
        assert_eq!(detail.row, store.row(row).unwrap().unwrap());
        assert_eq!(store.study(99).unwrap(), None);
    }
}
