//! The schema and how an older file gets it.
//!
//! `PRAGMA user_version` counts the steps that a file has taken. Steps only go forward, each in
//! one transaction with its count, so that a crash leaves a whole schema.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::{Result, StoreError};

/// All steps, oldest first; a released step is never edited.
pub(crate) const STEPS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_shadows.sql"),
    include_str!("migrations/0003_clinical_changed.sql"),
];

/// `PRAGMA application_id` of our files: `ICHR`.
const APPLICATION_ID: i32 = 0x4943_4852;

/// The schema that the file at `path` has; 0 for an empty one. Fails on another program's file
/// and on one that is newer than `known`.
pub(crate) fn schema(conn: &Connection, path: &Path, known: usize) -> Result<u32> {
    let read = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i32>(0));
    let foreign = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Foreign { path: path.to_owned() }
        }
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::PermissionDenied) => {
            StoreError::Open { path: path.to_owned(), source: error }
        }
        _ => error.into(),
    };
    let n_tables = read("SELECT count(*) FROM sqlite_schema").map_err(foreign)?;
    if n_tables == 0 {
        return Ok(0);
    }
    if read("PRAGMA application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let found = read("PRAGMA user_version")? as u32;
    if found as usize > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: known as u32 });
    }
    Ok(found)
}

/// Takes the `steps` that the file at `path` lacks.
pub(crate) fn migrate(conn: &mut Connection, path: &Path, steps: &[&str]) -> Result<()> {
    loop {
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken = schema(&step, path, steps.len())?;
        let Some(sql) = steps.get(taken as usize) else { return Ok(()) };
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", taken + 1)?;
        step.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, image};

    const LATER: &str = "CREATE TABLE later (x INTEGER) STRICT; UPDATE study SET priority = 1;";

    /// The released steps and one more.
    fn and(step: &str) -> Vec<&str> {
        STEPS.iter().copied().chain([step]).collect()
    }

    fn version(conn: &Connection) -> u32 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_file_takes_only_the_steps_that_it_lacks() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        let steps = and(LATER);
        for _ in 0..2 {
            migrate(&mut store.conn, &scratch.path(), &steps).unwrap();
        }
        assert_eq!(version(&store.conn) as usize, STEPS.len() + 1);
        assert_eq!(store.worklist().unwrap()[0].priority, 1);
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let broken = and("CREATE TABLE later (x INTEGER) STRICT; SELECT nonsense;");
        assert!(migrate(&mut store.conn, &scratch.path(), &broken).is_err());
        assert_eq!(version(&store.conn) as usize, STEPS.len());
        migrate(&mut store.conn, &scratch.path(), &and(LATER)).unwrap();
    }

    #[test]
    fn a_step_is_never_taken_back() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        migrate(&mut store.conn, &scratch.path(), &and(LATER)).unwrap();
        let error = migrate(&mut store.conn, &scratch.path(), STEPS).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 4, known: 3, .. }), "{error}");
    }

    #[test]
    fn a_file_of_the_first_release_is_brought_up_with_what_it_holds() {
        let scratch = Scratch::new();
        let mut first = Connection::open(scratch.path()).unwrap();
        migrate(&mut first, &scratch.path(), &STEPS[..1]).unwrap();
        first
            .execute_batch(
                "INSERT INTO study (uid, patient_id, patient_name, accession, description,
                 last_received_ms, phantom) VALUES ('1.2', 'A', 'Doe', '', '', 1, 0),
                 ('1.3', 'B', 'Roe', '', '', 1, 0);
                 INSERT INTO job (id, study, revision, state, created_ms, due_ms, ended_ms)
                 SELECT id, id, 1, 'done', 1, 1, 1 FROM study;
                 INSERT INTO verdict (id, job, study, revision, created_ms, kind, risk, shadow,
                     provenance, contributions)
                 SELECT id, id, id, 1, 5, 'stable', 0.1, 0, '{}',
                     '[{\"name\":\"clinical.gcs\",\"value\":null,\"log_odds\":0}]' FROM study;
                 UPDATE study SET active_verdict = id;
                 INSERT INTO clinical (study, name, value, who, at_ms)
                 VALUES (1, 'gcs', 13, 'ana', 6), (2, 'gcs', 13, 'ana', 4), (2, 'nihss', 1, 'ana', 6);
                 INSERT INTO study (uid, patient_id, patient_name, accession, description,
                 last_received_ms, phantom) VALUES ('1.4', 'C', 'Poe', '', '', 1, 0)",
            )
            .unwrap();
        drop(first);
        let store = scratch.store();
        let rows = store.worklist().unwrap();
        let found = rows.iter().map(|row| (&row.patient_id[..], row.clinical_changed));
        assert_eq!(found.collect::<Vec<_>>(), [("B", false), ("A", true), ("C", false)]);
        assert_eq!(store.study(3).unwrap().unwrap().shadow_failures, []);
    }
}
