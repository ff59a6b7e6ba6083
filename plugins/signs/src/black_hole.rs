//! Black hole sign.
//!
//! Li et al. 2016, Stroke 47:1777: a hypoattenuating area, round, oval or rod-like, wholly within
//! the hematoma and not connected with the brain beside it, with a defined border and at least
//! 28 HU between the two regions. "Within" is taken slice by slice, as it is read.

use crate::basins::Basin;
use crate::finding::{Best, Finding};
use crate::hematoma::Slice;

/// Between the hole and the blood around it (Li et al. 2016).
pub(crate) const DIFFERENCE_HU: f64 = 28.0;

/// What the slices show of the sign.
#[derive(Debug, Default)]
pub(crate) struct BlackHole {
    best: Best,
}

impl BlackHole {
    /// Looks at the basins of one slice; smaller ones than `smallest_mm2` are noise.
    pub(crate) fn look(&mut self, slice: &Slice, basins: &[Basin], smallest_mm2: f64) {
        for basin in basins.iter().filter(|basin| basin.area_mm2 >= smallest_mm2) {
            if let Some(at) = slice.plane.middle(&basin.core) {
                self.best.offer(basin.contrast_hu, slice.place(at));
            }
        }
    }

    /// The largest difference of an enclosed area from the blood around it, in HU.
    pub(crate) fn hu(&self) -> f64 {
        self.best.value()
    }

    pub(crate) fn finding(&self) -> Finding {
        Finding::at(self.best.place(DIFFERENCE_HU))
    }
}
