//! The skull base: petrous bones, sphenoid wings, orbits, air cells, clivus, frontal sinus.

use super::curves::{Bounds, Capsule, Ellipsoid, blend, chord, ramp};
use super::frame::Frame;

/// Height in millimetres over which the base is of bone and air.
const TOP: f32 = 30.0;
const AIR: f32 = -950.0;

/// One slice of the base, about to be drawn over what is there.
pub(crate) struct Base<'a> {
    /// The pixels.
    pub(crate) frame: &'a Frame,
    /// Height in millimetres.
    pub(crate) z: f32,
    /// Millimetres inside the outer table, at each pixel: no bone of the base lies beyond it.
    pub(crate) outer: &'a [f32],
    /// Noise of three centimetres.
    pub(crate) broad: &'a [f32],
    /// Noise of half a centimetre.
    pub(crate) fine: &'a [f32],
    /// Half length of the skull's inside.
    pub(crate) half_length: f32,
}

impl Base<'_> {
    /// Draws the slice.
    pub(crate) fn draw(&self, hu: &mut [f32]) {
        if self.z >= TOP {
            return;
        }
        for side in [-1.0, 1.0] {
            self.petrous(side, hu);
            self.wing(side, hu);
            self.orbit(side, hu);
        }
        self.cells(hu);
        self.frontal_sinus(hu);
    }

    fn petrous(&self, side: f32, hu: &mut [f32]) {
        let half = 7.0 * chord((self.z - 14.0) / 12.5);
        if half <= 0.0 {
            return;
        }
        let bone =
            Capsule { from: (60.0 * side, 18.0), to: (16.0 * side, -5.0), half: (half, half) };
        let aerated = (0.5 + (24.0 - self.z) / 8.0).clamp(0.0, 1.0);
        let bounds = bone.bounds().grown(7.0);
        let Frame { x, y, .. } = self.frame;
        let mut share = vec![0.0; x.len()];
        self.frame.paint(bounds, [x, y, self.broad], &mut share, |[x, y, noise], share| {
            *share = ramp(bone.depth(x, y) + 1.5 * noise, 1.2);
        });
        for (share, &outer) in share.iter_mut().zip(self.outer) {
            *share *= ramp(outer, 1.0);
        }
        self.frame.paint(bounds, [x, self.fine, &share], hu, |[x, noise, share], hu| {
            let cells = ramp(x.abs() - 40.0, 6.0) * ramp(noise + 0.1, 0.5) * aerated;
            blend(hu, 1250.0 + 150.0 * noise - 900.0 * cells, share);
        });
    }

    fn wing(&self, side: f32, hu: &mut [f32]) {
        let half = 2.6 * chord((self.z - 20.0) / 10.0);
        if self.z <= 12.0 || half <= 0.0 {
            return;
        }
        let wing = Capsule {
            from: (13.0 * side, -26.0),
            to: (60.0 * side, -50.0),
            half: (half, half),
        };
        let Frame { x, y, .. } = self.frame;
        let bounds = wing.bounds().grown(1.0);
        self.frame.paint(bounds, [x, y, self.outer], hu, |[x, y, outer], hu| {
            blend(hu, 950.0, ramp(wing.depth(x, y), 1.0) * ramp(outer, 1.0));
        });
    }

    fn orbit(&self, side: f32, hu: &mut [f32]) {
        if self.z >= 21.0 {
            return;
        }
        let Frame { x, y, .. } = self.frame;
        let planes = [x.as_slice(), y.as_slice(), x.as_slice()];
        let socket = 19.0 * chord((self.z - 2.0) / 20.0);
        let bounds = Bounds { x0: 30.0 * side, x1: 30.0 * side, y0: -66.0, y1: -66.0 };
        self.frame.paint(bounds.grown(26.0), planes, hu, |[x, y, _], hu| {
            let (dx, dy) = (x - 30.0 * side, (y + 66.0) * 0.85);
            let depth = socket - (dx * dx + dy * dy).sqrt();
            blend(hu, 900.0, ramp(depth + 2.0, 1.0) * ramp(x.abs() - 9.0, 4.0));
            blend(hu, -85.0, ramp(depth, 1.0));
        });
        let globe = 12.0 * chord((self.z - 2.0) / 12.5);
        let bounds = Bounds { x0: 32.0 * side, x1: 32.0 * side, y0: -74.0, y1: -74.0 };
        self.frame.paint(bounds.grown(13.0), planes, hu, |[x, y, _], hu| {
            let (dx, dy) = (x - 32.0 * side, y + 74.0);
            blend(hu, 14.0, ramp(globe - (dx * dx + dy * dy).sqrt(), 1.0));
        });
        let nerve =
            Capsule { from: (29.0 * side, -64.0), to: (14.0 * side, -42.0), half: (2.0, 2.0) };
        let there = (0.5 + (8.0 - (self.z - 4.0).abs()) / 2.0).clamp(0.0, 1.0);
        self.frame.paint(nerve.bounds().grown(1.0), planes, hu, |[x, y, _], hu| {
            blend(hu, 38.0, ramp(nerve.depth(x, y), 1.0) * there);
        });
    }

    /// Ethmoid cells with their septa, sphenoid sinus under its roof, clivus.
    fn cells(&self, hu: &mut [f32]) {
        if self.z >= 20.0 {
            return;
        }
        let Frame { x, y, .. } = self.frame;
        let sphenoid = if self.z > 9.0 { 900.0 } else { -900.0 };
        let opened = f32::from(self.z < 16.0);
        let fading = ((TOP - self.z) / 8.0).clamp(0.0, 1.0);
        let bounds = Bounds { x0: -12.0, x1: 12.0, y0: -88.0, y1: -3.0 };
        self.frame.paint(bounds, [x, y, x], hu, |[x, y, _], hu| {
            let wall = (x + 40.0) * (1.0 / 7.0);
            let septum = ramp(0.8 - 7.0 * (wall - wall.floor() - 0.5).abs(), 0.8);
            let ethmoid = (11.0 - x.abs()).min(22.0 - (y + 64.0).abs());
            blend(hu, AIR + septum * 1100.0, ramp(ethmoid, 1.0));
            let sinus = (10.0 - x.abs()).min(11.0 - (y + 24.0).abs());
            blend(hu, sphenoid, ramp(sinus, 1.0) * opened);
            let clivus = (9.0 - x.abs()).min(4.5 - (y + 9.0).abs());
            blend(hu, 850.0, ramp(clivus, 1.5) * fading);
        });
    }

    fn frontal_sinus(&self, hu: &mut [f32]) {
        let centre = [5.0, -self.half_length - 2.0, 22.0];
        let sinus = Ellipsoid { centre, half: [11.0, 4.0, 9.0], turn: 0.0 };
        if self.z > 14.0 && sinus.meets(self.z) {
            let depth = sinus.depth_at(self.z);
            let Frame { x, y, .. } = self.frame;
            self.frame.paint(sinus.bounds().grown(2.0), [x, y, x], hu, |[x, y, _], hu| {
                blend(hu, AIR, ramp(depth(x, y), 1.0));
            });
        }
    }
}
