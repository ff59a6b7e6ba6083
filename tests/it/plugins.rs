//! A plugin of one's own: started, built, tried out, and found out where it does wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::first_light::phantom;
use crate::programs::{stderr, stdout};
use crate::site::{Site, send};

/// A scorer in C by `plugin new`, changed by `change` and built; none without a C compiler.
pub(crate) fn scorer(
    site: &Site,
    name: &str,
    change: impl Fn(String) -> String,
) -> Option<PathBuf> {
    let folder = site.layout().root().join(name);
    let out = folder.to_str().expect("scratch paths are UTF-8");
    let args = ["plugin", "new", name, "--language", "c", "--out", out];
    let made = site.ichor("ichor", &args);
    assert!(made.status.success(), "{}", stderr(&made));
    let source = folder.join("scorer.c");
    let text = std::fs::read_to_string(&source).expect("plugin new writes it");
    let changed = change(text.clone());
    assert!(name == "mine" || changed != text, "the change does something");
    std::fs::write(&source, changed).expect("the scratch folder is writable");
    build(&folder, name).then_some(folder)
}

/// The profile `youden` of `org.example.mine/mine` in `version`, which has no files.
pub(crate) fn write_profile(site: &Site, version: &str) {
    let shipped = "weights/profiles/org.ichor.radiomics/signature/youden.toml";
    let shipped = std::fs::read_to_string(crate::house::root().join(shipped));
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let line = |line: &str| match line.split_once(" = ") {
        Some(("scorer", _)) => "scorer = \"org.example.mine/mine\"".to_owned(),
        Some(("plugin_version", _)) => format!("plugin_version = \"{version}\""),
        Some(("weights_sha256", _)) => format!("weights_sha256 = \"{nothing}\""),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = shipped.expect("it ships").lines().map(line).collect();
    let place = site.layout().profiles().join("org.example.mine").join("mine");
    std::fs::create_dir_all(&place).expect("the site can be written");
    std::fs::write(place.join("youden.toml"), lines.join("\n"))
        .expect("the site can be written");
}

/// Whether there is a C compiler to build with.
fn build(folder: &Path, name: &str) -> bool {
    let built = Command::new("cc")
        .args(["-std=c11", "-O1", "-fPIC", "-shared", "-o"])
        .args([folder.join(format!("lib{name}.so")), folder.join("scorer.c")])
        .arg("-lm")
        .status();
    let Ok(built) = built else {
        println!("skipped: no C compiler");
        return false;
    };
    assert!(built.success());
    true
}

fn check(site: &Site, folder: &Path) -> (bool, String) {
    let tried = site.ichor("ichor-engine", &["plugin", "check", &folder.to_string_lossy()]);
    (tried.status.success(), stdout(&tried) + &stderr(&tried))
}

#[test]
fn a_new_scorer_passes_installs_and_is_listed() {
    let site = Site::new("own-plugin");
    let Some(folder) = scorer(&site, "mine", |text| text) else { return };
    let (passed, report) = check(&site, &folder);
    assert!(passed, "{report}");
    assert!(report.contains("memory: ") && report.contains("after 10000 calls"), "{report}");
    let text = folder.to_string_lossy();
    let installed = site.ichor("ichor-engine", &["plugin", "install", &text]);
    assert!(installed.status.success(), "{}", stderr(&installed));
    let listed = stdout(&site.ichor("ichor-engine", &["plugin", "list"]));
    assert!(listed.contains("org.example.mine/mine"), "{listed}");
}

#[test]
fn a_scorer_that_does_wrong_is_found_out() {
    let site = Site::new("wrong-plugin");
    let base = "response->base = -1.2;";
    let wrongs = [
        // Another risk every time.
        (
            "drifts",
            "static double n; response->base = -1.2 + (n += 0.001);",
            "promised, and not so",
        ),
        ("sums", "response->base = -1.2; ml += 1.0;", ""),
        (
            "leaks",
            "response->base = -1.2; *(volatile char *)malloc(4000) = 1;",
            "KiB more after 10000 calls",
        ),
        ("faults", "response->base = -1.2; if (isnan(ml)) *(volatile int *)8 = 0;", "died"),
        ("nan", "response->base = ml > 1e8 ? NAN : -1.2;", "gave NaN for the"),
        (
            "mute",
            "response->base = -1.2; if (ml == ml || hours != 0) return ICHOR_E_INPUT;",
            "no call that was tried",
        ),
    ];
    for (name, instead, words) in wrongs {
        let change = |text: String| {
            text.replace(base, instead)
                .replace("#include <math.h>", "#include <math.h>\n#include <stdlib.h>")
        };
        let Some(folder) = scorer(&site, name, change) else { return };
        let (passed, report) = check(&site, &folder);
        // One that only answers otherwise is within its rights.
        assert_eq!(passed, words.is_empty(), "{name}: {report}");
        assert!(report.contains(words), "{name}: {report}");
    }
}

#[test]
fn a_scorer_that_asks_for_what_nobody_can_enter_is_found_out() {
    let site = Site::new("asking-plugin");
    let change = |text: String| text.replace("clinical.onset_to_ct_h", "clinical.onset");
    let Some(folder) = scorer(&site, "asks", change) else { return };
    let (passed, report) = check(&site, &folder);
    assert!(!passed && report.contains("no clinical value is called \"onset\""), "{report}");
}

#[test]
fn a_plugin_that_does_not_open_is_not_installed() {
    let site = Site::new("closed-plugin");
    let refuses = |text: String| {
        text.replace("  *instance = &none;\n  return ICHOR_OK;", "  return ICHOR_E_CONFIG;")
    };
    let Some(folder) = scorer(&site, "closed", refuses) else { return };
    let installed =
        site.ichor("ichor-engine", &["plugin", "install", &folder.to_string_lossy()]);
    assert_eq!(installed.status.code(), Some(1));
    let words = stderr(&installed);
    assert!(words.contains("org.example.closed/closed: refused without a word"), "{words}");
    assert!(words.contains("is not installed"), "{words}");
    let listed = stdout(&site.ichor("ichor-engine", &["plugin", "list"]));
    assert!(!listed.contains("org.example.closed"), "{listed}");
}

#[test]
fn an_engine_moves_over_to_a_new_version_between_two_studies() {
    let mut site = Site::new("swap");
    let Some(folder) = scorer(&site, "mine", |text| text) else { return };
    let put = |site: &Site| {
        let installed =
            site.ichor("ichor-engine", &["plugin", "install", &folder.to_string_lossy()]);
        assert!(installed.status.success(), "{}", stderr(&installed));
    };
    write_profile(&site, "0.1.0");
    put(&site);
    let config = std::fs::read_to_string(site.config()).expect("it is there");
    let config = format!("{config}[score]\nshadow = [\"org.example.mine/mine\"]\n");
    std::fs::write(site.config(), config).expect("the site can be written");

    let address = site.start();
    let versions = |site: &Site, n: usize, name: &str| {
        let (volume, _) = phantom();
        send(address, &site.write(&volume, name));
        site.ended(n, Duration::from_mins(10));
        let store =
            ichor_store::Store::open_existing(&site.layout().database()).expect("it is there");
        let rows = site.worklist();
        let row = rows.iter().find(|row| row.patient_id.ends_with(name)).expect("its row");
        let detail =
            store.study(row.study).expect("the store reads").expect("the study is there");
        let mine = |made: &ichor_core::Provenance| {
            made.scorer.as_ref().is_some_and(|scorer| scorer.plugin == "org.example.mine")
        };
        let of_mine = detail.verdicts.iter().filter(|verdict| mine(&verdict.provenance));
        of_mine
            .filter_map(|verdict| verdict.provenance.plugin_version.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&site, 1, "before"), ["0.1.0"]);
    for file in ["scorer.c", "plugin.toml"] {
        let text = std::fs::read_to_string(folder.join(file)).expect("it is there");
        std::fs::write(folder.join(file), text.replace("0.1.0", "0.2.0"))
            .expect("it can be written");
    }
    assert!(build(&folder, "mine"));
    put(&site);
    void_until_a_profile_is_made(&site);
    assert_eq!(
        versions(&site, 2, "after"),
        ["0.2.0"],
        "the same engine, which nobody restarted"
    );
    assert_eq!(site.end(Signal::TERM), Some(0));
    let back = site.ichor("ichor-engine", &["plugin", "rollback", "org.example.mine"]);
    assert!(stdout(&back).starts_with("org.example.mine 0.1.0 "), "{}", stderr(&back));
}

/// The engine says that the profile of 0.1.0 is void for 0.2.0, until one is there that holds.
fn void_until_a_profile_is_made(site: &Site) {
    let void = |wanted: bool| {
        site.wait(Duration::from_mins(1), "what the engine says of profiles", || {
            let store = ichor_store::Store::open_existing(&site.layout().database()).ok()?;
            let mut void = store.void_profiles().ok()?;
            void.retain(|void| void.scorer.plugin == "org.example.mine");
            (void.is_empty() != wanted).then_some(void)
        })
    };
    let [youden] = &void(true)[..] else { panic!("one profile") };
    assert_eq!(youden.profile, "youden");
    let words = "tuned for version of org.example.mine 0.1.0, installed is 0.2.0";
    assert!(youden.why.contains(words), "{}", youden.why);
    write_profile(site, "0.2.0");
    void(false);
}
