//! Who did what when: an append-only chain.
//!
//! Each entry's hash is SHA-256 over the previous entry's hash, a line feed, and the entry's
//! fields as a JSON array `[id, at_ms, actor, action, study_uid, detail]`; the first follows the
//! empty hash. Triggers refuse changes through SQL; whoever goes round them breaks the chain,
//! except by cutting its end: note the head elsewhere to see that too.

use std::fmt::Write;

use ichor_core::UnixMs;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::columns::all;
use crate::{AuditEntry, Result, Store, StoreError};

/// The actor of what nobody asked for.
pub(crate) const ENGINE: &str = "engine";

/// Whether the chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// Entries that were looked at.
    pub entries: u64,
    /// Number of the first entry that does not follow from those before it.
    pub broken_at: Option<i64>,
    /// Hash of the last entry; empty for no entries.
    pub head: String,
}

impl Store {
    /// Computes the whole chain anew.
    pub fn audit_verify(&self) -> Result<AuditCheck> {
        let mut check = AuditCheck { entries: 0, broken_at: None, head: String::new() };
        let mut statement = self.conn.prepare(&select("ORDER BY id"))?;
        for entry in statement.query_map([], entry)? {
            let entry = entry?;
            check.entries += 1;
            let expected = hash(&check.head, &entry);
            if entry.id.cast_unsigned() != check.entries || entry.hash != expected {
                check.broken_at.get_or_insert(entry.id);
            }
            check.head = entry.hash;
        }
        Ok(check)
    }

    /// At most `limit` entries from number `from_id` on, oldest first.
    pub fn audit(&self, from_id: i64, limit: usize) -> Result<Vec<AuditEntry>> {
        let sql = select("WHERE id >= ?1 ORDER BY id LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        all(&self.conn, &sql, params![from_id, limit], entry)
    }
}

/// Appends one entry; to be called in the transaction of what it tells.
pub(crate) fn append(
    tx: &Connection,
    at: UnixMs,
    actor: &str,
    action: &str,
    study_uid: Option<&str>,
    detail: &Value,
) -> Result<()> {
    if actor.trim().is_empty() {
        return Err(StoreError::Empty("the name of who does this"));
    }
    let last: Option<(i64, String)> = tx
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last_id, last_hash) = last.unwrap_or_default();
    let mut entry = AuditEntry {
        id: last_id + 1,
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        study_uid: study_uid.map(str::to_owned),
        detail: detail.to_string(),
        hash: String::new(),
    };
    entry.hash = hash(&last_hash, &entry);
    tx.prepare_cached(
        "INSERT INTO audit (id, at_ms, actor, action, study_uid, detail, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        entry.id,
        entry.at.0,
        entry.actor,
        entry.action,
        entry.study_uid,
        entry.detail,
        entry.hash
    ])?;
    Ok(())
}

/// SHA-256 of `bytes`, hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn hash(previous: &str, entry: &AuditEntry) -> String {
    let fields = serde_json::json!([
        entry.id,
        entry.at.0,
        entry.actor,
        entry.action,
        entry.study_uid,
        entry.detail
    ]);
    sha256(format!("{previous}\n{fields}").as_bytes())
}

fn select(rest: &str) -> String {
    format!("SELECT id, at_ms, actor, action, study_uid, detail, hash FROM audit {rest}")
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: UnixMs(row.get(1)?),
        actor: row.get(2)?,
        action: row.get(3)?,
        study_uid: row.get(4)?,
        detail: row.get(5)?,
        hash: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, image};

    fn filled(scratch: &Scratch) -> Store {
        let mut store = scratch.store();
        store.record(&[image("1", 1, START), image("2", 1, START)]).unwrap();
        store.note(1, "ana", "called the ward", START).unwrap();
        store
    }

    /// What somebody with the file and no scruples can do.
    fn check_broken(sql: &str, broken_at: i64) {
        let scratch = Scratch::new();
        let store = filled(&scratch);
        assert_eq!(store.audit_verify().unwrap().broken_at, None);
        store
            .conn
            .execute_batch(
                "DROP TRIGGER audit_follows; DROP TRIGGER audit_stays;
                 DROP TRIGGER audit_is_fixed",
            )
            .unwrap();
        store.conn.execute_batch(sql).unwrap();
        assert_eq!(store.audit_verify().unwrap().broken_at, Some(broken_at), "{sql}");
    }

    #[test]
    fn the_chain_is_what_the_header_says() {
        let scratch = Scratch::new();
        let store = filled(&scratch);
        let entries = store.audit(1, 10).unwrap();
        assert_eq!(
            entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
            ["received", "received", "noted"]
        );
        let text = format!(
            "{}\n[3,1760000000000,\"ana\",\"noted\",\"1.2.1\",\"{}\"]",
            entries[1].hash, r#"{\"text\":\"called the ward\"}"#
        );
        assert_eq!(entries[2].hash, sha256(text.as_bytes()));
        let check = store.audit_verify().unwrap();
        assert_eq!((check.entries, check.head), (3, entries[2].hash.clone()));
    }

    #[test]
    fn sha256_is_that_of_fips_180() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_change_a_gap_and_an_insertion_break_the_chain() {
        check_broken("UPDATE audit SET actor = 'eve' WHERE id = 2", 2);
        check_broken("UPDATE audit SET at_ms = 1 WHERE id = 1", 1);
        check_broken("DELETE FROM audit WHERE id = 2", 3);
        check_broken("DELETE FROM audit WHERE id = 1", 2);
        check_broken("INSERT INTO audit VALUES (4, 1, 'eve', 'noted', NULL, '{}', 'ff')", 4);
    }

    #[test]
    fn sql_cannot_change_delete_or_replace_an_entry() {
        let scratch = Scratch::new();
        let store = filled(&scratch);
        for sql in [
            "UPDATE audit SET actor = 'eve'",
            "DELETE FROM audit WHERE id = 3",
            "INSERT OR REPLACE INTO audit VALUES (1, 1, 'eve', 'noted', NULL, '{}', 'ff')",
            "INSERT INTO audit VALUES (9, 1, 'eve', 'noted', NULL, '{}', 'ff')",
        ] {
            let error = store.conn.execute_batch(sql).unwrap_err().to_string();
            assert!(error.contains("audit entries are"), "{sql}: {error}");
        }
        assert_eq!(store.audit_verify().unwrap().broken_at, None);
    }

    #[test]
    fn nobody_is_no_actor() {
        let scratch = Scratch::new();
        let mut store = filled(&scratch);
        assert!(matches!(
            store.note(1, " ", "who wrote this?", START),
            Err(StoreError::Empty("the name of who does this"))
        ));
        assert!(store.study(1).unwrap().unwrap().notes.len() == 1);
    }

    #[test]
    fn entries_are_read_in_pages() {
        let scratch = Scratch::new();
        let store = filled(&scratch);
        let ids = |from, limit| {
            store.audit(from, limit).unwrap().iter().map(|e| e.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(1, 2), [1, 2]);
        assert_eq!(ids(3, 2), [3]);
    }
}
