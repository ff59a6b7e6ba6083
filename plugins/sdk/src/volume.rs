//! A head CT with its hematoma, as a plugin sees it.

/// Voxels and geometry; all arrays are in `(z, y, x)` order, `x` fastest, patient frame LPS.
#[derive(Debug, Clone, Copy)]
pub struct VolumeView<'a> {
    /// Hounsfield units.
    pub hu: &'a [i16],
    /// 1 in the hematoma, else 0.
    pub mask: &'a [u8],
    /// Number of slices, rows and columns.
    pub shape: [usize; 3],
    /// Distance between voxel centres; the first is the median step along the normal.
    pub spacing_mm: [f64; 3],
    /// Unit vectors of the slices' normal, of rising `y` and of rising `x`.
    pub direction: [[f64; 3]; 3],
    /// Centre of the first voxel of each slice, `x, y, z` of the patient. Under gantry tilt they
    /// do not lie above each other.
    pub slice_origins_mm: &'a [[f64; 3]],
    /// Position of each slice along the normal, rising; steps may be uneven.
    pub slice_pos_mm: &'a [f64],
}
