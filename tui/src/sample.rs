//! Sample studies for tests.

use ichor_core::{
    ClinicalSource, ClinicalValue, Contribution, Millilitres, MotionIndex, Provenance, Risk,
    Threshold, UnixMs, Withheld,
};
use ichor_store::{
    Acknowledgement, Note, Row, SeriesRow, StoredVerdict, StudyDetail, StudyState, VerdictKind,
};

/// A fixed moment: 2025-10-09 08:53:20 UTC.
pub(crate) const NOW: UnixMs = UnixMs(1_760_000_000_000);

pub(crate) fn waiting(study: i64) -> Row {
    Row {
        study,
        study_uid: format!("1.2.826.0.1.3680043.{study}"),
        patient_id: format!("MRN{study:05}"),
        patient_name: "Doe, Jane".to_owned(),
        age_years: Some(63.4),
        sex: Some("F".to_owned()),
        scan: Some(NOW.plus_s(-60.0 * 12.0 * study as f64)),
        last_received: NOW.plus_s(-600.0),
        n_images: 28,
        state: StudyState::Receiving,
        priority: 0,
        verdict: None,
        kind: None,
        withheld: None,
        risk: None,
        threshold: None,
        profile: None,
        volume: None,
        outdated: false,
        clinical_changed: false,
        error: None,
        acknowledged_by: None,
        acknowledged: None,
        phantom: false,
    }
}

fn scored(study: i64, risk: f64, kind: VerdictKind) -> Row {
    Row {
        state: StudyState::Done,
        verdict: Some(100 + study),
        kind: Some(kind),
        risk: Some(Risk::new(risk).unwrap()),
        threshold: Some(Threshold::new(0.412).unwrap()),
        profile: Some("youden".to_owned()),
        volume: Some(Millilitres::new(23.46).unwrap()),
        ..waiting(study)
    }
}

pub(crate) fn expands(study: i64, risk: f64) -> Row {
    scored(study, risk, VerdictKind::Expands)
}

pub(crate) fn stable(study: i64, risk: f64) -> Row {
    scored(study, risk, VerdictKind::Stable)
}

pub(crate) fn withheld(study: i64) -> Row {
    let volume = Millilitres::new(2.1).unwrap();
    Row {
        kind: Some(VerdictKind::Withheld),
        withheld: Some(Withheld::TooSmall { volume_ml: volume }),
        risk: None,
        threshold: None,
        profile: None,
        volume: Some(volume),
        ..scored(study, 0.5, VerdictKind::Withheld)
    }
}

pub(crate) fn failed(study: i64) -> Row {
    Row {
        state: StudyState::Failed,
        error: Some("the plugin was killed after 60 s".to_owned()),
        ..waiting(study)
    }
}

/// One row of each kind, in the order of the store, some with what is awkward.
pub(crate) fn list() -> Vec<Row> {
    let first = Row {
        priority: 2,
        patient_name: "山田, 太郎\u{1b}[2J".to_owned(),
        patient_id: "JP-0001".to_owned(),
        ..stable(7, 0.31)
    };
    let second = Row { outdated: true, ..expands(2, 0.871) };
    let third = Row {
        phantom: true,
        patient_id: "PHANTOM-clinical-7-003".to_owned(),
        patient_name: "PHANTOM clinical 003".to_owned(),
        acknowledged_by: Some("ana".to_owned()),
        acknowledged: Some(NOW.plus_s(-300.0)),
        ..expands(3, 0.504)
    };
    let unknown = Row { scan: None, age_years: None, sex: None, n_images: 3, ..waiting(9) };
    vec![first, second, third, withheld(4), failed(5), stable(6, 0.043), waiting(8), unknown]
}

fn provenance(withheld: bool) -> Provenance {
    let ran = |text: &str| (!withheld).then(|| text.to_owned());
    Provenance {
        engine: "0.1.0".to_owned(),
        device: "cpu candle f32".to_owned(),
        network: "unet-w16".to_owned(),
        network_sha256: "5d".repeat(32),
        scorer: (!withheld).then(|| "org.ichor.boosting/boosting".parse().unwrap()),
        plugin_version: ran("0.1.0"),
        plugin_sha256: ran(&"a1b2".repeat(16)),
        weights_sha256: ran(&"c3".repeat(32)),
        profile: ran("youden"),
        threshold: (!withheld).then(|| Threshold::new(0.412).unwrap()),
        extractors: vec!["org.ichor.radiomics/features 0.1.0".to_owned()],
        series_uid: Some("1.2.826.0.1.3680043.1.2".to_owned()),
        series_why: "thinnest of 2 axial series with soft kernel".to_owned(),
        images_sha256: Some("e5".repeat(32)),
        clinical: vec![],
        clinical_missing: vec![],
        simulated_labels: true,
    }
}

fn verdict(row: &Row, revision: u32) -> Option<StoredVerdict> {
    let push =
        |name: &str, value, log_odds| Contribution { name: name.to_owned(), value, log_odds };
    let scored = row.risk.is_some();
    Some(StoredVerdict {
        id: row.verdict?,
        revision,
        created: NOW.plus_s(-420.0),
        kind: row.kind?,
        withheld: row.withheld.clone(),
        risk: row.risk,
        threshold: row.threshold,
        volume: row.volume,
        motion: Some(MotionIndex::new(0.08).unwrap()),
        shadow: false,
        provenance: provenance(!scored),
        contributions: if scored {
            vec![
                push("original_shape_Maximum3DDiameter", Some(48.25), 1.32),
                push("clinical.onset_to_ct_h", Some(1.5), 0.84),
                push("original_shape_Sphericity", Some(0.41), 0.377),
                push("wavelet-LLH_glszm_SmallAreaLowGrayLevelEmphasis", Some(0.0117), 0.12),
                push("cnn_012", Some(-0.31), 0.09),
                push("log-sigma-3-0-mm-3D_firstorder_Skewness", Some(0.73), 0.02),
                push("original_firstorder_Entropy", Some(3.9), -0.55),
                push("sign.blend", Some(0.0), -0.31),
                push("clinical.anticoagulant", None, -0.021),
                push("org.example.mine asymmetry", Some(0.5), -0.004),
            ]
        } else {
            vec![]
        },
    })
}

/// All about `row`.
pub(crate) fn detail(row: Row) -> StudyDetail {
    let active = verdict(&row, 2);
    let older = active.clone().map(|newer| StoredVerdict {
        id: newer.id - 50,
        revision: 1,
        created: NOW.plus_s(-1500.0),
        ..newer
    });
    let shadow =
        active.clone().map(|newer| StoredVerdict { id: newer.id + 1, shadow: true, ..newer });
    StudyDetail {
        revision: 2,
        accession: "A-4711".to_owned(),
        description: "CT HEAD WITHOUT CONTRAST".to_owned(),
        series: vec![SeriesRow {
            series_uid: "1.2.826.0.1.3680043.1.2".to_owned(),
            modality: "CT".to_owned(),
            description: "axial 5 mm soft".to_owned(),
            n_images: 28,
        }],
        verdicts: [active, shadow, older].into_iter().flatten().collect(),
        notes: vec![Note {
            at: NOW.plus_s(-240.0),
            by: "ana".to_owned(),
            text: "called neurosurgery".to_owned(),
        }],
        acknowledgements: vec![Acknowledgement {
            at: NOW.plus_s(-300.0),
            by: "ana".to_owned(),
            verdict: row
                .verdict
                .map(|id| if row.acknowledged.is_some() { id } else { id - 50 }),
        }],
        clinical: vec![ClinicalValue {
            name: "onset_to_ct_h".to_owned(),
            value: 1.5,
            source: ClinicalSource::Staff { by: "ana".to_owned(), at: NOW.plus_s(-200.0) },
        }],
        clinical_changed: vec![],
        shadow_failures: vec![],
        row,
    }
}
