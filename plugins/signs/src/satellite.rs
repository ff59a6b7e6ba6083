//! Satellite sign.
//!
//! Shimoda et al. 2017, Cerebrovasc. Dis. 44:105: a small hematoma wholly apart from the main one
//! on at least one slice; with the sizes that later readers gave it (Radiopaedia, "satellite
//! sign"): at most 10 mm wide, at most 20 mm away. Nearer than 1 mm is not apart.

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::distance::distance_mm;
use crate::finding::{Best, Finding};
use crate::hematoma::Slice;
use crate::pace::Pace;
use crate::plane::Plane;

/// Widest satellite.
const WIDEST_MM: f64 = 10.0;
/// Nearest and farthest from the main hematoma.
const AWAY_MM: std::ops::RangeInclusive<f64> = 1.0..=20.0;
/// Directions in which a width is taken; the widest is missed by 0.4 % at most.
const DIRECTIONS: usize = 18;

/// What the slices show of the sign.
#[derive(Debug, Default)]
pub(crate) struct Satellite {
    /// The largest number on one slice.
    count: usize,
    best: Best,
}

impl Satellite {
    /// Looks at one slice; smaller parts than `smallest_mm2` are specks.
    pub(crate) fn look(
        &mut self,
        slice: &Slice,
        smallest_mm2: f64,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let plane = &slice.plane;
        let parts = components(plane, &slice.inside, Joined::ByCorner, pace)?;
        let Some(main) = parts.iter().max_by_key(|part| part.len()) else { return Ok(()) };
        if parts.len() < 2 || width_mm(plane, main) <= WIDEST_MM {
            return Ok(());
        }
        let member = plane.drawn(main);
        let away = distance_mm(plane, &member, pace)?;
        let mut count = 0;
        for part in &parts {
            pace.work(DIRECTIONS * part.len())?;
            let area_mm2 = part.len() as f64 * plane.pixel_mm2();
            let gap = part.iter().map(|&at| away[at]).fold(f32::INFINITY, f32::min);
            let fits = area_mm2 >= smallest_mm2
                && AWAY_MM.contains(&f64::from(gap))
                && width_mm(plane, part) <= WIDEST_MM;
            if fits && let Some(at) = plane.middle(part) {
                count += 1;
                self.best.offer(area_mm2, slice.place(at));
            }
        }
        self.count = self.count.max(count);
        Ok(())
    }

    /// The largest number of satellites on one slice.
    pub(crate) fn count(&self) -> f64 {
        self.count as f64
    }

    /// The place is the largest satellite's.
    pub(crate) fn finding(&self) -> Finding {
        Finding::at(self.best.place(0.0))
    }
}

/// The widest extent of `pixels` over all directions, from pixel centre to pixel centre.
fn width_mm(plane: &Plane, pixels: &[usize]) -> f64 {
    let along = |direction: usize| {
        let angle = std::f64::consts::PI * direction as f64 / DIRECTIONS as f64;
        let (sine, cosine) = angle.sin_cos();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &at in pixels {
            let [y, x] = plane.in_mm(at);
            let place = y * sine + x * cosine;
            (low, high) = (low.min(place), high.max(place));
        }
        high - low
    };
    (0..DIRECTIONS).map(along).fold(0.0, f64::max)
}
