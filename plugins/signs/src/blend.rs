//! Blend sign.
//!
//! Li et al. 2015, Stroke 46:2119: a relatively hypoattenuating area beside a hyperattenuating one
//! within a hematoma, with a well-defined margin between them, at least 18 HU apart, and the
//! darker area not encapsulated by the denser one.

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::distance::distance_mm;
use crate::finding::{Best, Finding};
use crate::hematoma::Slice;
use crate::histogram::{median, otsu};
use crate::pace::Pace;
use crate::plane::Plane;

/// Between the two areas (Li et al. 2015).
pub(crate) const DIFFERENCE_HU: f64 = 18.0;
/// Each area has at least this share of the slice.
const LEAST_SHARE: f64 = 0.1;
/// Each area is this deep somewhere: a rim that is blood in part is not.
const LEAST_DEPTH_MM: f32 = 2.0;
/// Share of the darker area's edge that lies on the hematoma's surface: less is encapsulated.
const LEAST_OPEN: f64 = 0.15;
/// Share of the denser area's edge that lies on the surface: less is a core within a rim.
const LEAST_OPEN_DENSE: f64 = 0.1;

/// What the definition leaves open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Depth under the surface from which on a pixel is wholly blood.
    pub(crate) rim_mm: f64,
    /// Smallest area of each part.
    pub(crate) smallest_mm2: f64,
    /// Widest border that is still well defined: the difference over the gradient across it.
    pub(crate) border_mm: f64,
}

/// What the slices show of the sign.
#[derive(Debug, Default)]
pub(crate) struct Blend {
    best: Best,
}

impl Blend {
    pub(crate) fn look(
        &mut self,
        slice: &Slice,
        choices: Choices,
        pace: &mut Pace<'_, '_>,
    ) -> Result<(), Refused> {
        let interior = slice.interior(choices.rim_mm);
        let pixels = Plane::pixels(&interior);
        let Some(parted) = otsu(&slice.hu_of(&pixels)) else { return Ok(()) };
        let least = (LEAST_SHARE * pixels.len() as f64 * slice.plane.pixel_mm2())
            .max(choices.smallest_mm2);
        let mut part = |dark: bool| {
            let wanted: Vec<bool> = interior
                .iter()
                .zip(&slice.hu)
                .map(|(&inside, &hu)| inside && (hu < parted.level_hu) == dark)
                .collect();
            Part::largest(slice, &interior, &wanted, pace)
        };
        let (Some(dark), Some(dense)) = (part(true)?, part(false)?) else { return Ok(()) };
        let pixel_mm2 = slice.plane.pixel_mm2();
        let large = |part: &Part| {
            part.pixels.len() as f64 * pixel_mm2 >= least && part.depth_mm >= LEAST_DEPTH_MM
        };
        if !(large(&dark) && large(&dense) && dark.open >= LEAST_OPEN)
            || dense.open < LEAST_OPEN_DENSE
        {
            return Ok(());
        }
        let difference_hu = dense.hu - dark.hu;
        let Some(gradient) = border_gradient(slice, &dark, &dense) else { return Ok(()) };
        if difference_hu <= gradient * choices.border_mm
            && let Some(at) = slice.plane.middle(&dark.pixels)
        {
            self.best.offer(difference_hu, slice.place(at));
        }
        Ok(())
    }

    /// The largest difference of two adjacent areas with a defined border, in HU.
    pub(crate) fn hu(&self) -> f64 {
        self.best.value()
    }

    pub(crate) fn finding(&self) -> Finding {
        Finding::at(self.best.place(DIFFERENCE_HU))
    }
}

/// The largest connected area of one class.
struct Part {
    pixels: Vec<usize>,
    member: Vec<bool>,
    /// Median, in HU.
    hu: f64,
    /// Share of its edge that lies on the surface of the hematoma.
    open: f64,
    /// The deepest point of the area, from its own edge.
    depth_mm: f32,
}

impl Part {
    fn largest(
        slice: &Slice,
        interior: &[bool],
        wanted: &[bool],
        pace: &mut Pace<'_, '_>,
    ) -> Result<Option<Self>, Refused> {
        let parts = components(&slice.plane, wanted, Joined::ByEdge, pace)?;
        let Some(pixels) = parts.into_iter().max_by_key(Vec::len) else { return Ok(None) };
        let member = slice.plane.drawn(&pixels);
        let (mut n_edge, mut n_open) = (0, 0);
        for &at in &pixels {
            let near = slice.plane.around(at).take(4);
            let (mut edge, mut open) = (false, false);
            for near in near {
                edge |= !member[near];
                open |= !interior[near];
            }
            n_edge += usize::from(edge);
            n_open += usize::from(open);
        }
        let others: Vec<bool> = member.iter().map(|&member| !member).collect();
        let depth = distance_mm(&slice.plane, &others, pace)?;
        let depth_mm = pixels.iter().map(|&at| depth[at]).fold(0.0, f32::max);
        let hu = median(slice.hu_of(&pixels)).unwrap_or(f64::NAN);
        let open = n_open as f64 / n_edge.max(1) as f64;
        Ok(Some(Self { pixels, member, hu, open, depth_mm }))
    }
}

/// Mean gradient in HU per millimetre where the two parts meet; none where they do not.
fn border_gradient(slice: &Slice, dark: &Part, dense: &Part) -> Option<f64> {
    let plane = &slice.plane;
    let mut gradients = Vec::new();
    for &at in &dark.pixels {
        let meets = plane.around(at).take(4).any(|near| dense.member[near]);
        let (y, x) = plane.row_column(at);
        if meets && y > 0 && x > 0 && y + 1 < plane.rows && x + 1 < plane.columns {
            let across = |step: usize, axis: usize| {
                f64::from(slice.hu[at + step] - slice.hu[at - step])
                    / (2.0 * plane.spacing_mm[axis])
            };
            gradients.push(across(plane.columns, 0).hypot(across(1, 1)) as f32);
        }
    }
    median(gradients)
}
