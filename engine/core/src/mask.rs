//! The hematoma as a set of voxels on the grid of its volume.
//!
//! From probability to mask: `p >= 0.5`, then 26-connected components are dropped that are under
//! 0.2 ml, or that are bone or calcium: at least half of their voxels have 100 HU or more. Blood
//! without contrast stays below that, however much it has clotted (New and Aronow 1976, Radiology
//! 121:635: its density follows haematocrit); the network's window ends there, so that it cannot
//! tell the two apart by density itself.

use ndarray::{Array3, ArrayView3, Axis};

use crate::{Grid, Millilitres, Volume};

/// Probability from which on a voxel is hematoma.
const AT_LEAST: f32 = 0.5;
/// Components smaller than this are dropped, in millilitres.
const CRUMB_ML: f64 = 0.2;
/// HU from which on a voxel is no blood.
const CALCIUM_HU: i16 = 100;

/// Why an array is no mask of a volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// Mask and grid disagree on the number of slices.
    #[error("a mask of {mask} slices for {grid} slice positions")]
    Slices {
        /// Slices in the mask.
        mask: usize,
        /// Slices in the grid.
        grid: usize,
    },
}

/// Voxels of the hematoma, `(z, y, x)`; standard layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    voxels: Array3<bool>,
    volume: Millilitres,
}

impl Mask {
    /// A mask as it stands, measured on `grid`.
    pub fn new(voxels: Array3<bool>, grid: &Grid) -> Result<Self, MaskError> {
        if voxels.dim().0 != grid.n_slices() {
            return Err(MaskError::Slices { mask: voxels.dim().0, grid: grid.n_slices() });
        }
        let voxels = if voxels.is_standard_layout() {
            voxels
        } else {
            voxels.as_standard_layout().into_owned()
        };
        let volume = measured(voxels.view(), grid);
        Ok(Self { voxels, volume })
    }

    /// The mask on `volume` that probabilities in `0.0..=1.0` stand for; crumbs, bone and calcium
    /// dropped.
    pub fn from_probability(
        p: ArrayView3<'_, f32>,
        volume: &Volume,
    ) -> Result<Self, MaskError> {
        let mut voxels = p.map(|&p| p >= AT_LEAST);
        if voxels.dim() == volume.dim() {
            drop_what_is_no_blood(&mut voxels, volume);
        }
        Self::new(voxels, volume.grid())
    }

    /// The voxels, `(z, y, x)`.
    pub fn voxels(&self) -> &Array3<bool> {
        &self.voxels
    }

    /// Planimetric volume: in-plane area times the step along the normal, summed over slices.
    pub fn volume(&self) -> Millilitres {
        self.volume
    }

    /// Number of hematoma voxels.
    pub fn count(&self) -> usize {
        self.voxels.iter().filter(|&&v| v).count()
    }

    /// Whether no voxel is hematoma.
    pub fn is_empty(&self) -> bool {
        !self.voxels.iter().any(|&v| v)
    }

    /// The slice that shows most of the hematoma; none when the mask is empty.
    pub fn largest_slice(&self) -> Option<usize> {
        let area = |z: usize| self.voxels.index_axis(Axis(0), z).iter().filter(|&&v| v).count();
        (0..self.voxels.dim().0)
            .map(|z| (area(z), std::cmp::Reverse(z)))
            .max()
            .filter(|&(area, _)| area > 0)
            .map(|(_, z)| z.0)
    }
}

fn measured(voxels: ArrayView3<'_, bool>, grid: &Grid) -> Millilitres {
    let cubic_mm: f64 = voxels
        .axis_iter(Axis(0))
        .enumerate()
        .map(|(z, slice)| slice.iter().filter(|&&v| v).count() as f64 * grid.voxel_mm3(z))
        .sum();
    // A finite sum of positive terms: the fallback cannot be reached from a valid grid.
    Millilitres::new(cubic_mm / 1000.0).unwrap_or(Millilitres::ZERO)
}

/// Clears every 26-connected component of less than [`CRUMB_ML`], and every one half of whose voxels
/// have [`CALCIUM_HU`] or more.
fn drop_what_is_no_blood(voxels: &mut Array3<bool>, volume: &Volume) {
    let (grid, hu) = (volume.grid(), volume.hu());
    let (n_z, n_y, n_x) = voxels.dim();
    let mut seen = Array3::from_elem((n_z, n_y, n_x), false);
    let mut component: Vec<[usize; 3]> = Vec::new();
    for z in 0..n_z {
        for y in 0..n_y {
            for x in 0..n_x {
                if !voxels[[z, y, x]] || seen[[z, y, x]] {
                    continue;
                }
                grow([z, y, x], voxels, &mut seen, &mut component);
                let ml: f64 =
                    component.iter().map(|v| grid.voxel_mm3(v[0])).sum::<f64>() / 1000.0;
                let dense = component.iter().filter(|&&v| hu[v] >= CALCIUM_HU).count();
                if ml < CRUMB_ML || 2 * dense >= component.len() {
                    for &voxel in &component {
                        voxels[voxel] = false;
                    }
                }
            }
        }
    }
}

/// Fills `component` with the voxels connected to `start`, marking them in `seen`.
fn grow(
    start: [usize; 3],
    voxels: &Array3<bool>,
    seen: &mut Array3<bool>,
    component: &mut Vec<[usize; 3]>,
) {
    let (n_z, n_y, n_x) = voxels.dim();
    let around = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
    component.clear();
    component.push(start);
    seen[start] = true;
    let mut next = 0;
    while next < component.len() {
        let [z, y, x] = component[next];
        next += 1;
        for z in around(z, n_z) {
            for y in around(y, n_y) {
                for x in around(x, n_x) {
                    if voxels[[z, y, x]] && !seen[[z, y, x]] {
                        seen[[z, y, x]] = true;
                        component.push([z, y, x]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PixelSpacing;
    use ndarray::s;

    /// 1 mm pixels and 5 mm steps: 40 voxels are 0.2 ml.
    fn grid(n_slices: usize) -> Grid {
        Grid::axial(n_slices, 5.0, PixelSpacing { y: 1.0, x: 1.0 }).unwrap()
    }

    /// Slices of 30 x 30 pixels with the density of blood.
    fn blood(n_slices: usize) -> Volume {
        Volume::new(Array3::from_elem((n_slices, 30, 30), 65), grid(n_slices)).unwrap()
    }

    #[test]
    fn bone_and_calcium_are_dropped_and_the_bleed_beside_them_stays() {
        let mut p = Array3::<f32>::zeros((3, 30, 30));
        p.slice_mut(s![0, 0..10, 0..10]).fill(0.9);
        p.slice_mut(s![2, 0..10, 0..10]).fill(0.9);
        let with_dense = |rows: usize| {
            let mut hu = blood(3).hu().to_owned();
            hu.slice_mut(s![0, 0..rows, ..]).fill(CALCIUM_HU);
            let volume = Volume::new(hu, grid(3)).unwrap();
            Mask::from_probability(p.view(), &volume).unwrap().count()
        };
        assert_eq!(with_dense(4), 200, "a calcification in a bleed takes nothing from it");
        assert_eq!(with_dense(5), 100);
    }

    #[test]
    fn a_component_under_0_2_ml_is_dropped_and_one_of_0_2_ml_is_kept() {
        let mut p = Array3::<f32>::zeros((3, 30, 30));
        p.slice_mut(s![0, 0..3, 0..13]).fill(0.9);
        p.slice_mut(s![2, 10..14, 10..20]).fill(0.5);
        let mask = Mask::from_probability(p.view(), &blood(3)).unwrap();
        assert_eq!(mask.count(), 40);
        assert!((mask.volume().ml() - 0.2).abs() < 1e-12);
        assert_eq!(mask.largest_slice(), Some(2));
    }

    #[test]
    fn voxels_that_touch_at_a_corner_are_one_component() {
        let mut p = Array3::<f32>::zeros((2, 30, 30));
        p.slice_mut(s![0, 0..5, 0..5]).fill(1.0);
        p.slice_mut(s![1, 5..10, 5..8]).fill(1.0);
        let mask = Mask::from_probability(p.view(), &blood(2)).unwrap();
        assert_eq!(mask.count(), 40);
    }

    #[test]
    fn an_empty_mask_has_no_largest_slice() {
        let mask = Mask::new(Array3::from_elem((2, 4, 4), false), &grid(2)).unwrap();
        assert!(mask.is_empty());
        assert_eq!(mask.largest_slice(), None);
    }
}
