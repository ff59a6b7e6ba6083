//! What can go wrong in the console and the light commands.

use std::{io, path::PathBuf};

use ichor_core::{ConfigError, ProfileError, UnitId};
use ichor_store::StoreError;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A file that was asked for cannot be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The configuration is not valid.
    #[error("{}: {source}", path.display())]
    Config { path: PathBuf, source: ConfigError },
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The study went between two reads.
    #[error("study {0} is not in the database")]
    NoStudy(i64),
    /// Not `NAME=VALUE`, or the value is no number.
    #[error("{0:?} is no clinical value: write NAME=NUMBER, such as onset_to_ct_h=1.5")]
    Assignment(String),
    /// A profile's file is not valid.
    #[error("{}: {source}", path.display())]
    Profile { path: PathBuf, source: ProfileError },
    /// No profile of that scorer has that name.
    #[error("{scorer} has no profile {name}; it has: {known}")]
    NoProfile { scorer: UnitId, name: String, known: String },
    /// No profile belongs to that scorer.
    #[error("no profile belongs to scorer {scorer}; there are profiles for: {known}")]
    NoScorer { scorer: String, known: String },
    /// The profile does not hold for the scorer as it is installed.
    #[error("{scorer}: {why}")]
    Void { scorer: UnitId, why: String },
    /// Nobody said yes.
    #[error("nothing was changed: say y, or give --yes where nobody can be asked")]
    NotConfirmed,
    /// The engine closed a request without doing it.
    #[error("the engine refused: {why}")]
    EngineRefused { why: String },
    /// The audit chain does not hold.
    #[error("the audit trail was changed: entry {id} does not fit the one before it")]
    AuditBroken { id: i64 },
    /// The engine is not installed beside the console.
    #[error("`ichor {command}` is run by the engine, and {} is not there", path.display())]
    EngineMissing { command: String, path: PathBuf },
    /// The engine cannot be started.
    #[error("{}: {source}", path.display())]
    EngineStart { path: PathBuf, source: io::Error },
    /// The console was started without a terminal.
    #[error("the console needs a terminal; in a pipe use `ichor list`")]
    NoTerminal,
    /// The terminal failed.
    #[error("terminal: {0}")]
    Terminal(io::Error),
    /// A thread of the console ended by a fault; its last words.
    #[error("the console ended by a fault, please report it: {0}")]
    Lost(String),
    /// What was to be printed cannot be written as JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
    /// Output cannot be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
    /// A file of the pictures is no PNG.
    #[error("{}: {source}", path.display())]
    Png { path: PathBuf, source: png::DecodingError },
    /// A PNG is not what the engine writes.
    #[error("{}: {found}, expected {expected}", path.display())]
    Picture { path: PathBuf, found: String, expected: String },
    /// The list of the pictures cannot be read.
    #[error("{}: {source}", path.display())]
    PictureIndex { path: PathBuf, source: serde_json::Error },
}

impl Error {
    /// True when the reader of our output went away: not our failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
            || matches!(self, Self::Json(source)
                if source.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    }
}
