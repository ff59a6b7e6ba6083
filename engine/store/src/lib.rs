//! The SQLite file that engine and consoles share: schema, worklist, queue, records, audit.
//!
//! All SQL of Ichor lives here. The file is in WAL mode: one engine and many consoles read and
//! write it at once. Every change of state writes its audit row in the same transaction.

mod records;

pub use records::{
    Acknowledgement, AuditEntry, ClinicalValue, Incoming, Job, Note, Outcome, Quarantined,
    Request, RequestKind, Row, ScorerResult, SeriesRow, StoredVerdict, StudyDetail, StudyState,
    VerdictKind,
};
