//! Cerebrospinal fluid: ventricles, cisterns, fissures, sulci, the rim under the skull.

use super::curves::{Bounds, Capsule, Ellipsoid, blend, chord, ramp};
use super::tissue::Fields;

/// HU of the fluid.
const FLUID_HU: f32 = 7.5;

/// Draws all fluid over `brain`; gives the share of each pixel that is ventricle.
pub(crate) fn draw(fields: &Fields<'_>, atrophy: f32, brain: &mut [f32]) -> Vec<f32> {
    let ventricles = ventricles(fields, atrophy);
    let cisterns = cisterns(fields, atrophy);
    for (i, hu) in brain.iter_mut().enumerate() {
        let depth = fields.depth[i];
        if depth < -1.0 {
            continue;
        }
        let rim = ramp(atrophy - depth, 1.2);
        let taper = (1.0 - (depth - 2.0) / 24.0).clamp(0.0, 1.0);
        let hindbrain = fields.cerebellum.get(i).copied().unwrap_or(0.0);
        let sulcus = ramp(0.85 * atrophy * taper - fields.sulci[i], 1.3)
            * ramp(22.0 - depth, 6.0)
            * (0.75 + 0.25 * atrophy)
            * (1.0 - hindbrain);
        let share = rim.max(sulcus.min(1.0)).max(ventricles[i]).max(0.92 * cisterns[i]);
        blend(hu, FLUID_HU + 0.45 * fields.fine[i], share);
    }
    ventricles
}

/// Lateral, third and fourth ventricles.
fn ventricles(fields: &Fields<'_>, atrophy: f32) -> Vec<f32> {
    let z = fields.z;
    let wide = libm::powf(atrophy, 0.8);
    let mut share = vec![0.0; fields.depth.len()];
    for side in [-1.0, 1.0] {
        for (capsule, bow) in lateral(z, side, wide) {
            let bounds = capsule.bounds().grown(6.0);
            fields.warp.paint(bounds, fields.broad, &mut share, |[x, y, noise], share| {
                let x = x + side * bow * (y + 2.0) * (y + 2.0);
                *share = share.max(ramp(capsule.depth(x, y) + 0.9 * noise, 1.4));
            });
        }
    }
    if (42.0..62.0).contains(&z) {
        let half = 1.7 * wide + 0.3;
        let third = Capsule { from: (0.0, -4.0), to: (0.0, 18.0), half: (half, half) };
        fields.warp.paint(third.bounds().grown(4.0), fields.broad, &mut share, |at, share| {
            *share = share.max(ramp(third.depth(at[0], at[1]) + 0.9 * at[2], 1.4));
        });
    }
    let half = [7.5 * wide.sqrt(), 5.0 * wide.sqrt(), 10.0];
    let fourth = Ellipsoid { centre: [0.0, 21.0, 20.0], half, turn: 0.0 };
    if fourth.meets(z) {
        let depth = fourth.depth_at(z);
        fields.warp.paint(fourth.bounds().grown(4.0), fields.broad, &mut share, |at, share| {
            *share = share.max(ramp(depth(at[0], at[1]) + 0.9 * at[2], 1.4));
        });
    }
    share
}

/// Parts of one lateral ventricle at height `z`: frontal horn, body (which bows outwards),
/// atrium, occipital horn, temporal horn; each with its bow.
fn lateral(z: f32, side: f32, wide: f32) -> Vec<(Capsule, f32)> {
    let mut parts = Vec::new();
    let mut part =
        |bow: f32, from: (f32, f32), to: (f32, f32), half: (f32, f32), share: f32| {
            // Towards its top and bottom a part gets thinner than its own noise: leave it out there.
            if share < 0.35 {
                return;
            }
            let half = (half.0 * wide * share, half.1 * wide * share);
            let (from, to) = ((from.0 * side, from.1), (to.0 * side, to.1));
            parts.push((Capsule { from, to, half }, bow));
        };
    if (48.0..74.0).contains(&z) {
        part(0.0, (5.0, -12.0), (13.0, -34.0), (2.4, 5.6), chord((z - 61.0) / 13.0));
    }
    if (64.0..86.0).contains(&z) {
        part(0.004, (9.5, -28.0), (12.0, 26.0), (4.6, 5.8), chord((z - 75.0) / 11.0));
    }
    if (46.0..76.0).contains(&z) {
        let share = chord((z - 61.0) / 15.0);
        part(0.0, (20.0, 27.0), (24.0, 40.0), (5.0, 6.6), share);
        part(0.0, (24.0, 42.0), (19.0, 60.0), (5.0, 1.5), share);
    }
    if (26.0..40.0).contains(&z) {
        part(0.0, (31.0, -6.0), (34.0, 12.0), (1.5, 1.5), 1.0);
    }
    parts
}

/// Cisterns around the brainstem, Sylvian and interhemispheric fissures.
fn cisterns(fields: &Fields<'_>, atrophy: f32) -> Vec<f32> {
    let mut share = vec![0.0; fields.depth.len()];
    suprasellar(fields, &mut share);
    around_midbrain(fields, atrophy, &mut share);
    sylvian(fields, atrophy, &mut share);
    interhemispheric(fields, atrophy, &mut share);
    share
}

/// A star with five points.
fn suprasellar(fields: &Fields<'_>, share: &mut [f32]) {
    if !(27.0..41.0).contains(&fields.z) {
        return;
    }
    let radius = 11.5 * chord((fields.z - 33.0) / 7.0);
    let bounds = Bounds { x0: -16.0, x1: 16.0, y0: -29.0, y1: -1.0 };
    fields.warp.paint(bounds, fields.fine, share, |[x, y, _], share| {
        let front = -(y + 15.0);
        let c = front / (x * x + front * front).sqrt().max(1e-3);
        let star = c * (5.0 + c * c * (16.0 * c * c - 20.0));
        let away = (x * x / 1.3225 + front * front).sqrt();
        *share = share.max(ramp(radius - away + 1.5 * star, 1.5));
    });
}

/// Ambient and quadrigeminal cisterns.
fn around_midbrain(fields: &Fields<'_>, atrophy: f32, share: &mut [f32]) {
    if (33.0..46.0).contains(&fields.z) {
        let bounds = Bounds { x0: -21.0, x1: 21.0, y0: -1.0, y1: 25.0 };
        fields.warp.paint(bounds, fields.fine, share, |[x, y, _], share| {
            let away = (x * x + (y - 4.0) * (y - 4.0)).sqrt();
            let ring = ramp(2.0 + 0.5 * atrophy - (away - 16.5).abs(), 1.5);
            *share = share.max(ring * ramp(y - 2.0, 4.0));
        });
    }
    if (36.0..52.0).contains(&fields.z) {
        let half = 2.6 + 0.6 * atrophy;
        let cistern = Capsule { from: (-7.0, 22.0), to: (7.0, 22.0), half: (half, half) };
        fields.warp.paint(cistern.bounds().grown(1.0), fields.fine, share, |at, share| {
            *share = share.max(ramp(cistern.depth(at[0], at[1]), 1.5));
        });
    }
}

fn sylvian(fields: &Fields<'_>, atrophy: f32, share: &mut [f32]) {
    if !(30.0..60.0).contains(&fields.z) {
        return;
    }
    let there = libm::sinf(std::f32::consts::PI * (fields.z - 30.0) / 30.0);
    let half = (0.9 + 1.1 * atrophy) * there;
    let stem = Capsule { from: (39.0, -13.0), to: (66.0, -24.0), half: (half, half) };
    let bounds = Bounds { x0: -70.0, x1: 70.0, y0: -34.0, y1: 26.0 };
    fields.warp.paint(bounds, fields.folds, share, |[x, y, noise], share| {
        let x = x.abs();
        let lateral = ramp(stem.depth(x, y + 1.6 * noise), 1.8);
        let bent = x - 40.0 + 0.006 * (y + 4.0) * (y + 4.0) + 1.2 * noise;
        let insular = ramp((0.8 + 0.5 * atrophy) * there - bent.abs(), 1.6)
            * ramp(17.0 - (y + 2.0).abs(), 3.0);
        *share = share.max(lateral).max(insular);
    });
}

/// In front and behind; above the corpus callosum all the way.
fn interhemispheric(fields: &Fields<'_>, atrophy: f32, share: &mut [f32]) {
    let z = fields.z;
    let bounds = Bounds { x0: -7.0, x1: 7.0, y0: -100.0, y1: 100.0 };
    if z > 40.0 {
        let half = 0.9 + 0.9 * atrophy;
        let longer = (z - 66.0).max(0.0) * 2.6;
        fields.warp.paint(bounds, fields.folds, share, |[x, y, noise], share| {
            let far = ramp((-y - 34.0 + longer).max(y - 44.0 + longer), 6.0);
            *share = share.max(ramp(half - (x + 0.7 * noise).abs(), 1.2) * far);
        });
    } else if z > 24.0 {
        fields.warp.paint(bounds, fields.fine, share, |[x, y, _], share| {
            let front = ramp(-y - 30.0, 6.0);
            *share = share.max(ramp(1.0 + 0.8 * atrophy - x.abs(), 1.2) * front);
        });
    }
}
