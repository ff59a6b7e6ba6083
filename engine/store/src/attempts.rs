//! Attempts that fail, are cut off or are asked for anew: back-off and dead letters.

use ichor_core::UnixMs;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::all;
use crate::queue::{MAX_BACK_OFF_S, check_held, replaced, supersede, uid};
use crate::{Job, Result, Store, StoreError};

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// True when it was the last attempt: the study stands as failed.
    pub dead: bool,
    /// When it is tried again; none when it is dead or newer images have made it pointless.
    pub retry_at: Option<UnixMs>,
}

impl Store {
    /// Gives leased jobs of a dead engine back to the queue; returns how many.
    ///
    /// To be called at the engine's start, when no worker can live. An attempt that was cut off
    /// counts; from the second on the job waits as after a failure.
    pub fn release_orphans(&mut self, now: UnixMs) -> Result<usize> {
        self.write(|tx| {
            let sql = "SELECT id, study, attempts FROM job WHERE state = 'leased'";
            let orphans: Vec<(i64, i64, u32)> =
                all(tx, sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            for &(job, study, attempts) in &orphans {
                if replaced(tx, study)? {
                    supersede(tx, job, now)?;
                    continue;
                }
                let due = if attempts > 1 { back_off(now, attempts) } else { now };
                wait(tx, job, study, due, None)?;
                let detail = json!({"job": job, "attempts": attempts});
                append(tx, now, ENGINE, "released", Some(&uid(tx, study)?), &detail)?;
            }
            Ok(orphans.len())
        })
    }

    /// Ends an attempt that failed: back-off of 5 s, doubled with each attempt up to 5 min, and
    /// after `max_attempts` the study stands as failed, unacknowledged, with `error` in its row.
    pub fn fail(
        &mut self,
        job: &Job,
        owner: &str,
        error: &str,
        now: UnixMs,
        max_attempts: u32,
    ) -> Result<Failed> {
        self.write(|tx| {
            check_held(tx, job, owner)?;
            let detail = json!({"job": job.id, "attempt": job.attempt, "error": error});
            if replaced(tx, job.study)? {
                append(tx, now, ENGINE, "attempt-failed", Some(&job.study_uid), &detail)?;
                supersede(tx, job.id, now)?;
                return Ok(Failed { dead: false, retry_at: None });
            }
            if job.attempt >= max_attempts {
                bury(tx, job, error, now)?;
                append(tx, now, ENGINE, "failed", Some(&job.study_uid), &detail)?;
                return Ok(Failed { dead: true, retry_at: None });
            }
            let retry_at = back_off(now, job.attempt);
            wait(tx, job.id, job.study, retry_at, Some(error))?;
            append(tx, now, ENGINE, "attempt-failed", Some(&job.study_uid), &detail)?;
            Ok(Failed { dead: false, retry_at: Some(retry_at) })
        })
    }

    /// Gives a study back unfinished, as an engine does that is asked to stop: it waits again,
    /// and the attempt does not count.
    pub fn give_back(&mut self, job: &Job, owner: &str, now: UnixMs) -> Result<()> {
        self.write(|tx| {
            check_held(tx, job, owner)?;
            let detail = json!({"job": job.id, "attempt": job.attempt});
            append(tx, now, ENGINE, "given-back", Some(&job.study_uid), &detail)?;
            if replaced(tx, job.study)? {
                return supersede(tx, job.id, now);
            }
            tx.prepare_cached("UPDATE job SET attempts = attempts - 1 WHERE id = ?1")?
                .execute([job.id])?;
            wait(tx, job.id, job.study, now, None)
        })
    }

    /// Has a study scored again on the revision at hand; returns the job that waits.
    ///
    /// One that waits already starts its attempts anew, now. Fails while images are coming.
    pub fn requeue(&mut self, study: i64, by: &str, now: UnixMs) -> Result<i64> {
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            let n_open: u32 = tx.query_row(
                "SELECT count(*) FROM study WHERE id = ?1 AND state <> 'receiving'",
                [study],
                |row| row.get(0),
            )?;
            if n_open == 0 {
                return Err(StoreError::StillReceiving { study });
            }
            let job: i64 = tx.query_row(
                "INSERT INTO job (study, revision, created_ms, due_ms)
                 SELECT id, revision, ?2, ?2 FROM study WHERE id = ?1
                 ON CONFLICT (study) WHERE state = 'queued'
                 DO UPDATE SET attempts = 0, due_ms = ?2
                 RETURNING id",
                params![study, now.0],
                |row| row.get(0),
            )?;
            tx.execute(
                "UPDATE study SET state = 'queued', error = NULL WHERE id = ?1",
                [study],
            )?;
            append(tx, now, by, "requeued", Some(&study_uid), &json!({"job": job}))?;
            Ok(job)
        })
    }
}

fn wait(tx: &Connection, job: i64, study: i64, due: UnixMs, error: Option<&str>) -> Result<()> {
    tx.execute(
        "UPDATE job SET state = 'queued', owner = NULL, lease_until_ms = NULL, due_ms = ?2,
             error = ifnull(?3, error)
         WHERE id = ?1",
        params![job, due.0, error],
    )?;
    tx.execute(
        "UPDATE study SET state = 'queued', error = ifnull(?2, error) WHERE id = ?1",
        params![study, error],
    )?;
    Ok(())
}

fn bury(tx: &Connection, job: &Job, error: &str, now: UnixMs) -> Result<()> {
    tx.execute(
        "UPDATE job SET state = 'dead', lease_until_ms = NULL, ended_ms = ?2, error = ?3
         WHERE id = ?1",
        params![job.id, now.0, error],
    )?;
    tx.execute(
        "UPDATE study SET state = 'failed', error = ?2 WHERE id = ?1",
        params![job.study, error],
    )?;
    // A failure is news: whoever acknowledged an older verdict has not seen it.
    tx.execute(
        "UPDATE acknowledgement SET withdrawn_by = ?2, withdrawn_ms = ?3
         WHERE study = ?1 AND withdrawn_ms IS NULL",
        params![job.study, ENGINE, now.0],
    )?;
    Ok(())
}

fn back_off(now: UnixMs, attempts: u32) -> UnixMs {
    let doublings = attempts.saturating_sub(1).min(16).cast_signed();
    now.plus_s((5.0 * 2_f64.powi(doublings)).min(MAX_BACK_OFF_S))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{
        START, Scratch, at, finished, image, leased, outcome, queued, withheld,
    };
    use crate::{Acknowledged, StudyState};

    fn state(store: &Store, study: i64) -> StudyState {
        store.row(study).unwrap().unwrap().state
    }

    #[test]
    fn back_off_doubles_from_5_s_to_5_min() {
        let check = |attempts, seconds: f64| assert_eq!(back_off(START, attempts), at(seconds));
        check(1, 5.0);
        check(2, 10.0);
        check(6, 160.0);
        check(7, 300.0);
        check(u32::MAX, 300.0);
    }

    #[test]
    fn a_study_that_keeps_failing_ends_as_failed_and_stops_nobody() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        queued(&mut store, "2", at(0.5));
        let job = leased(&mut store, at(11.0));
        let failed = store.fail(&job, "w1", "out of memory", at(12.0), 2).unwrap();
        assert_eq!(failed, Failed { dead: false, retry_at: Some(at(17.0)) });
        let row = store.row(1).unwrap().unwrap();
        assert_eq!(
            (row.state, row.error.as_deref()),
            (StudyState::Queued, Some("out of memory"))
        );

        assert_eq!(leased(&mut store, at(12.0)).study, 2);
        assert_eq!(store.lease("w1", at(16.9), 60.0).unwrap(), None);
        let job = leased(&mut store, at(17.0));
        assert_eq!((job.study, job.attempt), (1, 2));
        let failed = store.fail(&job, "w1", "no more", at(18.0), 2).unwrap();
        assert_eq!(failed, Failed { dead: true, retry_at: None });
        let row = store.row(1).unwrap().unwrap();
        assert_eq!((row.state, row.error.as_deref()), (StudyState::Failed, Some("no more")));
        assert_eq!(store.lease("w1", at(19.0), 60.0).unwrap(), None);
    }

    #[test]
    fn a_failure_must_be_seen_anew() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &outcome(0.2));
        let verdict = store.row(row).unwrap().unwrap().verdict;
        let done = store.acknowledge(row, verdict, "ana", at(20.0)).unwrap();
        assert_eq!(done, Acknowledged::Done);
        store.requeue(row, "ana", at(30.0)).unwrap();
        let job = leased(&mut store, at(30.0));
        assert!(store.row(row).unwrap().unwrap().acknowledged_by.is_some());
        store.fail(&job, "w1", "no more", at(31.0), 1).unwrap();
        assert_eq!(store.row(row).unwrap().unwrap().acknowledged_by, None);
    }

    #[test]
    fn orphans_of_a_dead_engine_go_back_to_the_queue() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        leased(&mut store, at(10.0));
        drop(store);
        let mut store = scratch.store();
        assert_eq!(store.release_orphans(at(11.0)).unwrap(), 1);
        assert_eq!(store.release_orphans(at(11.0)).unwrap(), 0);
        assert_eq!(leased(&mut store, at(11.0)).attempt, 2);
        store.release_orphans(at(12.0)).unwrap();
        assert_eq!(store.lease("w1", at(12.0), 60.0).unwrap(), None);
        assert_eq!(leased(&mut store, at(22.0)).attempt, 3);
    }

    #[test]
    fn an_orphan_with_newer_images_is_not_tried_again() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        leased(&mut store, at(10.0));
        store.record(&[image("1", 2, at(11.0))]).unwrap();
        store.release_orphans(at(12.0)).unwrap();
        assert_eq!(state(&store, 1), StudyState::Receiving);
        store.queue_quiet(at(21.0), 10.0).unwrap();
        assert_eq!(leased(&mut store, at(21.0)).revision, 2);
    }

    #[test]
    fn a_failed_attempt_with_newer_images_is_not_tried_again() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        store.record(&[image("1", 2, at(11.0))]).unwrap();
        let failed = store.fail(&job, "w1", "half a study", at(12.0), 1).unwrap();
        assert_eq!(failed, Failed { dead: false, retry_at: None });
        assert_eq!(state(&store, 1), StudyState::Receiving);
    }

    #[test]
    fn a_study_given_back_waits_at_once_and_no_attempt_is_counted() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        assert!(store.give_back(&job, "w2", at(11.0)).is_err());
        store.give_back(&job, "w1", at(11.0)).unwrap();
        assert!(store.give_back(&job, "w1", at(11.0)).is_err());
        assert_eq!(state(&store, row), StudyState::Queued);
        let again = store.lease("w2", at(11.0), 60.0).unwrap().unwrap();
        assert_eq!(again, job);
        store.record(&[image("1", 2, at(12.0))]).unwrap();
        store.give_back(&again, "w2", at(13.0)).unwrap();
        assert_eq!(state(&store, row), StudyState::Receiving);
        assert_eq!(store.lease("w1", at(14.0), 60.0).unwrap(), None);
    }

    #[test]
    fn requeue_scores_the_revision_at_hand_again() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &outcome(0.2));
        let waiting = store.requeue(row, "ana", at(20.0)).unwrap();
        assert_eq!(store.requeue(row, "ana", at(21.0)).unwrap(), waiting);
        let job = leased(&mut store, at(21.0));
        assert_eq!((job.id, job.revision), (waiting, 1));
        assert!(!store.row(row).unwrap().unwrap().outdated);

        // Asked for once more while it runs: the running one ends, the new one follows.
        store.requeue(row, "ana", at(22.0)).unwrap();
        store.finish(&job, "w1", &outcome(0.7), at(23.0)).unwrap();
        assert_eq!(state(&store, row), StudyState::Queued);
        let job = leased(&mut store, at(24.0));
        store.finish(&job, "w1", &withheld(), at(25.0)).unwrap();
        let row = store.row(row).unwrap().unwrap();
        assert_eq!((row.state, row.kind.unwrap().word()), (StudyState::Done, "withheld"));
    }

    #[test]
    fn requeue_refuses_a_study_that_receives_and_one_that_is_none() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        assert_eq!(
            store.requeue(1, "ana", START).unwrap_err().to_string(),
            "images of study 1 are still coming: it is scored when they have ended"
        );
        assert!(matches!(store.requeue(2, "ana", START), Err(StoreError::NoStudy { .. })));
    }
}
