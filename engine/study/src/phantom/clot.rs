//! How dense a hematoma is inside: mottling, swirl, blend, black hole, fluid level.

use super::curves::ramp;
use super::hematoma::{Textures, direction};
use super::latents::Latents;
use crate::random::Random;

/// The density architecture of one hematoma.
pub(crate) struct Clot {
    solid_hu: f32,
    mottling_hu: f32,
    radius: f32,
    swirl: bool,
    blend: Option<Blend>,
    hole: Option<Hole>,
    fluid: Option<f32>,
}

/// Blend sign: beyond a plane the blood is lighter.
struct Blend {
    way: [f32; 3],
    offset: f32,
    drop_hu: f32,
}

/// Black hole sign: a dark ball inside.
struct Hole {
    centre: [f32; 3],
    radius: f32,
    drop_hu: f32,
}

impl Clot {
    /// Draws the architecture of a hematoma of `radius` millimetres. All signs are drawn, and
    /// those that `latents` has are kept, so that one sign does not move another.
    pub(crate) fn new(random: &mut Random, latents: &Latents, radius: f32) -> Self {
        let blend = Blend {
            way: direction(random, 0.3),
            offset: random.between(-0.15, 0.35) as f32 * radius,
            drop_hu: random.between(18.0, 26.0) as f32,
        };
        let away = radius * random.between(0.15, 0.40) as f32;
        let hole = Hole {
            centre: direction(random, 0.3).map(|v| v * away),
            radius: radius * random.between(0.20, 0.30) as f32 + 0.8,
            drop_hu: random.between(28.0, 36.0) as f32,
        };
        let level = random.between(-0.2, 0.35) as f32 * radius;
        Self {
            solid_hu: latents.clot_hu as f32,
            mottling_hu: 6.0 * latents.heterogeneity as f32,
            radius,
            swirl: latents.swirl,
            blend: latents.blend.then_some(blend),
            hole: latents.black_hole.then_some(hole),
            fluid: latents.fluid_level.then_some(level),
        }
    }

    /// HU at height `z` over the centre, for pixels `depth` millimetres under the surface; what
    /// lies outside it is meaningless.
    pub(crate) fn density(
        &self,
        textures: &Textures,
        xs: &[f32],
        ys: &[f32],
        z: f32,
        depth: &[f32],
    ) -> Vec<f32> {
        let mottle = textures.mottle.slice(z);
        let bordered = self.swirl || self.blend.is_some() || self.hole.is_some();
        let swirl = if bordered { textures.swirl.slice(z) } else { vec![0.0; mottle.len()] };
        let mut hu = Vec::with_capacity(mottle.len());
        for (row, &y) in ys.iter().enumerate() {
            let line = row * xs.len()..(row + 1) * xs.len();
            let pixels = xs.iter().zip(&depth[line.clone()]);
            let noise = mottle[line.clone()].iter().zip(&swirl[line]);
            hu.extend(pixels.zip(noise).map(|((&x, &depth), (&mottle, &swirl))| {
                if depth <= -1.0 {
                    return self.solid_hu;
                }
                let depth = depth.max(0.0);
                let core = 1.5 * (depth / self.radius).min(1.0);
                let solid = self.solid_hu + core + self.mottling_hu * mottle;
                solid + self.signs([x, y, z], depth, swirl)
            }));
        }
        hu
    }

    /// What the signs add, in HU.
    fn signs(&self, [x, y, z]: [f32; 3], depth: f32, noise: f32) -> f32 {
        let mut hu = 0.0;
        if self.swirl {
            hu -= 16.0 * ramp(noise - 0.55, 0.8) * ramp(depth - 1.5, 2.0);
        }
        if let Some(Blend { way, offset, drop_hu }) = &self.blend {
            let beyond = x * way[0] + y * way[1] + z * way[2] - offset + 1.2 * noise;
            hu -= drop_hu * ramp(beyond, 2.0);
        }
        if let Some(Hole { centre, radius, drop_hu }) = &self.hole {
            let (dx, dy, dz) = (x - centre[0], y - centre[1], z - centre[2]);
            let away = (dx * dx + dy * dy / 1.35 + dz * dz).sqrt();
            let inside = radius * (1.0 + 0.16 * noise) - away;
            hu -= drop_hu * ramp(inside, 1.6) * ramp(depth - 1.0, 1.5);
        }
        if let Some(level) = self.fluid {
            // On the back: plasma in front, cells behind.
            hu += 6.0 - 24.0 * ramp(level - y, 1.0);
        }
        hu
    }
}
