//! Studies, verdicts and scratch files for the tests of this crate.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ichor_core::{
    Contribution, Features, Millilitres, MotionIndex, Provenance, Risk, Threshold, UnitId,
    UnixMs, Withheld,
};

use crate::{Incoming, Job, Outcome, ScorerResult, Store, VerdictKind};

/// A moment at which nothing has happened yet.
pub(crate) const START: UnixMs = UnixMs(1_760_000_000_000);

/// `seconds` after [`START`].
pub(crate) fn at(seconds: f64) -> UnixMs {
    START.plus_s(seconds)
}

/// A folder of one test, removed with it.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "ichor-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("ichor.sqlite3")
    }

    /// Another connection to the same file.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Image `n` of the study `study`, received at `received`.
pub(crate) fn image(study: &str, n: u32, received: UnixMs) -> Incoming {
    Incoming {
        study_uid: format!("1.2.{study}"),
        series_uid: format!("1.2.{study}.1"),
        sop_uid: format!("1.2.{study}.1.{n}"),
        sop_class: "1.2.840.10008.5.1.4.1.1.2".to_owned(),
        modality: "CT".to_owned(),
        patient_id: format!("PHANTOM-{study}"),
        patient_name: "Phantom".to_owned(),
        birth_date: None,
        age_years: Some(63.0),
        sex: Some("F".to_owned()),
        accession: String::new(),
        study_description: "Head".to_owned(),
        series_description: "Axial".to_owned(),
        scan: Some(received.plus_s(-600.0)),
        phantom: true,
        sha256: format!("{n:064x}"),
        bytes: 524_288,
        path: format!("objects/1.2.{study}/1.2.{study}.1/{n}.dcm").into(),
        received,
        source: "TEST@127.0.0.1".to_owned(),
    }
}

pub(crate) fn unit(text: &str) -> UnitId {
    text.parse().unwrap()
}

fn provenance() -> Provenance {
    Provenance {
        engine: "0.1.0".to_owned(),
        device: "cpu".to_owned(),
        network: "unet".to_owned(),
        network_sha256: "aa".to_owned(),
        scorer: Some(unit("org.ichor.boosting/boosting")),
        plugin_version: Some("0.1.0".to_owned()),
        plugin_sha256: Some("bb".to_owned()),
        weights_sha256: Some("cc".to_owned()),
        profile: Some("youden".to_owned()),
        threshold: Some(Threshold::new(0.4).unwrap()),
        extractors: vec!["org.ichor.radiomics/features 0.1.0".to_owned()],
        series_uid: Some("1.2.1".to_owned()),
        series_why: "the only axial series".to_owned(),
        images_sha256: Some("dd".to_owned()),
        clinical: Vec::new(),
        clinical_missing: Vec::new(),
        simulated_labels: true,
    }
}

/// A verdict by `risk` against a threshold of 0.4, with a shadow beside it.
pub(crate) fn outcome(risk: f64) -> Outcome {
    let result = ScorerResult {
        kind: if risk >= 0.4 { VerdictKind::Expands } else { VerdictKind::Stable },
        withheld: None,
        risk: Some(Risk::new(risk).unwrap()),
        threshold: Some(Threshold::new(0.4).unwrap()),
        shadow: false,
        provenance: provenance(),
        contributions: vec![Contribution {
            name: "hematoma.volume_ml".to_owned(),
            value: Some(31.5),
            log_odds: 0.75,
        }],
    };
    let shadow = ScorerResult { shadow: true, ..result.clone() };
    let features = Features::new(
        vec!["original_firstorder_Mean".to_owned(), "clinical.onset_to_ct_h".to_owned()],
        vec![61.25, f64::NAN],
    );
    Outcome {
        volume: Some(Millilitres::new(31.5).unwrap()),
        motion: Some(MotionIndex::new(0.125).unwrap()),
        results: vec![shadow, result],
        failures: Vec::new(),
        features: vec![(unit("org.ichor.radiomics/features"), features.unwrap())],
    }
}

/// No answer for want of blood.
pub(crate) fn withheld() -> Outcome {
    let mut outcome = outcome(0.0);
    outcome.results.remove(0);
    let result = &mut outcome.results[0];
    result.kind = VerdictKind::Withheld;
    result.withheld = Some(Withheld::NoHematoma);
    result.risk = None;
    outcome.features.clear();
    outcome
}

/// One image received and the study quiet: its row.
pub(crate) fn queued(store: &mut Store, study: &str, received: UnixMs) -> i64 {
    store.record(&[image(study, 1, received)]).unwrap();
    let quiet = store.queue_quiet(received.plus_s(10.0), 10.0).unwrap();
    quiet[quiet.len() - 1]
}

/// Leases the next job as `w1` for a minute.
pub(crate) fn leased(store: &mut Store, now: UnixMs) -> Job {
    store.lease("w1", now, 60.0).unwrap().unwrap()
}

/// Received, quiet, leased and finished: the study's row.
pub(crate) fn finished(
    store: &mut Store,
    study: &str,
    received: UnixMs,
    outcome: &Outcome,
) -> i64 {
    let row = queued(store, study, received);
    let job = leased(store, received.plus_s(10.0));
    assert_eq!(job.study, row);
    store.finish(&job, "w1", outcome, received.plus_s(12.0)).unwrap();
    row
}

/// Actions in the audit, oldest first.
pub(crate) fn actions(store: &Store) -> Vec<String> {
    store.audit(1, 100_000).unwrap().into_iter().map(|entry| entry.action).collect()
}
