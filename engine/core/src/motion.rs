//! Motion during the scan, found by pixels alone.
//!
//! A head that moves while the gantry turns leaves streaks: straight lines across the whole brain,
//! parallel within a slice. Anatomy has edges in every direction, and noise has none that lasts.
//! So the brain is averaged along parallel lines, for many directions, and the direction in which
//! these means swing most is compared with the middle one. What is left, in HU, is what streaks
//! add; averaging over a hundred pixels a line makes it all but blind to dose and kernel.
//!
//! Measured at the operating point of 0.5. Still: none of 60 phantoms (0.21 to 0.47; the same for
//! soft and sharp kernels at 0.3 to 2 times the dose), none of 96 real bleeds (0.20 to 0.44), a
//! real head under gantry tilt 0.23. Shifted in six slices of ten by amounts of standard deviation
//! 1, 2 and 3 mm: 17, 56 and 60 of 60 phantoms. A scan struck in less than a fifth of its slices
//! is not found.

use ndarray::{Array2, ArrayView2, Axis};

use crate::{Head, MotionIndex, Volume};

/// Swing in HU beyond the middle direction at which the index is 0.5.
const OPERATING_HU: f64 = 1.9;
/// Streaks strike some slices and spare others: the slice at this share, of rising swings, counts.
const AT_SHARE: f64 = 0.8;
/// Fewer slices with brain than this say nothing.
const FEWEST_SLICES: usize = 3;
/// Side of the pixels on which lines are averaged, about, in millimetres.
const PIXEL_MM: f64 = 0.9;
/// Scalp and skull reach at most so far under the outline of the head, in millimetres.
const SHELL_MM: f64 = 14.0;
/// Least area of brain in a slice, in square millimetres.
const SMALLEST_MM2: f64 = 3000.0;
/// Brain, blood and fluid, streaks included, in HU; bone and air lie beyond.
const SOFT_HU: std::ops::RangeInclusive<f32> = -30.0..=95.0;
/// A slice with more bone and air than this inside the shell is skull base.
const MOST_OTHER: f64 = 0.15;
/// Side of the square that is taken as background, in millimetres; used twice.
const BACKGROUND_MM: f64 = 12.0;
/// Distance between parallel lines in millimetres.
const LINE_MM: f64 = 1.8;
/// Pixels on a line, at the least.
const FEWEST_PIXELS: u32 = 26;
/// Directions looked at.
const N_DIRECTIONS: usize = 24;

/// How far `volume` is struck by streaks of motion: `swing / (swing + 1.9 HU)`, 0.5 at the
/// operating point.
///
/// The swing is the root mean square of the means along parallel lines through the brain, less a
/// local background, in the strongest of 24 directions minus that in the middle one; of all slices
/// that show brain and no skull base, the one at 80 %. 0 where fewer than three slices do.
pub fn motion_index(volume: &Volume, head: &Head) -> MotionIndex {
    let pixel = volume.grid().pixel();
    let factor = (PIXEL_MM / f64::midpoint(pixel.y, pixel.x)).round().max(1.0) as usize;
    let mm = [pixel.y * factor as f64, pixel.x * factor as f64];
    let mut swings: Vec<f64> = (0..volume.dim().0)
        .filter_map(|z| {
            let inside = head.voxels().index_axis(Axis(0), z);
            Brain::find(volume.slice(z), inside, factor, mm).map(|brain| brain.swing())
        })
        .collect();
    if swings.len() < FEWEST_SLICES {
        return MotionIndex::ZERO;
    }
    swings.sort_by(f64::total_cmp);
    let swing = swings[((swings.len() - 1) as f64 * AT_SHARE).round() as usize];
    // A share of two positive numbers: the fallback cannot be reached.
    MotionIndex::new(swing / (swing + OPERATING_HU)).unwrap_or(MotionIndex::ZERO)
}

/// The soft pixels inside the skull on one slice: where they lie, and how far each departs from
/// its background.
struct Brain {
    y_mm: Vec<f32>,
    x_mm: Vec<f32>,
    hu: Vec<f32>,
}

impl Brain {
    /// None where a slice shows too little brain or too much of the skull base.
    fn find(
        slice: ArrayView2<'_, i16>,
        inside: ArrayView2<'_, bool>,
        factor: usize,
        mm: [f64; 2],
    ) -> Option<Self> {
        let (hu, inside) = (shrunk(slice, factor), inside.map(|&inside| inside));
        let within = within_shell(&inside, factor, hu.dim(), mm);
        let is_soft = |at: (usize, usize)| within[at] && SOFT_HU.contains(&hu[at]);
        let n_within = within.iter().filter(|&&within| within).count() as f64;
        let soft = Array2::from_shape_fn(hu.dim(), |at| f32::from(is_soft(at)));
        let n_soft = f64::from(soft.sum());
        let smallest = SMALLEST_MM2 / (mm[0] * mm[1]);
        if n_soft < smallest || n_within - n_soft > MOST_OTHER * n_within {
            return None;
        }
        let (mut sum, mut weight) = (hu * &soft, soft.clone());
        let level = sum.clone();
        for plane in [&mut sum, &mut weight] {
            for _ in 0..2 {
                blur(plane, mm);
            }
        }
        let mut brain = Self { y_mm: Vec::new(), x_mm: Vec::new(), hu: Vec::new() };
        for ((y, x), _) in soft.indexed_iter().filter(|&(_, &soft)| soft > 0.0) {
            brain.y_mm.push((y as f64 * mm[0]) as f32);
            brain.x_mm.push((x as f64 * mm[1]) as f32);
            brain.hu.push(level[(y, x)] - sum[(y, x)] / weight[(y, x)]);
        }
        Some(brain)
    }

    /// Swing of the means in the strongest direction, beyond that in the middle one, in HU.
    fn swing(&self) -> f64 {
        let mut swings: Vec<f64> = (0..N_DIRECTIONS)
            .map(|k| self.swing_along(std::f64::consts::PI * k as f64 / N_DIRECTIONS as f64))
            .collect();
        swings.sort_by(f64::total_cmp);
        let middle = f64::midpoint(swings[N_DIRECTIONS / 2 - 1], swings[N_DIRECTIONS / 2]);
        swings[N_DIRECTIONS - 1] - middle
    }

    /// Root mean square, over pixels, of the mean of each pixel's line; `angle` is the normal of
    /// the lines.
    fn swing_along(&self, angle: f64) -> f64 {
        let (dy, dx) = ((angle.sin() / LINE_MM) as f32, (angle.cos() / LINE_MM) as f32);
        let place = |(&y, &x): (&f32, &f32)| y * dy + x * dx;
        let places = || self.y_mm.iter().zip(&self.x_mm).map(place);
        let first = places().fold(f32::INFINITY, f32::min) - 0.5;
        let n_lines = (places().fold(f32::NEG_INFINITY, f32::max) - first) as usize + 1;
        let mut lines = vec![(0.0_f64, 0_u32); n_lines];
        for (place, &hu) in places().zip(&self.hu) {
            let line = &mut lines[(place - first) as usize];
            line.0 += f64::from(hu);
            line.1 += 1;
        }
        let long = lines.iter().filter(|line| line.1 >= FEWEST_PIXELS);
        let (energy, n) = long.fold((0.0, 0.0), |(energy, n), &(sum, count)| {
            (energy + sum * sum / f64::from(count), n + f64::from(count))
        });
        if n > 0.0 { (energy / n).sqrt() } else { 0.0 }
    }
}

/// Means of `factor` x `factor` pixels, each held to -100 to 200 HU before.
fn shrunk(slice: ArrayView2<'_, i16>, factor: usize) -> Array2<f32> {
    let (n_y, n_x) = slice.dim();
    let scale = 1.0 / (factor * factor) as f32;
    let mut small = Array2::zeros((n_y / factor, n_x / factor));
    for (y, mut row) in small.outer_iter_mut().enumerate() {
        for from in slice.outer_iter().skip(y * factor).take(factor) {
            for (x, value) in row.iter_mut().enumerate() {
                for pixel in 0..factor {
                    *value += f32::from(from[x * factor + pixel].clamp(-100, 200)) * scale;
                }
            }
        }
    }
    small
}

/// Pixels that lie deeper than the shell under the outline: chamfer distances to the nearest
/// pixel outside, forth and back (steps of 1 and the root of 2).
fn within_shell(
    inside: &Array2<bool>,
    factor: usize,
    (n_y, n_x): (usize, usize),
    mm: [f64; 2],
) -> Array2<bool> {
    let step = f64::midpoint(mm[0], mm[1]) as f32;
    let border = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == n_y || x + 1 == n_x;
    let mut depth = Array2::from_shape_fn((n_y, n_x), |(y, x)| {
        let open = inside[(y * factor, x * factor)] && !border(y, x);
        if open { f32::INFINITY } else { 0.0 }
    });
    for back in [false, true] {
        for i in 0..n_y * n_x {
            let i = if back { n_y * n_x - 1 - i } else { i };
            let (y, x) = (i / n_x, i % n_x);
            if depth[(y, x)] <= 0.0 {
                continue;
            }
            // The neighbours that were passed before this pixel; the border is never reached.
            let (row, next) = if back { (y + 1, x + 1) } else { (y - 1, x - 1) };
            let straight = depth[(row, x)].min(depth[(y, next)]) + step;
            let across =
                depth[(row, x - 1)].min(depth[(row, x + 1)]) + step * std::f32::consts::SQRT_2;
            depth[(y, x)] = depth[(y, x)].min(straight).min(across);
        }
    }
    depth.map(|&depth| depth > SHELL_MM as f32)
}

/// Sums over a square of [`BACKGROUND_MM`] around each pixel, cut at the edges. A sum of values
/// over a sum of weights is a mean, so neither is divided.
fn blur(plane: &mut Array2<f32>, mm: [f64; 2]) {
    for axis in [0, 1] {
        let half = (BACKGROUND_MM / mm[axis] / 2.0).round().max(1.0) as usize;
        for mut line in plane.lanes_mut(Axis(axis)) {
            let n = line.len();
            let mut upto = Vec::with_capacity(n + 1);
            upto.push(0.0_f64);
            let mut sum = 0.0;
            for &value in &line {
                sum += f64::from(value);
                upto.push(sum);
            }
            for (at, value) in line.iter_mut().enumerate() {
                let (low, high) = (at.saturating_sub(half), (at + half + 1).min(n));
                *value = (upto[high] - upto[low]) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grid, PixelSpacing};
    use ndarray::Array3;

    /// A skull of 1 mm pixels with mottled brain, and stripes of `stripes_hu` at 30 degrees
    /// across every other slice.
    fn skull(stripes_hu: f64, mottle_hu: f64) -> Volume {
        let hu = Array3::from_shape_fn((8, 220, 220), |(z, y, x)| {
            let (dy, dx) = (y as f64 - 110.0, x as f64 - 110.0);
            let radius = dy.hypot(dx);
            let along = (dy * 0.5 + dx * 0.866) * 0.5;
            let mottle =
                mottle_hu * ((dx * 0.4).sin() + (dy * 0.4).sin() + (radius * 0.4).sin());
            match radius {
                82.0.. => -1000,
                76.0.. => 1100,
                _ if z % 2 == 0 => (33.0 + mottle + stripes_hu * along.sin()) as i16,
                _ => (33.0 + mottle) as i16,
            }
        });
        let grid = Grid::axial(8, 5.0, PixelSpacing { y: 1.0, x: 1.0 }).unwrap();
        Volume::new(hu, grid).unwrap()
    }

    fn index(volume: &Volume) -> f64 {
        motion_index(volume, &Head::find(volume)).share()
    }

    #[test]
    fn stripes_of_6_hu_are_motion_and_brain_without_is_not() {
        let (still, struck) = (index(&skull(0.0, 1.0)), index(&skull(6.0, 1.0)));
        assert!(still < 0.3, "{still}");
        assert!(struck > 0.5, "{struck}");
    }

    #[test]
    fn stronger_stripes_give_a_higher_index() {
        let found = [0.0, 3.0, 6.0, 12.0].map(|hu| index(&skull(hu, 1.0)));
        assert!(found.is_sorted() && found[3] < 1.0, "{found:?}");
    }

    #[test]
    fn without_a_brain_there_is_nothing_to_say() {
        let hu = Array3::from_elem((8, 220, 220), -1000);
        let grid = Grid::axial(8, 5.0, PixelSpacing { y: 1.0, x: 1.0 }).unwrap();
        let air = Volume::new(hu, grid).unwrap();
        assert_eq!(motion_index(&air, &Head::find(&air)), MotionIndex::ZERO);
    }

    #[test]
    fn pixels_of_a_quarter_millimetre_are_taken_together() {
        let coarse = skull(6.0, 1.0);
        let fine =
            Array3::from_shape_fn((8, 440, 440), |(z, y, x)| coarse.hu()[(z, y / 2, x / 2)]);
        let grid = Grid::axial(8, 5.0, PixelSpacing { y: 0.5, x: 0.5 }).unwrap();
        let fine = Volume::new(fine, grid).unwrap();
        assert!((index(&fine) - index(&coarse)).abs() < 0.03);
    }
}
