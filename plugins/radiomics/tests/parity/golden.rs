//! All 1379 features of the golden cases beside those of pyradiomics 3.0.1.

use std::collections::BTreeMap;

use ichor_radiomics::{Binning, Parameters};

use crate::{case, features_of, golden_rows, shared};

/// Largest relative difference allowed.
const EXACT: f64 = 1e-9;
/// The same for Laplacians, which are filtered around the mask only.
const LAPLACIAN: f64 = 1e-8;

/// `original_firstorder_Mean` is of the image kind `original` and the class `firstorder`.
fn kind_and_class(name: &str) -> (&str, &str) {
    let mut parts = name.split('_');
    let kind = parts.next().unwrap().split('-').next().unwrap();
    (kind, parts.next().unwrap())
}

/// Relative; a skewness below 1 is as good as 0, and its difference counts as it stands.
pub(crate) fn difference(name: &str, found: f64, expected: f64) -> f64 {
    let apart = (found - expected).abs();
    if apart == 0.0 {
        return 0.0;
    }
    let least = if name.ends_with("_Skewness") { 1.0 } else { 0.0 };
    apart / expected.abs().max(least)
}

fn check(name: &str, golden: &str, config: &str) {
    let (Some(images), Some(folder)) = (case(name), shared()) else { return };
    let features = features_of(&images, config);
    let text = std::fs::read_to_string(folder.join(format!("golden/{golden}.csv"))).unwrap();
    let expected = golden_rows(&text);
    assert_eq!(features.len(), 1379);
    let mut worst: BTreeMap<(&str, &str), (usize, f64, &str)> = BTreeMap::new();
    for ((name, found), (expected_name, expected)) in features.iter().zip(&expected) {
        assert_eq!(name, expected_name);
        let apart = difference(name, *found, *expected);
        assert!(!apart.is_nan(), "{name}: {found} for {expected}");
        let entry = worst.entry(kind_and_class(name)).or_default();
        entry.0 += 1;
        if apart > entry.1 {
            (entry.1, entry.2) = (apart, name);
        }
    }
    for ((kind, class), (n, apart, feature)) in &worst {
        println!("{golden} {kind:9}{class:11}{n:5} features, at most {apart:.1e} ({feature})");
    }
    for ((kind, class), (_, apart, feature)) in &worst {
        let allowed = if *kind == "log" { LAPLACIAN } else { EXACT };
        assert!(*apart <= allowed, "{feature}: {apart:.1e} apart ({kind} {class})");
    }
}

#[test]
fn a_hematoma_of_18_ml_has_the_1379_features_of_pyradiomics() {
    check("c1", "c1_teng2021", "bin_width_hu = 25");
}

#[test]
fn so_it_has_in_bins_of_5_hu() {
    check("c1", "c1_teng2021_bw5", "bin_width_hu = 5");
}

#[test]
fn a_hematoma_of_79_ml_has_the_1379_features_of_pyradiomics() {
    check("c2", "c2_teng2021", "threads = 2");
}

#[test]
fn a_lesion_of_seven_slices_has_the_1379_features_of_pyradiomics() {
    check("brain1", "brain1_teng2021", "");
}

#[test]
fn the_parameter_file_of_the_set_is_the_default() {
    let Some(folder) = shared() else { return };
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(format!("config/{name}.yaml"))).unwrap();
        Parameters::from_parameter_file(&text).unwrap()
    };
    let set = Parameters { label: Some(1), ..Parameters::default() };
    assert_eq!(read("teng2021").names(), set.names());
    assert_eq!(read("teng2021").filters, set.filters);
    assert_eq!(read("teng2021").binning, set.binning);
    assert_eq!(read("teng2021_bw5").binning, Binning::Width(5.0));
}
