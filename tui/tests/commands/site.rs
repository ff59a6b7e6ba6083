//! A site in a scratch folder: configuration, database with one study of each kind, pictures,
//! a profile.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use ichor_core::{
    Contribution, Layout, Millilitres, MotionIndex, Provenance, Risk, Threshold, UnixMs,
    Withheld,
};
use ichor_store::{Incoming, Outcome, ScorerResult, Store, VerdictKind};

use super::phantom;

const OWNER: &str = "test";

/// The folder, removed with this value.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) layout: Layout,
}

impl Site {
    /// A site without a database.
    pub(crate) fn empty() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ichor-commands-{}-{number}", std::process::id());
        Self::at(std::env::temp_dir().join(name))
    }

    /// A site in `folder`.
    pub(crate) fn at(folder: PathBuf) -> Self {
        let layout = Layout::new(folder.join("data"));
        fs::create_dir_all(layout.root()).unwrap();
        let config = format!("data_dir = '{}'\n", layout.root().display());
        fs::write(folder.join("ichor.toml"), config).unwrap();
        let profiles = layout.profiles().join("org.ichor.boosting").join("boosting");
        fs::create_dir_all(&profiles).unwrap();
        for (name, threshold) in [("youden", 0.412), ("rule-out", 0.11)] {
            fs::write(profiles.join(format!("{name}.toml")), profile(threshold)).unwrap();
        }
        Self { folder, layout }
    }

    /// Six studies: two that expand, one stable, one withheld, one failed, one receiving.
    pub(crate) fn filled(now: UnixMs) -> Self {
        let site = Self::empty();
        site.fill(now);
        site
    }

    /// Brings the six studies in, as an engine would.
    pub(crate) fn fill(&self, now: UnixMs) {
        let mut store = Store::open(&self.layout.database()).unwrap();
        store.engine_beat(1, "0.1.0", now).unwrap();
        store.engine_listens("127.0.0.1:11112", now).unwrap();
        for (n, (name, phantom)) in [
            ("Doe, Jane", false),
            ("PHANTOM clinical 002", true),
            ("Müller, Götz", false),
            ("山田, 太郎", false),
            ("Roe\u{1b}[31m, Rick", false),
        ]
        .into_iter()
        .enumerate()
        {
            let received = now.plus_s(-3000.0 + 500.0 * n as f64);
            let images: Vec<Incoming> =
                (0..28).map(|slice| image(n, slice, name, phantom, received)).collect();
            store.record(&images).unwrap();
        }
        store.queue_quiet(now, 10.0).unwrap();
        while let Some(job) = store.lease(OWNER, now, 60.0).unwrap() {
            if job.study_uid.ends_with(".3") {
                store.fail(&job, OWNER, "the plugin was killed after 60 s", now, 1).unwrap();
                continue;
            }
            phantom::write(&self.layout.artefacts(&job.study_uid, job.revision));
            let n: usize = job.study_uid.rsplit('.').next().unwrap().parse().unwrap();
            store.finish(&job, OWNER, &outcome(n), now).unwrap();
        }
        store.record(&[image(9, 0, "Late, Lena", false, now)]).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("ichor.toml")
    }

    pub(crate) fn store(&self) -> Store {
        Store::open_existing(&self.layout.database()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn image(n: usize, slice: usize, name: &str, phantom: bool, received: UnixMs) -> Incoming {
    let study_uid = format!("1.2.826.0.1.{n}");
    let id = if phantom { format!("PHANTOM-clinical-7-{n:03}") } else { format!("MRN{n:05}") };
    Incoming {
        series_uid: format!("{study_uid}.1"),
        sop_uid: format!("{study_uid}.1.{slice}"),
        sop_class: "1.2.840.10008.5.1.4.1.1.2".to_owned(),
        modality: "CT".to_owned(),
        patient_id: id,
        patient_name: name.to_owned(),
        birth_date: None,
        age_years: Some(63.0),
        sex: Some("F".to_owned()),
        accession: format!("A-{n}"),
        study_description: "CT HEAD".to_owned(),
        series_description: "axial 5 mm".to_owned(),
        scan: Some(received.plus_s(-600.0)),
        phantom,
        sha256: format!("{slice:064x}"),
        bytes: 524_288,
        path: Path::new("objects").join(&study_uid).join(format!("{slice}.dcm")),
        received,
        source: "SCANNER@127.0.0.1".to_owned(),
        study_uid,
    }
}

fn outcome(n: usize) -> Outcome {
    let small = Millilitres::new(2.1).unwrap();
    let (kind, risk) = match n {
        0 => (VerdictKind::Expands, Some(0.871)),
        1 => (VerdictKind::Expands, Some(0.504)),
        2 => (VerdictKind::Stable, Some(0.043)),
        _ => (VerdictKind::Withheld, None),
    };
    let withheld =
        (kind == VerdictKind::Withheld).then_some(Withheld::TooSmall { volume_ml: small });
    let names = [
        "original_shape_Maximum3DDiameter",
        "clinical.onset_to_ct_h",
        "original_shape_Sphericity",
        "original_firstorder_Entropy",
        "cnn_017",
        "original_firstorder_10Percentile",
        "original_shape_Flatness",
        "original_firstorder_Skewness",
    ];
    let contributions = names.iter().enumerate().map(|(at, name)| Contribution {
        name: (*name).to_owned(),
        value: Some(48.25 / (at + 1) as f64),
        log_odds: [1.32, 0.84, -0.377, -0.55, 0.12, -0.021, 0.01, -0.4][at],
    });
    let scored = risk.is_some();
    Outcome {
        volume: Some(if scored { Millilitres::new(23.46).unwrap() } else { small }),
        motion: Some(MotionIndex::new(0.08).unwrap()),
        results: vec![ScorerResult {
            kind,
            withheld,
            risk: risk.map(|risk| Risk::new(risk).unwrap()),
            threshold: scored.then(|| Threshold::new(0.412).unwrap()),
            shadow: false,
            provenance: provenance(scored),
            contributions: contributions.filter(|_| scored).collect(),
        }],
        failures: vec![],
        features: vec![],
    }
}

fn provenance(scored: bool) -> Provenance {
    let ran = |text: &str| scored.then(|| text.to_owned());
    Provenance {
        engine: "0.1.0".to_owned(),
        device: "cpu candle f32".to_owned(),
        network: "unet-w16".to_owned(),
        network_sha256: "5d".repeat(32),
        scorer: scored.then(|| "org.ichor.boosting/boosting".parse().unwrap()),
        plugin_version: ran("0.1.0"),
        plugin_sha256: ran(&"a1b2".repeat(16)),
        weights_sha256: ran(&"c3".repeat(32)),
        profile: ran("youden"),
        threshold: scored.then(|| Threshold::new(0.412).unwrap()),
        extractors: vec!["org.ichor.radiomics/features 0.1.0".to_owned()],
        series_uid: Some("1.2.826.0.1.0.1".to_owned()),
        series_why: "the only axial series".to_owned(),
        images_sha256: Some("e5".repeat(32)),
        clinical: vec![],
        clinical_missing: vec![],
        simulated_labels: true,
    }
}

fn profile(threshold: f64) -> String {
    format!(
        r#"
scorer = "org.ichor.boosting/boosting"
plugin_version = "0.1.0"
weights_sha256 = "{}"
threshold = {threshold}
criterion = "youden"
tuned_on = "phantom development, simulated labels"
apparent = false
prevalence = 0.237
sensitivity = {{ value = 0.89, low = 0.73, high = 0.96, n = 28 }}
specificity = {{ value = 0.78, low = 0.68, high = 0.85, n = 90 }}
date = "2026-01-01"
"#,
        "c3".repeat(32)
    )
}
