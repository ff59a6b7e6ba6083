//! One level of the stationary wavelet transform, as `PyWavelets`' `swtn` has it.
//!
//! Along one axis `y[i] = Σ f[j] x[i + F/2 - j]`, summed in the order of `j`, on a line that goes on
//! periodically; a line of odd length is first lengthened by its own first sample, as pyradiomics
//! does. The axes follow each other as `x`, `y`, `z`, and so do the letters of a band's name.
#![expect(clippy::cast_possible_wrap, reason = "no axis has 2^63 voxels")]

use ichor_plugin::Refused;

use crate::filters::LOW_PASS;
use crate::pace::Pace;
use crate::scan::{Bounds, Scan};

/// Names of the bands in pyradiomics' order: the approximation comes last.
pub(crate) const BANDS: [&str; 8] = ["LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"];

/// A pair of filters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wavelet {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Wavelet {
    /// The wavelet that `PyWavelets` calls `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (_, low) = LOW_PASS.iter().find(|(known, _)| *known == name)?;
        let high = (0..low.len()).map(|at| {
            let mirrored = low[low.len() - 1 - at];
            if at % 2 == 0 { -mirrored } else { mirrored }
        });
        Some(Self { low: low.to_vec(), high: high.collect() })
    }

    /// Names of all wavelets.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        LOW_PASS.iter().map(|(name, _)| *name)
    }

    /// The voxels of `bounds` in each of [`BANDS`].
    pub(crate) fn transform(
        &self,
        scan: &Scan<'_>,
        bounds: &Bounds,
        pace: &dyn Pace,
    ) -> Result<Vec<Vec<f64>>, Refused> {
        let taps = self.low.len();
        let needed: [Vec<usize>; 3] = std::array::from_fn(|axis| {
            wrapped(bounds.low[axis], bounds.extent[axis], scan.shape[axis], taps)
        });
        let first = [&self.low, &self.high]
            .map(|filter| along_rows(scan, &needed, bounds.extent[2], filter, pace));
        let [nz, ny, nx] = bounds.extent;
        let mut bands = vec![Vec::new(); 8];
        for (x_letter, rows) in ["L", "H"].into_iter().zip(first) {
            let rows = rows?;
            for (y_letter, y_filter) in [("L", &self.low), ("H", &self.high)] {
                let planes = across(&rows, [needed[0].len(), ny, nx], y_filter, pace)?;
                for (z_letter, z_filter) in [("L", &self.low), ("H", &self.high)] {
                    let voxels = across(&planes, [1, nz, ny * nx], z_filter, pace)?;
                    let name = [x_letter, y_letter, z_letter].concat();
                    if let Some(at) = BANDS.iter().position(|band| *band == name) {
                        bands[at] = voxels;
                    }
                }
            }
        }
        Ok(bands)
    }
}

/// Indices of the samples that `extent` results from `low` on need, in rising place.
fn wrapped(low: usize, extent: usize, length: usize, taps: usize) -> Vec<usize> {
    let period = length + length % 2;
    let first = (low + taps / 2 + 1) as i64 - taps as i64;
    (first..first + (extent + taps - 1) as i64)
        .map(|at| at.rem_euclid(period as i64) as usize % length)
        .collect()
}

/// Filters the rows of `scan` that are needed; `out[x]` of a row hangs on `taps` of its samples.
fn along_rows(
    scan: &Scan<'_>,
    needed: &[Vec<usize>; 3],
    nx: usize,
    filter: &[f64],
    pace: &dyn Pace,
) -> Result<Vec<f64>, Refused> {
    let mut out = vec![0.0; needed[0].len() * needed[1].len() * nx];
    let mut samples = vec![0.0; needed[2].len()];
    let places = needed[0].iter().flat_map(|z| needed[1].iter().map(move |y| (*z, *y)));
    for (row_idx, (slot, (z, y))) in out.chunks_exact_mut(nx).zip(places).enumerate() {
        if row_idx % 256 == 0 {
            pace.check()?;
        }
        let row = &scan.hu[(z * scan.shape[1] + y) * scan.shape[2]..][..scan.shape[2]];
        for (sample, &x) in samples.iter_mut().zip(&needed[2]) {
            *sample = f64::from(row[x]);
        }
        for (weight, from) in filter.iter().zip((0..filter.len()).rev()) {
            for (sum, sample) in slot.iter_mut().zip(&samples[from..]) {
                *sum += weight * sample;
            }
        }
    }
    Ok(out)
}

/// Filters along the middle axis of an array whose results have `shape`.
fn across(
    data: &[f64],
    [n_planes, n_lines, width]: [usize; 3],
    filter: &[f64],
    pace: &dyn Pace,
) -> Result<Vec<f64>, Refused> {
    let mut out = vec![0.0; n_planes * n_lines * width];
    let plane = (n_lines + filter.len() - 1) * width;
    for (line_idx, slot) in out.chunks_exact_mut(width).enumerate() {
        if line_idx % 256 == 0 || width > 4096 {
            pace.check()?;
        }
        let first = line_idx / n_lines * plane + line_idx % n_lines * width;
        for (weight, ahead) in filter.iter().zip((0..filter.len()).rev()) {
            for (sum, sample) in slot.iter_mut().zip(&data[first + ahead * width..]) {
                *sum += weight * sample;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;

    #[test]
    fn a_constant_is_scaled_by_the_approximation_and_gone_from_the_details() {
        let hu = vec![67_i16; 5 * 6 * 7];
        let scan = Scan { hu: (&hu[..]).into(), shape: [5, 6, 7], spacing_mm: [1.0; 3] };
        let bounds = Bounds { low: [0; 3], extent: [5, 6, 7] };
        for name in Wavelet::names() {
            let wavelet = Wavelet::named(name).unwrap();
            let bands = wavelet.transform(&scan, &bounds, &Endless).unwrap();
            for (band, name) in bands.iter().zip(BANDS) {
                let expected = if name == "LLL" { 67.0 * 8.0_f64.sqrt() } else { 0.0 };
                assert!(band.iter().all(|value| (value - expected).abs() < 1e-8), "{name}");
            }
        }
    }

    #[test]
    fn haar_takes_sums_and_differences_of_neighbours() {
        let hu: Vec<i16> = vec![1, 5, 2, 8];
        let scan = Scan { hu: (&hu[..]).into(), shape: [1, 1, 4], spacing_mm: [1.0; 3] };
        let bounds = Bounds { low: [0; 3], extent: [1, 1, 4] };
        let wavelet = Wavelet::named("haar").unwrap();
        let bands = wavelet.transform(&scan, &bounds, &Endless).unwrap();
        // A single slice or row is doubled by its wrapped copy: low-pass 2^0.5 each, high-pass 0.
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let sums = [6.0, 7.0, 10.0, 9.0].map(|sum| sum * half * 2.0);
        for (found, expected) in bands[7].iter().zip(sums) {
            assert!((found - expected).abs() < 1e-12, "{:?}", bands[7]);
        }
    }
}
