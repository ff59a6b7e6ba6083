//! What scripts depend on: names, exit codes, `--json`, quiet pipes.

use crate::programs::{run, stderr, stdout};
use crate::site::Site;

#[test]
fn wrong_usage_is_2_and_failed_work_is_1() {
    for program in ["ichor", "ichor-engine"] {
        assert_eq!(run(program, &["--no-such-flag"]).status.code(), Some(2), "{program}");
    }
    let missing = run("ichor-engine", &["--config", "/no/such/ichor.toml", "doctor"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/no/such/ichor.toml"), "{}", stderr(&missing));
    let unknown = run("ichor-engine", &["--path", "sse9", "doctor"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("no path \"sse9\""), "{}", stderr(&unknown));
    let empty = run("ichor-engine", &["score", "/no/such/folder"]);
    assert_eq!(empty.status.code(), Some(1));
    let missing = run("ichor-engine", &["score", ".", "--clinical", "gcs=nan"]);
    assert_eq!(missing.status.code(), Some(2));
    let twice = ["score", ".", "--clinical", "gcs=3", "--clinical", "clinical.gcs=4"];
    let words = stderr(&run("ichor-engine", &twice));
    assert!(words.contains("--clinical gcs is given twice"), "{words}");
}

#[test]
fn the_console_runs_the_engine_for_heavy_commands() {
    let site = Site::new("heavy");
    let listed = site.ichor("ichor", &["plugin", "list", "--json"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&listed)).expect("JSON");
    let ids: Vec<&str> =
        rows.as_array().expect("a list").iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["org.ichor.boosting", "org.ichor.radiomics", "org.ichor.signs"]);
}

#[test]
fn the_doctor_finds_a_fresh_site_in_order() {
    let site = Site::new("doctor");
    let found = site.ichor("ichor-engine", &["doctor", "--json"]);
    assert!(found.status.success(), "{}{}", stdout(&found), stderr(&found));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&found)).expect("JSON");
    assert!(rows.as_array().expect("a list").iter().all(|row| row["ok"] == true), "{rows:#}");
}

#[test]
fn profiles_are_listed_beside_a_file_that_cannot_be_read() {
    let site = Site::new("profiles");
    let place = site.layout().profiles().join("org.ichor.boosting").join("boosting");
    std::fs::create_dir_all(&place).expect("the site can be written");
    std::fs::write(place.join("broken.toml"), "threshold = high").expect("it can be written");
    std::fs::write(place.join("bytes.toml"), [0xff, 0xfe]).expect("it can be written");
    let listed = site.ichor("ichor", &["profile", "list", "--json"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&stdout(&listed)).expect("JSON");
    let names = rows.iter().filter(|row| row["scorer"] == "org.ichor.boosting/boosting");
    let names: Vec<&str> = names.filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["rule-in", "rule-out", "youden"]);
    for file in ["broken.toml", "bytes.toml"] {
        let said = stderr(&listed);
        let line = said.lines().find(|line| line.contains(file)).expect("it is named");
        assert!(line.starts_with("left out: "), "{line}");
    }
}

#[test]
fn a_void_profile_is_told_before_the_work_with_what_changed_and_what_is_next() {
    let site = Site::new("void");
    let place = site.layout().profiles().join("org.ichor.boosting").join("boosting");
    std::fs::create_dir_all(&place).expect("the site can be written");
    let shipped = "weights/profiles/org.ichor.boosting/boosting/youden.toml";
    let shipped =
        std::fs::read_to_string(crate::house::root().join(shipped)).expect("it ships");
    let check = |key: &str, words: &str| {
        let other = |line: &str| match line.split_once(" = ") {
            Some((found, _)) if found == key => format!("{key} = \"0.0.9\""),
            _ => line.to_owned(),
        };
        let lines: Vec<String> = shipped.lines().map(other).collect();
        std::fs::write(place.join("old.toml"), lines.join("\n")).expect("it can be written");
        let scored = site.ichor("ichor-engine", &["score", ".", "--profile", "old"]);
        let said = stderr(&scored);
        assert_eq!(scored.status.code(), Some(1), "{said}");
        for words in [words, "`ichor train profiles org.ichor.boosting/boosting` makes new"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    };
    check("plugin_version", "tuned for version of org.ichor.boosting 0.0.9, installed is ");
    check("weights_sha256", "of sha256 0.0.9, installed is ");
}

#[test]
fn the_printed_configuration_is_a_valid_one() {
    let printed = run("ichor", &["config"]);
    assert!(printed.status.success());
    let config = ichor_core::Config::parse(&stdout(&printed)).expect("the defaults parse");
    assert_eq!(config, ichor_core::Config::parse("").expect("the defaults are the defaults"));
}

#[test]
fn a_phantom_cohort_is_the_same_every_time() {
    let site = Site::new("cohort");
    let make = |name: &str| {
        let out = site.layout().root().join(name);
        let text = out.to_str().expect("scratch paths are UTF-8");
        let args = ["phantom", "--n", "1", "--seed", "11", "--baseline-only", "--out", text];
        let made = site.ichor("ichor-engine", &args);
        assert!(made.status.success(), "{}", stderr(&made));
        let slice = out.join("case-0000").join("baseline").join("IM0014.dcm");
        (
            std::fs::read(slice).expect("26 slices"),
            std::fs::read(out.join("cohort.csv")).expect("a list"),
        )
    };
    assert!(make("one") == make("two"), "the same seed gives the same bytes");
}
