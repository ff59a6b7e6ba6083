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
