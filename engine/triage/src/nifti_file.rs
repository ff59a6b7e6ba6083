//! Volumes and masks as NIfTI-1 files, which every research tool opens.
//!
//! NIfTI's frame is RAS and its arrays run x fastest, so `(z, y, x)` is written as `(x, y, z)` and
//! the first two coordinates of the patient frame (LPS) change sign. The affine goes into `sform`.
//! It is exact for even steps; an uneven or tilted stack is written with its mean step.

use std::path::Path;

use ichor_core::{Grid, GridError, Mask, PixelSpacing, Volume};
use ndarray::{Array3, Axis, Ix3};
use nifti::volume::ndarray::IntoNdArray;
use nifti::{NiftiHeader, NiftiObject, ReaderOptions, XForm, writer::WriterOptions};

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

/// Reads an image in HU with its grid.
pub(crate) fn read_image(path: &Path) -> Result<Volume, TriageError> {
    let (values, grid) = read(path)?;
    let hu = values.map(|&v| v.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16);
    Volume::new(hu, grid).map_err(|error| unusable(path, &error.to_string()))
}

/// Reads the voxels that are not 0 as a mask on `grid`, which must have the same shape.
pub(crate) fn read_mask(path: &Path, volume: &Volume) -> Result<Mask, TriageError> {
    let (values, _) = read(path)?;
    if values.dim() != volume.dim() {
        let words =
            format!("mask of {:?} voxels for an image of {:?}", values.dim(), volume.dim());
        return Err(unusable(path, &words));
    }
    Ok(Mask::new(values.map(|&v| v != 0.0), volume.grid())?)
}

fn read(path: &Path) -> Result<(Array3<f64>, Grid), TriageError> {
    let object = ReaderOptions::new()
        .read_file(path)
        .map_err(|source| TriageError::Nifti { path: path.to_owned(), source })?;
    let header = object.header().clone();
    let array = object
        .into_volume()
        .into_ndarray::<f64>()
        .map_err(|source| TriageError::Nifti { path: path.to_owned(), source })?;
    let xyz = array
        .into_dimensionality::<Ix3>()
        .map_err(|_| unusable(path, "three dimensions are expected"))?;
    let mut zyx = xyz.permuted_axes([2, 1, 0]);
    let (affine, flipped) = affine(&header);
    if flipped {
        zyx.invert_axis(Axis(0));
    }
    let grid =
        grid_of(&affine, zyx.dim().0).map_err(|error| unusable(path, &error.to_string()))?;
    Ok((zyx.as_standard_layout().into_owned(), grid))
}

fn unusable(path: &Path, why: &str) -> TriageError {
    TriageError::Input(format!("{}: {why}", path.display()))
}

/// Columns of the affine in LPS: steps of x, y and z, then the origin; and whether slices must be
/// reversed so that they rise along the normal.
fn affine(header: &NiftiHeader) -> ([[f64; 3]; 4], bool) {
    let rows = [header.srow_x, header.srow_y, header.srow_z];
    let mut columns: [[f64; 3]; 4] = if header.sform_code > 0 {
        std::array::from_fn(|c| std::array::from_fn(|r| f64::from(rows[r][c])))
    } else {
        let p = header.pixdim;
        // No orientation in the file: taken to lie as it is stored, radiological rows.
        [
            [-f64::from(p[1]), 0.0, 0.0],
            [0.0, -f64::from(p[2]), 0.0],
            [0.0, 0.0, f64::from(p[3])],
            [0.0; 3],
        ]
    };
    for column in &mut columns {
        column[0] = -column[0];
        column[1] = -column[1];
    }
    let [x, y, z, _] = columns;
    let normal =
        [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
    let flipped = z.iter().zip(normal).map(|(a, b)| a * b).sum::<f64>() < 0.0;
    if flipped {
        let last = f64::from(header.dim[3]) - 1.0;
        columns[3] = std::array::from_fn(|axis| columns[3][axis] + last * z[axis]);
        columns[2] = z.map(|step| -step);
    }
    (columns, flipped)
}

fn grid_of(columns: &[[f64; 3]; 4], n_slices: usize) -> Result<Grid, GridError> {
    let length = |v: [f64; 3]| v.iter().map(|c| c * c).sum::<f64>().sqrt();
    let [x, y, z, origin] = *columns;
    let pixel = PixelSpacing { y: length(y), x: length(x) };
    let origins = (0..n_slices)
        .map(|at| std::array::from_fn(|axis| origin[axis] + at as f64 * z[axis]))
        .collect();
    Grid::new(pixel, x.map(|c| c / pixel.x), y.map(|c| c / pixel.y), origins, length(z))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_written_and_read_is_the_same_volume() {
        let pixel = PixelSpacing { y: 0.5, x: 0.4 };
        let origins = (0..3).map(|z| [-100.0, -90.0, 5.0 * f64::from(z) - 20.0]).collect();
        let grid = Grid::new(pixel, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, 5.0).unwrap();
        let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| {
            (z * 100 + y * 10 + x) as u8 as i16 - 50
        });
        let volume = Volume::new(hu, grid).unwrap();
        let folder = std::env::temp_dir();
        let path = folder.join(format!("ichor-nifti-{}.nii.gz", std::process::id()));
        write_image(&volume, &path).unwrap();
        let read = read_image(&path).unwrap();
        assert_eq!(read.hu(), volume.hu());
        for (a, b) in
            read.grid().origins().iter().flatten().zip(volume.grid().origins().iter().flatten())
        {
            assert!((a - b).abs() < 1e-4);
        }
        let mask = Mask::new(volume.hu().map(|&hu| hu > 100), volume.grid()).unwrap();
        write_mask(&mask, volume.grid(), &path).unwrap();
        assert_eq!(read_mask(&path, &read).unwrap().voxels(), mask.voxels());
        std::fs::remove_file(&path).unwrap();
    }
}
