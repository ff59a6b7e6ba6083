//! Swirl sign.
//!
//! Selariu et al. 2012, BMC Neurol. 12:109: regions within the hyperattenuated hematoma that are
//! hypo- or isoattenuating to the brain; Ng et al. 2018, AJNR 39:232: across two contiguous
//! sections of 5 mm. Isoattenuating is given no number: here a region counts when it lies
//! nearer to the brain than a share of the way from clot to brain.

use std::collections::VecDeque;

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::finding::{Best, Finding};
use crate::hematoma::{Hematoma, Slice};
use crate::pace::Pace;

/// Thickness of the sections that the definition names.
const SECTION_MM: f64 = 5.0;
/// A clot this near to the brain around is no background to see a swirl on, in HU.
const LEAST_APART_HU: f64 = 5.0;
/// Slices looked at together; thinner ones than half a millimetre are not CT.
const MOST_SLICES: usize = 11;

/// What the slices show of the sign.
#[derive(Debug)]
pub(crate) struct Swirl {
    clot_hu: f64,
    /// HU from clot to brain; none where the brain is not seen or not darker.
    apart_hu: Option<f64>,
    n_slices: usize,
    /// How far each pixel lies from clot to brain, slice by slice.
    shares: VecDeque<Vec<f32>>,
    best: Best,
    found: Best,
}

impl Swirl {
    pub(crate) fn new(hematoma: &Hematoma<'_>, step_mm: f64) -> Self {
        let apart = hematoma.brain_hu.map(|brain_hu| hematoma.clot_hu - brain_hu);
        let sections = (SECTION_MM / step_mm - 1e-6).ceil().max(1.0);
        Self {
            clot_hu: hematoma.clot_hu,
            apart_hu: apart.filter(|&apart| apart >= LEAST_APART_HU),
            n_slices: (1 + sections as usize).min(MOST_SLICES),
            shares: VecDeque::new(),
            best: Best::default(),
            found: Best::default(),
        }
    }

    /// A slice that the mask does not meet ends what lies below.
    pub(crate) fn skip(&mut self) {
        self.shares.clear();
    }

    /// Looks at the next slice: `share` is how near to the brain a pixel must be, `rim_mm` how
    /// deep it must lie, `smallest_mm2` the area that all the slices must have in common.
    pub(crate) fn look(
        &mut self,
        slice: &Slice,
        (share, rim_mm, smallest_mm2): (f64, f64, f64),
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let Some(apart_hu) = self.apart_hu else { return Ok(()) };
        let deep = slice.interior(rim_mm);
        let nearness = |(&hu, &deep): (&f32, &bool)| {
            if deep {
                ((self.clot_hu - f64::from(hu)) / apart_hu) as f32
            } else {
                f32::NEG_INFINITY
            }
        };
        self.shares.push_back(slice.hu.iter().zip(&deep).map(nearness).collect());
        if self.shares.len() > self.n_slices {
            self.shares.pop_front();
        }
        if self.shares.len() < self.n_slices {
            return Ok(());
        }
        let in_all =
            |at: usize| self.shares.iter().map(|s| s[at]).fold(f32::INFINITY, f32::min);
        let least: Vec<f32> = (0..slice.plane.len()).map(in_all).collect();
        for (at, &nearness) in least.iter().enumerate().filter(|(at, _)| deep[*at]) {
            if nearness.is_finite() {
                self.best.offer(f64::from(nearness), slice.place(at));
            }
        }
        let near: Vec<bool> =
            least.iter().map(|&nearness| f64::from(nearness) >= share).collect();
        for pixels in components(&slice.plane, &near, Joined::ByCorner, pace)? {
            let area_mm2 = pixels.len() as f64 * slice.plane.pixel_mm2();
            if area_mm2 >= smallest_mm2
                && let Some(at) = slice.plane.middle(&pixels)
            {
                self.found.offer(area_mm2, slice.place(at));
            }
        }
        Ok(())
    }

    /// How far from clot (0) to brain (1) the darkest place lies that all the slices share.
    pub(crate) fn share(&self) -> f64 {
        self.best.value()
    }

    /// Without brain to compare with, nothing can be said.
    pub(crate) fn finding(&self) -> Finding {
        match self.apart_hu {
            Some(_) => Finding::at(self.found.place(0.0)),
            None => Finding { present: None, place: None },
        }
    }
}
