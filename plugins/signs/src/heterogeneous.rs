//! Heterogeneous density.
//!
//! Barras et al. 2009, Stroke 40:1325: a scale of five on the slice with the largest area, from
//! homogeneous to most heterogeneous, by the foci that are darker than the rest; 3 and more is
//! heterogeneous, which Morotti et al. 2019 (Ann. Neurol. 86:480) read as three foci or more.
//! Here 1 stands for none, 2 for one or two, 3 for three, 4 for four, 5 for five and more.
//! The coefficient of variation is that of Barras et al. 2013, AJNR 34:1139, of smoothed values.

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::finding::Finding;
use crate::hematoma::Slice;
use crate::pace::Pace;
use crate::smooth::smooth;

/// Grade from which on density is heterogeneous (Barras et al. 2009).
const HETEROGENEOUS: u8 = 3;
/// Width over which the density around a focus is averaged.
const BROAD_MM: f64 = 4.0;

/// What the definition leaves open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Depth under the surface from which on a pixel is wholly blood.
    pub(crate) rim_mm: f64,
    /// A focus lies this far under the density around it.
    pub(crate) focus_hu: f64,
    /// Smallest area of a focus.
    pub(crate) smallest_mm2: f64,
}

/// What the slice with the largest area shows.
#[derive(Debug)]
pub(crate) struct Heterogeneous {
    grade: u8,
    darkest: Option<[usize; 3]>,
    /// Sums over all slices: pixels, HU, squared HU.
    sums: [f64; 3],
}

impl Default for Heterogeneous {
    fn default() -> Self {
        Self { grade: 1, darkest: None, sums: [0.0; 3] }
    }
}

impl Heterogeneous {
    /// Adds one slice to the coefficient of variation.
    pub(crate) fn add(&mut self, slice: &Slice, rim_mm: f64) {
        let interior = slice.interior(rim_mm);
        for (&hu, _) in slice.hu.iter().zip(&interior).filter(|(_, inside)| **inside) {
            let hu = f64::from(hu);
            self.sums = [self.sums[0] + 1.0, self.sums[1] + hu, self.sums[2] + hu * hu];
        }
    }

    /// Grades the slice with the largest area.
    pub(crate) fn grade_slice(
        &mut self,
        slice: &Slice,
        choices: Choices,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let broad = smooth(&slice.plane, &slice.hu, &slice.inside, BROAD_MM, pace)?;
        let interior = slice.interior(choices.rim_mm);
        let under = |at: usize| f64::from(broad[at] - slice.hu[at]);
        let dark: Vec<bool> = (0..interior.len())
            .map(|at| interior[at] && under(at) >= choices.focus_hu)
            .collect();
        let mut foci = components(&slice.plane, &dark, Joined::ByCorner, pace)?;
        let pixel_mm2 = slice.plane.pixel_mm2();
        foci.retain(|focus| focus.len() as f64 * pixel_mm2 >= choices.smallest_mm2);
        self.grade = match foci.len() {
            0 => 1,
            1 | 2 => 2,
            3 => 3,
            4 => 4,
            _ => 5,
        };
        let largest = foci.iter().max_by_key(|focus| focus.len());
        let middle = largest.and_then(|focus| slice.plane.middle(focus));
        self.darkest = middle.map(|at| slice.place(at));
        Ok(())
    }

    /// 1 to 5.
    pub(crate) fn grade(&self) -> f64 {
        f64::from(self.grade)
    }

    /// Standard deviation over mean of the smoothed density under the rim; NaN of nothing.
    pub(crate) fn variation(&self) -> f64 {
        let [n, sum, squares] = self.sums;
        let mean = sum / n;
        (squares / n - mean * mean).max(0.0).sqrt() / mean
    }

    pub(crate) fn finding(&self) -> Finding {
        Finding::at(self.darkest.filter(|_| self.grade >= HETEROGENEOUS))
    }
}
