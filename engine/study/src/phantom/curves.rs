//! Small functions of one or two numbers from which the anatomy is drawn.
//!
//! Everything is a signed distance in millimetres, positive inside, turned into a share by
//! [`ramp`]. Only IEEE operations are used, so that every machine gives the same bits.

/// Share of a pixel inside a surface `depth` millimetres away, softened over `width` millimetres.
pub(crate) fn ramp(depth: f32, width: f32) -> f32 {
    (0.5 + depth / width).clamp(0.0, 1.0)
}

/// `share` of the way from `from` to `to`.
pub(crate) fn blend(from: &mut f32, to: f32, share: f32) {
    *from += share * (to - *from);
}

/// Square root that takes what lies outside a ball as 0: half the chord of a unit ball at `t`.
pub(crate) fn chord(t: f32) -> f32 {
    (1.0 - t * t).max(0.0).sqrt()
}

/// `exp(x)` to four digits and better; below -87 it is 0 for every purpose here.
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let turns = x.clamp(-87.0, 87.0) * std::f32::consts::LOG2_E;
    let whole = (turns + ROUND) - ROUND;
    let t = (turns - whole) * std::f32::consts::LN_2;
    let series =
        1.0 + t * (1.0 + t * (0.5 + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0)))));
    series * f32::from_bits(((whole as i32 + 127) << 23) as u32)
}

/// `exp(-t * t)`.
pub(crate) fn bell(t: f32) -> f32 {
    exp(-t * t)
}

/// A thick segment, as seen in one slice; its half width may change along it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capsule {
    /// Where it starts, `(x, y)` in millimetres.
    pub(crate) from: (f32, f32),
    /// Where it ends.
    pub(crate) to: (f32, f32),
    /// Half width at both ends.
    pub(crate) half: (f32, f32),
}

impl Capsule {
    /// Signed distance, positive inside.
    pub(crate) fn depth(&self, x: f32, y: f32) -> f32 {
        let (vx, vy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let (dx, dy) = (x - self.from.0, y - self.from.1);
        let t = ((dx * vx + dy * vy) / (vx * vx + vy * vy)).clamp(0.0, 1.0);
        let (dx, dy) = (dx - t * vx, dy - t * vy);
        self.half.0 + (self.half.1 - self.half.0) * t - (dx * dx + dy * dy).sqrt()
    }

    /// What holds it.
    pub(crate) fn bounds(&self) -> Bounds {
        let half = self.half.0.max(self.half.1);
        Bounds {
            x0: self.from.0.min(self.to.0),
            x1: self.from.0.max(self.to.0),
            y0: self.from.1.min(self.to.1),
            y1: self.from.1.max(self.to.1),
        }
        .grown(half)
    }
}

/// An ellipsoid, cut by a slice; turned about the slice's normal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ellipsoid {
    /// Its centre, `(x, y, z)` in millimetres.
    pub(crate) centre: [f32; 3],
    /// Its half axes, `(x, y, z)`.
    pub(crate) half: [f32; 3],
    /// By how much it is turned, in radians.
    pub(crate) turn: f32,
}

impl Ellipsoid {
    /// Signed distance at height `z`, positive inside; near enough at the surface only.
    pub(crate) fn depth_at(&self, z: f32) -> impl Fn(f32, f32) -> f32 + use<> {
        let this = *self;
        let (sine, cosine) = (libm::sinf(this.turn), libm::cosf(this.turn));
        let dz = (z - this.centre[2]) / this.half[2];
        let least = this.half[0].min(this.half[1]);
        move |x, y| {
            let (x, y) = (x - this.centre[0], y - this.centre[1]);
            let (x, y) = (x * cosine + y * sine, y * cosine - x * sine);
            let (ex, ey) = (x / this.half[0], y / this.half[1]);
            (1.0 - (ex * ex + ey * ey + dz * dz).sqrt()) * least
        }
    }

    /// Whether a slice at `z` comes near it.
    pub(crate) fn meets(&self, z: f32) -> bool {
        ((z - self.centre[2]) / self.half[2]).abs() < 1.15
    }

    /// What holds it, however it is turned.
    pub(crate) fn bounds(&self) -> Bounds {
        let reach = self.half[0].max(self.half[1]);
        let [x, y, _] = self.centre;
        Bounds { x0: x, x1: x, y0: y, y1: y }.grown(reach)
    }
}

/// A rectangle in millimetres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Least x.
    pub(crate) x0: f32,
    /// Greatest x.
    pub(crate) x1: f32,
    /// Least y.
    pub(crate) y0: f32,
    /// Greatest y.
    pub(crate) y1: f32,
}

impl Bounds {
    /// Wider by `margin` on every side.
    pub(crate) fn grown(self, margin: f32) -> Self {
        Self {
            x0: self.x0 - margin,
            x1: self.x1 + margin,
            y0: self.y0 - margin,
            y1: self.y1 + margin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_four_digits() {
        for step in -800..=800 {
            let x = step as f32 * 0.1;
            let right = f64::from(x).exp();
            assert!((f64::from(exp(x)) / right - 1.0).abs() < 2e-5, "{x}");
        }
    }

    #[test]
    fn a_capsule_is_deepest_on_its_axis() {
        let capsule = Capsule { from: (0.0, 0.0), to: (10.0, 0.0), half: (2.0, 4.0) };
        let depths = [(5.0, 0.0), (5.0, 5.0), (-3.0, 0.0)].map(|(x, y)| capsule.depth(x, y));
        assert_eq!(format!("{depths:?}"), "[3.0, -2.0, -1.0]");
    }
}
