//! What staff does: acknowledge, remark, set priorities. Holds with the engine down.

use ichor_core::UnixMs;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use crate::audit::append;
use crate::queue::uid;
use crate::{Result, Store, StoreError};

/// What became of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// It stands.
    Done,
    /// Somebody was first.
    Already {
        /// Who.
        by: String,
        /// When.
        at: UnixMs,
    },
    /// A newer verdict has come since the screen was drawn; nothing was acknowledged.
    VerdictChanged,
}

impl Store {
    /// Says that `by` has seen `verdict`, which must be the study's active one (none: that there
    /// is none).
    pub fn acknowledge(
        &mut self,
        study: i64,
        verdict: Option<i64>,
        by: &str,
        now: UnixMs,
    ) -> Result<Acknowledged> {
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            if active_verdict(tx, study)? != verdict {
                return Ok(Acknowledged::VerdictChanged);
            }
            if let Some((by, at)) = standing(tx, study)? {
                return Ok(Acknowledged::Already { by, at });
            }
            tx.execute(
                "INSERT INTO acknowledgement (study, verdict, who, at_ms)
                 VALUES (?1, ?2, ?3, ?4)",
                params![study, verdict, by, now.0],
            )?;
            let detail = json!({"verdict": verdict});
            append(tx, now, by, "acknowledged", Some(&study_uid), &detail)?;
            Ok(Acknowledged::Done)
        })
    }

    /// Takes back the acknowledgement of the active verdict; false where there was none.
    pub fn withdraw_acknowledgement(
        &mut self,
        study: i64,
        by: &str,
        now: UnixMs,
    ) -> Result<bool> {
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            let Some((who, _)) = standing(tx, study)? else { return Ok(false) };
            let verdict = active_verdict(tx, study)?;
            tx.execute(
                "UPDATE acknowledgement SET withdrawn_by = ?3, withdrawn_ms = ?4
                 WHERE study = ?1 AND verdict IS ?2 AND withdrawn_ms IS NULL",
                params![study, verdict, by, now.0],
            )?;
            let detail = json!({"verdict": verdict, "acknowledged_by": who});
            append(tx, now, by, "acknowledgement-withdrawn", Some(&study_uid), &detail)?;
            Ok(true)
        })
    }

    /// Adds a remark; notes are never changed.
    pub fn note(&mut self, study: i64, by: &str, text: &str, now: UnixMs) -> Result<()> {
        let text = text.trim();
        if text.is_empty() {
            return Err(StoreError::Empty("the note"));
        }
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            tx.execute(
                "INSERT INTO note (study, who, at_ms, text) VALUES (?1, ?2, ?3, ?4)",
                params![study, by, now.0, text],
            )?;
            append(tx, now, by, "noted", Some(&study_uid), &json!({"text": text}))
        })
    }

    /// Moves a study up (positive) or down (negative), from -9 to 9.
    pub fn set_priority(
        &mut self,
        study: i64,
        priority: i32,
        by: &str,
        now: UnixMs,
    ) -> Result<()> {
        if !(-9..=9).contains(&priority) {
            return Err(StoreError::Priority { value: priority });
        }
        self.write(|tx| {
            let study_uid = uid(tx, study)?;
            let before: i32 =
                tx.query_row("SELECT priority FROM study WHERE id = ?1", [study], |row| {
                    row.get(0)
                })?;
            if before == priority {
                return Ok(());
            }
            tx.execute(
                "UPDATE study SET priority = ?2 WHERE id = ?1",
                params![study, priority],
            )?;
            let detail = json!({"from": before, "to": priority});
            append(tx, now, by, "priority", Some(&study_uid), &detail)
        })
    }
}

fn active_verdict(tx: &Connection, study: i64) -> Result<Option<i64>> {
    Ok(tx.query_row("SELECT active_verdict FROM study WHERE id = ?1", [study], |row| {
        row.get(0)
    })?)
}

/// Who acknowledged the active verdict, and when.
fn standing(tx: &Connection, study: i64) -> Result<Option<(String, UnixMs)>> {
    Ok(tx
        .query_row(
            "SELECT a.who, a.at_ms FROM acknowledgement a JOIN study s ON s.id = a.study
             WHERE s.id = ?1 AND a.verdict IS s.active_verdict AND a.withdrawn_ms IS NULL",
            [study],
            |row| Ok((row.get(0)?, UnixMs(row.get(1)?))),
        )
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, actions, at, finished, image, leased, outcome};

    #[test]
    fn two_people_acknowledge_and_the_second_hears_of_the_first() {
        let scratch = Scratch::new();
        let mut engine = scratch.store();
        let study = finished(&mut engine, "1", START, &outcome(0.7));
        let mut ana = Store::open_existing(&scratch.path()).unwrap();
        let mut ben = Store::open_existing(&scratch.path()).unwrap();
        let seen = ana.row(study).unwrap().unwrap().verdict;
        assert_eq!(ana.acknowledge(study, seen, "ana", at(20.0)).unwrap(), Acknowledged::Done);
        assert_eq!(
            ben.acknowledge(study, seen, "ben", at(21.0)).unwrap(),
            Acknowledged::Already { by: "ana".to_owned(), at: at(20.0) }
        );
        let row = ben.row(study).unwrap().unwrap();
        assert_eq!(row.acknowledged_by.as_deref(), Some("ana"));
        assert_eq!(row.acknowledged, Some(at(20.0)));
    }

    #[test]
    fn nobody_acknowledges_a_verdict_that_he_has_not_seen() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        assert_eq!(store.acknowledge(1, None, "ana", START).unwrap(), Acknowledged::Done);
        store.queue_quiet(at(10.0), 10.0).unwrap();
        let job = leased(&mut store, at(10.0));
        store.finish(&job, "w1", &outcome(0.7), at(11.0)).unwrap();
        assert_eq!(store.row(1).unwrap().unwrap().acknowledged_by, None);
        let stale = store.acknowledge(1, None, "ana", at(12.0)).unwrap();
        assert_eq!(stale, Acknowledged::VerdictChanged);
        assert_eq!(actions(&store).iter().filter(|a| *a == "acknowledged").count(), 1);
    }

    #[test]
    fn a_new_verdict_is_unseen() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let study = finished(&mut store, "1", START, &outcome(0.2));
        let seen = store.row(study).unwrap().unwrap().verdict;
        store.acknowledge(study, seen, "ana", at(20.0)).unwrap();
        store.requeue(study, "ana", at(30.0)).unwrap();
        let job = leased(&mut store, at(30.0));
        store.finish(&job, "w1", &outcome(0.7), at(31.0)).unwrap();
        assert_eq!(store.row(study).unwrap().unwrap().acknowledged_by, None);
        assert_eq!(
            store.acknowledge(study, seen, "ana", at(32.0)).unwrap(),
            Acknowledged::VerdictChanged
        );
    }

    #[test]
    fn an_acknowledgement_can_be_withdrawn_and_given_again() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let study = finished(&mut store, "1", START, &outcome(0.7));
        let seen = store.row(study).unwrap().unwrap().verdict;
        assert!(!store.withdraw_acknowledgement(study, "ben", at(19.0)).unwrap());
        store.acknowledge(study, seen, "ana", at(20.0)).unwrap();
        assert!(store.withdraw_acknowledgement(study, "ben", at(21.0)).unwrap());
        assert_eq!(store.row(study).unwrap().unwrap().acknowledged_by, None);
        assert_eq!(store.study(study).unwrap().unwrap().acknowledgements, []);
        assert_eq!(
            store.acknowledge(study, seen, "ben", at(22.0)).unwrap(),
            Acknowledged::Done
        );
    }

    #[test]
    fn every_act_of_staff_is_told() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        store.set_priority(1, 3, "ana", START).unwrap();
        store.set_priority(1, 3, "ana", START).unwrap();
        store.note(1, "ana", "called", START).unwrap();
        let entries = store.audit(2, 10).unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|e| (e.actor.as_str(), e.action.as_str(), e.detail.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("ana", "priority", r#"{"from":0,"to":3}"#),
                ("ana", "noted", r#"{"text":"called"}"#)
            ]
        );
        assert_eq!(entries[0].study_uid.as_deref(), Some("1.2.1"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        assert!(matches!(
            store.note(1, "ana", " \n", START),
            Err(StoreError::Empty("the note"))
        ));
        assert!(matches!(store.note(2, "ana", "x", START), Err(StoreError::NoStudy { .. })));
        assert_eq!(
            store.set_priority(1, 10, "ana", START).unwrap_err().to_string(),
            "10 is no priority: it must be a whole number from -9 to 9"
        );
        assert!(store.acknowledge(2, None, "ana", START).is_err());
        assert_eq!(actions(&store), ["received"]);
    }
}
