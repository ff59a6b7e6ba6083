//! What is known beside the images, on its way from header and staff to a scorer and back.

use std::time::Duration;

use ichor_core::{ClinicalSource, ClinicalValue};
use ichor_store::{RequestKind, Store, StudyDetail};
use rustix::process::Signal;
use serde_json::{Value, json};

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
    let files = site.write(&volume, "known");
    send(address, &files);
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
    let shadow = second.verdicts.iter().find(|verdict| verdict.shadow).expect("a shadow's");
    assert_eq!(shadow.provenance.clinical_missing, ["gcs"]);
    assert!(second.shadow_failures.iter().all(|failed| failed.at < second.verdicts[0].created));

    // Staff enters it: the verdict says that it was made without, the next one with.
    let set = site.ichor("ichor", &["--user", "ana", "clinical", "set", "1", "gcs=13"]);
    assert!(set.status.success(), "{}", stderr(&set));
    let changed = detail(&site);
    let shadow = changed.verdicts.iter().find(|verdict| verdict.shadow).expect("a shadow's");
    assert_eq!(shadow.changed_since(&changed.clinical), ["gcs"]);
    assert_eq!(changed.clinical_changed, [""; 0], "the active scorer never asked for it");
    let set = site.ichor("ichor", &["clinical", "set", "1", "onset_to_ct_h=2"]);
    assert!(set.status.success(), "{}", stderr(&set));
    let shown = stdout(&site.ichor("ichor", &["show", "1", "--json"]));
    let shown: Value = serde_json::from_str(&shown).expect("`show --json` is JSON");
    assert_eq!(shown["clinical_changed"], json!(["onset_to_ct_h"]));
    assert_eq!(shown["row"]["clinical_changed"], true);
    let third = again(&site);
    assert!(!third.row.clinical_changed && third.clinical_changed.is_empty());
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
    the_folder_says_the_same(&site, &files[0]);
}

/// `score` on the folder that was sent: each value with its source, and a shadow that lacks the
/// profile costs the verdict nothing.
fn the_folder_says_the_same(site: &Site, file: &std::path::Path) {
    let folder = file.parent().and_then(std::path::Path::to_str).expect("a folder");
    let score = |more: &[&str]| {
        let scored = site.ichor("ichor-engine", &[&["score", folder, "--json"], more].concat());
        assert!(scored.status.success(), "{}", stderr(&scored));
        serde_json::from_str::<Value>(&stdout(&scored)).expect("`score --json` is JSON")
    };
    let known = score(&["--clinical", "gcs=13"]);
    let made = &known["shadow"][0]["provenance"];
    let expected = json!([
        { "name": "age_years", "value": 60.0, "source": "dicom" },
        { "name": "gcs", "value": 13.0, "source": "command" },
    ]);
    assert_eq!((&made["clinical"], &made["clinical_missing"]), (&expected, &json!([])));
    assert_eq!(known["verdict"]["provenance"]["clinical_missing"], json!(["onset_to_ct_h"]));

    let other = score(&["--profile", "rule-out"]);
    assert_eq!(other["verdict"]["provenance"]["profile"], "rule-out");
    let why = other["shadow_failures"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("has no threshold profile rule-out; there are youden"), "{why}");
}

/// A site on which a scorer in C that wants `input` runs in the shadow; none without a C compiler.
fn shadow_that_wants(input: &str, name: &str) -> Option<Site> {
    let site = Site::new(name);
    let wants = |text: String| text.replace("clinical.onset_to_ct_h", input);
    let folder = scorer(&site, "mine", wants)?;
    let installed =
        site.ichor("ichor-engine", &["plugin", "install", &folder.to_string_lossy()]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    write_profile(&site, "0.1.0");
    let config = std::fs::read_to_string(site.config()).expect("it is there");
    let config = format!("{config}[score]\nshadow = [\"org.example.mine/mine\"]\n");
    std::fs::write(site.config(), config).expect("the site can be written");
    Some(site)
}

/// The findings of `doctor` called `what`, and its exit code.
fn findings(site: &Site, what: &str) -> (Vec<Value>, Option<i32>) {
    let found = site.ichor("ichor-engine", &["doctor", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&stdout(&found)).expect("JSON");
    (rows.into_iter().filter(|row| row["what"] == what).collect(), found.status.code())
}

#[test]
fn a_clinical_value_that_nobody_can_enter_stops_the_start() {
    let Some(site) = shadow_that_wants("clinical.onset", "unknown-value") else { return };
    let words = "scorer org.example.mine/mine: no clinical value is called \"onset\"; known: \
                 onset_to_ct_h (0 to 72), age_years (0 to 120)";
    for command in [&["serve"][..], &["score", "."]] {
        let started = site.ichor("ichor-engine", command);
        assert_eq!(started.status.code(), Some(1), "{command:?}");
        assert!(stderr(&started).contains(words), "{command:?}: {}", stderr(&started));
    }
    let (plugins, code) = findings(&site, "plugins");
    assert_eq!((plugins[0]["ok"].as_bool(), code), (Some(false), Some(1)));
    assert!(plugins[0]["detail"].as_str().expect("words").contains(words), "{plugins:?}");
}

#[test]
fn an_input_that_nothing_gives_is_warned_of_by_its_name() {
    let Some(site) = shadow_that_wants("sign.blend", "never-given") else { return };
    let (inputs, code) = findings(&site, "inputs");
    assert_eq!(code, Some(0), "{inputs:?}");
    assert_eq!((inputs.len(), &inputs[0]["warning"]), (1, &json!(true)), "{inputs:?}");
    let words = inputs[0]["detail"].as_str().expect("words");
    assert!(words.contains("org.example.mine/mine: nothing gives sign.blend"), "{words}");
    // What gives it is installed and only has to be named.
    let config = std::fs::read_to_string(site.config()).expect("it is there");
    let extractors =
        "extractors = [\"org.ichor.radiomics/features\", \"org.ichor.signs/signs\"]";
    std::fs::write(site.config(), format!("{config}{extractors}\n"))
        .expect("the site can be written");
    assert_eq!(findings(&site, "inputs"), (vec![], Some(0)));
}

#[test]
fn the_documented_clinical_values_are_those_that_are_taken() {
    let page = crate::house::root().join("docs/plugins.md");
    let page = std::fs::read_to_string(page).expect("it is there");
    let documented: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `clinical.") && line.matches('|').count() == 5)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let taken = ichor_core::ClinicalName::ALL.map(|known| {
        let values = match (known.is_yes_or_no(), known.whole) {
            (true, _) => ", 0 no, 1 yes",
            (false, true) => ", whole",
            (false, false) => "",
        };
        [
            format!("`clinical.{}`", known.name),
            format!("{}{values}", known.words),
            known.low.to_string(),
            known.high.to_string(),
        ]
    });
    assert_eq!(documented, taken);
}
