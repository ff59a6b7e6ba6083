//! One hematoma as a step sees it: some of its slices, turned, mirrored and shifted together,
//! brighter, noisier, with a mask drawn wider or narrower.
//!
//! Pixels are resampled once, from the scan. What the window has cut stays cut.

use ndarray::Array2;

use super::cases::{CnnCase, shuffle};
use super::recipe::CnnRecipe;
use crate::cnn::crop::{Crop, Placing};
use crate::train::augment::jitter;
use crate::train::random::Random;

/// Crops of `case` with the blood that each stands for, as `recipe` varies them; all chance comes
/// from `random`.
pub(super) fn augmented(
    case: &CnnCase,
    recipe: &CnnRecipe,
    random: &mut Random,
) -> Vec<(Crop, f64)> {
    let placing = placed(recipe, random);
    let edge = random.uniform();
    let edges: Option<fn(f32, f32) -> f32> = if edge < recipe.mask {
        Some(f32::min)
    } else if edge < 2.0 * recipe.mask {
        Some(f32::max)
    } else {
        None
    };
    let mut slices: Vec<usize> = (0..case.bleed.n_slices()).collect();
    if slices.len() > recipe.slices {
        shuffle(&mut slices, random);
        slices.truncate(recipe.slices);
        slices.sort_unstable();
    }
    let seen = |slice: usize| {
        let mut crop = case.bleed.crop(slice, &placing);
        jitter(&mut crop.pixels, [recipe.contrast, recipe.offset, recipe.noise], random);
        if let Some(choose) = edges {
            crop.blood = moved_edge(&crop.blood, choose);
        }
        (crop, case.bleed.blood_mm3(slice))
    };
    slices.into_iter().map(seen).collect()
}

fn placed(recipe: &CnnRecipe, random: &mut Random) -> Placing {
    let mirror = if random.chance(recipe.flip) { -1.0 } else { 1.0 };
    let (sin, cos) = (recipe.rotation * random.normal()).sin_cos();
    let shift_mm = std::array::from_fn(|_| recipe.shift_mm * random.normal());
    Placing { matrix: [[cos, sin * mirror], [-sin, cos * mirror]], shift_mm }
}

/// Every pixel becomes what `choose` makes of it and its four neighbours.
fn moved_edge(mask: &Array2<f32>, choose: fn(f32, f32) -> f32) -> Array2<f32> {
    let (n_y, n_x) = mask.dim();
    Array2::from_shape_fn(mask.dim(), |(y, x)| {
        let around = [
            (y.saturating_sub(1), x),
            ((y + 1).min(n_y - 1), x),
            (y, x.saturating_sub(1)),
            (y, (x + 1).min(n_x - 1)),
        ];
        around.into_iter().fold(mask[(y, x)], |found, at| choose(found, mask[at]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::cases::tests::{cases, recipe};
    use super::*;
    use crate::train::random::Stream;

    fn drawn(text: &str, key: u64) -> Vec<(Crop, f64)> {
        let mut random = Random::keyed(Stream::Sample, &[key]);
        augmented(&cases(1)[0], &recipe(text), &mut random)
    }

    /// No change but those that `text` brings.
    fn plain(text: &str) -> String {
        let keys = ["flip", "rotation", "shift_mm", "contrast", "offset", "noise", "mask"];
        let unnamed = keys.into_iter().filter(|key| !text.contains(key));
        unnamed.fold(text.to_owned(), |all, key| format!("{all}\n{key} = 0.0"))
    }

    #[test]
    fn without_a_change_a_case_is_what_the_network_will_see() {
        let case = &cases(1)[0];
        let seen = drawn(&plain(""), 1);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].0, case.bleed.crop(1, &Placing::PLAIN));
    }

    #[test]
    fn the_mask_gains_or_loses_an_edge_and_the_pixels_stay() {
        let before = &drawn(&plain(""), 1)[0].0;
        let areas: Vec<f32> = (0..20)
            .map(|key| {
                let after = &drawn(&plain("mask = 0.5"), key)[0].0;
                assert_eq!(after.pixels, before.pixels);
                after.blood.sum() - before.blood.sum()
            })
            .collect();
        assert!(areas.iter().any(|&by| by > 30.0) && areas.iter().any(|&by| by < -30.0));
    }

    #[test]
    fn no_more_slices_are_shown_than_asked_for() {
        assert_eq!(drawn("slices = 1", 3).len(), 1);
    }

    #[test]
    fn the_same_stream_gives_the_same_bits() {
        assert_eq!(drawn("", 5), drawn("", 5));
        assert_ne!(drawn("", 5), drawn("", 6));
    }
}
