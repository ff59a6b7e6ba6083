//! The Laplacian of a Gaussian, as ITK's `LaplacianRecursiveGaussianImageFilter` has it.
//!
//! `Σ over the axes a of sigma² D_a(G_b(G_c(x))) / spacing_a²`: the second derivative first, then the
//! smoothing along the other axes in the order `x`, `y`, `z`, single precision in between.

use std::ops::Range;

use ichor_plugin::Refused;

use crate::gaussian::Recursion;
use crate::pace::Pace;
use crate::recursive::{Along, Block, pass};
use crate::scan::{Bounds, Scan};

/// How far, in sigmas, a voxel still counts: the response has decayed to 3e-10 there.
const REACH: f64 = 16.0;
/// Voxels that ITK needs along every axis.
const FEWEST: usize = 4;

/// The filtered voxels of `bounds`; nothing when the scan is too thin for `sigma_mm`, which is
/// where pyradiomics leaves the sigma out.
pub(crate) fn laplacian(
    scan: &Scan<'_>,
    bounds: &Bounds,
    sigma_mm: f64,
    pace: &dyn Pace,
) -> Result<Option<Vec<f32>>, Refused> {
    if !thick_enough(scan, sigma_mm) {
        return Ok(None);
    }
    let ranges: [Range<usize>; 3] = std::array::from_fn(|axis| {
        let reach = (REACH * sigma_mm / scan.spacing_mm[axis]).ceil() as usize;
        let low = bounds.low[axis].saturating_sub(reach);
        let high = bounds.high(axis).saturating_add(reach).min(scan.shape[axis]);
        widened(low..high, scan.shape[axis])
    });
    let along = |axis: usize, recursion: Recursion| {
        let start = bounds.low[axis] - ranges[axis].start;
        Along::new(recursion, start..start + bounds.extent[axis], ranges[axis].len())
    };
    let in_voxels = |axis: usize| sigma_mm / scan.spacing_mm[axis];
    let smooth: [Along; 3] =
        std::array::from_fn(|axis| along(axis, Recursion::smoothing(in_voxels(axis))));
    let block = Block::part(&scan.hu, scan.shape, &ranges);
    let mut sum = vec![0.0_f32; bounds.extent.iter().product()];
    for (axis, others) in [(2, [1, 0]), (1, [2, 0]), (0, [2, 1])] {
        let second = Recursion::second_derivative(in_voxels(axis), sigma_mm * sigma_mm);
        let (mut data, mut shape) = pass(block, axis, &along(axis, second), pace)?;
        for other in others {
            (data, shape) = pass(Block::whole(&data, shape), other, &smooth[other], pace)?;
        }
        let factor = 1.0 / (scan.spacing_mm[axis] * scan.spacing_mm[axis]);
        for (total, part) in sum.iter_mut().zip(&data) {
            *total = (f64::from(*total) + f64::from(*part) * factor) as f32;
        }
    }
    Ok(Some(sum))
}

/// Whether every axis has the voxels that pyradiomics and ITK want for `sigma_mm`.
pub(crate) fn thick_enough(scan: &Scan<'_>, sigma_mm: f64) -> bool {
    (0..3).all(|axis| {
        let needed = (sigma_mm / scan.spacing_mm[axis]).ceil() + 1.0;
        scan.shape[axis] >= FEWEST && scan.shape[axis] as f64 >= needed
    })
}

/// `range` with at least [`FEWEST`] voxels, where `length` has them.
fn widened(range: Range<usize>, length: usize) -> Range<usize> {
    if range.len() >= FEWEST {
        return range;
    }
    let start = range.start.min(length - FEWEST);
    start..(start + FEWEST).max(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;

    fn scan(hu: &[i16], shape: [usize; 3]) -> Scan<'_> {
        Scan { hu: hu.into(), shape, spacing_mm: [5.0, 0.5, 0.5] }
    }

    #[test]
    fn a_scan_of_three_slices_is_too_thin() {
        let hu = vec![60; 3 * 20 * 20];
        let bounds = Bounds { low: [1, 5, 5], extent: [1, 4, 4] };
        let filtered = laplacian(&scan(&hu, [3, 20, 20]), &bounds, 1.0, &Endless).unwrap();
        assert_eq!(filtered, None);
    }

    #[test]
    fn a_paraboloid_has_its_laplacian_times_the_squared_sigma() {
        let shape = [8, 60, 60];
        let value = |at: usize| {
            let (y, x) = (at / 60 % 60, at % 60);
            y.abs_diff(30).pow(2) as u16 + x.abs_diff(30).pow(2) as u16
        };
        let hu: Vec<i16> = (0..8 * 60 * 60).map(|at| value(at).cast_signed()).collect();
        let bounds = Bounds { low: [4, 30, 30], extent: [1, 1, 1] };
        let filtered = laplacian(&scan(&hu, shape), &bounds, 2.0, &Endless).unwrap().unwrap();
        // Two second derivatives of 2 per squared voxel of 0.5 mm, times 4 mm²; the filter is an
        // approximation and the borders are flat.
        assert!((filtered[0] / 64.0 - 1.0).abs() < 0.01, "{filtered:?}");
    }
}
