//! Bytes that could not be parsed: kept, listed, never a study.

use ichor_core::UnixMs;
use rusqlite::params;
use serde_json::json;

use crate::audit::{ENGINE, append};
use crate::columns::all;
use crate::reception::text;
use crate::{Quarantined, Result, Store};

impl Store {
    /// Records bytes that could not be parsed; the same path is recorded once.
    pub fn quarantine(&mut self, item: &Quarantined) -> Result<()> {
        self.write(|tx| {
            let n_new = tx.execute(
                "INSERT OR IGNORE INTO quarantine (path, why, source, at_ms)
                 VALUES (?1, ?2, ?3, ?4)",
                params![text(&item.path)?, item.why, item.source, item.at.0],
            )?;
            if n_new == 1 {
                let detail = json!({"path": item.path, "why": item.why, "source": item.source});
                append(tx, item.at, ENGINE, "quarantined", None, &detail)?;
            }
            Ok(())
        })
    }

    /// Everything in quarantine, newest first.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let sql =
            "SELECT path, why, source, at_ms FROM quarantine ORDER BY at_ms DESC, id DESC";
        all(&self.conn, sql, [], |row| {
            Ok(Quarantined {
                path: row.get::<_, String>(0)?.into(),
                why: row.get(1)?,
                source: row.get(2)?,
                at: UnixMs(row.get(3)?),
            })
        })
    }

    /// How many items lie in quarantine.
    pub fn quarantine_count(&self) -> Result<u32> {
        let mut statement = self.conn.prepare_cached("SELECT count(*) FROM quarantine")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Scratch, actions, at};

    #[test]
    fn quarantine_knows_a_path_once() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let item = |path: &str, seconds| Quarantined {
            path: path.into(),
            why: "no DICOM prefix".to_owned(),
            source: "inbox".to_owned(),
            at: at(seconds),
        };
        for item in [item("a", 0.0), item("b", 1.0), item("a", 2.0)] {
            store.quarantine(&item).unwrap();
        }
        assert_eq!(store.quarantined().unwrap(), [item("b", 1.0), item("a", 0.0)]);
        assert_eq!(store.counts().unwrap().quarantined, 2);
        assert_eq!(actions(&store), ["quarantined", "quarantined"]);
    }
}
