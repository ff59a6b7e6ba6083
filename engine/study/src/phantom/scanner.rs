//! The scanner: residual beam hardening, kernels, noise.
//!
//! The power of the noise rises with frequency and falls off with the kernel, as filtered back
//! projection makes it: `f * exp(-(f / fc)^2)`. Kernels are generic, not a vendor's.

use serde::{Deserialize, Serialize};

use super::curves::{bell, exp, ramp};
use super::fourier::{Fourier, Plane, SIDE, cycles};
use super::frame::Frame;
use crate::random::Random;

/// Independent noise fields of one scan; each slice mixes two of them, shifted.
const N_FIELDS: usize = 6;

/// The reconstruction kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Smooth.
    Soft,
    /// For brain.
    Standard,
    /// For edges.
    Sharp,
}

impl Kernel {
    /// Roll-off of the noise in line pairs a millimetre.
    fn cutoff(self) -> f32 {
        match self {
            Self::Soft => 0.42,
            Self::Standard => 0.55,
            Self::Sharp => 0.80,
        }
    }

    /// Share of each pixel that goes to its neighbours along an axis.
    fn blur(self) -> f32 {
        match self {
            Self::Soft => 0.55,
            Self::Standard => 0.35,
            Self::Sharp => 0.0,
        }
    }

    /// Standard deviation of the noise in the brain at dose 1, in HU.
    pub(crate) fn noise_hu(self) -> f32 {
        match self {
            Self::Soft => 3.0,
            Self::Standard => 3.8,
            Self::Sharp => 5.5,
        }
    }
}

/// What hardening adds to the mean of a slice at height `z`, `depth` under the inner table:
/// brightness under the bone, cupping, and the dark bar between the petrous bones.
pub(crate) fn hardening(frame: &Frame, z: f32, depth: &[f32], hu: &mut [f32]) {
    for (hu, &depth) in hu.iter_mut().zip(depth) {
        if depth > -1.0 {
            let under = 3.5 * exp(-depth.clamp(0.0, 50.0) / 5.0);
            *hu += ramp(depth, 2.0) * (under - (depth / 60.0).clamp(0.0, 1.0));
        }
    }
    if z >= 26.0 {
        return;
    }
    let strength = bell((z - 14.0) / 8.0);
    for (i, hu) in hu.iter_mut().enumerate().filter(|&(i, _)| depth[i] > -1.0) {
        let (x, y) = (frame.x[i], frame.y[i]);
        let bar = 9.0 * bell((y - 4.0) / 6.0) * ramp(34.0 - x.abs(), 12.0);
        let stripes = libm::sinf(y * 0.9 + 1.3 * libm::sinf(x * 0.08));
        let streaks = 4.0 * stripes * bell((y - 6.0) / 20.0) * ramp(40.0 - x.abs(), 20.0);
        *hu -= ramp(depth[i], 2.0) * strength * (bar + streaks);
    }
}

/// How loud the noise is at a pixel `depth` under the inner table, as a share of its level.
pub(crate) fn loudness(depth: f32) -> f32 {
    let body = ramp(depth + 18.0, 8.0);
    AIR_LOUDNESS + 0.65 * body * (0.80 + 0.35 * (depth / 60.0).clamp(0.0, 1.0))
}

/// The same in air.
pub(crate) const AIR_LOUDNESS: f32 = 0.35;

/// How loud the noise of a slice at height `z` is: louder at the skull base and the vertex.
pub(crate) fn slice_loudness(z: f32) -> f32 {
    1.0 + 0.55 * bell((z - 12.0) / 16.0) + 0.15 * bell((z - 118.0) / 14.0)
}

/// Blurs `plane` along both axes as `kernel` does; `line` columns wide.
pub(crate) fn blur(kernel: Kernel, plane: &mut [f32], line: usize) {
    let share = kernel.blur() / 2.0;
    if share <= 0.0 {
        return;
    }
    let mut before = plane[..line].to_vec();
    let n_rows = plane.len() / line;
    for y in 0..n_rows {
        let (upto, below) = plane.split_at_mut(((y + 1) * line).min(plane.len()));
        let here = &mut upto[y * line..];
        for x in 0..line {
            let after = below.get(x).copied().unwrap_or(here[x]);
            let old = here[x];
            here[x] = old * (1.0 - share) + share * 0.5 * (before[x] + after);
            before[x] = old;
        }
    }
    for row in plane.chunks_exact_mut(line) {
        let mut before = row[0];
        for x in 0..line {
            let old = row[x];
            let after = if x + 1 < line { row[x + 1] } else { old };
            row[x] = old * (1.0 - share) + share * 0.5 * (before + after);
            before = old;
        }
    }
}

/// The noise of one scan: unit deviation, the kernel's spectrum.
pub(crate) struct Noise {
    fields: Vec<Vec<f32>>,
}

impl Noise {
    /// Draws the fields; a complex field of independent parts is two real ones.
    pub(crate) fn new(
        random: &mut Random,
        fourier: &Fourier,
        kernel: Kernel,
        field_mm: f32,
    ) -> Self {
        let spectrum = spectrum(kernel.cutoff(), field_mm);
        let mut fields = Vec::with_capacity(N_FIELDS);
        while fields.len() < N_FIELDS {
            let mut plane = Plane::zero();
            let parts = plane.re.iter_mut().zip(&mut plane.im);
            for ((re, im), &power) in parts.zip(&spectrum).filter(|&(_, &power)| power > 0.0) {
                // Uniform parts do: a pixel sums many thousands of them, so it is normal.
                let bits = random.bits();
                let centred =
                    |half: u32| half.cast_signed() as f32 * (1.732_050_8 / 2_147_483_648.0);
                (*re, *im) =
                    (power * centred(bits as u32), power * centred((bits >> 32) as u32));
            }
            fourier.backward(&mut plane);
            fields.extend([plane.re, plane.im]);
        }
        Self { fields }
    }

    /// Adds noise of deviation `level * loudness` to a slice.
    pub(crate) fn add(
        &self,
        random: &mut Random,
        level: f32,
        loudness: &[f32],
        hu: &mut [f32],
    ) {
        let first = random.below(N_FIELDS);
        let second = (first + 1 + random.below(N_FIELDS - 1)) % N_FIELDS;
        let angle = random.between(0.0, std::f64::consts::TAU);
        let (a, b) = (level * libm::cos(angle) as f32, level * libm::sin(angle) as f32);
        let shifts: [usize; 4] = std::array::from_fn(|_| random.below(SIDE));
        let rows = hu.chunks_exact_mut(SIDE).zip(loudness.chunks_exact(SIDE));
        for (y, (row, loudness)) in rows.enumerate() {
            let line =
                |field: usize, by: usize| &self.fields[field][(y + by) % SIDE * SIDE..][..SIDE];
            let (p, q) = (line(first, shifts[0]), line(second, shifts[1]));
            let p = p[shifts[2]..].iter().chain(&p[..shifts[2]]);
            let q = q[shifts[3]..].iter().chain(&q[..shifts[3]]);
            for (((hu, &loud), &p), &q) in row.iter_mut().zip(loudness).zip(p).zip(q) {
                *hu += loud * (a * p + b * q);
            }
        }
    }
}

/// Amplitude of each frequency `(ky, kx)`, scaled so that the field has deviation 1.
fn spectrum(cutoff: f32, field_mm: f32) -> Vec<f32> {
    let mut amplitude: Vec<f32> = Vec::with_capacity(SIDE * SIDE);
    for ky in 0..SIDE {
        for kx in 0..SIDE {
            let (fy, fx) = (cycles(ky) / field_mm, cycles(kx) / field_mm);
            let f = (fy * fy + fx * fx).sqrt();
            let constant = if ky + kx == 0 { 0.0 } else { 2e-4 };
            amplitude.push((f * bell(f / cutoff) + constant).sqrt());
        }
    }
    let power: f64 = amplitude.iter().map(|&a| f64::from(a) * f64::from(a)).sum();
    let scale = (1.0 / power.sqrt()) as f32;
    amplitude.into_iter().map(|a| a * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_level_asked_for_and_no_two_slices_are_alike() {
        let (mut random, fourier) = (Random::keyed(&[9]), Fourier::new());
        let noise = Noise::new(&mut random, &fourier, Kernel::Standard, 232.0);
        let loudness = vec![1.0; SIDE * SIDE];
        let mut slices = [vec![0.0; SIDE * SIDE], vec![0.0; SIDE * SIDE]];
        for slice in &mut slices {
            noise.add(&mut random, 4.0, &loudness, slice);
        }
        let product = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / (SIDE * SIDE) as f64
        };
        assert!((product(&slices[0], &slices[0]).sqrt() - 4.0).abs() < 0.1);
        assert!(product(&slices[0], &slices[1]).abs() / 16.0 < 0.02);
    }

    #[test]
    fn blur_keeps_the_mean() {
        let mut plane = vec![0.0; 25];
        plane[12] = 1.0;
        blur(Kernel::Soft, &mut plane, 5);
        assert!((plane.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((plane[11] - plane[7]).abs() < 1e-6, "the same along both axes");
    }
}
