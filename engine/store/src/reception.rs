//! Objects come in: they make studies, and late ones re-open them.
//!
//! An object belongs to the revision that will be queued next, so a job's files are fixed
//! however many come later. The first object with a UID is kept, the first `PatientID` too.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::{Incoming, Result, Store, StoreError, StudyState};

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It belongs to its study now.
    New {
        /// The study's row.
        study: i64,
        /// True when the study had been queued before and receives again.
        reopened: bool,
    },
    /// The same bytes are known under this UID.
    Duplicate,
    /// Other bytes are known under this UID; those are kept, and the audit tells.
    Differs,
}

/// What is known of a study when another object comes.
struct Known {
    id: i64,
    state: StudyState,
    revision: u32,
    patient_id: String,
}

impl Store {
    /// Records objects that lie durable on disk, in one transaction; one answer for each.
    pub fn record(&mut self, incoming: &[Incoming]) -> Result<Vec<Recorded>> {
        self.write(|tx| incoming.iter().map(|object| record_one(tx, object)).collect())
    }
}

fn record_one(tx: &Connection, object: &Incoming) -> Result<Recorded> {
    let known: Option<String> = tx
        .prepare_cached("SELECT sha256 FROM object WHERE uid = ?1")?
        .query_row([&object.sop_uid], |row| row.get(0))
        .optional()?;
    if let Some(first) = known {
        if first == object.sha256 {
            return Ok(Recorded::Duplicate);
        }
        let detail = json!({
            "sop_uid": object.sop_uid, "kept": first, "refused": object.sha256,
            "source": object.source,
        });
        audit(tx, object, "object-differs", &detail)?;
        return Ok(Recorded::Differs);
    }
    let study = match known_study(tx, object)? {
        Some(study) => study,
        None => new_study(tx, object)?,
    };
    note_other_patient(tx, object, &study)?;
    insert_object(tx, object, &study)?;
    let reopened = study.state != StudyState::Receiving;
    if reopened {
        reopen(tx, object, &study)?;
    }
    update_study(tx, object, study.id)?;
    Ok(Recorded::New { study: study.id, reopened })
}

fn known_study(tx: &Connection, object: &Incoming) -> Result<Option<Known>> {
    Ok(tx
        .prepare_cached("SELECT id, state, revision, patient_id FROM study WHERE uid = ?1")?
        .query_row([&object.study_uid], |row| {
            Ok(Known {
                id: row.get(0)?,
                state: row.get(1)?,
                revision: row.get(2)?,
                patient_id: row.get(3)?,
            })
        })
        .optional()?)
}

fn new_study(tx: &Connection, object: &Incoming) -> Result<Known> {
    tx.prepare_cached(
        "INSERT INTO study (uid, patient_id, patient_name, birth_date, age_years, sex,
             accession, description, scan_ms, last_received_ms, phantom)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        object.study_uid,
        object.patient_id,
        object.patient_name,
        object.birth_date,
        object.age_years,
        object.sex,
        object.accession,
        object.study_description,
        object.scan.map(|at| at.0),
        object.received.0,
        object.phantom,
    ])?;
    let id = tx.last_insert_rowid();
    audit(tx, object, "received", &json!({"row": id, "source": object.source}))?;
    Ok(Known {
        id,
        state: StudyState::Receiving,
        revision: 0,
        patient_id: object.patient_id.clone(),
    })
}

/// Keeps the first `PatientID` and warns of each other one once; a blank one is no other.
fn note_other_patient(tx: &Connection, object: &Incoming, study: &Known) -> Result<()> {
    let other = &object.patient_id;
    if other.is_empty() || study.patient_id.is_empty() || *other == study.patient_id {
        return Ok(());
    }
    let n_new = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO other_patient (study, patient_id) VALUES (?1, ?2)",
        )?
        .execute(params![study.id, other])?;
    if n_new == 1 {
        let detail = json!({
            "kept": study.patient_id, "other": other, "sop_uid": object.sop_uid,
        });
        audit(tx, object, "second-patient", &detail)?;
    }
    Ok(())
}

fn insert_object(tx: &Connection, object: &Incoming, study: &Known) -> Result<()> {
    let series: i64 = tx
        .prepare_cached(
            "INSERT INTO series (study, uid, modality, description, n_images)
             VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT (study, uid) DO UPDATE SET n_images = n_images + 1
             RETURNING id",
        )?
        .query_row(
            params![study.id, object.series_uid, object.modality, object.series_description],
            |row| row.get(0),
        )?;
    tx.prepare_cached(
        "INSERT INTO object (uid, study, series, sop_class, sha256, bytes, path, received_ms,
             source, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        object.sop_uid,
        study.id,
        series,
        object.sop_class,
        object.sha256,
        i64::try_from(object.bytes).unwrap_or(i64::MAX),
        text(&object.path)?,
        object.received.0,
        object.source,
        study.revision + 1,
    ])?;
    Ok(())
}

/// A job that waits is superseded; one that runs may end, its verdict is then outdated.
fn reopen(tx: &Connection, object: &Incoming, study: &Known) -> Result<()> {
    tx.execute(
        "UPDATE job SET state = 'superseded', ended_ms = ?2
         WHERE study = ?1 AND state = 'queued'",
        params![study.id, object.received.0],
    )?;
    let detail = json!({"from": study.state, "revision": study.revision});
    audit(tx, object, "reopened", &detail)
}

/// What later images say fills blanks only; the scan is the earliest of its images.
fn update_study(tx: &Connection, object: &Incoming, study: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE study SET
             state = 'receiving', n_images = n_images + 1, last_received_ms = ?2,
             patient_id = CASE patient_id WHEN '' THEN ?3 ELSE patient_id END,
             patient_name = CASE patient_name WHEN '' THEN ?4 ELSE patient_name END,
             accession = CASE accession WHEN '' THEN ?5 ELSE accession END,
             description = CASE description WHEN '' THEN ?6 ELSE description END,
             birth_date = ifnull(birth_date, ?7), age_years = ifnull(age_years, ?8),
             sex = ifnull(sex, ?9), phantom = max(phantom, ?10),
             scan_ms = min(ifnull(scan_ms, ?11), ifnull(?11, scan_ms))
         WHERE id = ?1",
    )?
    .execute(params![
        study,
        object.received.0,
        object.patient_id,
        object.patient_name,
        object.accession,
        object.study_description,
        object.birth_date,
        object.age_years,
        object.sex,
        object.phantom,
        object.scan.map(|at| at.0),
    ])?;
    Ok(())
}

fn audit(
    tx: &Connection,
    object: &Incoming,
    action: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    append(tx, object.received, ENGINE, action, Some(&object.study_uid), detail)
}

/// A path as the database holds it.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| StoreError::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{
        START, Scratch, actions, at, finished, image, leased, outcome, queued,
    };

    #[test]
    fn the_same_object_twice_is_one() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let recorded = store.record(&[image("1", 1, START), image("1", 1, at(5.0))]).unwrap();
        assert_eq!(
            recorded,
            [Recorded::New { study: 1, reopened: false }, Recorded::Duplicate]
        );
        let row = store.row(1).unwrap().unwrap();
        assert_eq!((row.n_images, row.last_received), (1, START));
    }

    #[test]
    fn other_bytes_under_a_known_uid_leave_the_first_and_are_told() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &outcome(0.7));
        let other = Incoming { sha256: "f".repeat(64), ..image("1", 1, at(60.0)) };
        assert_eq!(store.record(&[other]).unwrap(), [Recorded::Differs]);
        let row = store.row(row).unwrap().unwrap();
        assert_eq!((row.n_images, row.state), (1, StudyState::Done));
        let last = store.audit(1, 100).unwrap().pop().unwrap();
        assert_eq!(last.action, "object-differs");
        assert!(last.detail.contains(&"f".repeat(64)) && last.detail.contains("0001"));
    }

    #[test]
    fn a_late_image_reopens_a_finished_study_and_keeps_its_verdict() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &outcome(0.7));
        let late = store.record(&[image("1", 2, at(100.0)), image("1", 3, at(101.0))]).unwrap();
        assert_eq!(
            late,
            [
                Recorded::New { study: row, reopened: true },
                Recorded::New { study: row, reopened: false }
            ]
        );
        let line = store.row(row).unwrap().unwrap();
        assert_eq!((line.state, line.outdated), (StudyState::Receiving, true));
        assert_eq!(line.risk.map(ichor_core::Risk::probability), Some(0.7));

        assert_eq!(store.queue_quiet(at(111.0), 10.0).unwrap(), [row]);
        let job = leased(&mut store, at(111.0));
        assert_eq!((job.revision, job.objects.len()), (2, 3));
        store.finish(&job, "w1", &outcome(0.2), at(113.0)).unwrap();
        let detail = store.study(row).unwrap().unwrap();
        assert_eq!((detail.revision, detail.row.outdated), (2, false));
        let active = detail.verdicts.iter().filter(|v| !v.shadow);
        assert_eq!(
            active.map(|v| (v.revision, v.kind.word())).collect::<Vec<_>>(),
            [(2, "stable"), (1, "expands")]
        );
    }

    #[test]
    fn a_late_image_of_a_queued_study_supersedes_its_job() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        store.record(&[image("1", 2, at(12.0))]).unwrap();
        assert_eq!(store.lease("w1", at(13.0), 60.0).unwrap(), None);
        store.queue_quiet(at(22.0), 10.0).unwrap();
        let job = leased(&mut store, at(22.0));
        assert_eq!((job.revision, job.objects.len()), (2, 2));
        assert_eq!(store.lease("w2", at(23.0), 60.0).unwrap(), None);
    }

    #[test]
    fn a_late_image_during_scoring_lets_the_job_end_on_what_it_has() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        store.record(&[image("1", 2, at(11.0))]).unwrap();
        store.finish(&job, "w1", &outcome(0.7), at(12.0)).unwrap();
        let line = store.row(row).unwrap().unwrap();
        assert_eq!((line.state, line.outdated), (StudyState::Receiving, true));
        assert!(line.verdict.is_some());
    }

    #[test]
    fn two_patients_in_one_study_keep_the_first_and_warn_once() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let other = |n| Incoming { patient_id: "B".to_owned(), ..image("1", n, START) };
        let blank = Incoming { patient_id: String::new(), ..image("1", 4, START) };
        store.record(&[image("1", 1, START), other(2), other(3), blank]).unwrap();
        assert_eq!(store.row(1).unwrap().unwrap().patient_id, "PHANTOM-1");
        assert_eq!(actions(&store), ["received", "second-patient"]);
    }

    #[test]
    fn later_images_fill_blanks_and_the_scan_is_the_earliest() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let blank = Incoming {
            patient_id: String::new(),
            age_years: None,
            scan: None,
            phantom: false,
            ..image("1", 1, START)
        };
        let scan = |n, scan| Incoming { scan: Some(scan), ..image("1", n, START) };
        store
            .record(&[blank, scan(2, at(-50.0)), scan(3, at(-70.0)), scan(4, at(-60.0))])
            .unwrap();
        let row = store.row(1).unwrap().unwrap();
        assert_eq!(row.patient_id, "PHANTOM-1");
        assert_eq!((row.age_years, row.scan, row.phantom), (Some(63.0), Some(at(-70.0)), true));
    }

    #[test]
    fn a_batch_is_recorded_whole_or_not_at_all() {
        use std::os::unix::ffi::OsStrExt;
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let path = std::ffi::OsStr::from_bytes(b"objects/\xff.dcm").into();
        let bad = Incoming { path, ..image("2", 1, START) };
        let error = store.record(&[image("1", 1, START), bad]).unwrap_err();
        assert!(matches!(error, StoreError::Path(_)), "{error}");
        assert_eq!(store.worklist().unwrap(), []);
        assert_eq!(actions(&store), Vec::<String>::new());
    }
}
