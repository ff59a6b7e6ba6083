//! Where the head is, found by pixels alone.
//!
//! The head is the largest body of tissue in each slice with its holes filled. It *is* a head
//! when enough slices show bone around most of its outline with brain-like tissue inside; tags
//! only support that. Bone starts at 95 HU here, or at the highest value of the volume where a
//! window has clipped that to less.

use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::Volume;

/// Tissue starts here, in HU; air and padding lie below.
const TISSUE_HU: i16 = -300;
/// Bone starts here, in HU.
const BONE_HU: i16 = 95;
/// A window that clips bone lower than this clips blood too.
const CLIPPED_BONE_HU: i16 = 75;
/// Brain and blood lie between these, in HU.
const BRAIN_HU: std::ops::RangeInclusive<i16> = 0..=80;
/// Rays from the centre of a slice on which bone is looked for.
const N_RAYS: usize = 72;
/// Share of the rays that must meet bone for a slice to show a skull.
const RING: f64 = 0.85;
/// Share of brain-like pixels inside the bone for a slice to show a brain.
const BRAIN: f64 = 0.6;
/// Area in square millimetres of the smallest cross-section that counts as a slice of a head.
const SMALLEST_MM2: f64 = 4000.0;
/// Share of the slices with tissue that must show skull and brain.
const SHARE: f64 = 0.2;

/// Rows and columns that hold the head on any slice: `y` and `x` half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadBox {
    /// First row.
    pub y0: usize,
    /// Row after the last.
    pub y1: usize,
    /// First column.
    pub x0: usize,
    /// Column after the last.
    pub x1: usize,
}

/// The voxels of the head, and whether it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    voxels: Array3<bool>,
    skull_slices: usize,
    tissue_slices: usize,
}

impl Head {
    /// Looks at every slice of `volume`.
    pub fn find(volume: &Volume) -> Self {
        let (n_z, n_y, n_x) = volume.dim();
        let pixel = volume.grid().pixel();
        let mut voxels = Array3::from_elem((n_z, n_y, n_x), false);
        let highest = volume.hu().iter().copied().max().unwrap_or(BONE_HU);
        let bone_hu = highest.clamp(CLIPPED_BONE_HU, BONE_HU);
        let (mut skull_slices, mut tissue_slices) = (0, 0);
        for z in 0..n_z {
            let slice = volume.slice(z);
            let body = body(slice);
            let area_mm2 = body.iter().filter(|&&b| b).count() as f64 * pixel.y * pixel.x;
            if area_mm2 >= SMALLEST_MM2 {
                tissue_slices += 1;
                skull_slices += usize::from(shows_skull(slice, &body, bone_hu));
            }
            voxels.index_axis_mut(Axis(0), z).assign(&body);
        }
        Self { voxels, skull_slices, tissue_slices }
    }

    /// Whether enough slices show a ring of bone around brain-like tissue.
    pub fn is_head(&self) -> bool {
        self.skull_slices >= 3 && self.skull_slices as f64 >= SHARE * self.tissue_slices as f64
    }

    /// `(z, y, x)`: true inside the outline of the head.
    pub fn voxels(&self) -> &Array3<bool> {
        &self.voxels
    }

    /// Slices that show skull and brain.
    pub fn skull_slices(&self) -> usize {
        self.skull_slices
    }

    /// Slices that show anything but air.
    pub fn tissue_slices(&self) -> usize {
        self.tissue_slices
    }

    /// The smallest box that holds the head on slice `z`; none where there is only air.
    pub fn slice_box(&self, z: usize) -> Option<HeadBox> {
        let slice = self.voxels.index_axis(Axis(0), z);
        let mut found: Option<HeadBox> = None;
        for ((y, x), _) in slice.indexed_iter().filter(|&(_, &inside)| inside) {
            let b = found.get_or_insert(HeadBox { y0: y, y1: y + 1, x0: x, x1: x + 1 });
            b.y0 = b.y0.min(y);
            b.y1 = b.y1.max(y + 1);
            b.x0 = b.x0.min(x);
            b.x1 = b.x1.max(x + 1);
        }
        found
    }
}

/// The largest 4-connected piece of tissue in a slice, holes filled.
fn body(slice: ArrayView2<'_, i16>) -> Array2<bool> {
    let tissue = slice.map(|&hu| hu >= TISSUE_HU);
    let Some(largest) = largest_piece(&tissue) else {
        return Array2::from_elem(slice.dim(), false);
    };
    // What air cannot reach from the border is inside.
    let (n_y, n_x) = slice.dim();
    let mut outside = Array2::from_elem((n_y, n_x), false);
    let border = (0..n_x)
        .flat_map(|x| [(0, x), (n_y - 1, x)])
        .chain((0..n_y).flat_map(|y| [(y, 0), (y, n_x - 1)]));
    for start in border {
        if !largest[start] && !outside[start] {
            flood(start, |at| !largest[at], &mut outside);
        }
    }
    outside.map(|&out| !out)
}

fn largest_piece(tissue: &Array2<bool>) -> Option<Array2<bool>> {
    let mut seen = Array2::from_elem(tissue.dim(), false);
    let mut best: Option<((usize, usize), usize)> = None;
    for (at, &here) in tissue.indexed_iter() {
        if here && !seen[at] {
            let size = flood(at, |next| tissue[next], &mut seen);
            if best.is_none_or(|(_, most)| size > most) {
                best = Some((at, size));
            }
        }
    }
    best.map(|(start, _)| {
        let mut piece = Array2::from_elem(tissue.dim(), false);
        flood(start, |next| tissue[next], &mut piece);
        piece
    })
}

/// Marks in `seen` what is 4-connected to `start` through `open` pixels; gives their number.
fn flood(
    start: (usize, usize),
    open: impl Fn((usize, usize)) -> bool,
    seen: &mut Array2<bool>,
) -> usize {
    let (n_y, n_x) = seen.dim();
    let mut waiting = vec![start];
    let mut size = 0;
    seen[start] = true;
    while let Some((y, x)) = waiting.pop() {
        size += 1;
        let up = y.checked_sub(1).map(|y| (y, x));
        let left = x.checked_sub(1).map(|x| (y, x));
        let down = (y + 1 < n_y).then_some((y + 1, x));
        let right = (x + 1 < n_x).then_some((y, x + 1));
        for next in [up, left, down, right].into_iter().flatten() {
            if open(next) && !seen[next] {
                seen[next] = true;
                waiting.push(next);
            }
        }
    }
    size
}

/// Whether most rays from the centre of `body` meet bone, with brain-like tissue before it.
fn shows_skull(slice: ArrayView2<'_, i16>, body: &Array2<bool>, bone_hu: i16) -> bool {
    let (mut y_sum, mut x_sum, mut n) = (0.0, 0.0, 0.0);
    for ((y, x), _) in body.indexed_iter().filter(|&(_, &inside)| inside) {
        y_sum += y as f64;
        x_sum += x as f64;
        n += 1.0;
    }
    let (y_mid, x_mid) = (y_sum / n, x_sum / n);
    let (mut met, mut inside, mut brain) = (0_usize, 0_usize, 0_usize);
    for ray in 0..N_RAYS {
        let angle = ray as f64 / N_RAYS as f64 * std::f64::consts::TAU;
        let pixels = || {
            (0..)
                .map(|step| {
                    let at = |mid: f64, way: f64| (mid + f64::from(step) * way).round();
                    (at(y_mid, angle.sin()), at(x_mid, angle.cos()))
                })
                .map_while(|(y, x)| {
                    let index = (y >= 0.0 && x >= 0.0).then_some((y as usize, x as usize))?;
                    body.get(index).copied().filter(|&b| b).map(|_| slice[index])
                })
        };
        // The outermost bone: midline calcium and petrous bone must not end the ray.
        if let Some(bone) =
            pixels().enumerate().filter(|&(_, hu)| hu >= bone_hu).map(|p| p.0).last()
        {
            met += 1;
            for hu in pixels().take(bone) {
                inside += 1;
                brain += usize::from(BRAIN_HU.contains(&hu));
            }
        }
    }
    met as f64 >= RING * N_RAYS as f64 && brain as f64 >= BRAIN * inside as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grid, PixelSpacing};

    /// Concentric discs of 1 mm pixels: `(radius in mm, HU)`, outermost first.
    fn discs(rings: &[(f64, i16)]) -> Volume {
        let mut hu = Array3::from_elem((8, 220, 220), -1000);
        for ((_, y, x), hu) in hu.indexed_iter_mut() {
            let r = (y as f64 - 110.0).hypot(x as f64 - 110.0);
            for &(radius, value) in rings {
                if r <= radius {
                    *hu = value;
                }
            }
        }
        let grid = Grid::axial(8, 5.0, PixelSpacing { y: 1.0, x: 1.0 }).unwrap();
        Volume::new(hu, grid).unwrap()
    }

    #[test]
    fn bone_around_brain_is_a_head() {
        let head = Head::find(&discs(&[(80.0, 20), (75.0, 1100), (68.0, 33)]));
        assert!(head.is_head());
        assert_eq!(head.slice_box(0), Some(HeadBox { y0: 30, y1: 191, x0: 30, x1: 191 }));
    }

    #[test]
    fn bone_clipped_at_100_hu_by_a_window_is_still_bone() {
        assert!(Head::find(&discs(&[(80.0, 20), (75.0, 100), (68.0, 33)])).is_head());
    }

    #[test]
    fn bone_clipped_at_80_hu_by_a_window_is_still_bone() {
        assert!(Head::find(&discs(&[(80.0, 20), (75.0, 80), (68.0, 33)])).is_head());
    }

    #[test]
    fn a_water_cylinder_is_not_a_head() {
        let mut cylinder = discs(&[(100.0, 0)]);
        assert!(!Head::find(&cylinder).is_head());
        // Nor is one with noise, whose highest values are no ring.
        let grid = cylinder.grid().clone();
        let noisy = cylinder.hu().indexed_iter().map(|((z, y, x), &hu)| {
            hu + ((z * 7919 + y * 104_729 + x * 1_299_709) % 23) as u8 as i16 - 11
        });
        let hu = Array3::from_shape_vec(cylinder.dim(), noisy.collect()).unwrap();
        cylinder = Volume::new(hu, grid).unwrap();
        assert!(!Head::find(&cylinder).is_head());
    }

    #[test]
    fn a_chest_is_not_a_head() {
        assert!(!Head::find(&discs(&[(100.0, 40), (90.0, 300), (85.0, -800)])).is_head());
    }
}
