//! Drawings, volumes and repeatable disorder for the tests of this crate.

use std::ops::ControlFlow;

use ichor_plugin::{Call, VolumeView};

use crate::pace::Pace;
use crate::plane::Plane;

/// A window of 1 mm pixels from lines in which `#` is set.
pub(crate) fn drawn(text: &str) -> (Plane, Vec<bool>) {
    let lines: Vec<&str> = text.lines().collect();
    let plane = Plane { rows: lines.len(), columns: lines[0].len(), spacing_mm: [1.0; 2] };
    (plane, lines.concat().bytes().map(|byte| byte == b'#').collect())
}

/// Runs `work` under a host that never asks to stop.
pub(crate) fn unhurried<T>(work: impl FnOnce(&mut Pace<'_, '_>) -> T) -> T {
    call(|call| work(&mut Pace::new(call)))
}

/// Runs `work` in a call of a host that never asks to stop.
pub(crate) fn call<T>(work: impl FnOnce(&mut Call<'_>) -> T) -> T {
    let mut poll = |_: f32| ControlFlow::Continue(());
    work(&mut Call::new(&mut poll))
}

/// A head's part with a hematoma, painted voxel by voxel.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) shape: [usize; 3],
    pub(crate) spacing_mm: [f64; 3],
    pub(crate) hu: Vec<i16>,
    pub(crate) mask: Vec<u8>,
}

impl Scene {
    /// `n_slices` slices of 5 mm, 80 by 80 pixels of 0.5 mm, of brain.
    pub(crate) fn new(n_slices: usize) -> Self {
        let shape = [n_slices, 80, 80];
        let n = shape.iter().product();
        Self { shape, spacing_mm: [5.0, 0.5, 0.5], hu: vec![32; n], mask: vec![0; n] }
    }

    /// Puts a disc into slices, at `(y, x)` millimetres; with blood it belongs to the mask.
    pub(crate) fn disc(
        mut self,
        slices: std::ops::Range<usize>,
        (cy, cx): (f64, f64),
        radius_mm: f64,
        hu: i16,
    ) -> Self {
        self.paint(|z, y, x| slices.contains(&z) && (y - cy).hypot(x - cx) <= radius_mm, hu);
        self
    }

    /// Sets every voxel that `wanted` takes, given slice and `(y, x)` millimetres.
    pub(crate) fn paint(&mut self, wanted: impl Fn(usize, f64, f64) -> bool, hu: i16) {
        let [_, rows, columns] = self.shape;
        for at in 0..self.hu.len() {
            let (z, y, x) = (at / columns / rows, at / columns % rows, at % columns);
            if wanted(z, y as f64 * self.spacing_mm[1], x as f64 * self.spacing_mm[2]) {
                self.hu[at] = hu;
                self.mask[at] = 1;
            }
        }
    }

    /// Adds noise of a few HU.
    pub(crate) fn noisy(mut self) -> Self {
        let mut noise = Noise::new(7);
        for hu in &mut self.hu {
            *hu += (0..4).map(|_| noise.hu() % 3).sum::<i16>();
        }
        self
    }

    /// Hands the scene to `work` as a plugin gets it.
    pub(crate) fn view<T>(&self, work: impl FnOnce(&VolumeView<'_>) -> T) -> T {
        let slices: Vec<f64> = (0..self.shape[0]).map(|z| z as f64 * 5.0).collect();
        let origins: Vec<[f64; 3]> = slices.iter().map(|&z| [0.0, 0.0, z]).collect();
        work(&VolumeView {
            hu: &self.hu,
            mask: &self.mask,
            shape: self.shape,
            spacing_mm: self.spacing_mm,
            direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
            slice_origins_mm: &origins,
            slice_pos_mm: &slices,
        })
    }
}

/// Repeatable disorder.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A grey value from -1024 to 3071.
    pub(crate) fn hu(&mut self) -> i16 {
        i16::try_from(self.below(4096)).unwrap_or(0) - 1024
    }

    /// A whole number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}
