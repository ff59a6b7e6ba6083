//! A CT comes in over DICOM, a verdict stands in the worklist.

use std::time::Duration;

use ichor_core::UnixMs;
use ichor_study::phantom::{Cohort, Scan};
use serde_json::Value;

use crate::programs::{stderr, stdout};
use crate::site::{Site, send};

/// One phantom with a hematoma that the guards let through.
pub(crate) fn phantom() -> (ichor_core::Volume, f64) {
    let mut case = Cohort::clinical(1, 21).case(0).with_volume(25.0);
    // Blood in the ventricles would count as hematoma wherever the network finds it.
    case.latents.ivh = false;
    let phantom = case.render(&Scan::default()).expect("the phantom can be drawn");
    (phantom.volume, phantom.hematoma.volume().ml())
}

#[test]
fn a_ct_over_dicom_ends_as_a_verdict_in_the_worklist() {
    let (volume, drawn_ml) = phantom();
    let mut site = Site::new("first-light");
    let address = site.start();
    let files = site.write(&volume, "bleed");
    send(address, &files);
    // A file that is no DICOM lies in the inbox at the same time.
    std::fs::write(site.inbox().join("junk.dcm"), b"no DICOM at all")
        .expect("the inbox is there");
    let rows = site.ended(1, Duration::from_mins(10));
    assert_eq!(rows.len(), 1);

    let listed = site.ichor("ichor", &["list", "--json"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    let list: Value = serde_json::from_str(&stdout(&listed)).expect("`list --json` is JSON");
    let row = &list.as_array().or_else(|| list["studies"].as_array()).expect("rows")[0];
    assert_eq!(row["patient_id"], "PHANTOM-test-1-bleed");
    assert_eq!(row["phantom"], true);
    let kind = row["kind"].as_str().expect("a verdict");
    assert!(["expands", "stable"].contains(&kind), "{row:#}");
    let found_ml = row["volume"].as_f64().expect("a volume");
    assert!((found_ml / drawn_ml - 1.0).abs() < 0.25, "drawn {drawn_ml}, found {found_ml}");

    provenance_is_complete(&site);
    the_folder_gives_the_same_verdict(&site, &files[0], row);
    let junk = site.layout().quarantine();
    let kept = std::fs::read_dir(junk).expect("the quarantine is there").count();
    assert_eq!(kept, 2, "the bytes and the reason");
}

fn provenance_is_complete(site: &Site) {
    let store = ichor_store::Store::open_existing(&site.layout().database());
    let store = store.expect("the database is there");
    let study = store.worklist().expect("the worklist reads")[0].study;
    let detail = store.study(study).expect("the store reads").expect("the study is there");
    assert_eq!(detail.verdicts.len(), 2, "the active scorer and one in the shadow");
    for verdict in &detail.verdicts {
        let made_by = &verdict.provenance;
        assert!(made_by.network.starts_with("unet-"), "{}", made_by.network);
        let cnn = |made: &String| made.starts_with("ichor/cnn cnn-w16 sha256 ");
        assert!(made_by.extractors.iter().any(cnn), "{:?}", made_by.extractors);
        for hash in [&made_by.plugin_sha256, &made_by.weights_sha256, &made_by.images_sha256] {
            assert_eq!(hash.as_ref().expect("a hash").len(), 64);
        }
        assert_eq!(made_by.profile.as_deref(), Some("youden"));
        assert!(made_by.simulated_labels, "nothing here was learned from patients");
        let base = verdict.contributions.iter().map(|c| c.log_odds).sum::<f64>();
        assert!(base.is_finite() && !verdict.contributions.is_empty());
        assert!(verdict.created > UnixMs(0));
    }
    let features = store.features(study, detail.revision).expect("the features read");
    assert_eq!(features[0].1.names().len(), 1379);
    assert_eq!(features[1].0.to_string(), "ichor/cnn");
    assert_eq!(features[1].1.names().len(), 256);
    let pictures = site.layout().artefacts(&detail.row.study_uid, detail.revision);
    assert!(pictures.join(ichor_core::Pictures::INDEX).is_file());
}

/// `score` on the folder that was sent, without a database: the same bits.
fn the_folder_gives_the_same_verdict(site: &Site, file: &std::path::Path, row: &Value) {
    let folder = file.parent().and_then(std::path::Path::to_str).expect("a folder");
    let scored = site.ichor("ichor-engine", &["score", folder, "--json"]);
    assert!(scored.status.success(), "{}", stderr(&scored));
    let scored: Value = serde_json::from_str(&stdout(&scored)).expect("`score --json` is JSON");
    assert_eq!(scored["verdict"]["risk"], row["risk"]);
    assert_eq!(scored["volume_ml"], row["volume"]);
}
