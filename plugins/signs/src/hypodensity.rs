//! Hypodensity within the hematoma.
//!
//! Boulouis et al. 2016, JAMA Neurol. 73:961: any hypodense region strictly encapsulated within
//! the hemorrhage, of any shape, size and density, without connection to the surface. The
//! definition gives no number, so how dark a region must be to be no noise is a free choice.

use crate::basins::Basin;
use crate::finding::{Best, Finding};
use crate::hematoma::Slice;

/// What the slices show of the sign.
#[derive(Debug, Default)]
pub(crate) struct Hypodensity {
    best: Best,
}

impl Hypodensity {
    /// Looks at the basins of one slice; smaller ones than `smallest_mm2` are noise.
    pub(crate) fn look(&mut self, slice: &Slice, basins: &[Basin], smallest_mm2: f64) {
        for basin in basins.iter().filter(|basin| basin.area_mm2 >= smallest_mm2) {
            if let Some(at) = slice.plane.middle(&basin.core) {
                self.best.offer(basin.depth_hu, slice.place(at));
            }
        }
    }

    /// HU from the darkest enclosed region to the lowest wall around it.
    pub(crate) fn hu(&self) -> f64 {
        self.best.value()
    }

    /// The sign is there where a region lies at least `floor_hu` under its wall.
    pub(crate) fn finding(&self, floor_hu: f64) -> Finding {
        Finding::at(self.best.place(floor_hu))
    }
}
