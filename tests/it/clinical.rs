//! What is known beside the images, on its way from header and staff to a scorer and back.

use std::time::Duration;

use ichor_core::{ClinicalSource, ClinicalValue};
use ichor_store::{RequestKind, Store, StudyDetail};
use rustix::process::Signal;

use crate::first_light::phantom;
use crate::plugins::{scorer, write_profile};
use crate::programs::{stderr, stdout};
use crate::site::{Site, send};

/// The only study of `site`.
fn detail(site: &Site) -> StudyDetail {
    let store = Store::open_existing(&site.layout().database()).expect("it is there");
    store.study(1).expect("the store reads").expect("the study is there")
}

/// Has the study scored again and gives it back when that was done.
fn again(site: &Site) -> StudyDetail {
    let before = detail(site).row.verdict;
    let mut store = Store::open_existing(&site.layout().database()).expect("it is there");
    let now = ichor_core::UnixMs(1_767_225_600_000);
    store.request(&RequestKind::Rescore { study: 1 }, "test", now).expect("it can be asked");
    site.wait(Duration::from_mins(10), "another verdict", || {
        let detail = detail(site);
        (detail.row.verdict != before).then_some(detail)
    })
}

/// What the scorer `mine` was told and what it missed, in the newest verdict.
fn told(detail: &StudyDetail) -> (Vec<ClinicalValue>, Vec<&str>) {
    let verdict = detail.verdicts.iter().find(|verdict| verdict.shadow).expect("a shadow's");
    let missing = verdict.contributions.iter().filter(|push| push.value.is_none());
    (verdict.provenance.clinical.clone(), missing.map(|push| push.name.as_str()).collect())
}

#[test]
fn a_scorer_is_told_what_header_and_staff_know_and_misses_the_rest() {
    let mut site = Site::new("clinical");
    let wants = |text: String| {
        text.replace("hematoma.volume_ml", "clinical.age_years")
            .replace("clinical.onset_to_ct_h", "clinical.gcs")
    };
    let Some(folder) = scorer(&site, "mine", wants) else { return };
    let installed =
        site.ichor("ichor-engine", &["plugin", "install", &folder.to_string_lossy()]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    let config = std::fs::read_to_string(site.config()).expect("it is there");
    let config = format!("{config}[score]\nshadow = [\"org.example.mine/mine\"]\n");
    std::fs::write(site.config(), config).expect("the site can be written");
    let address = site.start();

    // A shadow without a profile costs the study nothing, and is not silent.
    let (volume, _) = phantom();
    send(address, &site.write(&volume, "known"));
    site.ended(1, Duration::from_mins(10));
    let first = detail(&site);
    assert_eq!(first.verdicts.len(), 1);
    let [failed] = &first.shadow_failures[..] else { panic!("{:?}", first.shadow_failures) };
    assert_eq!(failed.scorer.to_string(), "org.example.mine/mine");
    assert!(failed.why.contains("has no threshold profile youden"), "{}", failed.why);

    // The age is in the header, nobody knows the coma scale: it is missing, not filled in.
    write_profile(&site, "0.1.0");
    let second = again(&site);
    let (known, missing) = told(&second);
    assert_eq!(missing, ["clinical.gcs"]);
    let name = "age_years".to_owned();
    let age = ClinicalValue { name, value: 60.0, source: ClinicalSource::Dicom };
    assert_eq!(known, std::slice::from_ref(&age));
    assert!(second.shadow_failures.iter().all(|failed| failed.at < second.verdicts[0].created));

    // Staff enters it: the verdict says that it was made without, the next one with.
    let set = site.ichor("ichor", &["--user", "ana", "clinical", "set", "1", "gcs=13"]);
    assert!(set.status.success(), "{}", stderr(&set));
    let changed = detail(&site);
    let shadow = changed.verdicts.iter().find(|verdict| verdict.shadow).expect("a shadow's");
    assert_eq!(shadow.changed_since(&changed.clinical), ["gcs"]);
    let third = again(&site);
    let (known, missing) = told(&third);
    assert_eq!(missing, [""; 0]);
    assert_eq!(known[0], age);
    assert_eq!(
        (&known[1].name[..], known[1].value, known[1].source.who()),
        ("gcs", 13.0, "ana")
    );

    let shown = stdout(&site.ichor("ichor", &["show", "1"]));
    for words in
        ["Glasgow coma scale: 13 (ana)", "age, years: 60 (DICOM)", "WHAT PUSHED THE RISK"]
    {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    assert_eq!(site.end(Signal::TERM), Some(0));
}
