//! How far two masks agree.

use ndarray::{ArrayView, Dimension, Zip};

/// Voxels of two masks on the same grid, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    both: u64,
    either: u64,
}

impl Overlap {
    /// Counts the voxels of two masks; none where their shapes differ.
    pub fn count<D: Dimension>(
        a: ArrayView<'_, bool, D>,
        b: ArrayView<'_, bool, D>,
    ) -> Option<Self> {
        if a.shape() != b.shape() {
            return None;
        }
        let (mut both, mut either) = (0, 0);
        Zip::from(a).and(b).for_each(|&a, &b| {
            both += u64::from(a && b);
            either += u64::from(a || b);
        });
        Some(Self { both, either })
    }

    /// Intersection over union, 0 to 1; none where both masks are empty, 0 where one is.
    pub fn iou(self) -> Option<f64> {
        (self.either > 0).then(|| self.both as f64 / self.either as f64)
    }

    /// Dice coefficient, 0 to 1; none where both masks are empty, 0 where one is.
    pub fn dice(self) -> Option<f64> {
        let sum = self.either + self.both;
        (sum > 0).then(|| 2.0 * self.both as f64 / sum as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, Axis};

    fn mask(voxels: &[[usize; 3]]) -> Array3<bool> {
        let mut mask = Array3::from_elem((4, 6, 6), false);
        for &voxel in voxels {
            mask[voxel] = true;
        }
        mask
    }

    fn block(z: usize, y: [usize; 3], x: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
        y.into_iter().flat_map(move |y| x.map(|x| [z, y, x]))
    }

    #[test]
    fn overlap_is_that_of_the_reference_by_patient_and_by_slice() {
        let a: Vec<_> =
            block(1, [1, 2, 3], [1, 2, 3]).chain(block(2, [2, 3, 4], [1, 2, 3])).collect();
        let b: Vec<_> = block(1, [2, 3, 4], [1, 2, 3])
            .chain(block(2, [2, 3, 4], [2, 3, 4]))
            .chain([[3, 0, 0]])
            .collect();
        let (a, b) = (mask(&a), mask(&b));
        let patient = Overlap::count(a.view(), b.view()).unwrap();
        assert!((patient.iou().unwrap() - 0.48).abs() < 1e-12);
        assert!((patient.dice().unwrap() - 0.648_648_648_649).abs() < 1e-11);
        let slices: Vec<Option<f64>> = a
            .axis_iter(Axis(0))
            .zip(b.axis_iter(Axis(0)))
            .map(|(a, b)| Overlap::count(a, b).unwrap().iou())
            .collect();
        assert_eq!(slices, [None, Some(0.5), Some(0.5), Some(0.0)]);
    }

    #[test]
    fn masks_of_other_shapes_are_not_compared() {
        let (a, b) = (Array2::from_elem((2, 3), true), Array2::from_elem((3, 2), true));
        assert_eq!(Overlap::count(a.view(), b.view()), None);
    }
}
