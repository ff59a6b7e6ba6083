//! A hematoma laid into the slices of a head: its exact volume, its rim, its pixels.

use super::curves::{blend, ramp};
use super::frame::Frame;
use super::hematoma::{Hematoma, Textures};
use super::upsample::{Window, upsample};

/// Cuts through one slice; their mean is the slice.
pub(crate) const N_CUTS: usize = 2;
/// The level changes by this much a millimetre.
const SLOPE: f32 = 0.75;
/// Width in millimetres over which the surface is softened.
const SOFT: f32 = 0.9;

/// A hematoma on the fine pixels of its window, ready to be drawn.
pub(crate) struct Bleed {
    hematoma: Hematoma,
    textures: Textures,
    /// The window in coarse pixels of the frame.
    pub(crate) window: Window,
    xs: Vec<f32>,
    ys: Vec<f32>,
    /// Slices that it meets, and its level in each of their cuts.
    levels: Vec<(usize, [Vec<f32>; N_CUTS])>,
    threshold: f32,
    oedema_mm: f32,
}

/// What a hematoma does to one slice, on the fine pixels of its window.
pub(crate) struct Stain {
    /// What it adds to the HU without it.
    pub(crate) hu: Vec<f32>,
    /// Share of each pixel that is blood.
    pub(crate) blood: Vec<f32>,
}

/// Heights of the cuts through a slice at `z` that is `step_mm` thick.
pub(crate) fn cuts(z: f32, step_mm: f32) -> [f32; N_CUTS] {
    std::array::from_fn(|j| z + step_mm * ((j as f32 + 0.5) / N_CUTS as f32 - 0.5))
}

impl Bleed {
    /// Lays `hematoma` into slices at the heights `zs`, so that its mask has `volume_ml` on them
    /// as near as whole voxels allow. `depth` gives the millimetres under the inner table at a
    /// height, on the coarse pixels: blood stays 2 mm away from it.
    pub(crate) fn new(
        hematoma: Hematoma,
        frame: &Frame,
        (zs, step_mm): (&[f32], f32),
        (volume_ml, oedema_mm): (f32, f32),
        depth: impl Fn(f32) -> Vec<f32>,
    ) -> Self {
        let [cx, cy, cz] = hematoma.centre;
        let (cx, cy) = frame.to_scanner(cx, cy);
        let reach = hematoma.reach();
        let (x0, x1) = around(&frame.xs, cx, reach);
        let (y0, y1) = around(&frame.ys, cy, reach);
        let window = Window { y0, y1, x0, x1 };
        let xs = fine_places(&frame.xs[x0..x1], frame.pixel_mm, cx);
        let ys = fine_places(&frame.ys[y0..y1], frame.pixel_mm, cy);
        let textures = hematoma.textures(&xs, &ys);
        let mut candidates = Vec::new();
        let mut levels = Vec::new();
        for (slice, &z) in zs.iter().enumerate() {
            let heights = cuts(z, step_mm);
            if heights.iter().all(|z| (z - cz).abs() >= reach) {
                continue;
            }
            let level = heights.map(|z| hematoma.level(&textures, &xs, &ys, z - cz));
            let room = upsample(&depth(z), frame.xs.len(), window);
            for ((&a, &b), &room) in level[0].iter().zip(&level[1]).zip(&room) {
                if room > 2.0 {
                    candidates.push(enters(a, b));
                }
            }
            levels.push((slice, level));
        }
        let voxel_mm3 = f64::from(frame.pixel_mm * frame.pixel_mm / 4.0 * step_mm);
        let wanted = (f64::from(volume_ml) * 1000.0 / voxel_mm3).round() as usize;
        let threshold = nth_smallest(&mut candidates, wanted);
        Self { hematoma, textures, window, xs, ys, levels, threshold, oedema_mm }
    }

    /// What it does to slice `slice`, whose cuts without it are `cuts` at heights `heights`, and
    /// which lies `depth` under the inner table; none where it does not reach.
    pub(crate) fn stain(
        &self,
        slice: usize,
        heights: [f32; N_CUTS],
        cuts: [&[f32]; N_CUTS],
        depth: &[f32],
        n_columns: usize,
    ) -> Option<Stain> {
        let (_, levels) = self.levels.iter().find(|(at, _)| *at == slice)?;
        let room = upsample(depth, n_columns, self.window);
        let n = room.len();
        let mut stain = Stain { hu: vec![0.0; n], blood: vec![0.0; n] };
        for ((level, z), cut) in levels.iter().zip(heights).zip(cuts) {
            let tissue = upsample(cut, n_columns, self.window);
            self.add_cut(level, z - self.hematoma.centre[2], &tissue, &room, &mut stain);
        }
        Some(stain)
    }

    fn add_cut(&self, level: &[f32], z: f32, tissue: &[f32], room: &[f32], stain: &mut Stain) {
        let depth: Vec<f32> = level.iter().map(|l| (self.threshold - l) * SLOPE).collect();
        let density = self.hematoma.clot.density(&self.textures, &self.xs, &self.ys, z, &depth);
        let each = 1.0 / N_CUTS as f32;
        for i in 0..depth.len() {
            let rim = ramp(depth[i] + self.oedema_mm * 0.8, 2.6);
            if rim <= 0.0 {
                continue;
            }
            let allowed = ramp(room[i] - 2.0, 1.0);
            let blood = ramp(depth[i], SOFT) * allowed;
            let mut hu = tissue[i];
            if (0.0..70.0).contains(&hu) {
                let swelling = rim * (1.0 - blood) * allowed * 0.65;
                let share = swelling * (hu / 30.0).clamp(0.0, 1.0);
                blend(&mut hu, 22.0, share);
            }
            blend(&mut hu, density[i], blood);
            stain.hu[i] += each * (hu - tissue[i]);
            stain.blood[i] += each * blood;
        }
    }
}

/// The threshold from which on a voxel with levels `a` and `b` in its two cuts is more than half
/// blood: the mean of both, or, where they lie far apart, where the farther cut begins to fill.
fn enters(a: f32, b: f32) -> f32 {
    f32::midpoint(a, b).max(a.max(b) - 0.5 * SOFT / SLOPE)
}

/// A number with `n` of `values` below it; the largest when there are fewer.
fn nth_smallest(values: &mut [f32], n: usize) -> f32 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    *values.select_nth_unstable_by(n.min(last), f32::total_cmp).1
}

/// Indices of the rising `places` within `reach` of `mid`, half-open, never empty.
fn around(places: &[f32], mid: f32, reach: f32) -> (usize, usize) {
    let last = places.len() - 1;
    let start = places.partition_point(|&place| place < mid - reach).min(last);
    (start, places.partition_point(|&place| place <= mid + reach).max(start + 1))
}

/// Both fine places within each coarse one, counted from `mid`.
fn fine_places(coarse: &[f32], pixel_mm: f32, mid: f32) -> Vec<f32> {
    let quarter = pixel_mm / 4.0;
    coarse.iter().flat_map(|&place| [place - quarter - mid, place + quarter - mid]).collect()
}
