//! Scalp, calvarium and the depth under the inner table.
//!
//! The inside of the skull is a superellipse with exponent 2.15, wider behind, rounded above the
//! widest level and tapering below it.

use super::curves::{bell, blend, exp, ramp};
use super::frame::{Build, Frame};
use crate::random::Random;

/// Height of the widest level in millimetres.
pub(crate) const WIDEST: f32 = 60.0;
/// Exponent of the superellipse.
const EXPONENT: f32 = 2.15;

/// What of the skull does not change from slice to slice.
pub(crate) struct Skull {
    build: Build,
    /// Share of the width and of the length, raised to the exponent, at the widest level.
    width: Vec<f32>,
    length: Vec<f32>,
    /// Thickness of bone before its noise; thicker in front and behind.
    bone: Vec<f32>,
    /// How far the temporal muscle bulges, and how much of it there is.
    bulge: Vec<f32>,
    muscle: Vec<f32>,
}

/// Noise fields that the outer layers need at one height.
pub(crate) struct OuterNoise<'a> {
    /// Of the wavelength of a head.
    pub(crate) wide: &'a [f32],
    /// Of three centimetres.
    pub(crate) broad: &'a [f32],
    /// Of half a centimetre.
    pub(crate) fine: &'a [f32],
}

impl Skull {
    /// Draws the thickness and prepares the planes.
    pub(crate) fn new(random: &mut Random, build: Build, frame: &Frame) -> Self {
        let thickness = random.around(6.3, 0.8) as f32;
        let pixels = || frame.x.iter().zip(&frame.y).map(|(&x, &y)| (x, y));
        let width = |(x, y): (f32, f32)| {
            let back = y / build.half_length;
            let waist = 0.05 * back.abs().min(1.3).powi(4);
            let half = build.half_width * (1.0 + 0.10 * back.clamp(-1.0, 1.0) - waist);
            libm::powf(x.abs() / half, EXPONENT)
        };
        let length =
            |(_, y): (f32, f32)| libm::powf((y + 2.0).abs() / build.half_length, EXPONENT);
        let bone = |(_, y): (f32, f32)| thickness + 1.8 * (y.abs() / build.half_length).powi(4);
        let bulge = |(x, y): (f32, f32)| {
            9.0 * bell((y + 12.0) / 24.0) * ((x.abs() - 40.0) / 20.0).clamp(0.0, 1.0)
        };
        let muscle = |(x, y): (f32, f32)| {
            exp(-((y + 12.0) / 30.0).powi(4)) * ((x.abs() - 44.0) / 10.0).clamp(0.0, 1.0)
        };
        Self {
            build,
            width: pixels().map(width).collect(),
            length: pixels().map(length).collect(),
            bone: pixels().map(bone).collect(),
            bulge: pixels().map(bulge).collect(),
            muscle: pixels().map(muscle).collect(),
        }
    }

    /// Millimetres under the inner table at height `z`, positive inside.
    pub(crate) fn depth(&self, z: f32) -> Vec<f32> {
        let Build { half_width, half_length, crown, .. } = self.build;
        let below = ((WIDEST - z) / 60.0).max(0.0);
        let above = ((z - WIDEST) / crown).max(0.0);
        let (narrow, short) = (1.0 - 0.13 * below * below, 1.0 - 0.10 * below * below);
        let (kx, ky) = (libm::powf(narrow, -EXPONENT), libm::powf(short, -EXPONENT));
        let scale = 0.5 * (half_width * narrow + half_length * short) * 0.93;
        let pixels = self.width.iter().zip(&self.length);
        pixels
            .map(|(&w, &l)| (1.0 - (w * kx + l * ky + above * above).sqrt()) * scale)
            .collect()
    }

    /// Height of the crown at the back, where the superior sagittal sinus runs: its y at `z`.
    pub(crate) fn sinus_y(&self, z: f32) -> f32 {
        let above = ((z - WIDEST) / self.build.crown).max(0.0);
        (self.build.half_length - 6.0) * (1.0 - above * above).max(0.02).sqrt() + 1.2
    }

    /// Half length of the skull's inside in millimetres.
    pub(crate) fn half_length(&self) -> f32 {
        self.build.half_length
    }

    /// Draws fat, skin, muscle and bone over air; gives the thickness of bone at each pixel.
    pub(crate) fn draw(
        &self,
        z: f32,
        depth: &[f32],
        noise: &OuterNoise<'_>,
        hu: &mut [f32],
    ) -> Vec<f32> {
        let bulging = ((75.0 - z) / 25.0).clamp(0.0, 1.0);
        let muscular = 0.95 * ((78.0 - z) / 20.0).clamp(0.0, 1.0) * f32::from(z < 75.0);
        let mut thickness = self.bone.clone();
        for (thick, &noise) in thickness.iter_mut().zip(noise.broad) {
            *thick += 0.6 * noise;
        }
        for (i, value) in hu.iter_mut().enumerate() {
            let (inner, bone) = (depth[i], thickness[i]);
            let scalp = 4.2 + noise.wide[i] + bulging * self.bulge[i];
            let skin = inner + bone + scalp;
            if skin < -0.5 {
                continue;
            }
            if inner < 1.0 {
                let outside = Outside { inner, bone, scalp, skin };
                let muscle = muscular * self.muscle[i];
                *value = outside.hu(muscle, noise.fine[i], noise.broad[i]);
            }
        }
        thickness
    }
}

/// A pixel that is not wholly inside the skull.
struct Outside {
    inner: f32,
    bone: f32,
    scalp: f32,
    skin: f32,
}

impl Outside {
    /// Air, fat, skin, muscle, then bone with its two tables and the diploe between.
    fn hu(&self, muscle: f32, fine: f32, broad: f32) -> f32 {
        let head = ramp(self.skin, 0.9);
        let mut hu = -1000.0 + head * (925.0 + 8.0 * fine);
        hu += head * ramp(1.6 - self.skin, 0.9) * 95.0;
        let within = ramp(self.inner + self.bone + self.scalp * 0.62, 1.2);
        blend(&mut hu, 55.0, within * muscle);
        let middle = (-self.inner / self.bone - 0.5) / 0.22;
        let spongy = ((self.bone - 4.5) / 3.0).clamp(0.0, 1.0);
        let bone = 1150.0 - 480.0 * bell(middle) * spongy + 60.0 * broad;
        blend(&mut hu, bone, ramp(self.inner + self.bone, 1.0));
        hu
    }
}
