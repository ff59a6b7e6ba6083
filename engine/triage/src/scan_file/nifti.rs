//! NIfTI-1 files, by the library.
//!
//! NIfTI's frame is RAS: the first two coordinates change sign. Where `sform` and `qform` are
//! empty the file does not say how it lies. Lengths of steps are `pixdim`'s, as ITK takes them.

use std::path::Path;

use ndarray::{Axis, Ix3};
use nifti::volume::ndarray::IntoNdArray;
use nifti::{NiftiHeader, NiftiObject, ReaderOptions};

use super::{Frame, Raw, length};

/// Reads `path`; the error says what is wrong in it.
pub(super) fn read(path: &Path) -> Result<Raw, String> {
    let object = ReaderOptions::new().read_file(path).map_err(|error| error.to_string())?;
    let frame = frame(object.header());
    let mut array =
        object.into_volume().into_ndarray::<f32>().map_err(|error| error.to_string())?;
    while array.ndim() > 3 && array.shape().last() == Some(&1) {
        let last = Axis(array.ndim() - 1);
        array = array.index_axis_move(last, 0);
    }
    let shape = array.shape().to_vec();
    let xyz = array
        .into_dimensionality::<Ix3>()
        .map_err(|_| format!("three dimensions are expected, not {shape:?}"))?;
    let (x, y, z) = xyz.dim();
    let zyx = xyz.permuted_axes([2, 1, 0]);
    Raw::new(zyx.iter().copied().collect(), [x, y, z], frame)
}

fn frame(header: &NiftiHeader) -> Frame {
    let mm = [1, 2, 3].map(|axis| f64::from(header.pixdim[axis]).abs());
    let (steps, origin) = if header.sform_code > 0 {
        let rows = [header.srow_x, header.srow_y, header.srow_z];
        let column = |c: usize| rows.map(|row| f64::from(row[c]));
        ([column(0), column(1), column(2)], column(3))
    } else if header.qform_code > 0 {
        let origin = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
        (turned(header), origin)
    } else {
        return Frame::unplaced(mm);
    };
    let lps = |[x, y, z]: [f64; 3]| [-x, -y, z];
    let steps = [0, 1, 2].map(|axis| {
        let (step, own) = (lps(steps[axis]), length(steps[axis]));
        // A matrix without a rotation is as long as it is.
        let to =
            if mm[axis] > 0.0 && (own / mm[axis] - 1.0).abs() < 1e-3 { mm[axis] } else { own };
        step.map(|c| if own > 0.0 { c / own * to } else { 0.0 })
    });
    Frame { steps, origin: lps(origin), placed: true }
}

/// Steps along x, y and z by the quaternion of `qform` (nifti1.h, method 2).
fn turned(header: &NiftiHeader) -> [[f64; 3]; 3] {
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let mm = [1, 2, 3].map(|axis| f64::from(header.pixdim[axis]));
    let hand = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let x = [a * a + b * b - c * c - d * d, 2.0 * (b * c + a * d), 2.0 * (b * d - a * c)];
    let y = [2.0 * (b * c - a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d + a * b)];
    let z = [2.0 * (b * d + a * c), 2.0 * (c * d - a * b), a * a + d * d - c * c - b * b];
    [x.map(|v| v * mm[0]), y.map(|v| v * mm[1]), z.map(|v| v * mm[2] * hand)]
}
