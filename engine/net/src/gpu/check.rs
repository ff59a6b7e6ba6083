//! A device is believed after it has computed what is known.

use ndarray::Array2;

use super::GpuPrecision;
use super::pool::Seen;
use crate::FRAME;
use crate::cnn::crop::SIDE;

/// What a network's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A logit for each pixel; scoring takes its probability.
    Logits,
    /// So many maps, of each its mean.
    Means(usize),
}

impl Meaning {
    /// Numbers that a slice of `dim` gets.
    pub(super) fn n_out(self, (y, x): (usize, usize)) -> usize {
        match self {
            Self::Logits => y * x,
            Self::Means(n_maps) => n_maps,
        }
    }

    /// How far what is said of the known slice may be from the CPU in f32: a probability by
    /// itself, a mean in parts of one plus its size. Our own bf16 is 1.5e-2 away where the U-Net is
    /// steepest, another network over 1e-1.
    pub(super) fn allowed(self, precision: GpuPrecision) -> f32 {
        match precision {
            GpuPrecision::Bf16 => 3e-2,
            GpuPrecision::F32 => 1e-4,
        }
    }
}

/// A slice and what is said of it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) seen: Seen,
    pub(super) expected: Vec<f32>,
    pub(super) meaning: Meaning,
}

impl Known {
    /// The largest difference; infinite where one is no number.
    pub(super) fn difference(&self, found: &[f32]) -> f32 {
        if found.len() != self.expected.len() {
            return f32::INFINITY;
        }
        let scale = |expected: f32| match self.meaning {
            Meaning::Logits => 1.0,
            Meaning::Means(_) => 1.0 + expected.abs(),
        };
        let apart = found.iter().zip(&self.expected).map(|(f, e)| (f - e).abs() / scale(*e));
        apart.fold(0.0, |most, d| if d.is_nan() { f32::INFINITY } else { most.max(d) })
    }
}

/// A skull, brain, and two bleeds, `(y, x)`, windowed: edges and flat places in every level.
pub(super) fn known_slice() -> Array2<f32> {
    Array2::from_shape_fn((FRAME, FRAME), |(row, column)| {
        let from_centre = square(row, 256) + square(column, 256);
        let grain = ((row * 13 + column * 7) % 11) as f32 / 100.0;
        if in_larger_bleed(row, column) {
            0.60 + grain
        } else if square(row, 320) + square(column, 200) < 300 {
            0.55 + grain
        } else if from_centre < 190 * 190 {
            0.28 + grain
        } else if from_centre < 205 * 205 {
            1.0
        } else {
            0.0
        }
    })
}

fn square(at: usize, middle: usize) -> usize {
    at.abs_diff(middle).pow(2)
}

fn in_larger_bleed(row: usize, column: usize) -> bool {
    square(row, 220) * 2 + square(column, 320) * 3 < 4000
}

/// What the known slice shows around its larger bleed, and that bleed's mask: a crop of the CNN.
pub(crate) fn known_crop() -> [Array2<f32>; 2] {
    let of_slice = |(y, x): (usize, usize)| (220 + y - SIDE / 2, 320 + x - SIDE / 2);
    let slice = known_slice();
    let pixels = Array2::from_shape_fn((SIDE, SIDE), |at| slice[of_slice(at)]);
    let blood = Array2::from_shape_fn((SIDE, SIDE), |at| {
        let (row, column) = of_slice(at);
        f32::from(u8::from(in_larger_bleed(row, column)))
    });
    [pixels, blood]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::shipped;
    use crate::{Network, Path};

    fn on(name: &str, path: Path) -> Vec<f32> {
        let network = Network::load(&[shipped()], name, Some(path)).unwrap();
        let probability = network.probability_of_slice(known_slice().view()).unwrap();
        probability.into_iter().collect()
    }

    fn known(expected: Vec<f32>) -> Known {
        let seen = Seen { dim: (1, 2), pixels: Vec::new() };
        Known { seen, expected, meaning: Meaning::Logits }
    }

    #[test]
    fn a_path_in_bf16_passes_and_a_network_that_is_another_does_not() {
        let allowed = Meaning::Logits.allowed(GpuPrecision::Bf16);
        for path in Path::ALL.into_iter().filter(|path| path.is_available() && path.is_bf16()) {
            for name in ["unet-w16", "unet-w32"] {
                let (found, expected) = (on(name, path), on(name, Path::fastest_f32()));
                let blood = expected.iter().filter(|&&p| p >= 0.5).count();
                assert!(blood > 500, "{blood} pixels: the slice would not show a difference");
                let apart = known(expected).difference(&found);
                println!("{name} on {path}: {apart}");
                assert!(apart < allowed, "{apart}");
            }
        }
        let (found, expected) =
            (on("unet-w16", Path::fastest_f32()), on("unet-w32", Path::fastest_f32()));
        assert!(known(expected).difference(&found) > 0.1);
    }

    #[test]
    fn what_is_no_number_is_not_close() {
        let known = known(vec![0.5, 0.5]);
        assert!(known.difference(&[0.5, f32::NAN]).is_infinite());
        assert!(known.difference(&[0.5]).is_infinite());
    }

    #[test]
    fn a_mean_is_held_against_its_size() {
        let known = Known { meaning: Meaning::Means(2), ..known(vec![9.0, 0.0]) };
        assert!((known.difference(&[9.1, 0.001]) - 0.01).abs() < 1e-5);
    }
}
