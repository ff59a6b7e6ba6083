//! A head without blood: its parts put together, slice by slice.

use super::base::Base;
use super::curves::{blend, ramp};
use super::fluid;
use super::frame::{Build, Frame};
use super::lattice::{Axis, Lattice};
use super::midline::Midline;
use super::skull::{OuterNoise, Skull};
use super::tissue::{Fields, Tissue, cerebellum};
use super::warp::{Push, Warp};
use crate::random::Random;

/// Sectors of a turn, and millimetres of depth, on which the sulci's noise is kept.
const N_SECTORS: usize = 384;
const N_DEPTHS: usize = 40;
/// Circumference in millimetres that a turn stands for.
const TURN: f32 = 480.0;

/// One head, ready to be cut at any height.
pub(crate) struct Head {
    /// The pixels.
    pub(crate) frame: Frame,
    skull: Skull,
    tissue: Tissue,
    midline: Midline,
    sector: Vec<u16>,
    wide: [Lattice; 2],
    broad: Lattice,
    folds: Lattice,
    fine: Lattice,
    polar: Lattice,
}

/// A thin cut, `(y, x)` over the pixels of the frame.
pub(crate) struct Cut {
    /// Hounsfield units.
    pub(crate) hu: Vec<f32>,
    /// Share of each pixel that is ventricle.
    pub(crate) ventricles: Vec<f32>,
}

impl Head {
    /// Draws a head for a person of `age` years, for heights from `z.0` to `z.1`.
    pub(crate) fn new(random: &mut Random, age: f64, z: (f32, f32)) -> Self {
        let build = Build::draw(random);
        let frame = Frame::new(&build);
        let atrophy = random.around(0.55 + 0.011 * (age - 35.0), 0.12).clamp(0.45, 1.5) as f32;
        let grey = random.around(37.5, 1.0);
        let white = grey - random.around(8.2, 1.0);
        let tissue = Tissue { grey_hu: grey as f32, white_hu: white as f32, atrophy };
        let skull = Skull::new(random, build, &frame);
        let midline = Midline::draw_traits(random);
        let mut field = |step: f32, z_step: f32| {
            let axes = (Axis::covering(&frame.ys, step), Axis::covering(&frame.xs, step));
            Lattice::new(random, axes, z, z_step, 1.0)
        };
        let wide = [field(32.0, 24.0), field(32.0, 24.0)];
        let (folds, broad, fine) = (field(8.5, 9.0), field(14.0, 14.0), field(3.2, 5.0));
        let polar = polar(random, z);
        let sector = frame.x.iter().zip(&frame.y).map(|(&x, &y)| sector(x, y)).collect();
        Self { frame, skull, tissue, midline, sector, wide, broad, folds, fine, polar }
    }

    /// Millimetres under the inner table at height `z`.
    pub(crate) fn depth(&self, z: f32) -> Vec<f32> {
        self.skull.depth(z)
    }

    /// Cuts the head at height `z`, pushed aside by a hematoma if there is one.
    pub(crate) fn cut(&self, z: f32, push: Option<&Push>) -> Cut {
        let wide = [self.wide[0].slice(z), self.wide[1].slice(z)];
        let (broad, folds) = (self.broad.slice(z), self.folds.slice(z));
        let fine = self.fine.slice(z);
        let depth = self.skull.depth(z);
        let mut hu = vec![-1000.0; self.frame.len()];
        let outer = OuterNoise { wide: &wide[0], broad: &broad, fine: &fine };
        let mut bone = self.skull.draw(z, &depth, &outer, &mut hu);
        let warp = Warp::new(&self.frame, z, (&wide[0], &wide[1]), push);
        let sulci = self.sulci(z, &depth, &broad, &folds);
        let fields = Fields {
            z,
            depth: &depth,
            warp: &warp,
            broad: &broad,
            folds: &folds,
            fine: &fine,
            sulci: &sulci,
            cerebellum: &cerebellum(z, &warp, &broad),
        };
        let mut brain = self.tissue.draw(&fields);
        let ventricles = fluid::draw(&fields, self.tissue.atrophy, &mut brain);
        let sinus_y = self.skull.sinus_y(z);
        self.midline.draw(&fields, (&self.frame.x, &self.frame.y), sinus_y, &mut brain);
        for ((hu, &brain), &depth) in hu.iter_mut().zip(&brain).zip(&depth) {
            blend(hu, brain, ramp(depth, 1.0));
        }
        for (bone, &depth) in bone.iter_mut().zip(&depth) {
            *bone += depth;
        }
        let (frame, half_length) = (&self.frame, self.skull.half_length());
        Base { frame, z, outer: &bone, broad: &broad, fine: &fine, half_length }.draw(&mut hu);
        Cut { hu, ventricles }
    }

    /// Millimetres from the middle of the nearest sulcus: the zero set of noise that is drawn in
    /// polar coordinates, so that sulci run inwards, and in Cartesian ones near the vertex.
    fn sulci(&self, z: f32, depth: &[f32], broad: &[f32], folds: &[f32]) -> Vec<f32> {
        let polar = self.polar.slice(z);
        let crown = ((z - 84.0) / 22.0).clamp(0.0, 1.0);
        let (turning, plain) = (1.0 - 0.85 * crown, 0.35 + 0.6 * crown);
        let pixels = depth.iter().zip(broad).zip(folds).zip(&self.sector);
        pixels
            .map(|(((&depth, &broad), &fold), &sector)| {
                let t = (depth.max(0.0) * 0.62 + 2.2 * broad).clamp(0.0, 38.9);
                let low = t as usize;
                let line = &polar[usize::from(sector) * N_DEPTHS..][..N_DEPTHS];
                let noise = line[low] + (line[low + 1] - line[low]) * (t - low as f32);
                (noise * turning + plain * fold).abs() * 4.6
            })
            .collect()
    }
}

/// The sector of the turn in which a pixel lies.
fn sector(x: f32, y: f32) -> u16 {
    let turn = libm::atan2f(x, y) / std::f32::consts::TAU + 0.5;
    ((turn * N_SECTORS as f32) as u16).min(N_SECTORS as u16 - 1)
}

/// Noise over sectors and depths; the turn closes on itself.
fn polar(random: &mut Random, z: (f32, f32)) -> Lattice {
    let arcs: Vec<f32> = (0..N_SECTORS).map(|k| k as f32 / N_SECTORS as f32 * TURN).collect();
    let depths: Vec<f32> = (0..N_DEPTHS).map(|d| d as f32).collect();
    let axes = (Axis::new(&arcs, -19.2, 9.6, 50), Axis::covering(&depths, 11.0));
    Lattice::new(random, axes, z, 9.5, 1.0)
}
