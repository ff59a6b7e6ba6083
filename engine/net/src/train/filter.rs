//! The small blur of the augmentation: a binomial kernel of five pixels, deviation one pixel.

use ndarray::{Array2, Axis};

/// Weights of a pixel and its two neighbours on either side, along one axis.
const KERNEL: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];

/// Root of the sum of all squared weights: what the blur leaves of independent noise.
pub(super) const NOISE_LEFT: f32 = 0.273_437_5;

/// `pixels` blurred along both axes; the border repeats beyond the edge.
pub(super) fn blurred(pixels: &Array2<f32>) -> Array2<f32> {
    let along_x = line_by_line(pixels, Axis(0));
    line_by_line(&along_x, Axis(1))
}

/// Blurs every lane that `across` counts.
fn line_by_line(pixels: &Array2<f32>, across: Axis) -> Array2<f32> {
    let mut out = pixels.clone();
    for (from, mut to) in pixels.axis_iter(across).zip(out.axis_iter_mut(across)) {
        let last = from.len().saturating_sub(1);
        for (at, pixel) in to.iter_mut().enumerate() {
            *pixel = (0..KERNEL.len())
                .map(|tap| KERNEL[tap] * from[(at + tap).saturating_sub(2).min(last)])
                .sum();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_the_kernel_and_a_plain_stays() {
        let mut point = Array2::zeros((9, 9));
        point[(4, 4)] = 1.0;
        let spread = blurred(&point);
        assert!((spread[(4, 4)] - 0.140_625).abs() < 1e-6 && (spread.sum() - 1.0).abs() < 1e-6);
        assert!((spread[(2, 3)] - 0.0625 * 0.25).abs() < 1e-6);
        let squares: f32 = spread.iter().map(|v| v * v).sum();
        assert!((squares.sqrt() - NOISE_LEFT).abs() < 1e-6);
        let plain = Array2::from_elem((7, 5), 0.4_f32);
        assert!(blurred(&plain).iter().all(|v| (v - 0.4).abs() < 1e-6));
    }
}
