//! The job queue: who works on what, and for how long.
//!
//! At most one job of a study waits and at most one is leased (unique indexes hold this). A job
//! whose study has a newer revision is superseded instead of tried again.

use ichor_core::UnixMs;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::all;
use crate::{Job, Result, Store, StoreError};

/// The longest wait between attempts.
pub(crate) const MAX_BACK_OFF_S: f64 = 300.0;

impl Store {
    /// Takes the next job for `lease_s` seconds: staff's priority first, then the longest due.
    ///
    /// A lease that ran out is taken over. [`Job::attempt`] then counts the cut-off attempts
    /// too: where it exceeds the attempts allowed, [`Store::fail`] ends the job, so that a study
    /// that kills its worker cannot do so for ever.
    pub fn lease(&mut self, owner: &str, now: UnixMs, lease_s: f64) -> Result<Option<Job>> {
        self.write(|tx| {
            supersede_expired(tx, now)?;
            let Some((id, study)) = next(tx, now)? else { return Ok(None) };
            let (revision, attempt) = tx
                .prepare_cached(
                    "UPDATE job SET state = 'leased', owner = ?2, lease_until_ms = ?3,
                         attempts = attempts + 1
                     WHERE id = ?1 RETURNING revision, attempts",
                )?
                .query_row(params![id, owner, now.plus_s(lease_s).0], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            tx.prepare_cached("UPDATE study SET state = 'scoring' WHERE id = ?1")?
                .execute([study])?;
            let study_uid = uid(tx, study)?;
            let detail = json!({"job": id, "attempt": attempt, "owner": owner});
            append(tx, now, ENGINE, "scoring", Some(&study_uid), &detail)?;
            let objects = objects(tx, study, revision)?;
            Ok(Some(Job { id, study, study_uid, revision, attempt, objects }))
        })
    }

    /// Prolongs the lease; false when it was lost and the work should stop.
    pub fn heartbeat(
        &mut self,
        job: &Job,
        owner: &str,
        now: UnixMs,
        lease_s: f64,
    ) -> Result<bool> {
        self.write(|tx| {
            let n_held = tx
                .prepare_cached(
                    "UPDATE job SET lease_until_ms = ?4
                     WHERE id = ?1 AND state = 'leased' AND owner = ?2 AND attempts = ?3",
                )?
                .execute(params![job.id, owner, job.attempt, now.plus_s(lease_s).0])?;
            Ok(n_held == 1)
        })
    }
}

/// Fails unless `owner` holds `job` in this very attempt.
pub(crate) fn check_held(tx: &Connection, job: &Job, owner: &str) -> Result<()> {
    let held: Option<i64> = tx
        .prepare_cached(
            "SELECT id FROM job
             WHERE id = ?1 AND state = 'leased' AND owner = ?2 AND attempts = ?3",
        )?
        .query_row(params![job.id, owner, job.attempt], |row| row.get(0))
        .optional()?;
    held.map(|_| ()).ok_or(StoreError::LeaseLost { job: job.id })
}

/// `StudyInstanceUID` of a row; fails where there is no such row.
pub(crate) fn uid(tx: &Connection, study: i64) -> Result<String> {
    tx.prepare_cached("SELECT uid FROM study WHERE id = ?1")?
        .query_row([study], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::NoStudy { asked: format!("#{study}") })
}

/// Whether newer images came, or a newer job waits, so that the leased one is not tried again.
pub(crate) fn replaced(tx: &Connection, study: i64) -> Result<bool> {
    Ok(tx
        .prepare_cached(
            "SELECT s.state = 'receiving'
                 OR EXISTS (SELECT 1 FROM job j WHERE j.study = s.id AND j.state = 'queued')
             FROM study s WHERE s.id = ?1",
        )?
        .query_row([study], |row| row.get(0))?)
}

fn supersede_expired(tx: &Connection, now: UnixMs) -> Result<()> {
    let sql = "SELECT id, study FROM job WHERE state = 'leased' AND lease_until_ms <= ?1";
    let expired = all(tx, sql, [now.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (job, study) in expired {
        if replaced(tx, study)? {
            supersede(tx, job, now)?;
        }
    }
    Ok(())
}

/// The job to take next, with its study.
///
/// A due time further off than any back-off means that the clock was set back; it counts as due.
fn next(tx: &Connection, now: UnixMs) -> Result<Option<(i64, i64)>> {
    Ok(tx
        .prepare_cached(
            "SELECT j.id, j.study FROM job j JOIN study s ON s.id = j.study
             WHERE (j.state = 'queued' AND (j.due_ms <= ?1 OR j.due_ms > ?2)
                    AND NOT EXISTS (SELECT 1 FROM job l
                                    WHERE l.study = j.study AND l.state = 'leased'))
                OR (j.state = 'leased' AND j.lease_until_ms <= ?1)
             ORDER BY s.priority DESC, j.due_ms, j.id LIMIT 1",
        )?
        .query_row(params![now.0, now.plus_s(MAX_BACK_OFF_S).0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?)
}

fn objects(
    tx: &Connection,
    study: i64,
    revision: u32,
) -> Result<Vec<(String, std::path::PathBuf)>> {
    let sql = "SELECT s.uid, o.path FROM object o JOIN series s ON s.id = o.series
               WHERE o.study = ?1 AND o.revision <= ?2 ORDER BY s.id, o.id";
    all(tx, sql, params![study, revision], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?.into()))
    })
}

pub(crate) fn supersede(tx: &Connection, job: i64, now: UnixMs) -> Result<()> {
    let study: i64 = tx.query_row(
        "UPDATE job SET state = 'superseded', lease_until_ms = NULL, ended_ms = ?2
         WHERE id = ?1 RETURNING study",
        params![job, now.0],
        |row| row.get(0),
    )?;
    append(tx, now, ENGINE, "superseded", Some(&uid(tx, study)?), &json!({"job": job}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StudyState;
    use crate::sample::{START, Scratch, actions, at, image, leased, outcome, queued};

    fn state(store: &Store, study: i64) -> StudyState {
        store.row(study).unwrap().unwrap().state
    }

    #[test]
    fn the_oldest_goes_first_unless_staff_says_otherwise() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        for (n, study) in ["1", "2", "3"].into_iter().enumerate() {
            queued(&mut store, study, at(n as f64));
        }
        store.set_priority(3, 1, "ana", at(20.0)).unwrap();
        let order: Vec<i64> = (0..3).map(|_| leased(&mut store, at(21.0)).study).collect();
        assert_eq!(order, [3, 1, 2]);
        assert_eq!(store.lease("w1", at(22.0), 60.0).unwrap(), None);
    }

    #[test]
    fn a_job_names_its_files_with_their_series() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let mut localizer = image("1", 2, START);
        localizer.series_uid = "1.2.1.9".to_owned();
        store.record(&[image("1", 1, START), localizer, image("1", 3, START)]).unwrap();
        store.queue_quiet(at(10.0), 10.0).unwrap();
        let job = leased(&mut store, at(10.0));
        assert_eq!(
            job.objects
                .iter()
                .map(|(s, p)| (s.as_str(), p.to_str().unwrap()))
                .collect::<Vec<_>>(),
            [
                ("1.2.1.1", "objects/1.2.1/1.2.1.1/1.dcm"),
                ("1.2.1.1", "objects/1.2.1/1.2.1.1/3.dcm"),
                ("1.2.1.9", "objects/1.2.1/1.2.1.1/2.dcm"),
            ]
        );
    }

    #[test]
    fn a_lease_holds_while_its_owner_beats_and_is_then_taken_over() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        assert!(store.heartbeat(&job, "w1", at(60.0), 60.0).unwrap());
        assert_eq!(store.lease("w2", at(119.0), 60.0).unwrap(), None);
        let taken = store.lease("w2", at(120.0), 60.0).unwrap().unwrap();
        assert_eq!((taken.id, taken.attempt), (job.id, 2));
        assert!(!store.heartbeat(&job, "w1", at(121.0), 60.0).unwrap());
        assert!(!store.heartbeat(&taken, "w1", at(121.0), 60.0).unwrap());
        for late in [
            store.finish(&job, "w1", &outcome(0.7), at(122.0)),
            store.fail(&job, "w1", "late", at(122.0), 3).map(|_| ()),
        ] {
            assert!(matches!(late, Err(StoreError::LeaseLost { job: 1 })));
        }
        assert_eq!(store.study(1).unwrap().unwrap().verdicts, []);
        store.finish(&taken, "w2", &outcome(0.2), at(123.0)).unwrap();
        assert_eq!(state(&store, 1), StudyState::Done);
    }

    #[test]
    fn the_same_worker_in_a_later_attempt_does_not_answer_for_the_earlier() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        let first = leased(&mut store, at(10.0));
        store.release_orphans(at(11.0)).unwrap();
        let second = leased(&mut store, at(11.0));
        assert!(store.finish(&first, "w1", &outcome(0.7), at(12.0)).is_err());
        store.finish(&second, "w1", &outcome(0.7), at(12.0)).unwrap();
    }

    #[test]
    fn a_newer_revision_waits_for_the_worker_and_outlives_it() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        let old = leased(&mut store, at(10.0));
        store.record(&[image("1", 2, at(11.0))]).unwrap();
        store.queue_quiet(at(21.0), 10.0).unwrap();
        assert_eq!(store.lease("w2", at(22.0), 60.0).unwrap(), None);
        let new = store.lease("w2", at(70.0), 60.0).unwrap().unwrap();
        assert_eq!(new.revision, 2);
        assert!(store.finish(&old, "w1", &outcome(0.7), at(71.0)).is_err());
        assert!(actions(&store).contains(&"superseded".to_owned()));
    }
}
