//! Opening the file, and the one way to write to it.
//!
//! WAL, synchronous = FULL: what a call has returned from survives a power cut. Foreign keys are
//! enforced. A writer waits up to 5 s for another.

use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::migrate::{STEPS, migrate, schema};
use crate::{Result, StoreError};

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(5);

/// Owner and group read and write: consoles write the file, its `-wal` and its `-shm` too.
const MODE: u32 = 0o660;

/// A connection to the database; one for each thread.
#[derive(Debug)]
pub struct Store {
    pub(crate) conn: Connection,
}

impl Store {
    /// For the engine: makes the file where there is none and brings an older one up to date.
    ///
    /// Its folder must exist. Fails on another program's file and on a newer schema.
    pub fn open(path: &Path) -> Result<Self> {
        create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let (mut conn, _) = connect(path)?;
        let mode: String =
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NotShared { path: path.to_owned(), mode });
        }
        migrate(&mut conn, path, STEPS)?;
        Ok(Self { conn })
    }

    /// For consoles: never makes and never changes the schema, so that an old console cannot
    /// harm a new file nor the reverse.
    pub fn open_existing(path: &Path) -> Result<Self> {
        if !path.try_exists().unwrap_or(true) {
            return Err(StoreError::NoDatabase { path: path.to_owned() });
        }
        let (conn, found) = connect(path)?;
        match found {
            0 => Err(StoreError::NoDatabase { path: path.to_owned() }),
            found if (found as usize) < STEPS.len() => Err(StoreError::Older {
                path: path.to_owned(),
                found,
                known: STEPS.len() as u32,
            }),
            _ => Ok(Self { conn }),
        }
    }

    /// Runs `work` in one transaction that holds the write lock from its start; an error leaves
    /// nothing behind.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Runs `work` on one unchanging view of the file.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let tx = self.conn.unchecked_transaction()?;
        work(&tx)
    }
}

/// An empty file with [`MODE`], whatever the umask; leaves one that exists as it is.
fn create(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(file) => file.set_permissions(Permissions::from_mode(MODE)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A connection to a file that is empty or ours, and the schema it has; nothing is written.
fn connect(path: &Path) -> Result<(Connection, u32)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    conn.busy_timeout(BUSY)?;
    let found = schema(&conn, path, STEPS.len())?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok((conn, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{START, Scratch, image};

    #[test]
    fn the_group_may_write_whatever_the_umask() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        store.record(&[image("1", 1, START)]).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{}{suffix}", scratch.path().display());
            let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
            assert_eq!(format!("{mode:o}"), "660", "{file}");
        }
    }

    #[test]
    fn a_console_before_the_first_engine_hears_what_to_do() {
        let scratch = Scratch::new();
        let missing = Store::open_existing(&scratch.path()).unwrap_err().to_string();
        assert!(missing.starts_with("no database at "), "{missing}");
        assert!(missing.ends_with("start the engine first or check data_dir"), "{missing}");
        std::fs::write(scratch.path(), "").unwrap();
        let half_made = Store::open_existing(&scratch.path()).unwrap_err();
        assert!(matches!(half_made, StoreError::NoDatabase { .. }), "{half_made}");
        drop(scratch.store());
        assert!(Store::open_existing(&scratch.path()).is_ok());
    }

    #[test]
    fn a_newer_file_is_refused_with_words() {
        let scratch = Scratch::new();
        scratch.store().conn.pragma_update(None, "user_version", 99).unwrap();
        for result in [Store::open(&scratch.path()), Store::open_existing(&scratch.path())] {
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains("has schema 99, this program knows 3: install the newer Ichor"),
                "{error}"
            );
        }
    }

    #[test]
    fn another_programs_file_is_refused_and_left_alone() {
        let scratch = Scratch::new();
        let text = "this is no database, and long enough for SQLite to look at its header. ";
        std::fs::write(scratch.path(), text.repeat(10)).unwrap();
        let error = Store::open(&scratch.path()).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");

        std::fs::remove_file(scratch.path()).unwrap();
        let conn = Connection::open(scratch.path()).unwrap();
        conn.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
        let before = std::fs::read(scratch.path()).unwrap();
        let error = Store::open(&scratch.path()).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
        assert_eq!(std::fs::read(scratch.path()).unwrap(), before);
    }

    #[test]
    fn a_file_that_cannot_be_made_names_its_path() {
        let scratch = Scratch::new();
        let path = scratch.path().join("below").join("x.sqlite3");
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.contains("below") && error.contains("check the folder"), "{error}");
    }

    #[test]
    fn what_is_committed_survives_a_power_cut() {
        let scratch = Scratch::new();
        drop(scratch.store());
        let store = Store::open_existing(&scratch.path()).unwrap();
        let read = |pragma| {
            let text = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
            store.conn.pragma_query_value(None, pragma, text).unwrap()
        };
        assert_eq!(read("journal_mode"), "wal".to_owned().into());
        assert_eq!(read("synchronous"), 2.into(), "FULL");
        assert_eq!(read("foreign_keys"), 1.into());
        assert_eq!(read("busy_timeout"), 5000.into());
    }

    #[test]
    fn what_fails_in_a_transaction_leaves_nothing() {
        let scratch = Scratch::new();
        let mut store = scratch.store();
        let result: Result<()> = store.write(|tx| {
            tx.execute("INSERT INTO quarantine VALUES (1, 'a', 'b', 'c', 1)", [])?;
            Err(StoreError::Empty("the second half"))
        });
        assert!(result.is_err());
        assert_eq!(store.quarantine_count().unwrap(), 0);
    }
}
