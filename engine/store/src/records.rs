//! What goes into the store and comes out of it. Plain values; units are in the names.

use std::path::PathBuf;

use ichor_core::{
    ClinicalValue, Contribution, Features, Millilitres, MotionIndex, Provenance, Risk,
    Threshold, UnitId, UnixMs, Withheld,
};
use serde::{Deserialize, Serialize};

use crate::clinical::changed;

/// One object that lies durable on disk and asks to be known: what its header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// `SeriesInstanceUID`.
    pub series_uid: String,
    /// `SOPInstanceUID`.
    pub sop_uid: String,
    /// `SOPClassUID`.
    pub sop_class: String,
    /// `Modality` (0008,0060); empty where absent.
    pub modality: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `PatientName` as people read it, control characters removed.
    pub patient_name: String,
    /// `PatientBirthDate`, `YYYY-MM-DD`.
    pub birth_date: Option<String>,
    /// Age at the scan in years.
    pub age_years: Option<f64>,
    /// `PatientSex`: `F`, `M`, `O`.
    pub sex: Option<String>,
    /// `AccessionNumber`.
    pub accession: String,
    /// `StudyDescription`.
    pub study_description: String,
    /// `SeriesDescription`.
    pub series_description: String,
    /// When the image was acquired: `AcquisitionDateTime`, else content, series, study time.
    pub scan: Option<UnixMs>,
    /// Whether it says that it is a phantom (simulated).
    pub phantom: bool,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Where the object will lie, relative to the data folder.
    pub path: PathBuf,
    /// When it was received.
    pub received: UnixMs,
    /// Who sent it: calling AE title and address, or `inbox`, or `import`.
    pub source: String,
}

/// How far a study has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StudyState {
    /// Images may still come.
    Receiving,
    /// Quiet long enough; a job waits.
    Queued,
    /// A worker has it.
    Scoring,
    /// It has a verdict for its present revision.
    Done,
    /// All attempts failed; the row says why.
    Failed,
}

/// The kind of a verdict, as the store and scripts write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictKind {
    /// Growth is expected.
    Expands,
    /// No growth is expected.
    Stable,
    /// No answer; the reason is beside it.
    Withheld,
}

/// A verdict with everything that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredVerdict {
    /// Its row in the store.
    pub id: i64,
    /// The revision of the study that it was made on.
    pub revision: u32,
    /// When it was made.
    pub created: UnixMs,
    /// What it says.
    pub kind: VerdictKind,
    /// Why it was withheld.
    pub withheld: Option<Withheld>,
    /// The risk, also of a shadow scorer.
    pub risk: Option<Risk>,
    /// The threshold that the risk was held against.
    pub threshold: Option<Threshold>,
    /// Volume of the hematoma; none where none was measured.
    pub volume: Option<Millilitres>,
    /// Motion index; none where none was measured.
    pub motion: Option<MotionIndex>,
    /// True for a scorer that runs in the shadow of the active one.
    pub shadow: bool,
    /// What made it.
    pub provenance: Provenance,
    /// What pushed the risk, largest first.
    pub contributions: Vec<Contribution>,
}

impl StoredVerdict {
    /// Names of the clinical values that the scorer wanted and that are not in `known` as it had
    /// them: entered, corrected or taken back since.
    pub fn changed_since<'a>(&'a self, known: &[ClinicalValue]) -> Vec<&'a str> {
        changed(&self.contributions, &self.provenance.clinical, known)
    }
}

/// One line of the worklist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The study's row in the store; short enough to type.
    pub study: i64,
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// `PatientID`.
    pub patient_id: String,
    /// Name as people read it.
    pub patient_name: String,
    /// Age at the scan.
    pub age_years: Option<f64>,
    /// `F`, `M`, `O`.
    pub sex: Option<String>,
    /// When the scan was made.
    pub scan: Option<UnixMs>,
    /// When its last image came.
    pub last_received: UnixMs,
    /// Images at hand.
    pub n_images: u32,
    /// How far it has come.
    pub state: StudyState,
    /// Staff's priority: 0 as it comes, higher first.
    pub priority: i32,
    /// The active verdict of the newest revision that has one; what an acknowledgement names.
    pub verdict: Option<i64>,
    /// What it says.
    pub kind: Option<VerdictKind>,
    /// Why it was withheld.
    pub withheld: Option<Withheld>,
    /// Its risk.
    pub risk: Option<Risk>,
    /// Its threshold.
    pub threshold: Option<Threshold>,
    /// Name of its threshold profile.
    pub profile: Option<String>,
    /// Volume of the hematoma.
    pub volume: Option<Millilitres>,
    /// True when images came after the verdict was made.
    pub outdated: bool,
    /// True when the scorer wanted a clinical value that staff entered, corrected or took back
    /// after the verdict was made.
    pub clinical_changed: bool,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When it was acknowledged.
    pub acknowledged: Option<UnixMs>,
    /// Whether it says that it is a phantom (simulated).
    pub phantom: bool,
}

/// A series of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesRow {
    /// `SeriesInstanceUID`.
    pub series_uid: String,
    /// `Modality`.
    pub modality: String,
    /// `SeriesDescription`.
    pub description: String,
    /// Images at hand.
    pub n_images: u32,
}

/// A remark by staff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: UnixMs,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// Who has seen a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When.
    pub at: UnixMs,
    /// Who.
    pub by: String,
    /// The verdict that was on the screen.
    pub verdict: Option<i64>,
}

/// A scorer in the shadow that gave no verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowFailure {
    /// The scorer.
    pub scorer: UnitId,
    /// The revision of the study that it was asked about.
    pub revision: u32,
    /// When.
    pub at: UnixMs,
    /// Why, in words.
    pub why: String,
}

/// Everything that the study view shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyDetail {
    /// Its line of the worklist.
    pub row: Row,
    /// The revision at hand: rises with late images.
    pub revision: u32,
    /// `AccessionNumber`.
    pub accession: String,
    /// `StudyDescription`.
    pub description: String,
    /// Its series.
    pub series: Vec<SeriesRow>,
    /// All verdicts, newest first, shadows and older revisions with them.
    pub verdicts: Vec<StoredVerdict>,
    /// Remarks, oldest first.
    pub notes: Vec<Note>,
    /// Acknowledgements, oldest first.
    pub acknowledgements: Vec<Acknowledgement>,
    /// What scorers in the shadow did not answer, newest first.
    pub shadow_failures: Vec<ShadowFailure>,
    /// What is known beside the images: from their header, or entered by staff.
    pub clinical: Vec<ClinicalValue>,
    /// Names of those that the verdict of the row was made without, or with another value.
    pub clinical_changed: Vec<String>,
}

/// A study that a worker has leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's row.
    pub id: i64,
    /// The study's row.
    pub study: i64,
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// The revision to score.
    pub revision: u32,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Files of the study, relative to the data folder, with their series: `(series, path)`.
    pub objects: Vec<(String, PathBuf)>,
}

/// What one scorer said about a study.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerResult {
    /// What it says.
    pub kind: VerdictKind,
    /// Why nothing.
    pub withheld: Option<Withheld>,
    /// Its risk.
    pub risk: Option<Risk>,
    /// The threshold it was held against.
    pub threshold: Option<Threshold>,
    /// True for all but the active scorer.
    pub shadow: bool,
    /// What made it.
    pub provenance: Provenance,
    /// What pushed the risk, largest first.
    pub contributions: Vec<Contribution>,
}

/// What a job ends with; written in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Volume of the hematoma.
    pub volume: Option<Millilitres>,
    /// Motion index.
    pub motion: Option<MotionIndex>,
    /// Exactly one that is not in the shadow.
    pub results: Vec<ScorerResult>,
    /// Scorers in the shadow that failed, and why.
    pub failures: Vec<(UnitId, String)>,
    /// Feature sets by the extractor's name.
    pub features: Vec<(UnitId, Features)>,
}

/// What staff asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RequestKind {
    /// Score a study again.
    Rescore {
        /// The study's row.
        study: i64,
    },
    /// Use another threshold profile from now on.
    UseProfile {
        /// The scorer.
        scorer: UnitId,
        /// The profile's name.
        profile: String,
    },
}

/// A request that waits for the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its row.
    pub id: i64,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: UnixMs,
    /// For what.
    pub kind: RequestKind,
}

/// Bytes that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Where they lie, relative to the data folder.
    pub path: PathBuf,
    /// Why they were refused.
    pub why: String,
    /// Who sent them.
    pub source: String,
    /// When.
    pub at: UnixMs,
}

/// One link of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, from 1 without gaps.
    pub id: i64,
    /// When.
    pub at: UnixMs,
    /// Who: a person's login, or `engine`.
    pub actor: String,
    /// What was done, one word: `received`, `verdict`, `acknowledged`, …
    pub action: String,
    /// `StudyInstanceUID`, where one is meant.
    pub study_uid: Option<String>,
    /// The values, as JSON.
    pub detail: String,
    /// SHA-256 over the previous hash and this entry, hex.
    pub hash: String,
}
