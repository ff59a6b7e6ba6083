//! A recursive filter run along one axis of a box, for the part of it that is wanted.
//!
//! Four lines are filtered side by side in doubles; what comes out is rounded to single
//! precision, as ITK stores it between two passes. Of the samples outside of the wanted part
//! only the filter's four last values are needed, and these are sums over the samples: four
//! products for each sample in place of eight, and none of them waits for another.

use std::ops::Range;

use ichor_plugin::Refused;

use crate::gaussian::Recursion;
use crate::pace::Pace;

/// Lines that are filtered side by side.
const LANES: usize = 4;
/// Columns that are fetched together: what fits a cache line twice over.
const TILE: usize = 32;

type Lanes<T> = [T; LANES];

/// A voxel as single precision, exactly.
pub(crate) trait Sample: Copy {
    fn single(self) -> f32;
}

impl Sample for i16 {
    fn single(self) -> f32 {
        f32::from(self)
    }
}

impl Sample for f32 {
    fn single(self) -> f32 {
        self
    }
}

/// A box of voxels somewhere in a larger array, `x` contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a, T> {
    /// From the box's first voxel on.
    pub(crate) data: &'a [T],
    /// Voxels from one slice to the next, and from one row to the next.
    pub(crate) steps: [usize; 2],
    pub(crate) shape: [usize; 3],
}

impl<'a, T> Block<'a, T> {
    /// All of an array.
    pub(crate) fn whole(data: &'a [T], shape: [usize; 3]) -> Self {
        Self { data, steps: [shape[1] * shape[2], shape[2]], shape }
    }

    /// The part of `data`, an array of `shape`, that `ranges` names.
    pub(crate) fn part(data: &'a [T], shape: [usize; 3], ranges: &[Range<usize>; 3]) -> Self {
        let steps = [shape[1] * shape[2], shape[2]];
        let first = ranges[0].start * steps[0] + ranges[1].start * steps[1] + ranges[2].start;
        Self { data: &data[first..], steps, shape: ranges.clone().map(|range| range.len()) }
    }

    fn row(&self, at: usize) -> &'a [T] {
        &self.data[at..at + self.shape[2]]
    }
}

/// A recursion made ready for lines of one length of which one part is wanted.
pub(crate) struct Along {
    recursion: Recursion,
    keep: Range<usize>,
    length: usize,
    /// Samples that the forward half sums up before it starts, and each one's share of the last,
    /// the second last... value before the wanted part.
    low: (Range<usize>, Vec<Lanes<f64>>),
    /// The same for the backward half.
    high: (Range<usize>, Vec<Lanes<f64>>),
}

impl Along {
    /// Beyond both ends the line goes on with its first and last sample.
    pub(crate) fn new(recursion: Recursion, keep: Range<usize>, length: usize) -> Self {
        let [forward, backward] = recursion.steady();
        let low = 0..keep.start.max(1);
        let high = keep.end.min(length - 1)..length;
        let rising = response(&recursion.n, &recursion.d, length);
        let falling = response(
            &[0.0, recursion.m[0], recursion.m[1], recursion.m[2], recursion.m[3]],
            &recursion.d,
            length,
        );
        let low_shares = shares(&low, 0, forward, |at, back| {
            (keep.start.checked_sub(1 + back)?).checked_sub(at).map(|lag| rising[lag])
        });
        let high_shares = shares(&high, high.len() - 1, backward, |at, ahead| {
            at.checked_sub(keep.end + ahead).map(|lag| falling[lag])
        });
        Self { recursion, keep, length, low: (low, low_shares), high: (high, high_shares) }
    }

    /// Filters four lines of `length` samples; `out` gets one value for each sample to keep.
    fn run(&self, lines: &[Lanes<f32>], out: &mut [Lanes<f64>]) {
        let Recursion { n, m, d } = &self.recursion;
        let sample = |at: usize| lines[at].map(f64::from);
        let mut y = summed(&lines[self.low.0.clone()], &self.low.1);
        let clamped = |back: usize| sample(self.keep.start.saturating_sub(back));
        let mut x = [clamped(1), clamped(2), clamped(3)];
        for (slot, at) in out.iter_mut().zip(self.keep.clone()) {
            let now = sample(at);
            let inputs = weighted(n, [&now, &x[0], &x[1], &x[2]]);
            *slot = less(inputs, weighted(d, [&y[0], &y[1], &y[2], &y[3]]));
            y = [*slot, y[0], y[1], y[2]];
            x = [now, x[0], x[1]];
        }
        let mut y = summed(&lines[self.high.0.clone()], &self.high.1);
        let clamped = |ahead: usize| sample((self.keep.end + ahead).min(self.length - 1));
        let mut x = [clamped(0), clamped(1), clamped(2), clamped(3)];
        for (slot, at) in out.iter_mut().zip(self.keep.clone()).rev() {
            let inputs = weighted(m, [&x[0], &x[1], &x[2], &x[3]]);
            let value = less(inputs, weighted(d, [&y[0], &y[1], &y[2], &y[3]]));
            for (sum, part) in slot.iter_mut().zip(value) {
                *sum += part;
            }
            y = [value, y[0], y[1], y[2]];
            x = [sample(at), x[0], x[1], x[2]];
        }
    }
}

/// Values of a filter after a single 1.
fn response(inputs: &[f64], d: &[f64; 4], length: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(length + 1);
    for at in 0..=length {
        let fed = inputs.get(at).copied().unwrap_or(0.0);
        let back = (1..=at.min(4)).map(|lag| d[lag - 1] * values[at - lag]).sum::<f64>();
        values.push(fed - back);
    }
    values
}

/// Each sample's share of the four values next to the wanted part; the sample at `edge` stands for
/// all those beyond it, so that the shares of one value add up to `steady`.
fn shares(
    samples: &Range<usize>,
    edge: usize,
    steady: f64,
    share: impl Fn(usize, usize) -> Option<f64>,
) -> Vec<Lanes<f64>> {
    let mut table: Vec<Lanes<f64>> = samples
        .clone()
        .map(|at| std::array::from_fn(|value| share(at, value).unwrap_or(0.0)))
        .collect();
    for value in 0..LANES {
        let known: f64 = table.iter().map(|row| row[value]).sum();
        table[edge][value] += steady - known;
    }
    table
}

fn summed(lines: &[Lanes<f32>], shares: &[Lanes<f64>]) -> [Lanes<f64>; 4] {
    let mut sums = [[0.0; LANES]; 4];
    for (samples, shares) in lines.iter().zip(shares) {
        let samples = samples.map(f64::from);
        for (sum, share) in sums.iter_mut().zip(shares) {
            for (lane, sample) in sum.iter_mut().zip(&samples) {
                *lane += share * sample;
            }
        }
    }
    sums
}

fn weighted(weights: &[f64; 4], values: [&Lanes<f64>; 4]) -> Lanes<f64> {
    std::array::from_fn(|lane| {
        values[0][lane] * weights[0]
            + values[1][lane] * weights[1]
            + values[2][lane] * weights[2]
            + values[3][lane] * weights[3]
    })
}

fn less(from: Lanes<f64>, take: Lanes<f64>) -> Lanes<f64> {
    std::array::from_fn(|lane| from[lane] - take[lane])
}

/// Filters `block` along `axis` and keeps what `along` keeps there.
pub(crate) fn pass<T: Sample>(
    block: Block<'_, T>,
    axis: usize,
    along: &Along,
    pace: &dyn Pace,
) -> Result<(Vec<f32>, [usize; 3]), Refused> {
    let mut shape = block.shape;
    shape[axis] = along.keep.len();
    let mut out = vec![0.0; shape.iter().product()];
    if axis == 2 {
        along_rows(block, along, &mut out, pace)?;
    } else {
        across_rows(block, axis, along, (&mut out, shape), pace)?;
    }
    Ok((out, shape))
}

/// Along `x`: four rows at a time.
fn along_rows<T: Sample>(
    block: Block<'_, T>,
    along: &Along,
    out: &mut [f32],
    pace: &dyn Pace,
) -> Result<(), Refused> {
    let [nz, ny, _] = block.shape;
    let width = along.keep.len();
    let mut lines = vec![[0.0; LANES]; along.length];
    let mut kept = vec![[0.0; LANES]; width];
    for z in 0..nz {
        pace.check()?;
        for y in (0..ny).step_by(LANES) {
            let n_rows = LANES.min(ny - y);
            let row = |lane: usize| {
                block.row(z * block.steps[0] + (y + lane.min(n_rows - 1)) * block.steps[1])
            };
            let rows: Lanes<&[T]> = std::array::from_fn(row);
            let columns = rows[0].iter().zip(rows[1]).zip(rows[2]).zip(rows[3]);
            for (slot, (((a, b), c), d)) in lines.iter_mut().zip(columns) {
                *slot = [a.single(), b.single(), c.single(), d.single()];
            }
            along.run(&lines, &mut kept);
            for lane in 0..n_rows {
                let from = (z * ny + y + lane) * width;
                for (slot, values) in out[from..from + width].iter_mut().zip(&kept) {
                    *slot = values[lane] as f32;
                }
            }
        }
    }
    Ok(())
}

/// Along `y` or `z`: [`TILE`] columns at a time.
fn across_rows<T: Sample>(
    block: Block<'_, T>,
    axis: usize,
    along: &Along,
    (out, shape): (&mut [f32], [usize; 3]),
    pace: &dyn Pace,
) -> Result<(), Refused> {
    let other = 1 - axis;
    let out_steps = [shape[1] * shape[2], shape[2]];
    let mut lines = vec![[0.0; LANES]; along.length * TILE / LANES];
    let mut kept = vec![[0.0; LANES]; along.keep.len()];
    for plane in 0..shape[other] {
        pace.check()?;
        for x in (0..shape[2]).step_by(TILE) {
            let width = TILE.min(shape[2] - x);
            for at in 0..along.length {
                let from = plane * block.steps[other] + at * block.steps[axis] + x;
                let (groups, rest) = block.data[from..from + width].as_chunks::<LANES>();
                let mut slots = lines.iter_mut().skip(at).step_by(along.length);
                for (group, slot) in groups.iter().zip(slots.by_ref()) {
                    *slot = group.map(T::single);
                }
                if let Some(slot) = slots.next().filter(|_| !rest.is_empty()) {
                    for (lane, column) in slot.iter_mut().zip(rest) {
                        *lane = column.single();
                    }
                }
            }
            for (group, lines) in lines.chunks_exact(along.length).enumerate() {
                let column = group * LANES;
                if column >= width {
                    break;
                }
                along.run(lines, &mut kept);
                let n_lanes = LANES.min(width - column);
                for (at, values) in kept.iter().enumerate() {
                    let to = plane * out_steps[other] + at * out_steps[axis] + x + column;
                    for (slot, value) in out[to..to + n_lanes].iter_mut().zip(values) {
                        *slot = *value as f32;
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Endless;
    use crate::testing::Noise;

    /// The recursion as it is written, sample by sample over the whole line.
    fn directly(recursion: &Recursion, line: &[f64]) -> Vec<f64> {
        let last = i64::from(line.len() as u32) - 1;
        let x = |at: i64| line[at.clamp(0, last) as usize];
        let [forward, backward] = recursion.steady();
        let Recursion { n, m, d } = recursion;
        let mut rising = vec![forward * x(0); 4];
        for at in 0..=last {
            let fed: f64 = (0..4).map(|k| n[k as usize] * x(at - k)).sum();
            let back: f64 = (0..4).map(|k| d[k] * rising[rising.len() - 1 - k]).sum();
            rising.push(fed - back);
        }
        let mut falling = vec![backward * x(last); 4];
        for at in (0..=last).rev() {
            let fed: f64 = (0..4).map(|k| m[k as usize] * x(at + 1 + k)).sum();
            let back: f64 = (0..4).map(|k| d[k] * falling[falling.len() - 1 - k]).sum();
            falling.push(fed - back);
        }
        rising[4..].iter().zip(falling[4..].iter().rev()).map(|(a, b)| a + b).collect()
    }

    #[test]
    fn a_part_of_a_line_is_filtered_as_if_all_of_it_were() {
        let mut noise = Noise::new(11);
        for _ in 0..200 {
            let shape: [usize; 3] = std::array::from_fn(|_| 4 + noise.below(40));
            let data: Vec<i16> =
                (0..shape.iter().product()).map(|_| noise.below(200) as u8 as i16).collect();
            let axis = noise.below(3);
            let start = noise.below(shape[axis]);
            let keep = start..start + 1 + noise.below(shape[axis] - start);
            let recursion = Recursion::second_derivative(0.3 + noise.below(9) as f64, 1.0);
            let along = Along::new(recursion, keep.clone(), shape[axis]);
            let (out, kept) = pass(Block::whole(&data, shape), axis, &along, &Endless).unwrap();
            let place = |z: usize, y: usize, x: usize, shape: [usize; 3]| {
                (z * shape[1] + y) * shape[2] + x
            };
            for first in 0..shape[(axis + 1) % 3] {
                let second = noise.below(shape[(axis + 2) % 3]);
                let at = |along: usize| {
                    let mut at = [0; 3];
                    (at[axis], at[(axis + 1) % 3], at[(axis + 2) % 3]) = (along, first, second);
                    at
                };
                let line: Vec<f64> = (0..shape[axis])
                    .map(at)
                    .map(|[z, y, x]| f64::from(data[place(z, y, x, shape)]))
                    .collect();
                let expected = directly(&recursion, &line);
                for i in keep.clone() {
                    let [z, y, x] = at(i - keep.start);
                    let found = f64::from(out[place(z, y, x, kept)]);
                    assert!((found - expected[i]).abs() < 1e-4, "{found} {}", expected[i]);
                }
            }
        }
    }
}
