//! The worklist: one query, in the order in which staff work.

use ichor_core::UnixMs;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::columns::{Json, Quantity, all};
use crate::{Result, Row, Store, StudyState};

/// Studies by state, and what lies in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Images may still come.
    pub receiving: u32,
    /// A job waits.
    pub queued: u32,
    /// A worker has it.
    pub scoring: u32,
    /// With a verdict for the revision at hand.
    pub done: u32,
    /// All attempts failed.
    pub failed: u32,
    /// Files that could not be parsed.
    pub quarantined: u32,
}

/// An acknowledgement counts for the verdict that was seen, so a newer one starts unseen.
const ROW: &str = "
    SELECT s.id, s.uid, s.patient_id, s.patient_name, s.age_years, s.sex, s.scan_ms,
        s.last_received_ms, s.n_images, s.state, s.priority, v.id, v.kind, v.withheld, v.risk,
        v.threshold, v.profile, v.volume_ml,
        ifnull(v.revision < s.revision + (s.state = 'receiving'), 0),
        s.error, a.who, a.at_ms, s.phantom, s.clinical_changed
    FROM study s
    LEFT JOIN verdict v ON v.id = s.active_verdict
    LEFT JOIN acknowledgement a
        ON a.study = s.id AND a.withdrawn_ms IS NULL AND a.verdict IS s.active_verdict";

const ORDER: &str = "
    ORDER BY s.priority DESC,
        CASE WHEN v.kind = 'expands' THEN 0
             WHEN v.kind = 'withheld' OR s.state = 'failed' THEN 1
             WHEN v.kind = 'stable' THEN 2
             ELSE 3 END,
        CASE WHEN v.kind <> 'withheld' THEN v.risk END DESC,
        ifnull(s.scan_ms, s.last_received_ms) DESC, s.id DESC";

impl Store {
    /// All studies: staff's priority first, then those that expand by risk, then withheld and
    /// failed, then stable by risk, then those that wait; ties newest scan first.
    pub fn worklist(&self) -> Result<Vec<Row>> {
        all(&self.conn, &format!("{ROW}{ORDER}"), [], row)
    }

    /// The line of one study.
    pub fn row(&self, study: i64) -> Result<Option<Row>> {
        read_row(&self.conn, study)
    }

    /// How many studies stand where.
    pub fn counts(&self) -> Result<Counts> {
        let mut counts = Counts { quarantined: self.quarantine_count()?, ..Counts::default() };
        let mut statement =
            self.conn.prepare_cached("SELECT state, count(*) FROM study GROUP BY state")?;
        for state in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (state, n_studies) = state?;
            *match state {
                StudyState::Receiving => &mut counts.receiving,
                StudyState::Queued => &mut counts.queued,
                StudyState::Scoring => &mut counts.scoring,
                StudyState::Done => &mut counts.done,
                StudyState::Failed => &mut counts.failed,
            } = n_studies;
        }
        Ok(counts)
    }

    /// A number that changes when anything in the file does, through this connection or another;
    /// costs microseconds. Numbers of two connections do not compare.
    pub fn data_version(&self) -> Result<u64> {
        let others: u32 =
            self.conn.pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok((u64::from(others) << 32) | (self.conn.total_changes() & 0xffff_ffff))
    }
}

pub(crate) fn read_row(conn: &Connection, study: i64) -> Result<Option<Row>> {
    Ok(conn
        .prepare_cached(&format!("{ROW} WHERE s.id = ?1"))?
        .query_row([study], row)
        .optional()?)
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        study: row.get(0)?,
        study_uid: row.get(1)?,
        patient_id: row.get(2)?,
        patient_name: row.get(3)?,
        age_years: row.get(4)?,
        sex: row.get(5)?,
        scan: row.get::<_, Option<i64>>(6)?.map(UnixMs),
        last_received: UnixMs(row.get(7)?),
        n_images: row.get(8)?,
        state: row.get(9)?,
        priority: row.get(10)?,
        verdict: row.get(11)?,
        kind: row.get(12)?,
        withheld: row.get::<_, Option<Json<_>>>(13)?.map(|json| json.0),
        risk: row.get::<_, Option<Quantity<_>>>(14)?.map(|risk| risk.0),
        threshold: row.get::<_, Option<Quantity<_>>>(15)?.map(|threshold| threshold.0),
        profile: row.get(16)?,
        volume: row.get::<_, Option<Quantity<_>>>(17)?.map(|volume| volume.0),
        outdated: row.get(18)?,
        clinical_changed: row.get(23)?,
        error: row.get(19)?,
        acknowledged_by: row.get(20)?,
        acknowledged: row.get::<_, Option<i64>>(21)?.map(UnixMs),
        phantom: row.get(22)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::sample::{
        START, Scratch, at, finished, image, leased, outcome, queued, withheld,
    };
    use crate::{Incoming, Outcome};

    #[test]
    fn the_list_is_in_the_order_in_which_staff_work() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let mut seconds = 0.0;
        let mut next = |store: &mut Store, name: &str, outcome: &Outcome| {
            seconds += 100.0;
            finished(store, name, at(seconds), outcome)
        };
        let stable = next(&mut store, "1", &outcome(0.1));
        let less_stable = next(&mut store, "2", &outcome(0.3));
        let declined = next(&mut store, "3", &withheld());
        let expands = next(&mut store, "4", &outcome(0.5));
        let most = next(&mut store, "5", &outcome(0.9));
        let most_too = next(&mut store, "6", &outcome(0.9));
        let wanted = next(&mut store, "7", &outcome(0.0));
        store.set_priority(wanted, 2, "ana", at(2000.0)).unwrap();
        let unwanted = next(&mut store, "8", &outcome(1.0));
        store.set_priority(unwanted, -1, "ana", at(2000.0)).unwrap();
        let failed = queued(&mut store, "9", at(2000.0));
        let job = leased(&mut store, at(2010.0));
        store.fail(&job, "w1", "broken", at(2011.0), 1).unwrap();
        let waits = queued(&mut store, "10", at(2100.0));
        store.record(&[image("11", 1, at(2200.0))]).unwrap();
        let ids: Vec<i64> = store.worklist().unwrap().iter().map(|row| row.study).collect();
        assert_eq!(
            ids,
            [
                wanted,
                most_too,
                most,
                expands,
                failed,
                declined,
                less_stable,
                stable,
                11,
                waits,
                unwanted
            ]
        );
    }

    #[test]
    fn an_unknown_scan_time_counts_as_just_received() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let unknown = Incoming { scan: None, ..image("1", 1, START) };
        store.record(&[unknown, image("2", 1, START)]).unwrap();
        let ids: Vec<i64> = store.worklist().unwrap().iter().map(|row| row.study).collect();
        assert_eq!(ids, [1, 2]);
    }

    #[test]
    fn counts_tell_every_state() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        finished(&mut store, "1", START, &outcome(0.1));
        queued(&mut store, "2", at(100.0));
        leased(&mut store, at(110.0));
        queued(&mut store, "3", at(200.0));
        store.record(&[image("4", 1, at(300.0)), image("5", 1, at(300.0))]).unwrap();
        assert_eq!(
            store.counts().unwrap(),
            Counts { receiving: 2, queued: 1, scoring: 1, done: 1, failed: 0, quarantined: 0 }
        );
    }

    #[test]
    fn the_data_version_tells_own_changes_and_those_of_others() {
        let scratch = Scratch::new();
        let mut engine = scratch.store();
        let mut console = Store::open_existing(&scratch.path()).unwrap();
        let quiet = console.data_version().unwrap();
        assert_eq!(console.data_version().unwrap(), quiet);
        engine.record(&[image("1", 1, START)]).unwrap();
        let other = console.data_version().unwrap();
        assert_ne!(other, quiet);
        console.note(1, "ana", "seen", START).unwrap();
        let own = console.data_version().unwrap();
        assert_ne!(own, other);
        console.worklist().unwrap();
        assert_eq!(console.data_version().unwrap(), own);
    }

    #[test]
    fn ten_thousand_rows_are_read_in_one_query() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let images: Vec<Incoming> =
            (0..10_000).map(|n| image(&n.to_string(), 1, at(f64::from(n)))).collect();
        store.record(&images).unwrap();
        store
            .conn
            .execute_batch(
                r#"INSERT INTO job (id, study, revision, state, created_ms, due_ms, ended_ms)
                   SELECT id, id, 1, 'done', 1, 1, 1 FROM study;
                   INSERT INTO verdict (id, job, study, revision, created_ms, kind, withheld,
                       risk, threshold, volume_ml, shadow, provenance, contributions)
                   SELECT id, id, id, 1, 1, iif(id % 3, 'stable', 'withheld'),
                       iif(id % 3, NULL, '{"reason":"too-small","volume_ml":2.5}'),
                       iif(id % 3, (id * 7919 % 1000) / 1000.0, NULL), 0.4, 12.5, 0,
                       hex(zeroblob(400)), hex(zeroblob(400)) FROM study;
                   UPDATE study SET state = 'done', revision = 1, active_verdict = id;
                   INSERT INTO acknowledgement (study, verdict, who, at_ms)
                   SELECT id, id, 'ana', 1 FROM study WHERE id % 2;"#,
            )
            .unwrap();
        let plan: Vec<String> =
            all(&store.conn, &format!("EXPLAIN QUERY PLAN {ROW}{ORDER}"), [], |row| row.get(3))
                .unwrap();
        assert_eq!(
            plan.iter().map(|step| step.split(' ').next().unwrap()).collect::<Vec<_>>(),
            ["SCAN", "SEARCH", "SEARCH", "USE"],
            "{plan:?}"
        );
        let console = Store::open_existing(&scratch.path()).unwrap();
        for pass in ["first", "second"] {
            let started = Instant::now();
            let rows = console.worklist().unwrap();
            let millis = started.elapsed().as_secs_f64() * 1e3;
            println!("worklist of {} rows, {pass} read: {millis:.1} ms", rows.len());
            assert_eq!(rows.len(), 10_000);
        }
        let started = Instant::now();
        for _ in 0..1000 {
            console.data_version().unwrap();
        }
        println!("data_version: {:.1} us", started.elapsed().as_secs_f64() * 1e3);
    }
}
