//! Golden numbers: what PyTorch says for the same weights and pixels.
//!
//! `tests/data/golden_unet_w*.json` come from `weights/recipes/golden.py`, whose input is the
//! formula below. The yardstick's slice is a patient's and stays outside of this repository.

use std::fs;
use std::path::PathBuf;

use ndarray::{Array2, ArrayView2};
use serde_json::Value;

use crate::{Network, Path};

/// Largest difference to an f32 implementation, on probabilities. In bf16 it is one pixel on the
/// edge of a bleed that differs most, where the network is steepest.
fn tolerance(path: Path) -> f64 {
    if path.is_bf16() { 3e-2 } else { 2e-5 }
}

/// The weights folder of this checkout.
pub(crate) fn shipped() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights")
}

/// A skull, brain, and a bleed with a level, in HU: the formula of `golden.py`.
pub(crate) fn drawn_head() -> Array2<i16> {
    Array2::from_shape_fn((256, 320), |(row, column)| {
        let square = |at: usize, middle: usize| at.abs_diff(middle).pow(2);
        let from_centre = square(row, 128) + square(column, 160);
        let bleed = square(row, 110) * 3 + square(column, 195) * 5;
        let level = if row > 118 { 14 } else { 0 };
        let hu = if bleed < 2000 {
            56 + (column * 5 + row * 3) % 9 - level
        } else if bleed < 2900 {
            38 + (column * 5 + row * 3) % 7
        } else if from_centre < 104 * 104 {
            28 + (column * 7 + row * 13) % 11
        } else if from_centre < 112 * 112 {
            100
        } else {
            0
        };
        i16::from(hu as u8)
    })
}

/// Compares `[y, x, p]` triples with what was computed; gives the largest difference.
fn compare(points: &Value, probability: ArrayView2<'_, f32>, tolerance: f64) -> f64 {
    let points = points.as_array().unwrap();
    assert!(points.len() >= 60, "{} points", points.len());
    let difference = |point: &Value| {
        let at = |i: usize| point[i].as_u64().unwrap() as usize;
        let found = f64::from(probability[[at(0), at(1)]]);
        let expected = point[2].as_f64().unwrap();
        let difference = (found - expected).abs();
        assert!(difference <= tolerance, "{point}: {found}");
        difference
    };
    points.iter().map(difference).fold(0.0, f64::max)
}

fn over_half(probability: ArrayView2<'_, f32>) -> u64 {
    probability.iter().filter(|&&p| p >= 0.5).count() as u64
}

/// The shipped network `name` on every path against PyTorch, whose numbers are `golden`.
fn check(name: &str, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let windowed = drawn_head().mapv(|hu| f32::from(hu) / 100.0);
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        let network = Network::load(&[shipped()], name, Some(path)).unwrap();
        assert_eq!(golden["weights_sha256"], network.sha256(), "run weights/recipes/golden.py");
        let p = network.probability_of_slice(windowed.view()).unwrap();
        let worst = compare(&golden["points"], p.view(), tolerance(path));
        println!("{name} on {path}: largest difference {worst:.1e}");
        if !path.is_bf16() {
            assert_eq!(golden["over_half"], over_half(p.view()), "{path}");
        }
    }
}

#[test]
fn the_shipped_weights_give_pytorchs_numbers() {
    check("unet-w16", include_str!("../tests/data/golden_unet_w16.json"));
    check("unet-w32", include_str!("../tests/data/golden_unet_w32.json"));
}

#[test]
fn a_real_slice_gives_pytorchs_numbers() {
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let yardstick = shared.join("yardstick");
    let Ok(text) = fs::read_to_string(yardstick.join("golden.json")) else {
        println!("skipped: no yardstick beside this checkout");
        return;
    };
    let golden: Value = serde_json::from_str(&text).unwrap();
    let patient = golden["patient"].as_str().unwrap();
    let windowed =
        real_slice(&shared.join("phe-sich"), patient, golden["slice"].as_str().unwrap());
    for path in Path::ALL.into_iter().filter(|path| path.is_available() && !path.is_bf16()) {
        let network = as_network(&yardstick.join("unet_w16_512.safetensors"), path);
        let p = network.probability_of_slice(windowed.view()).unwrap();
        let worst = ["grid", "inside"]
            .map(|points| compare(&golden[points], p.view(), tolerance(path)))
            .into_iter()
            .fold(0.0, f64::max);
        println!("{path}: largest difference {worst:.1e}");
        assert_eq!(golden["pixels_over_half"], over_half(p.view()), "{path}");
    }
}

/// A network of the yardstick's weights, by the shipped manifest with another file and hash.
fn as_network(weights: &std::path::Path, path: Path) -> Network {
    let folder = tempfile::tempdir().unwrap();
    let manifest = fs::read_to_string(shipped().join("manifest.toml")).unwrap();
    let mut manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let network = manifest["network"][0].as_table_mut().unwrap();
    let hash = crate::weights::sha256(&fs::read(weights).unwrap());
    network.insert("file".to_owned(), weights.to_str().unwrap().into());
    network.insert("sha256".to_owned(), hash.into());
    fs::write(folder.path().join("manifest.toml"), manifest.to_string()).unwrap();
    Network::load(&[folder.path().to_owned()], "unet-w16", Some(path)).unwrap()
}

/// Windowed pixels of a slice of PHE-SICH, grey values not rounded to whole HU.
fn real_slice(folder: &std::path::Path, patient: &str, slice: &str) -> Array2<f32> {
    let table = fs::read_to_string(folder.join("patients.csv")).unwrap();
    let row: Vec<&str> = table
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .find(|row| row[0] == patient)
        .unwrap();
    let (low, width): (f32, f32) = (row[4].parse().unwrap(), row[5].parse().unwrap());
    let file = fs::read(folder.join(format!("images/{patient}/{slice}.webp"))).unwrap();
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(file)).unwrap();
    let mut bytes = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.read_image(&mut bytes).unwrap();
    let n_channels = bytes.len() / (512 * 512);
    Array2::from_shape_fn((512, 512), |(y, x)| {
        let grey = f32::from(bytes[(y * 512 + x) * n_channels]);
        ((grey / 255.0 * width + low) / 100.0).clamp(0.0, 1.0)
    })
}
