//! Irregular shape.
//!
//! Barras et al. 2009, Stroke 40:1325: a scale of five on the slice with the largest area, from
//! regular (1) on, one more for each further irregularity of the margin, joined or separate; 3 and
//! more is irregular. An irregularity is a bay between the hematoma and its convex hull or a
//! separate part; how deep a bay must be is a free choice.

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::distance::distance_mm;
use crate::finding::Finding;
use crate::hematoma::Slice;
use crate::hull::hull;
use crate::pace::Pace;

/// Grade from which on a shape is irregular (Barras et al. 2009).
const IRREGULAR: u8 = 3;
/// The highest grade.
const HIGHEST: usize = 5;

/// What the slice with the largest area shows.
#[derive(Debug, Default)]
pub(crate) struct Irregular {
    grade: u8,
    solidity: Option<f64>,
    deepest: Option<[usize; 3]>,
}

impl Irregular {
    /// Grades the slice with the largest area; a bay is as deep as `bay` times the radius of a
    /// disc of that area.
    pub(crate) fn grade_slice(
        &mut self,
        slice: &Slice,
        bay: f64,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let plane = &slice.plane;
        let parts = components(plane, &slice.inside, Joined::ByCorner, pace)?;
        let Some(main) = parts.iter().max_by_key(|part| part.len()) else { return Ok(()) };
        let member = plane.drawn(main);
        let hull = hull(plane, &member);
        pace.work(2 * plane.len())?;
        let off_hull: Vec<bool> = hull.iter().map(|&inside| !inside).collect();
        let depth = distance_mm(plane, &off_hull, pace)?;
        let area_mm2 = main.len() as f64 * plane.pixel_mm2();
        let least_mm = bay * (area_mm2 / std::f64::consts::PI).sqrt();
        let gap: Vec<bool> = hull.iter().zip(&member).map(|(&h, &m)| h && !m).collect();
        let mut n_irregular = parts.len() - 1;
        let mut deepest = 0.0;
        for bay in components(plane, &gap, Joined::ByEdge, pace)? {
            let Some(&at) = bay.iter().max_by(|&&a, &&b| depth[a].total_cmp(&depth[b])) else {
                continue;
            };
            n_irregular += usize::from(f64::from(depth[at]) >= least_mm);
            if depth[at] > deepest {
                deepest = depth[at];
                self.deepest = Some(slice.place(at));
            }
        }
        let n_hull = hull.iter().filter(|&&inside| inside).count();
        self.grade = (1 + n_irregular).min(HIGHEST) as u8;
        self.solidity = Some(main.len() as f64 / n_hull.max(1) as f64);
        Ok(())
    }

    /// 1 to 5.
    pub(crate) fn grade(&self) -> f64 {
        f64::from(self.grade)
    }

    /// Area over the area of the convex hull.
    pub(crate) fn solidity(&self) -> f64 {
        self.solidity.unwrap_or(f64::NAN)
    }

    /// The place is the deepest bay's.
    pub(crate) fn finding(&self) -> Finding {
        let present = self.grade >= IRREGULAR;
        Finding { present: Some(present), place: self.deepest.filter(|_| present) }
    }
}
