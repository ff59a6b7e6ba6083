//! The shape of a hematoma: a ball, stretched by its location, lobulated by noise, with islands.
//!
//! The shape is the set where a level function lies under a threshold; the renderer picks the
//! threshold so that the mask has exactly the volume asked for. Everything scales with the radius
//! of a ball of that volume, so that the same seed with a larger volume is the same hematoma,
//! grown.

use super::clot::Clot;
use super::latents::{Latents, Location, Side};
use super::lattice::{Axis, Lattice};
use crate::random::Random;

/// Half the number of nodes along each side of the noise lattices.
const HALF_NODES: usize = 16;

/// A small hematoma beside the main one.
struct Island {
    centre: [f32; 3],
    radius: f32,
}

/// Level function and density of one hematoma, in millimetres around its centre.
pub(crate) struct Hematoma {
    /// Centre in the head's frame, `(x, y, z)`.
    pub(crate) centre: [f32; 3],
    /// Radius of a ball of its volume.
    pub(crate) radius: f32,
    /// Its inside.
    pub(crate) clot: Clot,
    axes: [f32; 3],
    turn: (f32, f32),
    lobes: (f32, f32),
    seeds: [u64; 4],
    islands: Vec<Island>,
}

impl Hematoma {
    /// Draws the hematoma of `latents`; none where its volume is 0.
    pub(crate) fn new(random: &mut Random, latents: &Latents) -> Option<Self> {
        if latents.volume_ml <= 0.0 {
            return None;
        }
        let radius =
            libm::cbrt(3.0 * latents.volume_ml * 1000.0 / (4.0 * std::f64::consts::PI)) as f32;
        let side = if latents.side == Side::Left { 1.0 } else { -1.0 };
        let mut centre = typical_centre(random, latents.location);
        for (place, spread) in centre.iter_mut().zip([3.0, 3.9, 3.0]) {
            *place += random.around(0.0, spread) as f32;
        }
        centre[0] *= side;
        let axes = axes(random, latents.location);
        let tilt = if latents.location == Location::BasalGanglia { 0.25 } else { 0.0 };
        let turn = side * random.around(tilt, 0.15) as f32;
        let irregularity = latents.irregularity as f32;
        let seeds = std::array::from_fn(|_| random.bits());
        let mut hematoma = Self {
            centre,
            radius,
            clot: Clot::new(random, latents, radius),
            axes,
            turn: (libm::sinf(turn), libm::cosf(turn)),
            lobes: (0.08 + 0.25 * irregularity, 0.03 + 0.144 * irregularity),
            seeds,
            islands: Vec::new(),
        };
        if latents.island {
            // Li et al. 2017: three or more scattered islands, or four partly connected ones.
            hematoma.islands =
                (0..3 + random.below(3)).map(|_| hematoma.island(random)).collect();
        }
        Some(hematoma)
    }

    fn island(&self, random: &mut Random) -> Island {
        let way = direction(random, 0.45);
        let radius = random.between(0.15, 0.30) as f32 * self.radius + 0.6;
        let centre = std::array::from_fn(|axis| {
            way[axis] * (self.radius * 1.05 * self.axes[axis] + radius * 1.1 + 1.0)
        });
        Island { centre, radius }
    }

    /// Beyond this distance from the centre there is no blood.
    pub(crate) fn reach(&self) -> f32 {
        self.radius * 2.1 + 8.0
    }

    /// The noise fields over columns `xs` and rows `ys` around the centre.
    pub(crate) fn textures(&self, xs: &[f32], ys: &[f32]) -> Textures {
        let field = |which: usize, step: f32| {
            let first = -(HALF_NODES as f32) * step;
            let axis = |places: &[f32]| Axis::new(places, first, step, 2 * HALF_NODES);
            let z = (first + 2.0 * step, -first - 5.0 * step);
            let mut random = Random::keyed(&[self.seeds[which]]);
            Lattice::new(&mut random, (axis(ys), axis(xs)), z, step, 0.58)
        };
        Textures {
            lobes: field(0, (0.75 * self.radius).max(3.0)),
            bumps: field(1, (0.32 * self.radius).max(2.2)),
            mottle: field(2, (0.30 * self.radius).max(2.5)),
            swirl: field(3, (0.55 * self.radius).max(4.0)),
        }
    }

    /// The level function at height `z` over the centre, row after row: about the distance from
    /// the centre, in millimetres.
    pub(crate) fn level(
        &self,
        textures: &Textures,
        xs: &[f32],
        ys: &[f32],
        z: f32,
    ) -> Vec<f32> {
        let (lobes, bumps) = (textures.lobes.slice(z), textures.bumps.slice(z));
        let (sine, cosine) = self.turn;
        let [ax, ay, az] = self.axes;
        let up = (z / az) * (z / az);
        let islands: Vec<&Island> = self
            .islands
            .iter()
            .filter(|island| (z - island.centre[2]).abs() < 3.0 * island.radius)
            .collect();
        let mut level = Vec::with_capacity(lobes.len());
        for (row, &y) in ys.iter().enumerate() {
            let line = row * xs.len()..(row + 1) * xs.len();
            for ((&x, &lobe), &bump) in xs.iter().zip(&lobes[line.clone()]).zip(&bumps[line]) {
                let (along, across) =
                    ((x * cosine + y * sine) / ax, (y * cosine - x * sine) / ay);
                let ball = (along * along + across * across + up).sqrt();
                let noise = 1.0 + self.lobes.0 * lobe + self.lobes.1 * bump.clamp(-1.6, 1.6);
                let mut value = ball * noise;
                for island in &islands {
                    value = value.min(self.island_level(island, [x, y, z], lobe, bump));
                }
                level.push(value);
            }
        }
        level
    }

    fn island_level(&self, island: &Island, at: [f32; 3], lobe: f32, bump: f32) -> f32 {
        let [x, y, z]: [f32; 3] = std::array::from_fn(|axis| at[axis] - island.centre[axis]);
        let away = (x * x + y * y / 1.5 + z * z / 1.3).sqrt();
        away * (1.0 + 0.30 * bump + 0.25 * lobe) * self.radius / island.radius
    }
}

/// The noise fields of a hematoma.
pub(crate) struct Textures {
    lobes: Lattice,
    bumps: Lattice,
    /// Of the mottling inside.
    pub(crate) mottle: Lattice,
    /// Of swirls and of the borders inside.
    pub(crate) swirl: Lattice,
}

/// A random direction, flattened along z by `flat`.
pub(crate) fn direction(random: &mut Random, flat: f64) -> [f32; 3] {
    let way = [random.normal(), random.normal(), random.normal() * flat];
    let length = way.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-9);
    way.map(|v| (v / length) as f32)
}

/// Where hematomas of a location lie, on the positive side, in millimetres.
fn typical_centre(random: &mut Random, location: Location) -> [f32; 3] {
    match location {
        Location::BasalGanglia => [26.0, 0.0, 55.0],
        Location::Thalamus => [13.0, 14.0, 55.0],
        Location::Lobar => {
            [[36.0, -38.0, 72.0], [44.0, 20.0, 60.0], [32.0, 44.0, 76.0]][random.below(3)]
        }
        Location::Cerebellum => [22.0, 42.0, 18.0],
    }
}

/// Half axes of the stretched ball; their product is 1.
fn axes(random: &mut Random, location: Location) -> [f32; 3] {
    let typical = match location {
        Location::BasalGanglia => [0.80, 1.30, 1.0],
        Location::Thalamus => [0.95, 1.1, 0.95],
        Location::Lobar => [0.95, 1.15, 0.95],
        Location::Cerebellum => [1.1, 0.95, 0.85],
    };
    let drawn = typical.map(|axis| axis * libm::exp(random.around(0.0, 0.08)));
    let mean = libm::cbrt(drawn.iter().product());
    drawn.map(|axis| (axis / mean) as f32)
}
