//! Images whose grey values hang on one voxel or its six neighbours, as pyradiomics has them.

use crate::scan::{Bounds, Scan};

/// A curve that grey values are sent through, scaled by the whole scan's largest `|x|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    Square,
    SquareRoot,
    Logarithm,
    Exponential,
}

impl Curve {
    /// Not finite where the scan is empty of contrast and the scale is lost: for 0 only.
    pub(crate) fn apply(self, scan: &Scan<'_>, mut values: Vec<f64>) -> Vec<f64> {
        let magnitude = |&hu: &i16| i32::from(hu).abs();
        let largest = f64::from(scan.hu.iter().map(magnitude).max().unwrap_or(0));
        let signed = |x: f64, of: f64| {
            if x > 0.0 {
                of
            } else if x < 0.0 {
                -of
            } else {
                x
            }
        };
        let curve = |x: f64| match self {
            Self::Square => {
                let scaled = 1.0 / largest.sqrt() * x;
                scaled * scaled
            }
            Self::SquareRoot => signed(x, (x.abs() * largest).sqrt()),
            Self::Logarithm => {
                signed(x, (x.abs() + 1.0).ln()) * (largest / (largest + 1.0).ln())
            }
            Self::Exponential => (largest.ln() / largest * x).exp(),
        };
        for value in &mut values {
            *value = curve(*value);
        }
        values
    }
}

/// Length of the gradient by central differences; beyond the border lies the border's value.
pub(crate) fn gradient(scan: &Scan<'_>, bounds: &Bounds) -> Vec<f32> {
    let [_, ny, nx] = scan.shape;
    let mut out = Vec::with_capacity(bounds.extent.iter().product());
    for z in bounds.low[0]..bounds.high(0) {
        for y in bounds.low[1]..bounds.high(1) {
            for x in bounds.low[2]..bounds.high(2) {
                let slope = |axis: usize| {
                    let step = |to: fn(usize, usize) -> usize| {
                        let mut at = [z, y, x];
                        at[axis] = to(at[axis], scan.shape[axis] - 1);
                        f64::from(scan.hu[(at[0] * ny + at[1]) * nx + at[2]])
                    };
                    let ahead = step(|at, last| (at + 1).min(last));
                    let behind = step(|at, _| at.saturating_sub(1));
                    0.5 / scan.spacing_mm[axis] * (ahead - behind)
                };
                let squared: f64 = [2, 1, 0].map(slope).iter().map(|part| part * part).sum();
                out.push(squared.sqrt() as f32);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(curve: Curve, expected: [f64; 3]) {
        let hu = [-100_i16, 0, 25];
        let scan = Scan { hu: (&hu[..]).into(), shape: [1, 1, 3], spacing_mm: [1.0; 3] };
        let found = curve.apply(&scan, hu.iter().map(|&x| f64::from(x)).collect());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{curve:?}: {found} for {expected}");
        }
    }

    #[test]
    fn curves_keep_the_range_of_the_scan() {
        check(Curve::Square, [100.0, 0.0, 6.25]);
        check(Curve::SquareRoot, [-100.0, 0.0, 50.0]);
        check(Curve::Logarithm, [-100.0, 0.0, 100.0 * 26.0_f64.ln() / 101.0_f64.ln()]);
        check(Curve::Exponential, [0.01, 1.0, 100.0_f64.powf(0.25)]);
    }

    #[test]
    fn a_slope_of_ten_a_voxel_is_twenty_a_millimetre_at_half_a_millimetre() {
        let hu = [0_i16, 10, 20, 30];
        let scan = Scan { hu: (&hu[..]).into(), shape: [1, 1, 4], spacing_mm: [5.0, 1.0, 0.5] };
        let bounds = Bounds { low: [0, 0, 0], extent: [1, 1, 4] };
        assert_eq!(gradient(&scan, &bounds), [10.0, 20.0, 20.0, 10.0]);
    }
}
