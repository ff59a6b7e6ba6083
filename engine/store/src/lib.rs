//! The SQLite file that engine and consoles share: schema, worklist, queue, records, audit.
//!
//! All SQL of Ichor lives here. The file is in WAL mode: one engine and many consoles read and
//! write it at once. Every change of state writes its audit row in the same transaction.

mod records;

mod error;
mod migrate;
mod open;

mod audit;
mod columns;

mod reception;

mod quarantine;
mod quiet;

mod queue;

mod attempts;

mod verdicts;

mod worklist;

mod detail;

mod clinical;
mod requests;
mod settings;
mod staff;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod sample;

pub use attempts::Failed;
pub use audit::AuditCheck;
pub use error::{Result, StoreError};
pub use open::Store;
pub use reception::Recorded;
pub use records::{
    Acknowledgement, AuditEntry, Incoming, Job, Note, Outcome, Quarantined, Request,
    RequestKind, Row, ScorerResult, SeriesRow, ShadowFailure, StoredVerdict, StudyDetail,
    StudyState, VerdictKind,
};
pub use settings::{EngineStatus, VoidProfile};
pub use staff::Acknowledged;
pub use worklist::Counts;
