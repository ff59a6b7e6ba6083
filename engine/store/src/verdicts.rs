//! A job ends: verdicts, features and the study's state, in one transaction.

use ichor_core::{Features, Millilitres, MotionIndex, Risk, Threshold, UnitId, UnixMs};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::audit::{ENGINE, append, sha256};
use crate::clinical::note_changed;
use crate::columns::readable;
use crate::queue::check_held;
use crate::{Job, Outcome, Result, ScorerResult, Store, StoreError};

impl Store {
    /// Writes what `job` came to. Fails with [`StoreError::LeaseLost`] and writes nothing when
    /// it was finished before or another worker has it.
    ///
    /// A study that received images meanwhile stays receiving; its verdict is then outdated.
    pub fn finish(
        &mut self,
        job: &Job,
        owner: &str,
        outcome: &Outcome,
        now: UnixMs,
    ) -> Result<()> {
        let active: Vec<&ScorerResult> =
            outcome.results.iter().filter(|result| !result.shadow).collect();
        let [result] = active[..] else {
            return Err(StoreError::ActiveResults { found: active.len() });
        };
        self.write(|tx| {
            check_held(tx, job, owner)?;
            let verdict = insert_verdict(tx, job, outcome, result, now)?;
            for shadow in outcome.results.iter().filter(|result| result.shadow) {
                insert_verdict(tx, job, outcome, shadow, now)?;
            }
            for (scorer, why) in &outcome.failures {
                tx.execute(
                    "INSERT INTO shadow_failure (job, study, revision, scorer, at_ms, why)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![job.id, job.study, job.revision, scorer.to_string(), now.0, why],
                )?;
            }
            for (rank, (unit, features)) in (0_u32..).zip(&outcome.features) {
                insert_features(tx, job.id, rank, unit, features)?;
            }
            settle(tx, job, verdict, now)?;
            let detail = json!({
                "job": job.id, "verdict": verdict, "revision": job.revision,
                "kind": result.kind, "withheld": result.withheld, "risk": result.risk,
                "threshold": result.threshold, "volume_ml": outcome.volume,
                "provenance": result.provenance,
            });
            append(tx, now, ENGINE, "verdict", Some(&job.study_uid), &detail)
        })
    }
}

fn insert_verdict(
    tx: &Connection,
    job: &Job,
    outcome: &Outcome,
    result: &ScorerResult,
    now: UnixMs,
) -> Result<i64> {
    let reason = result.withheld.as_ref().map(|why| readable("the reason to withhold", why));
    tx.prepare_cached(
        "INSERT INTO verdict (job, study, revision, created_ms, kind, withheld, risk, threshold,
             volume_ml, motion, shadow, profile, provenance, contributions)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        job.id,
        job.study,
        job.revision,
        now.0,
        result.kind,
        reason.transpose()?,
        result.risk.map(Risk::probability),
        result.threshold.map(Threshold::probability),
        outcome.volume.map(Millilitres::ml),
        outcome.motion.map(MotionIndex::share),
        result.shadow,
        result.provenance.profile,
        readable("the provenance", &result.provenance)?,
        readable("a contribution", &result.contributions)?,
    ])?;
    Ok(tx.last_insert_rowid())
}

fn insert_features(
    tx: &Connection,
    job: i64,
    rank: u32,
    unit: &UnitId,
    features: &Features,
) -> Result<()> {
    let names = json!(features.names()).to_string();
    let names_id: i64 = tx
        .prepare_cached(
            "INSERT INTO feature_names (sha256, names) VALUES (?1, ?2)
             ON CONFLICT (sha256) DO UPDATE SET sha256 = sha256 RETURNING id",
        )?
        .query_row(params![sha256(names.as_bytes()), names], |row| row.get(0))?;
    let numbers: Vec<u8> = features.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    tx.prepare_cached(
        "INSERT INTO feature_set (job, unit, rank, names, numbers) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![job, unit.to_string(), rank, names_id, numbers])?;
    Ok(())
}

/// The verdict counts: no newer revision has one, because a study is worked on once at a time.
/// The study is done unless images came or another job waits.
fn settle(tx: &Connection, job: &Job, verdict: i64, now: UnixMs) -> Result<()> {
    tx.execute(
        "UPDATE job SET state = 'done', lease_until_ms = NULL, ended_ms = ?2 WHERE id = ?1",
        params![job.id, now.0],
    )?;
    tx.execute(
        "UPDATE study SET active_verdict = ?2,
             error = iif(state = 'scoring', NULL, error),
             state = iif(state = 'scoring', 'done', state)
         WHERE id = ?1",
        params![job.study, verdict],
    )?;
    // Staff may have entered a value after it was read for this verdict.
    note_changed(tx, job.study)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{
        START, Scratch, actions, at, finished, leased, outcome, queued, unit, withheld,
    };
    use crate::{ShadowFailure, StudyState};

    #[test]
    fn a_job_finished_twice_has_one_verdict() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        store.finish(&job, "w1", &outcome(0.7), at(11.0)).unwrap();
        let again = store.finish(&job, "w1", &outcome(0.1), at(12.0));
        assert!(matches!(again, Err(StoreError::LeaseLost { .. })));
        let verdicts = store.study(row).unwrap().unwrap().verdicts;
        assert_eq!(verdicts.iter().filter(|v| !v.shadow).count(), 1);
        assert_eq!(actions(&store), ["received", "queued", "scoring", "verdict"]);
    }

    #[test]
    fn exactly_one_result_is_active() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        let mut none = outcome(0.7);
        none.results.retain(|result| result.shadow);
        let mut two = outcome(0.7);
        two.results.iter_mut().for_each(|result| result.shadow = false);
        for (outcome, n_active) in [(none, 0), (two, 2)] {
            let error = store.finish(&job, "w1", &outcome, at(11.0)).unwrap_err();
            assert!(matches!(error, StoreError::ActiveResults { found } if found == n_active));
        }
        store.finish(&job, "w1", &outcome(0.7), at(12.0)).unwrap();
    }

    #[test]
    fn what_is_written_is_read() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &outcome(0.7));
        let detail = store.study(row).unwrap().unwrap();
        let written = outcome(0.7);
        let [active, shadow] = &detail.verdicts[..] else { panic!("{:?}", detail.verdicts) };
        assert!(shadow.shadow && !active.shadow);
        assert_eq!(detail.row.verdict, Some(active.id));
        assert_eq!(detail.row.profile.as_deref(), Some("youden"));
        assert_eq!((active.volume, active.motion), (written.volume, written.motion));
        assert_eq!(active.risk, written.results[1].risk);
        assert_eq!(active.provenance, written.results[1].provenance);
        assert_eq!(active.contributions, written.results[1].contributions);
        assert_eq!(active.created, at(12.0));

        let features = store.features(row, 1).unwrap();
        assert_eq!(features[0].0, written.features[0].0);
        assert_eq!(features[0].1.names(), written.features[0].1.names());
        let bits = |f: &Features| f.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&features[0].1), bits(&written.features[0].1));
        assert_eq!(store.features(row, 2).unwrap(), []);
    }

    #[test]
    fn a_shadow_that_failed_is_kept_beside_the_verdict() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let mut outcome = outcome(0.7);
        outcome.results.retain(|result| !result.shadow);
        let scorer = unit("org.example.mine/mine");
        outcome.failures = vec![(scorer.clone(), "it died".to_owned())];
        let row = finished(&mut store, "1", START, &outcome);
        let detail = store.study(row).unwrap().unwrap();
        assert_eq!((detail.verdicts.len(), detail.row.state), (1, StudyState::Done));
        let why = "it died".to_owned();
        let failed = ShadowFailure { scorer, revision: 1, at: at(12.0), why };
        assert_eq!(detail.shadow_failures, [failed]);
    }

    #[test]
    fn names_of_features_are_kept_once() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        finished(&mut store, "1", START, &outcome(0.7));
        finished(&mut store, "2", at(60.0), &outcome(0.7));
        let count = |sql| store.conn.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM feature_names"), 1);
        assert_eq!(count("SELECT count(*) FROM feature_set"), 2);
    }

    #[test]
    fn a_verdict_withheld_keeps_its_reason() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = finished(&mut store, "1", START, &withheld());
        let row = store.row(row).unwrap().unwrap();
        assert_eq!(row.withheld.unwrap().code(), "no-hematoma");
        assert_eq!((row.risk, row.state), (None, StudyState::Done));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let row = queued(&mut store, "1", START);
        let job = leased(&mut store, at(10.0));
        let mut bad = outcome(0.7);
        bad.results[1].contributions[0].log_odds = f64::INFINITY;
        let error = store.finish(&job, "w1", &bad, at(11.0)).unwrap_err().to_string();
        assert!(error.starts_with("a contribution cannot be stored: "), "{error}");
        let mut no_risk = outcome(0.7);
        no_risk.results[1].risk = None;
        assert!(store.finish(&job, "w1", &no_risk, at(11.0)).is_err());
        assert_eq!(store.study(row).unwrap().unwrap().verdicts, []);
        store.finish(&job, "w1", &outcome(0.7), at(12.0)).unwrap();
    }
}
