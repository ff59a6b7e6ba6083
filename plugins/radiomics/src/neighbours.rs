//! One pass over the neighbours of every voxel, for four matrices at once.
//!
//! Pairs of levels (GLCM), runs (GLRLM), equal neighbours (GLDM) and distances from the mean of the
//! neighbours (NGTDM) all look at the same 26 voxels.
#![expect(clippy::cast_possible_wrap, reason = "no axis has 2^63 voxels")]

use ichor_plugin::Refused;

use crate::grid::{ANGLES, Grid};
use crate::pace::Pace;
use crate::region::Region;
use crate::sizes::Sizes;

/// How often two ranks, the first not above the second, are neighbours; both orders count.
pub(crate) type Pair = (u16, u16, u64);

/// Levels up to which the pairs of all angles are counted in square matrices.
const DENSE: usize = 256;

/// Voxels between two checks: about a millisecond.
const PART: usize = 1 << 13;

/// What the neighbours of all voxels add up to.
#[derive(Debug, PartialEq)]
pub(crate) struct Neighbours {
    /// For each of [`ANGLES`].
    pub(crate) pairs: Vec<Vec<Pair>>,
    /// For each angle along which some line holds two voxels.
    pub(crate) runs: Vec<Sizes>,
    /// Voxels by level and by the number of equal neighbours, counting themselves.
    pub(crate) dependences: Sizes,
    /// Sum over the voxels of a rank of the distance between their level and the mean of their
    /// neighbours; 0 for a voxel without any.
    pub(crate) distances: Vec<f64>,
}

/// Counters of the pass.
struct Tally {
    side: usize,
    longest: usize,
    /// `[angle][rank][rank]`, forwards only; empty when there are too many levels.
    pairs: Vec<u32>,
    /// `[angle][rank][length]`.
    runs: Vec<u32>,
    /// `[rank][equal neighbours and itself]`.
    dependences: Vec<u32>,
    distances: Vec<f64>,
}

impl Neighbours {
    /// Looks at every voxel of `grid`.
    pub(crate) fn count(grid: &Grid<'_>, pace: &dyn Pace) -> Result<Self, Refused> {
        let side = grid.side();
        let longest = grid.shape.into_iter().max().unwrap_or(0);
        let dense = if side <= DENSE { ANGLES.len() * side * side } else { 0 };
        let mut tally = Tally {
            side,
            longest,
            pairs: vec![0; dense],
            runs: vec![0; ANGLES.len() * side * longest],
            dependences: vec![0; side * 28],
            distances: vec![0.0; side],
        };
        look_around(grid, &mut tally, pace)?;
        let pairs: Vec<Vec<Pair>> = if tally.pairs.is_empty() {
            let by_rank = |offset| pairs_by_rank(grid, offset, pace);
            grid.offsets().into_iter().map(by_rank).collect::<Result<_, _>>()?
        } else {
            tally.pairs.chunks_exact(side * side).map(|matrix| upper(matrix, side)).collect()
        };
        let runs = (0..ANGLES.len()).filter(|&angle| lined_up(&pairs, angle, grid.region));
        let runs = runs.map(|angle| {
            let counts = &tally.runs[angle * side * longest..][..side * longest];
            Sizes::dense(counts, longest, &grid.levels.numbers)
        });
        Ok(Self {
            runs: runs.collect(),
            dependences: Sizes::dense(&tally.dependences, 28, &grid.levels.numbers),
            distances: tally.distances,
            pairs,
        })
    }
}

fn look_around(grid: &Grid<'_>, tally: &mut Tally, pace: &dyn Pace) -> Result<(), Refused> {
    let offsets = grid.offsets();
    let plane = grid.plane();
    let (side, longest) = (tally.side, tally.longest);
    // Lengths so far of the runs through each voxel of this slice and of the one before, which
    // take turns in the two halves.
    let mut lengths = vec![[0_u32; 13]; 2 * plane];
    let slices = grid.region.places.chunk_by(|a, b| *a as usize / plane == *b as usize / plane);
    for slice in slices {
        pace.check()?;
        let Some(&first) = slice.first() else { continue };
        let z = first as usize / plane;
        let half = (z & 1) * plane;
        // Within a slice the step back to one before may go forwards: below 0, wrapped.
        let back: [usize; 13] = std::array::from_fn(|angle| {
            let [dz, ..] = ANGLES[angle];
            if dz == 0 { offsets[angle] } else { offsets[angle].wrapping_sub(plane) }
        });
        for (nth, &place) in slice.iter().enumerate() {
            if nth % PART == PART - 1 {
                pace.check()?;
            }
            let place = place as usize;
            let here = place - z * plane;
            let rank = grid.ranks[place];
            let row = usize::from(rank);
            let (mut n, mut sum, mut equal) = (0_u32, 0_u32, 1_usize);
            for angle in 0..13 {
                let after = grid.ranks[place + offsets[angle]];
                let before = grid.ranks[place - offsets[angle]];
                n += u32::from(after != 0) + u32::from(before != 0);
                sum += grid.levels.numbers[usize::from(after)]
                    + grid.levels.numbers[usize::from(before)];
                equal += usize::from(after == rank) + usize::from(before == rank);
                if !tally.pairs.is_empty() {
                    tally.pairs[(angle * side + row) * side + usize::from(after)] += 1;
                }
                let mut length = 1;
                if before == rank {
                    let [dz, ..] = ANGLES[angle];
                    let from = if dz == 0 { half } else { plane - half };
                    length += lengths[(from + here).wrapping_sub(back[angle])][angle];
                }
                lengths[half + here][angle] = length;
                if after != rank {
                    tally.runs[(angle * side + row) * longest + length as usize] += 1;
                }
            }
            tally.dependences[row * 28 + equal] += 1;
            if n > 0 {
                let mean = f64::from(sum) / f64::from(n);
                tally.distances[row] += (f64::from(grid.levels.numbers[row]) - mean).abs();
            }
        }
    }
    Ok(())
}

/// The pairs of a matrix of forward neighbours.
fn upper(matrix: &[u32], side: usize) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for i in 1..side {
        for j in i..side {
            let count = u64::from(matrix[i * side + j]) + u64::from(matrix[j * side + i]);
            if count > 0 {
                pairs.push((i as u16, j as u16, count));
            }
        }
    }
    pairs
}

/// The pairs along one angle, one rank after the other.
fn pairs_by_rank(
    grid: &Grid<'_>,
    offset: usize,
    pace: &dyn Pace,
) -> Result<Vec<Pair>, Refused> {
    let side = grid.side();
    let mut first = vec![0_usize; side + 1];
    for (rank, count) in grid.levels.counts.iter().enumerate() {
        first[rank + 1] = first[rank] + *count as usize;
    }
    let mut next = first.clone();
    let mut sorted = vec![0_u32; grid.region.places.len()];
    for (&place, &rank) in grid.region.places.iter().zip(&grid.levels.ranks) {
        let slot = &mut next[usize::from(rank)];
        sorted[*slot] = place;
        *slot += 1;
    }
    let mut pairs = Vec::new();
    let mut row = vec![0_u64; side];
    for rank in 1..side {
        if rank % 64 == 1 {
            pace.check()?;
        }
        for &place in &sorted[first[rank]..first[rank + 1]] {
            row[usize::from(grid.ranks[place as usize + offset])] += 1;
            row[usize::from(grid.ranks[place as usize - offset])] += 1;
        }
        let found = row.iter().enumerate().skip(rank).filter(|(_, count)| **count > 0);
        pairs.extend(found.map(|(other, count)| (rank as u16, other as u16, *count)));
        row.fill(0);
    }
    Ok(pairs)
}

/// Whether two voxels of the mask lie on one line along `angle`, touching or not.
fn lined_up(pairs: &[Vec<Pair>], angle: usize, region: &Region) -> bool {
    if !pairs[angle].is_empty() {
        return true;
    }
    let plane = region.shape[1] * region.shape[2];
    let step = ANGLES[angle];
    let axis = step.iter().position(|&part| part != 0).unwrap_or(0);
    let mut lines: Vec<[i64; 3]> = region
        .places
        .iter()
        .map(|&place| {
            let place = place as usize;
            let at = [place / plane, place % plane / region.shape[2], place % region.shape[2]];
            let steps = at[axis] as i64 * step[axis];
            std::array::from_fn(|axis| at[axis] as i64 - steps * step[axis])
        })
        .collect();
    lines.sort_unstable();
    lines.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{Binning, Levels};
    use crate::pace::Endless;
    use crate::testing::Noise;

    fn levels(noise: &mut Noise, region: &Region, n: usize) -> Levels {
        let values: Vec<f64> = region.places.iter().map(|_| noise.below(n) as f64).collect();
        Levels::sort(&values, Binning::Width(1.0), false, &Endless).unwrap()
    }

    #[test]
    fn both_ways_of_counting_pairs_agree() {
        let mut noise = Noise::new(21);
        for _ in 0..300 {
            let Some(region) = noise.region(7) else { continue };
            let levels = levels(&mut noise, &region, 5);
            let grid = Grid::new(&region, &levels);
            let counted = Neighbours::count(&grid, &Endless).unwrap();
            for (angle, offset) in grid.offsets().into_iter().enumerate() {
                let by_rank = pairs_by_rank(&grid, offset, &Endless).unwrap();
                assert_eq!(counted.pairs[angle], by_rank);
            }
        }
    }

    #[test]
    fn runs_cover_every_voxel_once() {
        let mut noise = Noise::new(22);
        for _ in 0..300 {
            let Some(region) = noise.region(7) else { continue };
            let levels = levels(&mut noise, &region, 3);
            let grid = Grid::new(&region, &levels);
            let counted = Neighbours::count(&grid, &Endless).unwrap();
            for runs in counted.runs {
                assert!((runs.voxels() - region.n_voxels() as f64).abs() < 0.5);
            }
        }
    }

    #[test]
    fn voxels_apart_on_one_line_are_lined_up_and_others_are_not() {
        let mask = [1, 0, 1, 0, 0, 0, 0, 1, 0];
        let region = crate::testing::region(&mask, [1, 3, 3]);
        let none = vec![Vec::new(); 13];
        let angles: Vec<usize> = (0..13).filter(|&a| lined_up(&none, a, &region)).collect();
        assert_eq!(angles, [0]);
    }
}
