//! Which profile each scorer uses, and whether an engine is alive.

use ichor_core::{UnitId, UnixMs};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::all;
use crate::{Result, Store};

/// The engine that wrote last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it last said that it lives.
    pub beat: UnixMs,
    /// Address and port that it receives on; none before it does.
    pub listen: Option<String>,
}

/// A threshold profile by which nothing may be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidProfile {
    /// The scorer that it lies with.
    pub scorer: UnitId,
    /// Its name.
    pub profile: String,
    /// Why it does not hold.
    pub why: String,
}

impl Store {
    /// The profile that was chosen for a scorer; none: the configured one.
    pub fn active_profile(&self, scorer: &UnitId) -> Result<Option<String>> {
        chosen(&self.conn, scorer)
    }

    /// Has `scorer` use the profile called `name` from now on; `otherwise` held where none was chosen
    /// before.
    pub fn set_active_profile(
        &mut self,
        scorer: &UnitId,
        name: &str,
        otherwise: &str,
        by: &str,
        now: UnixMs,
    ) -> Result<()> {
        self.write(|tx| {
            let before = chosen(tx, scorer)?.unwrap_or_else(|| otherwise.to_owned());
            tx.execute(
                "INSERT INTO active_profile (scorer, profile, who, at_ms)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (scorer) DO UPDATE SET profile = ?2, who = ?3, at_ms = ?4",
                params![scorer.to_string(), name, by, now.0],
            )?;
            let detail = json!({"scorer": scorer, "from": before, "to": name});
            append(tx, now, by, "profile", None, &detail)
        })
    }

    /// Says which profiles do not hold, and why, in place of what was said before.
    pub fn set_void_profiles(&mut self, void: &[VoidProfile]) -> Result<()> {
        if self.void_profiles()? == void {
            return Ok(());
        }
        self.write(|tx| {
            tx.execute("DELETE FROM void_profile", [])?;
            for VoidProfile { scorer, profile, why } in void {
                tx.execute(
                    "INSERT INTO void_profile (scorer, profile, why) VALUES (?1, ?2, ?3)",
                    params![scorer.to_string(), profile, why],
                )?;
            }
            Ok(())
        })
    }

    /// The profiles that do not hold, as the engine last saw them, by scorer and name.
    pub fn void_profiles(&self) -> Result<Vec<VoidProfile>> {
        let sql = "SELECT scorer, profile, why FROM void_profile ORDER BY scorer, profile";
        all(&self.conn, sql, [], |row| {
            let scorer: String = row.get(0)?;
            Ok(VoidProfile {
                scorer: scorer.parse().map_err(FromSqlError::other)?,
                profile: row.get(1)?,
                why: row.get(2)?,
            })
        })
    }

    /// Says that the engine lives; its first beat is its start.
    pub fn engine_beat(&mut self, pid: u32, version: &str, now: UnixMs) -> Result<()> {
        self.write(|tx| {
            let n_known = tx.execute(
                "UPDATE engine SET beat_ms = ?3 WHERE pid = ?1 AND version = ?2",
                params![pid, version, now.0],
            )?;
            if n_known == 1 {
                return Ok(());
            }
            tx.execute(
                "INSERT OR REPLACE INTO engine (id, pid, version, beat_ms)
                 VALUES (1, ?1, ?2, ?3)",
                params![pid, version, now.0],
            )?;
            let detail = json!({"pid": pid, "version": version});
            append(tx, now, ENGINE, "engine-started", None, &detail)
        })
    }

    /// Says on which address and port the engine that beats receives.
    pub fn engine_listens(&mut self, listen: &str, now: UnixMs) -> Result<()> {
        self.write(|tx| {
            tx.execute("UPDATE engine SET listen = ?1, beat_ms = ?2", params![listen, now.0])?;
            append(tx, now, ENGINE, "engine-listens", None, &json!({"listen": listen}))
        })
    }

    /// The engine that beat last; none before the first.
    pub fn engine_status(&self) -> Result<Option<EngineStatus>> {
        Ok(self
            .conn
            .prepare_cached("SELECT pid, version, beat_ms, listen FROM engine")?
            .query_row([], |row| {
                Ok(EngineStatus {
                    pid: row.get(0)?,
                    version: row.get(1)?,
                    beat: UnixMs(row.get(2)?),
                    listen: row.get(3)?,
                })
            })
            .optional()?)
    }
}

fn chosen(conn: &Connection, scorer: &UnitId) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT profile FROM active_profile WHERE scorer = ?1")?
        .query_row([scorer.to_string()], |row| row.get(0))
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, actions, at, unit};

    #[test]
    fn each_scorer_has_its_own_profile() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let (boosting, signature) =
            (unit("org.ichor.boosting/boosting"), unit("org.ichor.radiomics/signature"));
        assert_eq!(store.active_profile(&boosting).unwrap(), None);
        store.set_active_profile(&boosting, "rule-out", "youden", "ana", START).unwrap();
        store.set_active_profile(&boosting, "rule-in", "youden", "ben", at(1.0)).unwrap();
        assert_eq!(store.active_profile(&boosting).unwrap().as_deref(), Some("rule-in"));
        assert_eq!(store.active_profile(&signature).unwrap(), None);
        let told = store.audit(1, 2).unwrap();
        let told: Vec<(&str, &str)> =
            told.iter().map(|entry| (&entry.actor[..], &entry.detail[..])).collect();
        assert_eq!(
            told,
            [
                (
                    "ana",
                    r#"{"from":"youden","scorer":"org.ichor.boosting/boosting","to":"rule-out"}"#
                ),
                (
                    "ben",
                    r#"{"from":"rule-out","scorer":"org.ichor.boosting/boosting","to":"rule-in"}"#
                ),
            ]
        );
    }

    #[test]
    fn a_console_sees_which_profiles_are_void() {
        let scratch = Scratch::new();
        let mut engine = scratch.store();
        let console = Store::open_existing(&scratch.path()).unwrap();
        let void = |profile: &str| VoidProfile {
            scorer: unit("org.ichor.boosting/boosting"),
            profile: profile.to_owned(),
            why: "other weights".to_owned(),
        };
        for said in [vec![void("rule-in"), void("youden")], vec![void("mine")], vec![]] {
            engine.set_void_profiles(&said).unwrap();
            let before = console.data_version().unwrap();
            engine.set_void_profiles(&said).unwrap();
            assert_eq!(console.data_version().unwrap(), before, "nothing new, nothing written");
            assert_eq!(console.void_profiles().unwrap(), said);
        }
    }

    #[test]
    fn a_console_sees_whether_the_engine_beats() {
        let scratch = Scratch::new();
        let mut engine = scratch.store();
        let console = Store::open_existing(&scratch.path()).unwrap();
        assert_eq!(console.engine_status().unwrap(), None);
        engine.engine_beat(41, "0.1.0", START).unwrap();
        engine.engine_listens("127.0.0.1:11112", at(1.0)).unwrap();
        engine.engine_beat(41, "0.1.0", at(5.0)).unwrap();
        assert_eq!(
            console.engine_status().unwrap(),
            Some(EngineStatus {
                pid: 41,
                version: "0.1.0".to_owned(),
                beat: at(5.0),
                listen: Some("127.0.0.1:11112".to_owned()),
            })
        );
        engine.engine_beat(42, "0.1.0", at(9.0)).unwrap();
        assert_eq!(console.engine_status().unwrap().unwrap().listen, None);
        assert_eq!(actions(&engine), ["engine-started", "engine-listens", "engine-started"]);
    }
}
