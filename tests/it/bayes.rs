//! No shipped scorer says more than can be seen.
//!
//! A phantom's label is drawn from a probability, of which a scan without contrast shows a part.
//! The area under the curve of that part is the most that any scorer can reach; one that reaches
//! more has seen the label, or something made from it.

use std::fs;

use ichor_study::phantom::Cohort;
use ichor_study::stats::{Auc, Scored, auc};
use serde_json::Value;

use crate::house::root;
use crate::programs::{stderr, stdout};
use crate::site::Site;

const CASES: usize = 150;
/// No training, choice of threshold or report uses it.
const SEED: u64 = 41;

/// Over two standard errors above the bound.
fn has_seen_the_label(area: f64, standard_error: f64, bound: f64) -> bool {
    area > bound + 2.0 * standard_error
}

#[test]
fn no_shipped_scorer_beats_the_bayes_bound() {
    let cohort = Cohort::clinical(CASES, SEED);
    let bound = cohort.bayes_auc();
    let scorers = measured();
    assert_eq!(scorers.len(), 5, "the bound's own score and four scorers");
    for scorer in &scorers {
        let number = |key: &str| scorer[key].as_f64().expect("a number");
        let (area, error) = (number("auc"), number("auc_se"));
        println!("{} {area:.3}, standard error {error:.3}", scorer["scorer"]);
        assert!(error > 0.0 && error < 0.08, "{scorer}: too few cases to tell");
        assert!(!has_seen_the_label(area, error, bound), "{scorer} against {bound}");
    }
    // A quarter of the label, beside all that can be seen, would be found out.
    let cases: Vec<_> = cohort.cases().collect();
    let leaked: Vec<f64> = cases
        .iter()
        .map(|case| cohort.bayes_score(case) + if case.expands { 0.25 } else { 0.0 })
        .collect();
    let expands: Vec<bool> = cases.iter().map(|case| case.expands).collect();
    let Auc { value, standard_error, .. } =
        auc(&Scored::new(&leaked, &expands).expect("both outcomes are there"));
    assert!(has_seen_the_label(value, standard_error, bound), "{value} {standard_error}");
}

/// What `evaluate risk` says of all shipped scorers, which read no other images than the original.
fn measured() -> Vec<Value> {
    let site = Site::new("bayes");
    let (config, radiomics) = (site.config(), site.layout().root().join("radiomics"));
    let read = |path: &std::path::Path| fs::read_to_string(path).expect("the file is there");
    let added = "[score]\ncnn = \"\"\n\
        extractors = [\"org.ichor.radiomics/features\", \"org.ichor.signs/signs\"]\n\
        shadow = [\"org.ichor.radiomics/signature\", \"org.ichor.signs/bat\", \"org.ichor.signs/brain\"]\n";
    fs::write(&config, read(&config) + added).expect("the configuration can be written");
    fs::create_dir_all(&radiomics).expect("the scratch folder is writable");
    for file in ["plugin.toml", "features.toml", "signature.toml", "signature.model"] {
        let text = read(&root().join("plugins/radiomics").join(file));
        let text =
            if file == "features.toml" { text + "images = \"original\"\n" } else { text };
        fs::write(radiomics.join(file), text).expect("the scratch folder is writable");
    }
    let run = |args: &[&str]| {
        let done = site.ichor("ichor-engine", args);
        assert!(done.status.success(), "{}", stderr(&done));
        stdout(&done)
    };
    run(&["plugin", "install", &radiomics.to_string_lossy()]);
    let kept = site.layout().root().join("kept");
    let (n, seed, kept) = (CASES.to_string(), SEED.to_string(), kept.to_string_lossy());
    let args = ["evaluate", "risk", "--json", "--n", &n, "--seed", &seed, "--kept-in", &kept];
    let said: Value = serde_json::from_str(&run(&args)).expect("`--json` is JSON");
    said["scorers"].as_array().expect("a list").clone()
}
