//! Where the voxels lie: the geometry of a stack of slices.
//!
//! DICOM PS3.3 C.7.6.2 (Image Plane). Slices are ordered by rising position along the slice
//! normal; rows and columns are as stored. Under gantry tilt the first voxels of the slices do
//! not lie above each other, so every slice keeps its own origin, and volumes are planimetric:
//! in-plane area times the step along the normal, which holds for tilt and uneven steps.

/// Distance between pixel centres in millimetres, in array order.
///
/// DICOM's `PixelSpacing` gives rows before columns, so it maps to `(y, x)` as it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelSpacing {
    /// Between rows.
    pub y: f64,
    /// Between columns.
    pub x: f64,
}

/// Why slices do not make a grid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// There is nothing to stack.
    #[error("a stack without slices has no geometry")]
    Empty,
    /// The spacing of the pixels must be finite and positive.
    #[error("pixel spacing {y} x {x} mm: both must be finite and positive")]
    Spacing {
        /// Between rows.
        y: f64,
        /// Between columns.
        x: f64,
    },
    /// Row and column directions must be unit vectors at right angles.
    #[error("row and column directions are not unit vectors at right angles")]
    Direction,
    /// Positions along the normal must rise.
    #[error("slice {below} lies at {below_mm:.2} mm, the next at {above_mm:.2} mm: not rising")]
    Order {
        /// Index of the lower slice.
        below: usize,
        /// Its position along the normal.
        below_mm: f64,
        /// The position of the slice after it.
        above_mm: f64,
    },
    /// The slice thickness must be finite and positive.
    #[error("slice thickness {0} mm: it must be finite and positive")]
    Thickness(f64),
}

/// Geometry of a stack of `(z, y, x)` voxels in the patient frame (LPS, millimetres).
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pixel: PixelSpacing,
    row: [f64; 3],
    column: [f64; 3],
    origins: Vec<[f64; 3]>,
    positions_mm: Vec<f64>,
    thickness_mm: f64,
}

impl Grid {
    /// `row` and `column` are the unit vectors of rising `x` and rising `y` (the two halves of
    /// `ImageOrientationPatient`), `origins` the centres of the first voxel of every slice, in
    /// rising order along `row x column`; `thickness_mm` is the nominal thickness, used only
    /// where a single slice has no neighbour.
    pub fn new(
        pixel: PixelSpacing,
        row: [f64; 3],
        column: [f64; 3],
        origins: Vec<[f64; 3]>,
        thickness_mm: f64,
    ) -> Result<Self, GridError> {
        let positive = |v: f64| v.is_finite() && v > 0.0;
        if !positive(pixel.y) || !positive(pixel.x) {
            return Err(GridError::Spacing { y: pixel.y, x: pixel.x });
        }
        let unit = |v: [f64; 3]| (dot(v, v) - 1.0).abs() < 1e-2;
        if !unit(row) || !unit(column) || dot(row, column).abs() > 1e-2 {
            return Err(GridError::Direction);
        }
        if origins.is_empty() {
            return Err(GridError::Empty);
        }
        if !positive(thickness_mm) {
            return Err(GridError::Thickness(thickness_mm));
        }
        let normal = cross(row, column);
        let positions_mm: Vec<f64> = origins.iter().map(|&o| dot(o, normal)).collect();
        for (below, pair) in positions_mm.windows(2).enumerate() {
            let rising = pair[1] - pair[0] > 1e-6;
            if !rising {
                return Err(GridError::Order { below, below_mm: pair[0], above_mm: pair[1] });
            }
        }
        Ok(Self { pixel, row, column, origins, positions_mm, thickness_mm })
    }

    /// A plain grid: axial, no tilt, even steps, first voxel at the frame's origin. For phantoms
    /// and files that carry no positions.
    pub fn axial(
        n_slices: usize,
        step_mm: f64,
        pixel: PixelSpacing,
    ) -> Result<Self, GridError> {
        let origins = (0..n_slices).map(|z| [0.0, 0.0, z as f64 * step_mm]).collect();
        Self::new(pixel, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, step_mm)
    }

    /// Number of slices.
    pub fn n_slices(&self) -> usize {
        self.origins.len()
    }

    /// Spacing of the pixels in a slice.
    pub fn pixel(&self) -> PixelSpacing {
        self.pixel
    }

    /// Unit vector of rising `x`.
    pub fn row(&self) -> [f64; 3] {
        self.row
    }

    /// Unit vector of rising `y`.
    pub fn column(&self) -> [f64; 3] {
        self.column
    }

    /// Unit vector along which the slices rise: `row x column`.
    pub fn normal(&self) -> [f64; 3] {
        cross(self.row, self.column)
    }

    /// Centre of the first voxel of each slice.
    pub fn origins(&self) -> &[[f64; 3]] {
        &self.origins
    }

    /// Positions of the slices along the normal, rising.
    pub fn positions_mm(&self) -> &[f64] {
        &self.positions_mm
    }

    /// Nominal slice thickness in millimetres.
    pub fn thickness_mm(&self) -> f64 {
        self.thickness_mm
    }

    /// The thickness that slice `z` stands for, by the midpoint rule: half-way to both
    /// neighbours; a slice at an end reaches as far outwards as inwards.
    pub fn slab_mm(&self, z: usize) -> f64 {
        let n = self.positions_mm.len();
        let gap = |below: usize| self.positions_mm[below + 1] - self.positions_mm[below];
        match (z.checked_sub(1), z + 1 < n) {
            (Some(below), true) => f64::midpoint(gap(below), gap(z)),
            (Some(below), false) => gap(below),
            (None, true) => gap(z),
            (None, false) => self.thickness_mm,
        }
    }

    /// Median step between slices in millimetres; the thickness of a single slice.
    pub fn step_mm(&self) -> f64 {
        let mut steps: Vec<f64> = self.positions_mm.windows(2).map(|p| p[1] - p[0]).collect();
        steps.sort_by(f64::total_cmp);
        match steps.len() {
            0 => self.thickness_mm,
            n if n % 2 == 1 => steps[n / 2],
            n => f64::midpoint(steps[n / 2 - 1], steps[n / 2]),
        }
    }

    /// Volume in cubic millimetres that one voxel of slice `z` stands for.
    pub fn voxel_mm3(&self, z: usize) -> f64 {
        self.pixel.y * self.pixel.x * self.slab_mm(z)
    }

    /// Angle in degrees between the slice normal and the line through the slice origins: the
    /// gantry tilt, found from the positions and not from a tag. 0 for a single slice.
    pub fn tilt_degrees(&self) -> f64 {
        let (Some(first), Some(last)) = (self.origins.first(), self.origins.last()) else {
            return 0.0;
        };
        let way: [f64; 3] = std::array::from_fn(|axis| last[axis] - first[axis]);
        let length = dot(way, way).sqrt();
        if length < 1e-6 {
            return 0.0;
        }
        (dot(way, self.normal()) / length).clamp(-1.0, 1.0).acos().to_degrees()
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL: PixelSpacing = PixelSpacing { y: 0.5, x: 0.4 };

    fn at(positions: &[f64]) -> Grid {
        let origins = positions.iter().map(|&z| [0.0, 0.0, z]).collect();
        Grid::new(PIXEL, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, 5.0).unwrap()
    }

    #[test]
    fn uneven_steps_are_weighed_by_the_midpoint_rule() {
        let grid = at(&[0.0, 4.0, 8.0, 15.0, 22.0]);
        let slabs: Vec<f64> = (0..5).map(|z| grid.slab_mm(z)).collect();
        assert_eq!(slabs, [4.0, 4.0, 5.5, 7.0, 7.0]);
        assert!((grid.step_mm() - 5.5).abs() < 1e-12);
    }

    #[test]
    fn a_single_slice_is_as_thick_as_its_tag_says() {
        assert!((at(&[3.0]).voxel_mm3(0) - 0.5 * 0.4 * 5.0).abs() < 1e-12);
    }

    #[test]
    fn tilt_changes_no_volume_and_is_found_from_positions() {
        let angle = 18.5_f64.to_radians();
        let column = [0.0, angle.cos(), angle.sin()];
        let origins: Vec<[f64; 3]> =
            (0..4).map(|z| [0.0, 0.0, 5.0 * f64::from(z) / angle.cos()]).collect();
        let grid = Grid::new(PIXEL, [1.0, 0.0, 0.0], column, origins, 5.0).unwrap();
        assert!((grid.tilt_degrees() - 18.5).abs() < 1e-9);
        assert!((grid.slab_mm(1) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn positions_that_do_not_rise_are_refused() {
        let origins = vec![[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
        let refused = Grid::new(PIXEL, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, 5.0);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "slice 0 lies at 0.00 mm, the next at 0.00 mm: not rising"
        );
    }
}
