//! Settings beyond the set, beside the numbers of pyradiomics: its own baseline tables and
//! parameter files of ours.

use std::path::Path;

use ichor_radiomics::{Features, Parameters};

use crate::golden::difference;
use crate::{HERE, case, features_by, features_of, golden_rows, shared};

/// Settings of the original image with all its features.
const ORIGINAL: &str = "images = 'original'\nglcm = 'all'\n";

/// Fields of one CSV line; those in quotes may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// Compares with `column` of the table of every class that has it; `but` are left out.
fn check(column: &str, config: &str, but: &[&str], n_expected: usize) {
    let (Some(images), Some(folder)) = (case("brain1"), shared()) else { return };
    let features = features_of(&images, &format!("{ORIGINAL}{config}"));
    let (mut n, mut worst) = (0, (0.0_f64, String::new()));
    for class in ["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"] {
        let path = folder.join(format!("golden/baseline_{class}.csv"));
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<String>> = text.lines().map(fields).collect();
        let Some(at) = rows[0].iter().position(|name| name == column) else { continue };
        for row in rows.iter().filter(|row| row[0].starts_with("original_")) {
            let Some((name, found)) = features.iter().find(|(name, _)| *name == row[0]) else {
                continue;
            };
            if but.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let apart = difference(name, *found, row[at].parse().unwrap());
            n += 1;
            if apart > worst.0 {
                worst = (apart, name.clone());
            }
        }
    }
    println!("{column}: {n} features, at most {:.1e} apart ({})", worst.0, worst.1);
    // The tables are rounded to twelve digits.
    assert!(worst.0 <= 1e-9, "{} of {column} is {:.1e} apart", worst.1, worst.0);
    assert_eq!(n, n_expected);
}

/// Compares with what pyradiomics 3.0.1 (numpy 1.26.4, `SimpleITK` 2.5.7, `PyWavelets` 1.9.0) made of
/// `brain1` under the parameter file beside it.
fn check_file(name: &str) {
    let (Some([image, mask]), data) = (case("brain1"), Path::new(HERE).join("tests/data"))
    else {
        return;
    };
    let read = |ending: &str| {
        std::fs::read_to_string(data.join(format!("brain1_{name}.{ending}"))).unwrap()
    };
    let parameters = Parameters::from_parameter_file(&read("yaml")).unwrap();
    let features = features_by([&image, &mask], &Features::new(parameters).unwrap());
    let expected = golden_rows(&read("csv"));
    assert_eq!(features.len(), expected.len());
    let mut worst = 0.0_f64;
    for ((name, found), (expected_name, expected)) in features.iter().zip(&expected) {
        assert_eq!(name, expected_name);
        let apart = difference(name, *found, *expected);
        assert!(apart <= 1e-9, "{name}: {found} for {expected}");
        worst = worst.max(apart);
    }
    println!("brain1_{name}: {} features, at most {worst:.1e} apart", expected.len());
}

#[test]
fn other_filters_are_those_of_pyradiomics() {
    check_file("filters");
}

#[test]
fn a_scan_cut_before_filtering_is_that_of_pyradiomics() {
    check_file("crop");
}

#[test]
fn a_grid_that_is_finer_in_plane_is_that_of_pyradiomics() {
    check_file("grid");
}

#[test]
fn all_features_of_brain1_are_in_the_baseline_tables() {
    // Energies were computed with 2000 added to every grey value, the mesh was an older one.
    let but = [
        "Energy",
        "RootMeanSquared",
        "MeshVolume",
        "SurfaceArea",
        "Sphericity",
        "SurfaceVolumeRatio",
    ];
    check("brain1", "", &but, 99);
}

#[test]
fn sixty_four_bins_are_numpys() {
    check("brain1_FBN", "bin_count = 64", &[], 75);
}

#[test]
fn a_grid_of_two_millimetres_is_itks() {
    check("brain1_resampling", "resampled_mm = '2 2 2'", &[], 107);
}
