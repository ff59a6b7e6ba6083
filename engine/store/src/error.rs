//! What can go wrong with the database, and what to do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// `Result` with [`StoreError`].
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store did not do what was asked; nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A console came before the first engine.
    #[error("no database at {}: start the engine first or check data_dir", .path.display())]
    NoDatabase {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be made or opened.
    #[error("cannot open {}: {source}; check the folder and your group's rights", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// SQLite cannot open the file.
    #[error("cannot open {}: {source}; check the folder and your group's rights", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another program's file.
    #[error("{} is no database of Ichor: check data_dir", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer Ichor.
    #[error(
        "{} has schema {found}, this program knows {known}: install the newer Ichor that wrote it",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this program.
        known: u32,
    },
    /// Written by an older Ichor, and only the engine migrates.
    #[error(
        "{} has schema {found}, this program needs {known}: start the engine of the same version \
         once, it migrates the file",
        .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema of this program.
        known: u32,
    },
    /// The file system cannot share memory between processes.
    #[error(
        "{} cannot be shared (journal mode {mode}, not wal): put data_dir on a local disk",
        .path.display()
    )]
    NotShared {
        /// The file.
        path: PathBuf,
        /// The journal mode that SQLite fell back to.
        mode: String,
    },
    /// Somebody else held the write lock for longer than the busy timeout.
    #[error("another process has held the database for over 5 s: try again")]
    Busy,
    /// SQLite refused.
    #[error("database: {0}")]
    Sql(rusqlite::Error),
    /// A path that cannot stand in the database.
    #[error("{0:?} is no UTF-8 path and cannot be recorded")]
    Path(PathBuf),
    /// No study is meant by this.
    #[error(
        "no study {asked}: give a row number, a StudyInstanceUID or a PatientID of the list"
    )]
    NoStudy {
        /// What was asked for.
        asked: String,
    },
    /// Several studies are meant by this.
    #[error("{asked} means several studies: give one of the row numbers {}", numbers(.rows))]
    SeveralStudies {
        /// What was asked for.
        asked: String,
        /// Rows that fit; each is understood as `#N`.
        rows: Vec<i64>,
    },
    /// Another worker has the job, or it has ended; nothing was written.
    #[error("job {job} is no longer ours: its lease was taken over or it has ended")]
    LeaseLost {
        /// The job's row.
        job: i64,
    },
    /// One scorer is active, the others run in its shadow.
    #[error("an outcome needs exactly one result that is not in the shadow, this has {found}")]
    ActiveResults {
        /// Results that are not in the shadow.
        found: usize,
    },
    /// A study is queued by itself once it is quiet.
    #[error("images of study {study} are still coming: it is scored when they have ended")]
    StillReceiving {
        /// The study's row.
        study: i64,
    },
    /// A clinical value that is unknown or cannot be.
    #[error(transparent)]
    Clinical(#[from] ichor_core::ClinicalError),
    /// A priority out of its range.
    #[error("{value} is no priority: it must be a whole number from -9 to 9")]
    Priority {
        /// The value found.
        value: i32,
    },
    /// Nobody, or a note without words.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A value that JSON cannot carry, such as a contribution that is not finite.
    #[error("{what} cannot be stored: {source}")]
    Unstorable {
        /// What it belongs to.
        what: &'static str,
        /// Why it could not be read back.
        source: serde_json::Error,
    },
    /// Closed already, or never made.
    #[error("request {id} is not open")]
    NotOpen {
        /// The request's row.
        id: i64,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sql(error),
        }
    }
}

fn numbers(rows: &[i64]) -> String {
    rows.iter().map(|row| format!("#{row}")).collect::<Vec<_>>().join(", ")
}
