//! White matter, cortex, deep grey matter, cerebellum, brainstem.

use super::curves::{Bounds, Capsule, Ellipsoid, blend, ramp};
use super::warp::Warp;

/// What a head's tissue measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tissue {
    /// Grey matter in HU.
    pub(crate) grey_hu: f32,
    /// White matter in HU.
    pub(crate) white_hu: f32,
    /// Widening of sulci and ventricles; 1 is old.
    pub(crate) atrophy: f32,
}

/// Noise fields and distances that the brain needs at one height.
pub(crate) struct Fields<'a> {
    /// Height in millimetres.
    pub(crate) z: f32,
    /// Millimetres under the inner table.
    pub(crate) depth: &'a [f32],
    /// Anatomy's own coordinates.
    pub(crate) warp: &'a Warp<'a>,
    /// Noise of three centimetres.
    pub(crate) broad: &'a [f32],
    /// Noise of the wavelength of gyri.
    pub(crate) folds: &'a [f32],
    /// Noise of half a centimetre.
    pub(crate) fine: &'a [f32],
    /// Millimetres from the middle of the nearest sulcus.
    pub(crate) sulci: &'a [f32],
    /// Share that is cerebellum; empty above it.
    pub(crate) cerebellum: &'a [f32],
}

/// Share that is cerebellum: behind the petrous line, below the tentorium, which rises towards
/// the midline. Empty where the slice lies above it.
pub(crate) fn cerebellum(z: f32, warp: &Warp<'_>, broad: &[f32]) -> Vec<f32> {
    if z >= 40.0 {
        return Vec::new();
    }
    let pixels = warp.x.iter().zip(&warp.y).zip(broad);
    pixels
        .map(|((&x, &y), &noise)| {
            let petrous = (y - 11.0) * 0.8 - 0.25 * (x.abs() - 14.0).clamp(0.0, 60.0);
            let tentorium = (47.0 - z) - 0.60 * x.abs() + 0.06 * (y - 20.0);
            ramp(petrous.min(tentorium) + 1.2 * noise, 1.8)
        })
        .collect()
}

impl Tissue {
    /// The brain without its fluid, in HU; meaningless outside the skull.
    pub(crate) fn draw(&self, fields: &Fields<'_>) -> Vec<f32> {
        let mut brain = self.mantle(fields);
        self.nuclei(fields, &mut brain);
        self.insula(fields, &mut brain);
        self.hindbrain(fields, &mut brain);
        self.brainstem(fields, &mut brain);
        brain
    }

    /// White matter, and a ribbon of cortex of 3.4 mm around the sulci and under the skull.
    fn mantle(&self, fields: &Fields<'_>) -> Vec<f32> {
        let pixels = fields.depth.iter().zip(fields.sulci).zip(fields.broad);
        pixels
            .map(|((&depth, &sulcus), &noise)| {
                let taper = (1.0 - (depth - 2.0) / 24.0).clamp(0.0, 1.0);
                let ribbon = ramp(3.4 - (sulcus - 0.9 * self.atrophy * taper), 1.4);
                let cortex = (ribbon * ramp(24.0 - depth, 5.0)).max(ramp(4.2 - depth, 1.5));
                let mut hu = self.white_hu + 0.8 * noise;
                blend(&mut hu, self.grey_hu, cortex);
                hu
            })
            .collect()
    }

    /// Lentiform nucleus, head of the caudate, thalamus, on both sides.
    fn nuclei(&self, fields: &Fields<'_>, brain: &mut [f32]) {
        for side in [-1.0, 1.0] {
            for (centre, half, turn) in [
                ([24.0 * side, -2.0, 54.0], [7.5, 17.0, 13.0], -0.28 * side),
                ([12.5 * side, -24.0, 58.0], [5.5, 9.0, 13.0], 0.2 * side),
                ([10.5 * side, 14.0, 56.0], [9.0, 14.5, 11.0], 0.35 * side),
            ] {
                let nucleus = Ellipsoid { centre, half, turn };
                if nucleus.meets(fields.z) {
                    let depth = nucleus.depth_at(fields.z);
                    let grey = self.grey_hu + 0.5;
                    let bounds = nucleus.bounds().grown(1.0);
                    fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
                        blend(hu, grey, ramp(depth(x, y), 1.6) * 0.92);
                    });
                }
            }
        }
    }

    fn insula(&self, fields: &Fields<'_>, brain: &mut [f32]) {
        if !(38.0..66.0).contains(&fields.z) {
            return;
        }
        let bounds = Bounds { x0: -40.0, x1: 40.0, y0: -27.0, y1: 19.0 };
        fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
            let along = y + 4.0;
            let ribbon = 2.2 - (x.abs() - 36.0 + 0.004 * along * along).abs();
            blend(hu, self.grey_hu, ramp(ribbon, 1.2) * ramp(20.0 - along.abs(), 4.0));
        });
    }

    /// Cerebellar cortex with folia, around white matter on both sides.
    fn hindbrain(&self, fields: &Fields<'_>, brain: &mut [f32]) {
        let rise = (fields.z - 20.0) * (fields.z - 20.0) * 1.5;
        for (i, &share) in fields.cerebellum.iter().enumerate().filter(|&(_, &s)| s > 0.0) {
            let (x, y) = (fields.warp.x[i].abs() - 20.0, fields.warp.y[i] - 42.0);
            let away = (x * x / 2.56 + y * y + rise).sqrt() * 0.6;
            let white = 5.5 * ramp(9.0 - away, 6.0);
            let folium = 1.5 * ramp(0.35 - fields.fine[i].abs(), 0.4);
            blend(&mut brain[i], self.grey_hu - 1.0 - white - folium, share);
        }
    }

    fn brainstem(&self, fields: &Fields<'_>, brain: &mut [f32]) {
        let half = if fields.z < 32.0 { 12.5 } else { 14.0 };
        let there = (1.0 - (fields.z - 42.0) / 4.0).clamp(0.0, 1.0);
        if there > 0.0 {
            let stem = Capsule { from: (0.0, -1.0), to: (0.0, 10.0), half: (half, half) };
            let bounds = stem.bounds().grown(1.0);
            fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
                blend(hu, self.grey_hu - 3.5, ramp(stem.depth(x, y), 1.5) * there);
            });
        }
    }
}
