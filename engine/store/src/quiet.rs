//! A study is queued once no image has come for a while.

use ichor_core::UnixMs;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::all;
use crate::{Result, Store};

impl Store {
    /// Queues every study without a new image for `quiet_s` seconds, as its next revision;
    /// returns their rows.
    ///
    /// A last image that lies `quiet_s` or more in the future means that the clock was set
    /// back: such a study is queued at once and not after the lost time.
    pub fn queue_quiet(&mut self, now: UnixMs, quiet_s: f64) -> Result<Vec<i64>> {
        let quiet_ms = UnixMs(0).plus_s(quiet_s).0;
        self.write(|tx| {
            let sql = "SELECT id FROM study
                       WHERE state = 'receiving' AND abs(?1 - last_received_ms) >= ?2
                       ORDER BY last_received_ms, id";
            let quiet: Vec<i64> = all(tx, sql, params![now.0, quiet_ms], |row| row.get(0))?;
            for study in &quiet {
                queue_revision(tx, *study, now)?;
            }
            Ok(quiet)
        })
    }

    /// When the next study will be quiet, unless images come before; none when none receives.
    pub fn next_quiet(&self, quiet_s: f64) -> Result<Option<UnixMs>> {
        let last: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT min(last_received_ms) FROM study WHERE state = 'receiving'",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(last.map(|at| UnixMs(at).plus_s(quiet_s)))
    }
}

fn queue_revision(tx: &Connection, study: i64, now: UnixMs) -> Result<()> {
    let (uid, revision, n_images): (String, u32, u32) = tx
        .prepare_cached(
            "UPDATE study SET state = 'queued', revision = revision + 1, error = NULL
             WHERE id = ?1 RETURNING uid, revision, n_images",
        )?
        .query_row([study], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    tx.prepare_cached(
        "INSERT INTO job (study, revision, created_ms, due_ms) VALUES (?1, ?2, ?3, ?3)",
    )?
    .execute(params![study, revision, now.0])?;
    let detail = json!({"revision": revision, "n_images": n_images});
    append(tx, now, ENGINE, "queued", Some(&uid), &detail)
}

#[cfg(test)]
mod tests {
    use crate::sample::{START, Scratch, at, image};

    #[test]
    fn a_study_is_queued_once_when_its_last_image_is_quiet_s_old() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        assert_eq!(store.next_quiet(10.0).unwrap(), None);
        store.record(&[image("1", 1, START), image("2", 1, at(4.0))]).unwrap();
        store.record(&[image("1", 2, at(3.0))]).unwrap();
        assert_eq!(store.next_quiet(10.0).unwrap(), Some(at(13.0)));
        assert_eq!(store.queue_quiet(at(12.9), 10.0).unwrap(), [0; 0]);
        assert_eq!(store.queue_quiet(at(13.0), 10.0).unwrap(), [1]);
        assert_eq!(store.queue_quiet(at(13.5), 10.0).unwrap(), [0; 0]);
        assert_eq!(store.next_quiet(10.0).unwrap(), Some(at(14.0)));
        assert_eq!(store.queue_quiet(at(99.0), 10.0).unwrap(), [2]);
        assert_eq!(store.next_quiet(10.0).unwrap(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_stalls_no_study() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        assert_eq!(store.queue_quiet(at(-3600.0), 10.0).unwrap(), [1]);
        assert!(store.lease("w1", at(-3600.0), 60.0).unwrap().is_some());
        store.record(&[image("2", 1, START)]).unwrap();
        store.queue_quiet(at(10.0), 10.0).unwrap();
        assert!(store.lease("w1", at(-3600.0), 60.0).unwrap().is_some());
    }
}
