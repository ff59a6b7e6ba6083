//! Every input that a shipped scorer may take has words for staff.

use std::collections::BTreeMap;

use ichor_core::{ClinicalName, input_words, input_words_at};
use ichor_radiomics::Parameters;
use ichor_signs::Signs;

use crate::house::root;

/// Columns that words may take beside a number and its bar.
const LONGEST: usize = 40;

/// Every name of `names` has words of its own that fit a line; none stands as the table spells it.
fn check(names: &[String]) {
    let mut taken = BTreeMap::new();
    for name in names {
        for words in [None, Some(f64::MIN), Some(f64::MAX)].map(|v| input_words_at(name, v)) {
            assert_ne!(&words, name, "nobody has put {name} into words");
            assert!(!words.contains('_'), "{name}: {words}");
            assert!(words.chars().count() <= LONGEST, "{name}: {words}");
        }
        if let Some(other) = taken.insert(input_words(name), name) {
            panic!("{other} and {name} are both called {:?}", input_words(name));
        }
    }
}

fn radiomics(config: &str) -> Vec<String> {
    Parameters::read(config).expect("these are parameters").names()
}

/// All that the engine hands to scorers in a site as it is shipped.
fn shipped() -> Vec<String> {
    let mut names = radiomics("");
    assert_eq!(names.len(), 1379);
    names.extend(Signs::names());
    names.extend((0..256).map(|n| format!("cnn_{n:03}")));
    names.extend(ClinicalName::ALL.map(|known| format!("clinical.{}", known.name)));
    names.push("hematoma.volume_ml".to_owned());
    names
}

#[test]
fn every_input_of_a_shipped_scorer_has_words_of_its_own() {
    let names = shipped();
    check(&names);
    // What the shipped signature was trained on is among them.
    let model = root().join("plugins/radiomics/signature.model");
    let model = std::fs::read_to_string(model).expect("it is there");
    let (_, inputs) = model.split_once("\ninputs ").expect("the inputs have a head line");
    let inputs: Vec<&str> =
        inputs.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert!(inputs.len() > 10, "{inputs:?}");
    for input in inputs {
        assert!(names.iter().any(|name| name == input), "{input}");
    }
}

#[test]
fn every_other_feature_that_the_radiomics_give_has_words_too() {
    let images =
        "images = \"original log wavelet square squareroot logarithm exponential gradient\"";
    check(&radiomics(&format!("{images}\nglcm = \"all\"")));
    check(&radiomics("mode = \"ibsi\""));
}
