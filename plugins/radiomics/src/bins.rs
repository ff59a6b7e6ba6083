//! Grey values sorted into bins.
//!
//! Three ways, never mixed: pyradiomics' bins of a width begin at a multiple of it, IBSI's at the
//! smallest value in the mask (fixed bin size, Q3RU); a number of bins (K15C) divides the range.

use ichor_plugin::Refused;

use crate::pace::{Pace, in_parts};

/// How grey values become levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Binning {
    /// Bins of this width that begin at multiples of it, as in pyradiomics.
    Width(f64),
    /// Bins of this width that begin at the smallest value in the mask, as IBSI has them.
    WidthFromLowest(f64),
    /// This many bins of equal width over the range of the values.
    Count(usize),
}

/// Levels may be numbered this far.
const MOST_BINS: f64 = 65_535.0;
/// So many different levels may occur; matrices grow with the square of it.
const MOST_LEVELS: usize = 2048;

/// Grey values as levels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// Number of the level of each rank, rising, from 1 on; at 0 a level 0 that no voxel has.
    pub(crate) numbers: Vec<u32>,
    /// The rank of each voxel among the levels that occur, from 1 on.
    pub(crate) ranks: Vec<u16>,
    /// Voxels of each rank, as [`Levels::numbers`].
    pub(crate) counts: Vec<u64>,
}

impl Levels {
    /// Sorts `values`; `single` says that they are single precision.
    pub(crate) fn sort(
        values: &[f64],
        binning: Binning,
        single: bool,
        pace: &dyn Pace,
    ) -> Result<Self, Refused> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        in_parts(values, pace, |part| {
            low = part.iter().copied().fold(low, f64::min);
            high = part.iter().copied().fold(high, f64::max);
        })?;
        let mut numbered = Vec::with_capacity(values.len());
        let mut number = |of: &dyn Fn(&f64) -> u16| {
            in_parts(values, pace, |part| numbered.extend(part.iter().map(of)))
        };
        match binning {
            Binning::Width(width) => {
                let first = low - modulo(low, width);
                let step = (first + width) - first;
                check_range((high - first) / width)?;
                let edge = |bin: f64| first + bin * step;
                number(&|value| half_open(*value, first, step, edge))?;
            }
            Binning::WidthFromLowest(width) => {
                check_range((high - low) / width)?;
                number(&|value| ((value - low) / width).floor() as u16 + 1)?;
            }
            Binning::Count(count) => {
                let edges = edges(low, high, count, single);
                number(&|value| edges.partition_point(|edge| edge <= value) as u16)?;
            }
        }
        Self::rank(&numbered, pace)
    }

    fn rank(numbered: &[u16], pace: &dyn Pace) -> Result<Self, Refused> {
        let mut voxels = vec![0_u64; 1 << 16];
        in_parts(numbered, pace, |part| {
            for &number in part {
                voxels[usize::from(number)] += 1;
            }
        })?;
        let mut rank_of = vec![0_u16; voxels.len()];
        let (mut numbers, mut counts) = (vec![0], vec![0]);
        for (number, &count) in voxels.iter().enumerate() {
            if count > 0 {
                rank_of[number] = numbers.len().min(MOST_LEVELS) as u16;
                numbers.push(number as u32);
                counts.push(count);
            }
        }
        if numbers.len() > MOST_LEVELS + 1 {
            return Err(Refused::input(format!(
                "the grey values fall into {} bins, more than {MOST_LEVELS}: use wider bins",
                numbers.len() - 1
            )));
        }
        let mut ranks = Vec::with_capacity(numbered.len());
        in_parts(numbered, pace, |part| {
            ranks.extend(part.iter().map(|&number| rank_of[usize::from(number)]));
        })?;
        Ok(Self { numbers, ranks, counts })
    }
}

fn check_range(bins: f64) -> Result<(), Refused> {
    // Not `>=`: a range that is no number fails too.
    if bins < MOST_BINS - 1.0 {
        return Ok(());
    }
    Err(Refused::input(format!(
        "the grey values span {bins:.0} bins, more than {MOST_BINS}: use wider bins"
    )))
}

/// The remainder with the sign of `by`, as Python has it.
fn modulo(value: f64, by: f64) -> f64 {
    let rest = value % by;
    if rest != 0.0 && (rest < 0.0) != (by < 0.0) { rest + by } else { rest }
}

/// Number of edges not above `value`; the division may be off by a rounding.
fn half_open(value: f64, first: f64, step: f64, edge: impl Fn(f64) -> f64) -> u16 {
    let mut bin = ((value - first) / step).floor();
    if edge(bin + 1.0) <= value {
        bin += 1.0;
    } else if edge(bin) > value {
        bin -= 1.0;
    }
    bin as u16 + 1
}

/// numpy's edges of a histogram, with the last moved up so that the maximum lies below it.
fn edges(low: f64, high: f64, count: usize, single: bool) -> Vec<f64> {
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
    let round = |edge: f64| if single { f64::from(edge as f32) } else { edge };
    let step = (high - low) / count as f64;
    let mut edges: Vec<f64> = (0..count).map(|bin| round(bin as f64 * step + low)).collect();
    edges.push(round(round(high) + 1.0));
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;

    fn check(values: &[f64], binning: Binning, expected: &[u32]) {
        let levels = Levels::sort(values, binning, false, &Endless).unwrap();
        let found: Vec<u32> =
            levels.ranks.iter().map(|&rank| levels.numbers[usize::from(rank)]).collect();
        assert_eq!(found, expected, "{binning:?}");
    }

    #[test]
    fn pyradiomics_begins_bins_at_multiples_of_their_width_and_ibsi_at_the_lowest_value() {
        let values = [-26.0, -25.0, -1.0, 0.0, 24.0, 100.0];
        check(&values, Binning::Width(25.0), &[1, 2, 2, 3, 3, 7]);
        check(&values, Binning::WidthFromLowest(25.0), &[1, 1, 2, 2, 3, 6]);
    }

    #[test]
    fn a_number_of_bins_takes_in_the_maximum() {
        check(&[0.0, 1.0, 5.0, 9.9, 10.0], Binning::Count(2), &[1, 1, 2, 2, 2]);
        check(&[7.0, 7.0], Binning::Count(4), &[3, 3]);
    }

    #[test]
    fn too_many_bins_are_refused_in_words() {
        let refused =
            Levels::sort(&[0.0, 1e9], Binning::Width(1.0), false, &Endless).unwrap_err();
        assert!(refused.text.ends_with("use wider bins"), "{}", refused.text);
        let many: Vec<f64> = (0..5000).map(f64::from).collect();
        assert!(Levels::sort(&many, Binning::Width(1.0), false, &Endless).is_err());
        assert!(Levels::sort(&[f64::NAN], Binning::Width(1.0), false, &Endless).is_err());
    }
}
