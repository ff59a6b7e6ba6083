//! Where a pixel lies in the anatomy: individual variation, and the push of a hematoma.

use super::curves::Bounds;
use super::frame::Frame;

/// Cells of the table of the push, and the distance in millimetres that they cover.
const N_CELLS: usize = 256;
const REACH: f32 = 128.0;

/// A hematoma that takes room: its centre in the head's frame and the cube of its radius.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mass {
    /// Centre, `(x, y, z)` in millimetres.
    pub(crate) centre: [f32; 3],
    /// Cube of the radius of a ball of its volume, in cubic millimetres.
    pub(crate) radius_cubed: f32,
}

/// By what share of its distance from the centre tissue was pushed away, by that distance.
///
/// A radial push that keeps volumes, softened near the centre, fading out from 35 to 125 mm.
pub(crate) struct Push {
    mass: Mass,
    shares: Vec<f32>,
    farthest: f32,
}

impl Push {
    /// Tabulates the push of `mass`.
    pub(crate) fn new(mass: Mass) -> Self {
        let k = mass.radius_cubed;
        let share = |cell: usize| {
            let r = cell as f32 * REACH / N_CELLS as f32 + 1e-3;
            let kept = libm::cbrtf((1.0 - k / (r * r * r + 0.35 * k)).max(0.02));
            0.9 * (1.0 - kept) * (1.0 - ((r - 35.0) / 90.0).clamp(0.0, 1.0))
        };
        let shares: Vec<f32> = (0..N_CELLS + 2).map(share).collect();
        let way = |(cell, share): (usize, &f32)| cell as f32 * REACH / N_CELLS as f32 * share;
        let farthest = shares.iter().enumerate().map(way).fold(0.0, f32::max);
        Self { mass, shares, farthest }
    }

    fn share(&self, distance: f32) -> f32 {
        let t = (distance * (N_CELLS as f32 / REACH)).min(N_CELLS as f32);
        let cell = t as usize;
        let low = self.shares[cell];
        low + (self.shares[cell + 1] - low) * (t - cell as f32)
    }
}

/// Each pixel's place in the anatomy at one height.
pub(crate) struct Warp<'a> {
    frame: &'a Frame,
    /// x before the warp, in millimetres.
    pub(crate) x: Vec<f32>,
    /// y before the warp.
    pub(crate) y: Vec<f32>,
    margin: f32,
}

impl<'a> Warp<'a> {
    /// Moves the pixels of `frame` by noise of the wavelength of a head, then against the push.
    pub(crate) fn new(
        frame: &'a Frame,
        z: f32,
        (along_x, along_y): (&[f32], &[f32]),
        push: Option<&Push>,
    ) -> Self {
        let moved = |at: &[f32], noise: &[f32], by: f32| -> Vec<f32> {
            at.iter().zip(noise).map(|(&at, &noise)| at + by * noise).collect()
        };
        let mut warp = Self {
            frame,
            x: moved(&frame.x, along_x, 1.8),
            y: moved(&frame.y, along_y, 2.0),
            margin: 8.0,
        };
        if let Some(push) = push {
            warp.push_back(z, push);
        }
        warp
    }

    fn push_back(&mut self, z: f32, push: &Push) {
        let [cx, cy, cz] = push.mass.centre;
        let dz = z - cz;
        if dz.abs() >= REACH {
            return;
        }
        self.margin += push.farthest;
        let pixels = self.x.iter_mut().zip(&mut self.y).zip(&self.frame.x).zip(&self.frame.y);
        for (((x_moved, y_moved), &x), &y) in pixels {
            let (dx, dy) = (x - cx, y - cy);
            let share = push.share((dx * dx + dy * dy + dz * dz).sqrt());
            *x_moved -= dx * share;
            *y_moved -= dy * share;
        }
    }

    /// Calls `f` with `(x, y, extra)` for every pixel that may lie within `bounds` of anatomy.
    pub(crate) fn paint(
        &self,
        bounds: Bounds,
        extra: &[f32],
        onto: &mut [f32],
        f: impl Fn([f32; 3], &mut f32),
    ) {
        self.frame.paint(bounds.grown(self.margin), [&self.x, &self.y, extra], onto, f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_push_is_strong_at_the_edge_of_the_mass_and_gone_far_away() {
        let push = Push::new(Mass { centre: [0.0; 3], radius_cubed: 15.0_f32.powi(3) });
        assert!(push.share(15.0) > 0.2, "{}", push.share(15.0));
        assert!(push.share(60.0) < 0.01);
        assert!(push.share(500.0).abs() < 1e-6);
    }
}
