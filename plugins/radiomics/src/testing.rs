//! Masks and views for the tests of this crate.

use std::ops::ControlFlow;

use ichor_plugin::{Call, Refused, VolumeView};

use crate::pace::Endless;
use crate::region::Region;
use crate::scan::Scan;

/// A full mask.
pub(crate) fn slab(shape: [usize; 3]) -> Vec<u8> {
    vec![1; shape.iter().product()]
}

/// A ball of `radius` voxels and the shape of its array.
pub(crate) fn ball(radius: f64) -> (Vec<u8>, [usize; 3]) {
    let side = 2 * radius.ceil() as usize + 1;
    let from_centre = |at: usize| (at as f64 - radius.ceil()).powi(2);
    let mask = (0..side.pow(3))
        .map(|at| {
            let [z, y, x] = [at / side / side, at / side % side, at % side].map(from_centre);
            u8::from(z + y + x <= radius * radius)
        })
        .collect();
    (mask, [side; 3])
}

/// The region of a mask in voxels of 1 mm.
pub(crate) fn region(mask: &[u8], shape: [usize; 3]) -> Region {
    cut(mask, shape, [1.0; 3]).unwrap()
}

fn cut(mask: &[u8], shape: [usize; 3], spacing_mm: [f64; 3]) -> Result<Region, Refused> {
    let hu = vec![60; mask.len()];
    Region::cut(&Scan { hu: hu.into(), shape, spacing_mm }, mask, &Endless)
}

/// An upright volume.
pub(crate) fn view<'a>(
    hu: &'a [i16],
    mask: &'a [u8],
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    slice_pos_mm: &'a [f64],
    slice_origins_mm: &'a [[f64; 3]],
) -> VolumeView<'a> {
    VolumeView {
        hu,
        mask,
        shape,
        spacing_mm,
        direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        slice_origins_mm,
        slice_pos_mm,
    }
}

/// Runs `work` under a host that never asks to stop.
pub(crate) fn unhurried<T>(work: impl FnOnce(&mut Call<'_>) -> T) -> T {
    let mut poll = |_: f32| ControlFlow::Continue(());
    work(&mut Call::new(&mut poll))
}

/// Repeatable disorder.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        // Knuth's MMIX generator; its upper half is random enough for a test.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Between 1 and `side` voxels along each axis, some of them in the mask.
    pub(crate) fn mask(&mut self, side: usize) -> (Vec<u8>, [usize; 3]) {
        let shape: [usize; 3] = std::array::from_fn(|_| 1 + self.below(side));
        let percent = self.below(101);
        let n = shape.iter().product();
        ((0..n).map(|_| u8::from(self.below(100) < percent)).collect(), shape)
    }

    /// The region of such a mask, unless it is too small.
    pub(crate) fn region(&mut self, side: usize) -> Option<Region> {
        let (mask, shape) = self.mask(side);
        cut(&mask, shape, [5.0, 0.45, 0.5]).ok()
    }

    /// `bytes` with one to four of them changed, taken out, doubled or cut off.
    pub(crate) fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match self.below(5) {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = b"0123456789.-e \nax"[self.below(17)],
                1 => bytes[at] = self.below(256) as u8,
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, bytes[at]),
                _ if self.below(8) == 0 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    }
}
