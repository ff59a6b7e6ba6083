//! Zones: connected voxels of one level (26 neighbours), for the GLSZM.
//!
//! Runs along `x` are joined with the runs of the four rows before that touch them, in the way of
//! Hoshen & Kopelman (1976), so the work grows with the number of runs and not of voxels.

use ichor_plugin::Refused;

use crate::grid::Grid;
use crate::pace::Pace;
use crate::sizes::Sizes;

/// Voxels `from..to` of a row, all of one rank.
struct Run {
    from: usize,
    to: usize,
    rank: u16,
}

/// Zones by level and number of voxels.
pub(crate) fn zones(grid: &Grid<'_>, pace: &dyn Pace) -> Result<Sizes, Refused> {
    let [nz, ny, nx] = grid.shape;
    let mut runs: Vec<Run> = Vec::new();
    let mut first_of_row = vec![0; ny * nz + 1];
    let mut parents: Vec<u32> = Vec::new();
    for row in 0..nz * ny {
        if row % ny == 0 {
            pace.check()?;
        }
        first_of_row[row] = runs.len();
        let ranks = &grid.ranks[row * nx..(row + 1) * nx];
        let mut from = 0;
        for chunk in ranks.chunk_by(|a, b| a == b) {
            if chunk[0] != 0 {
                runs.push(Run { from, to: from + chunk.len(), rank: chunk[0] });
                parents.push(parents.len() as u32);
            }
            from += chunk.len();
        }
        first_of_row[row + 1] = runs.len();
        if first_of_row[row] == runs.len() {
            continue;
        }
        // The box is padded: a row that holds voxels has neighbours on all sides.
        for before in [row - 1, row - ny - 1, row - ny, row - ny + 1] {
            let old = first_of_row[before]..first_of_row[before + 1];
            join(&runs, old, first_of_row[row]..runs.len(), &mut parents);
        }
    }
    let mut sizes = vec![0_u64; runs.len()];
    for (at, run) in runs.iter().enumerate() {
        if at % (1 << 15) == 0 {
            pace.check()?;
        }
        sizes[root(&mut parents, at)] += (run.to - run.from) as u64;
    }
    let zones = sizes.iter().zip(&runs).filter(|(size, _)| **size > 0);
    let zones = zones.map(|(size, run)| (run.rank, *size)).collect();
    Ok(Sizes::listed(zones, &grid.levels.numbers))
}

fn join(
    runs: &[Run],
    old: std::ops::Range<usize>,
    new: std::ops::Range<usize>,
    parents: &mut [u32],
) {
    let mut start = old.start;
    for at in new {
        let run = &runs[at];
        while start < old.end && runs[start].to < run.from {
            start += 1;
        }
        let touching = (start..old.end).take_while(|&other| runs[other].from <= run.to);
        for other in touching.filter(|&other| runs[other].rank == run.rank) {
            let (a, b) = (root(parents, at), root(parents, other));
            parents[a.max(b)] = a.min(b) as u32;
        }
    }
}

fn root(parents: &mut [u32], mut at: usize) -> usize {
    while parents[at] as usize != at {
        parents[at] = parents[parents[at] as usize];
        at = parents[at] as usize;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{Binning, Levels};
    use crate::pace::Endless;
    use crate::testing::Noise;

    /// Grows every zone voxel by voxel.
    fn by_growing(grid: &Grid<'_>) -> Vec<(u16, u64)> {
        let mut ranks = grid.ranks.clone();
        let offsets = grid.offsets();
        let mut zones = Vec::new();
        for at in 0..ranks.len() {
            let rank = std::mem::take(&mut ranks[at]);
            if rank == 0 {
                continue;
            }
            let (mut size, mut open) = (0, vec![at]);
            while let Some(place) = open.pop() {
                size += 1;
                for offset in offsets {
                    for next in [place + offset, place - offset] {
                        if ranks[next] == rank {
                            ranks[next] = 0;
                            open.push(next);
                        }
                    }
                }
            }
            zones.push((rank, size));
        }
        zones
    }

    #[test]
    fn joining_runs_finds_the_zones_that_growing_finds() {
        let mut noise = Noise::new(31);
        for _ in 0..500 {
            let Some(region) = noise.region(8) else { continue };
            let values: Vec<f64> =
                region.places.iter().map(|_| noise.below(3) as f64).collect();
            let levels = Levels::sort(&values, Binning::Width(1.0), false, &Endless).unwrap();
            let grid = Grid::new(&region, &levels);
            let expected = Sizes::listed(by_growing(&grid), &levels.numbers);
            assert_eq!(zones(&grid, &Endless).unwrap(), expected);
        }
    }
}
