//! The features of an image and its mask, without a host: `describe IMAGE MASK [PARAMETERS]`.
//!
//! Image and mask are .nii.gz or .nrrd, parameters a file of pyradiomics; the set `teng2021` when not
//! given. Lines of `name,value` go to stdout. For comparisons: `ichor features` goes by the host.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the reader is that of the tests")]

#[path = "../tests/parity/image.rs"]
mod image;

use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;

use ichor_plugin::{Call, VolumeView};
use ichor_radiomics::Parameters;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [image, mask, rest @ ..] = &arguments[..] else {
        return Err("describe IMAGE MASK [PARAMETERS]".into());
    };
    let parameters = match rest {
        [] => Parameters { label: Some(1), ..Parameters::default() },
        [file, ..] => Parameters::from_parameter_file(&std::fs::read_to_string(file)?)?,
    };
    let (image, mask) = (image::read(image), image::read(mask));
    let mask: Vec<u8> = mask.voxels.iter().map(|&voxel| voxel as u8).collect();
    let volume = VolumeView {
        hu: &image.voxels,
        mask: &mask,
        shape: image.shape,
        spacing_mm: image.spacing_mm,
        direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        slice_origins_mm: &[],
        slice_pos_mm: &[],
    };
    let names = parameters.names();
    let mut features = vec![f64::NAN; names.len()];
    let mut poll = |_| ControlFlow::Continue(());
    parameters.extract(&volume, &mut features, &mut Call::new(&mut poll))?;
    for (name, value) in names.iter().zip(&features) {
        println!("{name},{value:?}");
    }
    Ok(())
}
