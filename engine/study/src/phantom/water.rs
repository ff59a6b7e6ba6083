//! The phantom that is no head: a cylinder of water, 20 cm across.

use ichor_core::{Grid, PixelSpacing, Volume};
use ndarray::Array3;

use super::curves::{bell, ramp};
use super::fourier::{Fourier, SIDE};
use super::render::{PhantomError, Scan, whole};
use super::scanner::{AIR_LOUDNESS, Noise, blur};
use crate::random::Random;

/// Field of view in millimetres.
const FIELD_MM: f64 = 250.0;
/// Radius of the cylinder in millimetres.
const RADIUS_MM: f32 = 100.0;

/// A cylinder of water 20 cm across, centred, along the slice normal, scanned as `scan` says; a
/// cylinder does not move.
///
/// Fails when a setting of `scan` is out of its range.
pub fn water_cylinder(scan: &Scan, seed: u64) -> Result<Volume, PhantomError> {
    let scan = scan.checked()?;
    let tag = u64::from_be_bytes(*b"cylinder");
    let (mut random, fourier) = (Random::keyed(&[tag, seed]), Fourier::new());
    let pixel_mm = FIELD_MM / SIDE as f64;
    let depth = depths(pixel_mm as f32);
    let mut clean: Vec<f32> = depth.iter().map(|&depth| water(depth)).collect();
    blur(scan.kernel, &mut clean, SIDE);
    let loudness: Vec<f32> = depth.iter().map(|&depth| loudness(depth)).collect();
    let noise = Noise::new(&mut random, &fourier, scan.kernel, FIELD_MM as f32);
    let level = scan.kernel.noise_hu() / (scan.dose as f32).sqrt();
    let mut hu = Vec::with_capacity(scan.n_slices * SIDE * SIDE);
    for _ in 0..scan.n_slices {
        let mut slice = clean.clone();
        noise.add(&mut random, level, &loudness, &mut slice);
        hu.extend(slice.into_iter().map(whole));
    }
    let spacing = PixelSpacing { y: pixel_mm, x: pixel_mm };
    let grid = Grid::axial(scan.n_slices, scan.step_mm, spacing)?;
    let hu = Array3::from_shape_vec((scan.n_slices, SIDE, SIDE), hu).unwrap_or_default();
    Ok(Volume::new(hu, grid)?)
}

/// Millimetres under the cylinder's surface.
fn depths(pixel_mm: f32) -> Vec<f32> {
    let place = |i: usize| (i as f32 - (SIDE as f32 - 1.0) / 2.0) * pixel_mm;
    let row = |y: usize| {
        (0..SIDE).map(move |x| RADIUS_MM - (place(x) * place(x) + place(y) * place(y)).sqrt())
    };
    (0..SIDE).flat_map(row).collect()
}

/// Air outside; water with a little cupping inside.
fn water(depth: f32) -> f32 {
    -1000.0 + ramp(depth, 1.0) * (1000.0 + 2.0 * bell(depth / 30.0))
}

fn loudness(depth: f32) -> f32 {
    AIR_LOUDNESS + 0.65 * ramp(depth, 8.0) * (1.0 + 0.3 * (depth / RADIUS_MM).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_is_water_and_no_head() {
        let volume = water_cylinder(&Scan { n_slices: 4, ..Scan::default() }, 1).unwrap();
        let inside = volume.slice(2);
        let middle: f64 = (240..272)
            .flat_map(|y| (240..272).map(move |x| (y, x)))
            .map(|at| f64::from(inside[at]))
            .sum::<f64>()
            / 1024.0;
        assert!(middle.abs() < 3.0, "{middle}");
        assert!(inside[(5, 5)] < -980);
        assert!(!ichor_core::Head::find(&volume).is_head());
    }
}
