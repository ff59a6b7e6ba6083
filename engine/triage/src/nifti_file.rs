//! Volumes and masks written as NIfTI-1 files, which every research tool opens.
//!
//! NIfTI's frame is RAS and its arrays run x fastest, so `(z, y, x)` is written as `(x, y, z)` and
//! the first two coordinates of the patient frame (LPS) change sign. The affine goes into `sform`.
//! It is exact for even steps; an uneven or tilted stack is written with its mean step.

use std::path::Path;

use ichor_core::{Grid, Mask, Volume};
use nifti::{NiftiHeader, XForm, writer::WriterOptions};

use crate::TriageError;

/// Writes HU as 16-bit integers.
pub(crate) fn write_image(volume: &Volume, path: &Path) -> Result<(), TriageError> {
    let header = header(volume.grid());
    let xyz = volume.hu().view().permuted_axes([2, 1, 0]);
    written(WriterOptions::new(path).reference_header(&header).write_nifti(&xyz), path)
}

/// Writes 0 and 1 as bytes.
pub(crate) fn write_mask(mask: &Mask, grid: &Grid, path: &Path) -> Result<(), TriageError> {
    let header = header(grid);
    let xyz = mask.voxels().map(|&inside| u8::from(inside));
    let xyz = xyz.view().permuted_axes([2, 1, 0]);
    written(WriterOptions::new(path).reference_header(&header).write_nifti(&xyz), path)
}

fn written(result: nifti::Result<()>, path: &Path) -> Result<(), TriageError> {
    result.map_err(|source| TriageError::Nifti { path: path.to_owned(), source })
}

fn header(grid: &Grid) -> NiftiHeader {
    let pixel = grid.pixel();
    let n = grid.n_slices();
    let (first, last) = (grid.origins()[0], grid.origins()[n - 1]);
    let step: [f64; 3] = if n > 1 {
        std::array::from_fn(|axis| (last[axis] - first[axis]) / (n - 1) as f64)
    } else {
        grid.normal().map(|c| c * grid.thickness_mm())
    };
    // LPS to RAS: the first two coordinates change sign.
    let sign = [-1.0, -1.0, 1.0];
    let row = |axis: usize| {
        [
            (sign[axis] * grid.row()[axis] * pixel.x) as f32,
            (sign[axis] * grid.column()[axis] * pixel.y) as f32,
            (sign[axis] * step[axis]) as f32,
            (sign[axis] * first[axis]) as f32,
        ]
    };
    let step_mm = step.iter().map(|c| c * c).sum::<f64>().sqrt();
    NiftiHeader {
        pixdim: [1.0, pixel.x as f32, pixel.y as f32, step_mm as f32, 0.0, 0.0, 0.0, 0.0],
        sform_code: XForm::ScannerAnat as i16,
        srow_x: row(0),
        srow_y: row(1),
        srow_z: row(2),
        // Millimetres.
        xyzt_units: 2,
        ..NiftiHeader::default()
    }
}
