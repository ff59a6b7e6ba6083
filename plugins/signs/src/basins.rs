//! Dark regions that denser blood encloses on a slice.
//!
//! The slice is flooded from outside, darkest way first: the level at which a pixel is reached is
//! the lowest wall between it and the outside (Meyer 1994, Signal Process. 38:113; the filling of
//! holes in grey values, Soille, Morphological Image Analysis). Where that lies above the pixel's
//! own grey value the pixel is enclosed, whatever the shape of the region.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ichor_plugin::Refused;

use crate::components::{Joined, components};
use crate::hematoma::Slice;
use crate::histogram::median;
use crate::pace::Pace;

/// Wide enough for a ring that noise does not move, in millimetres.
const RING_MM: f64 = 2.5;
/// More pixels across than a ring of any head CT has.
const RING_PIXELS: usize = 12;

/// One enclosed region.
#[derive(Debug, Clone)]
pub(crate) struct Basin {
    /// Its pixels: those at least half as far under the wall as the lowest.
    pub(crate) core: Vec<usize>,
    /// HU from its lowest pixel to the lowest wall around.
    pub(crate) depth_hu: f64,
    /// HU from its darkest smoothed pixel to the median of the blood around it.
    pub(crate) contrast_hu: f64,
    /// Area of the core.
    pub(crate) area_mm2: f64,
}

/// All basins of `slice` at least `floor_hu` deep.
pub(crate) fn basins(
    slice: &Slice,
    floor_hu: f64,
    pace: &mut Pace<'_, '_>,
) -> Result<Vec<Basin>, Refused> {
    let wall = walls(slice, pace)?;
    let depth: Vec<f32> = wall.iter().zip(&slice.hu).map(|(wall, hu)| wall - hu).collect();
    let shallow = (floor_hu / 2.0) as f32;
    let under: Vec<bool> =
        depth.iter().zip(&slice.inside).map(|(&d, &inside)| inside && d > shallow).collect();
    let mut ring = Ring { seen: vec![0; slice.plane.len()], n: 0 };
    let mut found = Vec::new();
    for pixels in components(&slice.plane, &under, Joined::ByCorner, pace)? {
        let deepest = pixels.iter().map(|&at| depth[at]).fold(0.0, f32::max);
        if f64::from(deepest) < floor_hu {
            continue;
        }
        let core: Vec<usize> =
            pixels.iter().copied().filter(|&at| depth[at] >= deepest / 2.0).collect();
        let around = median(slice.hu_of(&ring.around(slice, &pixels, pace)?));
        let darkest = core.iter().map(|&at| slice.hu[at]).fold(f32::INFINITY, f32::min);
        let contrast_hu = around.map_or(f64::NAN, |around| around - f64::from(darkest));
        let area_mm2 = core.len() as f64 * slice.plane.pixel_mm2();
        found.push(Basin { core, depth_hu: f64::from(deepest), contrast_hu, area_mm2 });
    }
    Ok(found)
}

/// The lowest wall between each pixel inside and the outside, in HU; 0 outside.
fn walls(slice: &Slice, pace: &mut Pace<'_, '_>) -> Result<Vec<f32>, Refused> {
    let plane = &slice.plane;
    let mut wall = vec![0.0; plane.len()];
    let mut reached = vec![false; plane.len()];
    let mut next = BinaryHeap::new();
    for at in 0..plane.len() {
        pace.work(1)?;
        if slice.inside[at] && plane.around(at).any(|near| !slice.inside[near]) {
            wall[at] = slice.hu[at];
            reached[at] = true;
            next.push(Reverse((height(slice.hu[at]), at)));
        }
    }
    while let Some(Reverse((_, at))) = next.pop() {
        pace.work(16)?;
        for near in plane.around(at) {
            if slice.inside[near] && !reached[near] {
                reached[near] = true;
                wall[near] = wall[at].max(slice.hu[near]);
                next.push(Reverse((height(wall[near]), near)));
            }
        }
    }
    Ok(wall)
}

/// An order of grey values that a heap takes; sane ones are below 4096.
fn height(hu: f32) -> i32 {
    (hu * 256.0) as i32
}

/// The blood around a basin.
struct Ring {
    /// Number of the basin that a pixel was last seen from.
    seen: Vec<u32>,
    n: u32,
}

impl Ring {
    /// Pixels inside within [`RING_MM`] of `pixels`, and none of them.
    fn around(
        &mut self,
        slice: &Slice,
        pixels: &[usize],
        pace: &mut Pace<'_, '_>,
    ) -> Result<Vec<usize>, Refused> {
        self.n += 1;
        let [y, x] = slice.plane.spacing_mm;
        let steps = ((RING_MM / y.min(x)).ceil() as usize).clamp(1, RING_PIXELS);
        for &at in pixels {
            self.seen[at] = self.n;
        }
        let (mut ring, mut edge) = (Vec::new(), pixels.to_vec());
        for _ in 0..steps {
            let mut farther = Vec::new();
            for at in edge {
                pace.work(2)?;
                for near in slice.plane.around(at) {
                    if slice.inside[near] && self.seen[near] != self.n {
                        self.seen[near] = self.n;
                        farther.push(near);
                    }
                }
            }
            ring.extend_from_slice(&farther);
            edge = farther;
        }
        Ok(ring)
    }
}
