//! A device is believed after it has computed what is known.

use ndarray::Array2;

use super::pool::Output;
use crate::FRAME;

/// A skull, brain, and two bleeds, `(y, x)`, windowed: edges and flat places in every level.
pub(super) fn known_slice() -> Array2<f32> {
    Array2::from_shape_fn((FRAME, FRAME), |(row, column)| {
        let square = |at: usize, middle: usize| at.abs_diff(middle).pow(2);
        let from_centre = square(row, 256) + square(column, 256);
        let grain = ((row * 13 + column * 7) % 11) as f32 / 100.0;
        if square(row, 220) * 2 + square(column, 320) * 3 < 4000 {
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

/// The largest difference, of means to the largest of them; infinite where one is no number.
pub(super) fn difference(found: &[f32], expected: &[f32], output: Output) -> f32 {
    if found.len() != expected.len() {
        return f32::INFINITY;
    }
    let apart = |(found, expected): (&f32, &f32)| (found - expected).abs();
    let apart = found.iter().zip(expected).map(apart);
    let most =
        apart.fold(0.0, |most: f32, d| if d.is_nan() { f32::INFINITY } else { most.max(d) });
    let scale = match output {
        Output::Probability => 1.0,
        Output::Means(_) => expected.iter().fold(f32::MIN_POSITIVE, |top, v| top.max(v.abs())),
    };
    most / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::shipped;
    use crate::{Network, Path};

    fn on(name: &str, path: Path) -> Array2<f32> {
        let network = Network::load(&[shipped()], name, Some(path)).unwrap();
        network.probability_of_slice(known_slice().view()).unwrap()
    }

    fn apart(found: &Array2<f32>, expected: &Array2<f32>) -> f32 {
        let flat = |map: &Array2<f32>| map.iter().copied().collect::<Vec<_>>();
        difference(&flat(found), &flat(expected), Output::Probability)
    }

    #[test]
    fn a_path_in_bf16_passes_and_a_network_that_is_another_does_not() {
        for path in Path::ALL.into_iter().filter(|path| path.is_available() && path.is_bf16()) {
            for name in ["unet-w16", "unet-w32"] {
                let (found, expected) = (on(name, path), on(name, Path::fastest_f32()));
                let apart = apart(&found, &expected);
                println!("{name} on {path}: {apart}");
                assert!(apart < super::super::GpuPrecision::Bf16.allowed(), "{apart}");
                let blood = expected.iter().filter(|&&p| p >= 0.5).count();
                assert!(blood > 500, "{blood} pixels: the slice would not show a difference");
            }
        }
        let (found, expected) =
            (on("unet-w16", Path::fastest_f32()), on("unet-w32", Path::fastest_f32()));
        assert!(apart(&found, &expected) > 0.1);
    }

    #[test]
    fn what_is_no_number_is_not_close() {
        let of = |found: &[f32]| difference(found, &[0.5, 0.5], Output::Probability);
        assert!(of(&[0.5, f32::NAN]).is_infinite());
        assert!(of(&[0.5]).is_infinite());
        let means = difference(&[90.0, 1.0], &[100.0, 0.0], Output::Means(2));
        assert!((means - 0.1).abs() < 1e-6, "{means}");
    }
}
