//! One example as a training sees it: moved, mirrored, blurred or sharpened, brighter, noisier.
//!
//! What is moved is resampled once, bilinearly, masks with the pixels. What the window has cut
//! stays cut: air stays 0 and bone 1, as on every slice that the network will see.

use ndarray::{Array2, Zip};

use super::examples::Example;
use super::filter::{NOISE_LEFT, blurred};
use super::random::Random;
use super::recipe::Recipe;
use crate::FRAME;

/// Most that is sharpened, and blurred.
const BLUR: std::ops::RangeInclusive<f64> = -0.8..=1.0;

/// What one slot of a batch trains on, `(y, x)` each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Windowed pixels, `0.0..=1.0`.
    pub(super) pixels: Array2<f32>,
    /// Share of the pixel that is hematoma.
    pub(super) blood: Array2<f32>,
    /// What the pixel weighs in the loss.
    pub(super) weight: Array2<f32>,
}

/// A sample of `example`, as `recipe` varies it; all chance comes from `random`.
pub(super) fn augmented(example: &Example, recipe: &Recipe, random: &mut Random) -> Sample {
    let placed = Placed::draw(example.dim(), recipe, random);
    let mask = |mask: Option<&Array2<u8>>| match mask {
        Some(mask) => placed.resample(|at| f32::from(mask[at])),
        None => Array2::zeros(example.dim()),
    };
    let mut pixels = placed.resample(|at| example.pixel(at));
    blur(&mut pixels, recipe, random);
    jitter(&mut pixels, [recipe.contrast, recipe.offset, recipe.noise], random);
    let ivh = recipe.ivh as f32;
    let weight = mask(example.ivh()).mapv_into(|share| 1.0 + (ivh - 1.0) * share);
    Sample { pixels, blood: mask(example.blood()), weight }
}

/// Where a sample's pixels come from: an affine map around the middle of the slice.
struct Placed {
    dim: (usize, usize),
    middle: [f32; 2],
    /// Rows of the source by row and column of the sample, then its columns.
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
}

impl Placed {
    fn draw(dim: (usize, usize), recipe: &Recipe, random: &mut Random) -> Self {
        let mirror = if random.chance(recipe.flip) { -1.0 } else { 1.0 };
        let (sin, cos) = (recipe.rotation * random.normal()).sin_cos();
        let scale = (recipe.scale * random.normal()).exp();
        let half = (FRAME / 2) as f64;
        let shift = std::array::from_fn(|_| (recipe.shift * half * random.normal()) as f32);
        let matrix = [[cos, sin * mirror], [-sin, cos * mirror]];
        Self {
            dim,
            middle: [(dim.0 - 1) as f32 / 2.0, (dim.1 - 1) as f32 / 2.0],
            matrix: matrix.map(|row| row.map(|entry| (entry * scale) as f32)),
            shift,
        }
    }

    /// The image whose pixels `value` gives, moved; 0 where it shows nothing.
    fn resample(&self, value: impl Fn((usize, usize)) -> f32) -> Array2<f32> {
        let (n_y, n_x) = self.dim;
        let at = |y: f32, x: f32| {
            let inside = y >= 0.0 && x >= 0.0 && y < n_y as f32 && x < n_x as f32;
            if inside { value((y as usize, x as usize)) } else { 0.0 }
        };
        Array2::from_shape_fn(self.dim, |(row, column)| {
            let from = [row as f32 - self.middle[0], column as f32 - self.middle[1]];
            let [y, x]: [f32; 2] = std::array::from_fn(|axis| {
                let [by_row, by_column] = self.matrix[axis];
                by_row * from[0] + by_column * from[1] + self.middle[axis] + self.shift[axis]
            });
            let (top, left) = (y.floor(), x.floor());
            let (down, right) = (y - top, x - left);
            let upper = at(top, left) * (1.0 - right) + at(top, left + 1.0) * right;
            let lower = at(top + 1.0, left) * (1.0 - right) + at(top + 1.0, left + 1.0) * right;
            upper * (1.0 - down) + lower * down
        })
    }
}

/// Another reconstruction kernel: a step to, or away from, the blurred slice.
fn blur(pixels: &mut Array2<f32>, recipe: &Recipe, random: &mut Random) {
    let amount = (recipe.blur * random.normal()).clamp(*BLUR.start(), *BLUR.end()) as f32;
    if amount == 0.0 {
        return;
    }
    let smooth = blurred(pixels);
    Zip::from(pixels).and(&smooth).for_each(|pixel, &smooth| {
        *pixel = (*pixel + amount * (smooth - *pixel)).clamp(0.0, 1.0);
    });
}

/// Another contrast and offset, and noise, which every second time has the grain of a soft kernel;
/// deviations of the first two, and the largest of the noise.
pub(super) fn jitter(
    pixels: &mut Array2<f32>,
    [contrast, offset, noise]: [f64; 3],
    random: &mut Random,
) {
    let contrast = (1.0 + contrast * random.normal()) as f32;
    let offset = (offset * random.normal()) as f32;
    let level = (noise * random.uniform()) as f32;
    let soft = random.chance(0.5);
    let mut noise = Array2::zeros(pixels.dim());
    if level > 0.0 {
        noise.mapv_inplace(|_: f32| random.normal() as f32);
        if soft {
            noise = blurred(&noise) / NOISE_LEFT;
        }
    }
    Zip::from(pixels).and(&noise).for_each(|pixel, &noise| {
        if *pixel > 0.0 && *pixel < 1.0 {
            *pixel = (*pixel * contrast + offset + level * noise).clamp(0.0, 1.0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::examples::Origin;
    use crate::train::examples::tests::{example, recipe};
    use crate::train::random::Stream;

    const STILL: &str = "flip = 0\nrotation = 0\nscale = 0\nshift = 0\ncontrast = 0\noffset = 0\nblur = 0\nnoise = 0\n";

    fn sample(text: &str, seed: u64) -> Sample {
        let recipe = recipe(text);
        let example = example("a", Origin::Real, 8, &recipe);
        augmented(&example, &recipe, &mut Random::keyed(Stream::Sample, &[seed]))
    }

    #[test]
    fn a_recipe_that_varies_nothing_gives_the_example() {
        let recipe = recipe(STILL);
        let example = example("a", Origin::Real, 8, &recipe);
        let sample = sample(STILL, 1);
        assert_eq!(sample.pixels, example.pixels());
        assert_eq!(sample.blood, example.blood().unwrap().mapv(f32::from));
        assert!(sample.weight.iter().all(|weight| (weight - 1.0).abs() < 1e-6));
    }

    #[test]
    fn a_mirrored_slice_is_mirrored_left_to_right_with_its_mask() {
        let plain = sample(STILL, 1);
        let mirrored = sample(&STILL.replace("flip = 0", "flip = 1"), 1);
        let (_, n_x) = plain.pixels.dim();
        for ((y, x), &pixel) in plain.pixels.indexed_iter() {
            assert!((pixel - mirrored.pixels[(y, n_x - 1 - x)]).abs() < 1e-6);
            assert!((plain.blood[(y, x)] - mirrored.blood[(y, n_x - 1 - x)]).abs() < 1e-6);
        }
    }

    #[test]
    fn the_mask_moves_with_the_blood() {
        for seed in 0..8 {
            let sample = sample("contrast = 0\noffset = 0\nblur = 0\nnoise = 0", seed);
            for (&pixel, &blood) in sample.pixels.iter().zip(&sample.blood) {
                assert!(blood < 0.999 || (pixel - 0.7).abs() < 1e-3, "{pixel} under {blood}");
            }
        }
    }

    #[test]
    fn air_stays_air_and_the_same_stream_gives_the_same_bits() {
        let text = "rotation = 0\nscale = 0\nshift = 0\nblur = 0\nnoise = 0.1";
        let sample_of = |seed| sample(text, seed);
        assert_eq!(sample_of(5), sample_of(5));
        assert_ne!(sample_of(5), sample_of(6));
        assert!(sample_of(5).pixels[(0, 0)] == 0.0);
        assert!(sample_of(5).pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
}
