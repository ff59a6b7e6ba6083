//! The features beside pyradiomics 3.0.1 and beside the reference values of IBSI 1.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod image;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ichor_plugin::{Call, Extractor, VolumeView};
use ichor_radiomics::Features;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn cases() -> Option<PathBuf> {
    let folder = Path::new(HERE).join("../../../shared/data/radiomics");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the test images are not here");
    None
}

fn features_of(image: &Path, mask: &Path) -> Vec<(String, f64)> {
    let (image, mask) = (image::read(image), image::read(mask));
    assert_eq!(image.shape, mask.shape);
    let inside: Vec<u8> = mask.voxels.iter().map(|&voxel| u8::from(voxel == 1)).collect();
    let slice_pos_mm: Vec<f64> =
        (0..image.shape[0]).map(|z| z as f64 * image.spacing_mm[0]).collect();
    let slice_origins_mm: Vec<[f64; 3]> = slice_pos_mm.iter().map(|&z| [0.0, 0.0, z]).collect();
    let volume = VolumeView {
        hu: &image.voxels,
        mask: &inside,
        shape: image.shape,
        spacing_mm: image.spacing_mm,
        direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        slice_origins_mm: &slice_origins_mm,
        slice_pos_mm: &slice_pos_mm,
    };
    let config = std::fs::read_to_string(Path::new(HERE).join("features.toml")).unwrap();
    let extractor = Features::open(&config, Path::new(HERE)).unwrap();
    let mut values = vec![f64::NAN; extractor.outputs().len()];
    let mut poll = |_| ControlFlow::Continue(());
    let start = Instant::now();
    extractor.extract(&volume, &[], &mut values, &mut Call::new(&mut poll)).unwrap();
    println!("{} voxels in the image: {:?}", inside.len(), start.elapsed());
    extractor.outputs().iter().cloned().zip(values).collect()
}

/// Rows of the committed table of one class: the header first, then one feature each.
fn baseline(class: &str) -> Vec<Vec<String>> {
    let path = Path::new(HERE).join(format!("../../tests/data/baseline_{class}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn check_case(case: &str, ending: &str) {
    let Some(folder) = cases() else { return };
    let file = |what: &str| folder.join(format!("cases/{case}_{what}.{ending}"));
    let mask = if ending == "nrrd" { "label" } else { "mask" };
    let features = features_of(&file("image"), &file(mask));
    let mut worst = (0.0_f64, "");
    for rows in ["shape", "firstorder"].map(baseline) {
        let column = rows[0].iter().position(|name| name == case).unwrap();
        for row in &rows[1..] {
            let expected: f64 = row[column].parse().unwrap();
            let (name, found) = features.iter().find(|(name, _)| *name == row[0]).unwrap();
            let apart = (found - expected).abs() / expected.abs();
            assert!(apart <= 1e-9, "{name} of {case}: {found}, pyradiomics has {expected}");
            if apart > worst.0 {
                worst = (apart, name);
            }
        }
    }
    println!("{case}: at most {:.1e} apart ({})", worst.0, worst.1);
}

#[test]
fn every_feature_has_a_row_in_the_table_of_its_class() {
    let rows = ["firstorder", "shape"].map(baseline);
    let mut tabled: Vec<&str> =
        rows.iter().flat_map(|rows| &rows[1..]).map(|row| row[0].as_str()).collect();
    tabled.sort_unstable();
    let mut given: Vec<&str> = Features::names().collect();
    given.sort_unstable();
    assert_eq!(given, tabled);
}

#[test]
fn a_hematoma_of_18_ml_has_the_features_of_pyradiomics() {
    check_case("c1", "nii.gz");
}

#[test]
fn a_hematoma_of_79_ml_has_the_features_of_pyradiomics() {
    check_case("c2", "nii.gz");
}

#[test]
fn a_lesion_of_seven_slices_has_the_features_of_pyradiomics() {
    check_case("brain1", "nrrd");
}

/// Name here and tag in IBSI's table of its digital phantom.
///
/// Lengths of axes are not among them: IBSI divides the covariance by `n - 1`, pyradiomics by `n`.
const IBSI: [(&str, &str); 21] = [
    ("original_shape_MeshVolume", "morph_volume"),
    ("original_shape_VoxelVolume", "morph_vol_approx"),
    ("original_shape_SurfaceArea", "morph_area_mesh"),
    ("original_shape_SurfaceVolumeRatio", "morph_av"),
    ("original_shape_Sphericity", "morph_sphericity"),
    ("original_shape_Maximum3DDiameter", "morph_diam"),
    ("original_shape_Elongation", "morph_pca_elongation"),
    ("original_shape_Flatness", "morph_pca_flatness"),
    ("original_firstorder_Mean", "stat_mean"),
    ("original_firstorder_Variance", "stat_var"),
    ("original_firstorder_Skewness", "stat_skew"),
    ("original_firstorder_Median", "stat_median"),
    ("original_firstorder_Minimum", "stat_min"),
    ("original_firstorder_90Percentile", "stat_p90"),
    ("original_firstorder_Maximum", "stat_max"),
    ("original_firstorder_InterquartileRange", "stat_iqr"),
    ("original_firstorder_Range", "stat_range"),
    ("original_firstorder_MeanAbsoluteDeviation", "stat_mad"),
    ("original_firstorder_RobustMeanAbsoluteDeviation", "stat_rmad"),
    ("original_firstorder_Energy", "stat_energy"),
    ("original_firstorder_RootMeanSquared", "stat_rms"),
];

#[test]
fn the_digital_phantom_has_the_reference_values_of_ibsi() {
    let Some(folder) = cases() else { return };
    let phantom = folder.join("ibsi1/ibsi_1_digital_phantom");
    let features = features_of(&phantom.join("image.nii.gz"), &phantom.join("mask.nii.gz"));
    let table = std::fs::read_to_string(folder.join("ibsi1/ibsi_1_dig_phantom.csv")).unwrap();
    for (name, tag) in IBSI {
        let row = table.lines().find(|line| line.ends_with(&format!(";{tag}"))).unwrap();
        let mut cells = row.split(';');
        let expected: f64 = cells.next().unwrap().parse().unwrap();
        let tolerance: f64 = cells.next().unwrap().parse().unwrap();
        let (_, found) = features.iter().find(|(known, _)| known == name).unwrap();
        // The table is rounded to three digits.
        let slack = tolerance.max(expected.abs() * 5e-3);
        assert!((found - expected).abs() <= slack, "{tag}: {found} for {expected}");
    }
}
