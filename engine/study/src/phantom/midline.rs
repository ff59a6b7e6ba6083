//! Falx, tentorium, superior sagittal sinus, and what is calcified with age.

use super::curves::{Bounds, blend, ramp};
use super::tissue::Fields;
use crate::random::Random;

/// Which calcifications a head has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Midline {
    pineal: bool,
    choroid: bool,
    falx: bool,
}

impl Midline {
    /// Pineal gland 60 %, choroid plexus 50 %, falx 25 %.
    pub(crate) fn draw_traits(random: &mut Random) -> Self {
        Self {
            pineal: random.chance(0.6),
            choroid: random.chance(0.5),
            falx: random.chance(0.25),
        }
    }

    /// Draws over `brain`; the skull's midline `(x, y)` in `head`, its sinus at `sinus_y`.
    pub(crate) fn draw(
        self,
        fields: &Fields<'_>,
        head: (&[f32], &[f32]),
        sinus_y: f32,
        brain: &mut [f32],
    ) {
        self.falx(fields, head, brain);
        tentorium(fields, brain);
        for ((hu, &x), &y) in brain.iter_mut().zip(head.0).zip(head.1) {
            if x.abs() < 5.0 && (y - sinus_y).abs() < 5.0 {
                let away = (x * x + (y - sinus_y) * (y - sinus_y)).sqrt();
                blend(hu, 56.0, 0.9 * ramp(3.6 - away, 1.6));
            }
        }
        self.calcifications(fields, brain);
    }

    fn falx(self, fields: &Fields<'_>, head: (&[f32], &[f32]), brain: &mut [f32]) {
        if fields.z <= 38.0 {
            return;
        }
        let longer = (fields.z - 66.0).max(0.0) * 2.6;
        let calcified = self.falx && (70.0..92.0).contains(&fields.z);
        let target = if calcified { 210.0 } else { 52.0 };
        for (i, (hu, &x)) in brain.iter_mut().zip(head.0).enumerate() {
            if x.abs() > 1.3 {
                continue;
            }
            let y = fields.warp.y[i];
            let far = ramp((-y - 30.0 + longer).max(y - 40.0 + longer), 6.0);
            let weight = match (self.falx, (head.1[i] + 48.0).abs() < 9.0) {
                (true, true) => 1.0,
                (true, false) => 0.2,
                (false, _) => 0.8,
            };
            blend(hu, target, ramp(0.75 - x.abs(), 0.9) * far * weight);
        }
    }

    fn calcifications(self, fields: &Fields<'_>, brain: &mut [f32]) {
        let z = fields.z;
        if self.pineal && (z - 52.0).abs() < 4.0 {
            let bounds = Bounds { x0: -3.0, x1: 3.0, y0: 22.0, y1: 28.0 };
            fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
                let away = (x * x + (y - 25.0).powi(2) + (z - 52.0).powi(2)).sqrt();
                blend(hu, 150.0, ramp(1.9 - away, 1.0));
            });
        }
        if self.choroid && (z - 60.0).abs() < 6.0 {
            let bounds = Bounds { x0: -25.0, x1: 25.0, y0: 33.0, y1: 39.0 };
            let dz = (z - 60.0) / 1.5;
            fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
                let away = ((x.abs() - 22.0).powi(2) + (y - 36.0).powi(2) + dz * dz).sqrt();
                blend(hu, 130.0, ramp(2.2 - away, 1.0));
            });
        }
    }
}

fn tentorium(fields: &Fields<'_>, brain: &mut [f32]) {
    let z = fields.z;
    if !(24.0..50.0).contains(&z) {
        return;
    }
    let bounds = Bounds { x0: -60.0, x1: 60.0, y0: 13.0, y1: 90.0 };
    fields.warp.paint(bounds, fields.fine, brain, |[x, y, _], hu| {
        let away = (47.0 - z) - 0.60 * x.abs() + 0.06 * (y - 20.0);
        blend(hu, 47.0, 0.55 * ramp(1.3 - away.abs(), 1.6) * ramp(y - 16.0, 4.0));
    });
}
