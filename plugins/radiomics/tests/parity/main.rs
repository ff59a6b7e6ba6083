//! The features beside pyradiomics 3.0.1 and beside the reference values of IBSI 1.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod golden;
mod ibsi;
mod image;
mod peer;
mod set;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ichor_plugin::{Call, Extractor, VolumeView};
use ichor_radiomics::Features;

use crate::image::Image;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of test images; says so and gives nothing where it is not.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(HERE).join("../../../shared/data/radiomics");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the test images are not here");
    None
}

/// Image and mask of a case.
fn case(name: &str) -> Option<[Image; 2]> {
    let folder = shared()?.join("cases");
    let (mask, ending) = if name == "brain1" { ("label", "nrrd") } else { ("mask", "nii.gz") };
    Some(
        ["image", mask]
            .map(|what| image::read(&folder.join(format!("{name}_{what}.{ending}")))),
    )
}

/// The features that the extractor gives with the settings `config`.
fn features_of([image, mask]: &[Image; 2], config: &str) -> Vec<(String, f64)> {
    features_by([image, mask], &Features::open(config, Path::new(HERE)).unwrap())
}

fn features_by([image, mask]: [&Image; 2], extractor: &Features) -> Vec<(String, f64)> {
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
    let mut values = vec![f64::NAN; extractor.outputs().len()];
    let mut poll = |_| ControlFlow::Continue(());
    extractor.extract(&volume, &[], &mut values, &mut Call::new(&mut poll)).unwrap();
    extractor.outputs().iter().cloned().zip(values).collect()
}

/// `name,value` lines of a golden file, in their order.
fn golden_rows(text: &str) -> Vec<(String, f64)> {
    let rows = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
    rows.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}
