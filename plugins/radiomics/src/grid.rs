//! The levels of the voxels in a mask, laid out so that every voxel has its neighbours around it.
#![expect(clippy::cast_possible_wrap, reason = "no axis has 2^63 voxels")]

use crate::bins::Levels;
use crate::region::Region;

/// The 13 directions to a neighbour that lies after a voxel, `(z, y, x)`; the other 13 lie opposite.
pub(crate) const ANGLES: [[i64; 3]; 13] = [
    [0, 0, 1],
    [0, 1, -1],
    [0, 1, 0],
    [0, 1, 1],
    [1, -1, -1],
    [1, -1, 0],
    [1, -1, 1],
    [1, 0, -1],
    [1, 0, 0],
    [1, 0, 1],
    [1, 1, -1],
    [1, 1, 0],
    [1, 1, 1],
];

/// Ranks of levels in the padded box of a region; 0 outside of the mask.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    pub(crate) shape: [usize; 3],
    pub(crate) ranks: Vec<u16>,
    pub(crate) region: &'a Region,
    pub(crate) levels: &'a Levels,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(region: &'a Region, levels: &'a Levels) -> Self {
        let mut ranks = vec![0; region.inside.len()];
        for (&place, &rank) in region.places.iter().zip(&levels.ranks) {
            ranks[place as usize] = rank;
        }
        Self { shape: region.shape, ranks, region, levels }
    }

    /// Voxels of the padded box between two slices.
    pub(crate) fn plane(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// How far on the neighbour of each of [`ANGLES`] is stored.
    pub(crate) fn offsets(&self) -> [usize; 13] {
        let [_, ny, nx] = self.shape.map(|voxels| voxels as i64);
        // Each is above 0: the first step that is not 0 goes forwards, and rows are padded.
        ANGLES.map(|[z, y, x]| ((z * ny + y) * nx + x) as usize)
    }

    /// Side of a square matrix of ranks.
    pub(crate) fn side(&self) -> usize {
        self.levels.numbers.len()
    }
}
