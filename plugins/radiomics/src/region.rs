//! The hematoma cut out of its volume.

use ichor_plugin::{Refused, VolumeView};

/// A mask in its bounding box with one empty voxel on every side, and the grey values inside.
///
/// Never empty, and at least two voxels wide in two directions: pyradiomics refuses less
/// (`minimumROIDimensions` 2), and so does this.
#[derive(Debug)]
pub(crate) struct Region {
    /// Voxels of the padded box, `(z, y, x)`.
    pub(crate) shape: [usize; 3],
    /// The padded mask, `x` fastest.
    pub(crate) inside: Vec<bool>,
    /// Hounsfield units of the voxels inside, in raster order.
    pub(crate) hu: Vec<i16>,
    /// Distance between voxel centres, `(z, y, x)`.
    ///
    /// Along `z` it is the median step along the slice normal: the features know no uneven
    /// steps, and where a scan has them every volume and length is as wrong as in pyradiomics.
    pub(crate) spacing_mm: [f64; 3],
}

impl Region {
    /// Cuts the voxels out whose mask is not 0.
    pub(crate) fn cut(volume: &VolumeView<'_>) -> Result<Self, Refused> {
        check_shape(volume)?;
        let Some((low, high)) = bounds(volume) else {
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
        Ok(Self::fill(volume, low, extent))
    }

    fn fill(volume: &VolumeView<'_>, low: [usize; 3], extent: [usize; 3]) -> Self {
        let shape = extent.map(|voxels| voxels + 2);
        let mut inside = vec![false; shape.iter().product()];
        let mut hu = Vec::new();
        for z in 0..extent[0] {
            for y in 0..extent[1] {
                let from =
                    ((z + low[0]) * volume.shape[1] + y + low[1]) * volume.shape[2] + low[2];
                let to = ((z + 1) * shape[1] + y + 1) * shape[2] + 1;
                for x in 0..extent[2] {
                    if volume.mask[from + x] != 0 {
                        inside[to + x] = true;
                        hu.push(volume.hu[from + x]);
                    }
                }
            }
        }
        Self { shape, inside, hu, spacing_mm: volume.spacing_mm }
    }

    /// Whether the voxel of the padded box lies in the mask.
    pub(crate) fn contains(&self, z: usize, y: usize, x: usize) -> bool {
        self.inside[(z * self.shape[1] + y) * self.shape[2] + x]
    }

    /// Number of voxels in the mask.
    pub(crate) fn n_voxels(&self) -> usize {
        self.hu.len()
    }

    /// Volume of one voxel in cubic millimetres.
    pub(crate) fn voxel_mm3(&self) -> f64 {
        self.spacing_mm[0] * self.spacing_mm[1] * self.spacing_mm[2]
    }
}

fn check_shape(volume: &VolumeView<'_>) -> Result<(), Refused> {
    let [nz, ny, nx] = volume.shape;
    let voxels = nz.checked_mul(ny).and_then(|plane| plane.checked_mul(nx));
    if voxels != Some(volume.hu.len()) || voxels != Some(volume.mask.len()) {
        return Err(Refused::input(format!(
            "{nz} x {ny} x {nx} voxels were announced, {} grey values and {} mask values came",
            volume.hu.len(),
            volume.mask.len()
        )));
    }
    match volume.spacing_mm.iter().find(|&&step| !(step.is_finite() && step > 0.0)) {
        Some(step) => Err(Refused::input(format!("{step} mm is no distance between voxels"))),
        None => Ok(()),
    }
}

/// The lowest and the highest index of the mask along `(z, y, x)`.
fn bounds(volume: &VolumeView<'_>) -> Option<([usize; 3], [usize; 3])> {
    let [_, ny, nx] = volume.shape;
    let mut found: Option<([usize; 3], [usize; 3])> = None;
    for (row_idx, row) in volume.mask.chunks_exact(nx.max(1)).enumerate() {
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
