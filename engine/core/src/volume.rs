//! A stack of slices in Hounsfield units on a [`Grid`].

use ndarray::{Array3, ArrayView2, Axis};

use crate::Grid;

/// Why voxels and geometry do not make a volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The array and the grid disagree on the number of slices.
    #[error("{array} slices of voxels for {grid} slice positions")]
    Slices {
        /// Slices in the array.
        array: usize,
        /// Slices in the grid.
        grid: usize,
    },
    /// A volume has at least one voxel.
    #[error("a volume of {z} x {y} x {x} voxels is empty")]
    Empty {
        /// Slices.
        z: usize,
        /// Rows.
        y: usize,
        /// Columns.
        x: usize,
    },
}

/// Hounsfield units, `(z, y, x)`, on their grid; standard layout, never empty.
///
/// Values lie in what CT scanners store, -1024 to 3071 HU as a rule; padding is -1024.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    hu: Array3<i16>,
    grid: Grid,
}

impl Volume {
    /// Fails when `hu` is empty or does not have one slice for each position of `grid`.
    pub fn new(hu: Array3<i16>, grid: Grid) -> Result<Self, VolumeError> {
        let (z, y, x) = hu.dim();
        if z * y * x == 0 {
            return Err(VolumeError::Empty { z, y, x });
        }
        if z != grid.n_slices() {
            return Err(VolumeError::Slices { array: z, grid: grid.n_slices() });
        }
        let hu =
            if hu.is_standard_layout() { hu } else { hu.as_standard_layout().into_owned() };
        Ok(Self { hu, grid })
    }

    /// The voxels, `(z, y, x)`.
    pub fn hu(&self) -> &Array3<i16> {
        &self.hu
    }

    /// One slice, `(y, x)`.
    pub fn slice(&self, z: usize) -> ArrayView2<'_, i16> {
        self.hu.index_axis(Axis(0), z)
    }

    /// Where the voxels lie.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Number of voxels along `(z, y, x)`.
    pub fn dim(&self) -> (usize, usize, usize) {
        self.hu.dim()
    }
}
