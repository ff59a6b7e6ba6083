//! The hematoma cut out of its scan.

use ichor_plugin::Refused;

use crate::pace::{Pace, in_parts};
use crate::scan::{Bounds, Scan};

/// A mask in its bounding box with one empty voxel on every side.
///
/// Never empty, and at least two voxels wide in two directions: pyradiomics refuses less
/// (`minimumROIDimensions` 2), and so does this.
#[derive(Debug)]
pub(crate) struct Region {
    /// The box without its empty voxels, in the scan.
    pub(crate) bounds: Bounds,
    /// Voxels of the padded box, `(z, y, x)`.
    pub(crate) shape: [usize; 3],
    /// The padded mask, `x` fastest.
    pub(crate) inside: Vec<bool>,
    /// Where the voxels inside lie in the padded box, rising.
    pub(crate) places: Vec<u32>,
    /// Where they lie in the box that is not padded.
    boxed: Vec<u32>,
    /// Distance between voxel centres, `(z, y, x)`.
    ///
    /// Along `z` it is the median step along the slice normal: the features know no uneven
    /// steps, and where a scan has them every volume and length is as wrong as in pyradiomics.
    pub(crate) spacing_mm: [f64; 3],
}

impl Region {
    /// Cuts the voxels out whose `mask` is not 0.
    pub(crate) fn cut(scan: &Scan<'_>, mask: &[u8], pace: &dyn Pace) -> Result<Self, Refused> {
        let Some((low, high)) = bounds(mask, scan.shape) else {
            return Err(Refused::input("the mask is empty: there is no hematoma to describe"));
        };
        let extent: [usize; 3] = std::array::from_fn(|axis| high[axis] - low[axis] + 1);
        if extent.iter().filter(|&&voxels| voxels > 1).count() < 2 {
            let [z, y, x] = extent;
            return Err(Refused::input(format!(
                "the mask spans {z} x {y} x {x} voxels (slices, rows, columns): \
                 features need more than one voxel in at least two directions"
            )));
        }
        let padded: f64 = extent.iter().map(|&voxels| voxels as f64 + 2.0).product();
        if padded > f64::from(u32::MAX) {
            return Err(Refused::input(format!("a box of {padded} voxels is too large")));
        }
        Self::fill(scan, mask, Bounds { low, extent }, pace)
    }

    fn fill(
        scan: &Scan<'_>,
        mask: &[u8],
        bounds: Bounds,
        pace: &dyn Pace,
    ) -> Result<Self, Refused> {
        let Bounds { low, extent } = bounds;
        let shape = extent.map(|voxels| voxels + 2);
        let mut inside = vec![false; shape.iter().product()];
        let (mut places, mut boxed) = (Vec::new(), Vec::new());
        for z in 0..extent[0] {
            pace.check()?;
            for y in 0..extent[1] {
                let from = ((z + low[0]) * scan.shape[1] + y + low[1]) * scan.shape[2] + low[2];
                let to = ((z + 1) * shape[1] + y + 1) * shape[2] + 1;
                let row = &mask[from..from + extent[2]];
                for (x, _) in row.iter().enumerate().filter(|(_, voxel)| **voxel != 0) {
                    inside[to + x] = true;
                    places.push((to + x) as u32);
                    boxed.push(((z * extent[1] + y) * extent[2] + x) as u32);
                }
            }
        }
        Ok(Self { bounds, shape, inside, places, boxed, spacing_mm: scan.spacing_mm })
    }

    /// The values of the voxels inside, out of an array over the box that is not padded.
    pub(crate) fn gather<T: Copy + Into<f64>>(&self, boxed: &[T]) -> Vec<f64> {
        self.boxed.iter().map(|&place| boxed[place as usize].into()).collect()
    }

    /// The grey values of the voxels inside.
    pub(crate) fn grey(&self, scan: &Scan<'_>, pace: &dyn Pace) -> Result<Vec<f64>, Refused> {
        let [z0, y0, x0] = self.bounds.low;
        let plane = self.shape[1] * self.shape[2];
        let value = |&place: &u32| {
            let place = place as usize;
            let row = place / self.shape[2];
            let (z, y) = (place / plane - 1, row % self.shape[1] - 1);
            let x = place % self.shape[2] - 1;
            let at = ((z + z0) * scan.shape[1] + y + y0) * scan.shape[2] + x + x0;
            f64::from(scan.hu[at])
        };
        let mut grey = Vec::with_capacity(self.places.len());
        in_parts(&self.places, pace, |part| grey.extend(part.iter().map(value)))?;
        Ok(grey)
    }

    /// Whether the voxel of the padded box lies in the mask.
    pub(crate) fn contains(&self, z: usize, y: usize, x: usize) -> bool {
        self.inside[(z * self.shape[1] + y) * self.shape[2] + x]
    }

    /// Number of voxels in the mask.
    pub(crate) fn n_voxels(&self) -> usize {
        self.places.len()
    }

    /// Volume of one voxel in cubic millimetres.
    pub(crate) fn voxel_mm3(&self) -> f64 {
        self.spacing_mm[0] * self.spacing_mm[1] * self.spacing_mm[2]
    }
}

/// The lowest and the highest index of the mask along `(z, y, x)`.
pub(crate) fn bounds(mask: &[u8], [_, ny, nx]: [usize; 3]) -> Option<([usize; 3], [usize; 3])> {
    let mut found: Option<([usize; 3], [usize; 3])> = None;
    for (row_idx, row) in mask.chunks_exact(nx.max(1)).enumerate() {
        let Some(first) = row.iter().position(|&voxel| voxel != 0) else { continue };
        let last = row.iter().rposition(|&voxel| voxel != 0).unwrap_or(first);
        let (z, y) = (row_idx / ny, row_idx % ny);
        let (low, high) = found.unwrap_or(([z, y, first], [z, y, last]));
        found = Some((
            [low[0], low[1].min(y), low[2].min(first)],
            [z, high[1].max(y), high[2].max(last)],
        ));
    }
    found
}
