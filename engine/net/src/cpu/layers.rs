//! Weights of a plan's steps, packed for the kernels.

use ndarray::Array2;

use crate::kernels::aligned::{Aligned, Number};
use crate::kernels::lanes::Lanes;
use crate::kernels::maps::{Maps, lanes_of};
use crate::kernels::pack::{Packed, biases};
use crate::kernels::winograd::Transformed;
use crate::plan::{Plan, Step};

/// Channels that lie together in the input of a network.
pub(crate) const INPUT_BLOCK: usize = 2;

/// The weights of one step.
#[derive(Debug, Clone)]
pub(crate) enum Layer<T> {
    /// A 3x3 convolution.
    Convolve(Packed<T>, Aligned<f32>),
    /// A 3x3 convolution by Winograd's products.
    Winograd(Transformed<T>, Aligned<f32>),
    /// An up-convolution by the corners of its 2x2 kernel, row by row.
    Up([Packed<T>; 4], Aligned<f32>),
    /// Nothing to weigh.
    Pool,
    /// The 1x1 at the end.
    Logits(Aligned<f32>, f32),
}

/// Channels that lie together in a slot, of maps whose blocks have `block`.
pub(crate) fn block_of(slot: usize, block: usize) -> usize {
    if slot == 0 { INPUT_BLOCK } else { block }
}

/// Blocks of a slot.
pub(crate) fn n_blocks(plan: &Plan, slot: usize, block: usize) -> usize {
    plan.slots[slot].groups.iter().map(|n| n.div_ceil(block_of(slot, block))).sum()
}

/// Blocks of the first group of a slot: where an up-convolution starts to write.
pub(crate) fn n_skipped(plan: &Plan, slot: usize, block: usize) -> usize {
    plan.slots[slot].groups[0].div_ceil(block_of(slot, block))
}

/// Packs the weights of every step for the lanes `L`; `of` gives a tensor by name.
pub(crate) fn layers<'a, L: Lanes>(
    plan: &Plan,
    of: &dyn Fn(&str) -> &'a [f32],
) -> Vec<Layer<L::Number>> {
    plan.steps.iter().map(|this| layer::<L>(plan, this, of)).collect()
}

fn layer<'a, L: Lanes>(
    plan: &Plan,
    this: &Step,
    of: &dyn Fn(&str) -> &'a [f32],
) -> Layer<L::Number> {
    let groups = &plan.slots[this.source()].groups;
    let n_in: usize = groups.iter().sum();
    let weight = of(&format!("{}.weight", this.name()));
    let bias = of(&format!("{}.bias", this.name()));
    let block = (block_of(this.source(), L::MAPS), L::STEP);
    // Output channels up to a whole block of maps, those that do not exist with weights of 0.
    let out = |channels: usize| [channels.next_multiple_of(L::MAPS)];
    let biases_of = |channels: usize| {
        let mut padded = bias.to_vec();
        padded.resize(channels.next_multiple_of(L::MAPS), 0.0);
        biases(&padded, &[padded.len()])
    };
    match *this {
        Step::Convolve { source: 0, channels, .. } if n_in == 1 => {
            // The second lane holds what rounding took from the pixel: the same weights.
            let packed =
                Packed::new((&out(channels), &[INPUT_BLOCK]), 9, block, |o, _, tap| {
                    if o < channels { weight[o * 9 + tap] } else { 0.0 }
                });
            Layer::Convolve(packed, biases_of(channels))
        }
        Step::Convolve { source: 1.., channels, .. } if L::WINOGRAD => {
            let products = Transformed::new((&[channels], groups), |o, i, tap| {
                weight[(o * n_in + i) * 9 + tap]
            });
            Layer::Winograd(products, biases(bias, &[channels]))
        }
        Step::Convolve { channels, .. } => {
            let packed = Packed::new((&out(channels), groups), 9, block, |o, i, tap| {
                if o < channels { weight[(o * n_in + i) * 9 + tap] } else { 0.0 }
            });
            Layer::Convolve(packed, biases_of(channels))
        }
        Step::Up { channels, .. } => {
            let corner = |corner| {
                Packed::new((&out(channels), groups), 1, block, |o, i, _| {
                    if o < channels { weight[(i * channels + o) * 4 + corner] } else { 0.0 }
                })
            };
            let corners = [corner(0), corner(1), corner(2), corner(3)];
            Layer::Up(corners, biases_of(channels))
        }
        Step::Pool { .. } => Layer::Pool,
        Step::Logits { .. } => {
            let lanes = lanes_of(groups, L::MAPS);
            let of_lane = |lane: &Option<usize>| lane.map_or(0.0, |c| weight[c]);
            Layer::Logits(Aligned::near(lanes.iter().map(of_lane)), bias[0])
        }
    }
}

/// Writes windowed pixels, row by row: the nearest `T` in the first channel, what is left of
/// the pixel in the second. A bf16 of 40 HU is off by 0.1 HU, both together by less than 0.001.
pub(crate) fn put_pixels<'a, T: Number>(
    rows: impl Iterator<Item = &'a [f32]>,
    input: &mut Maps<T>,
) {
    for (y, row) in rows.enumerate() {
        for (to, &value) in input.row_mut(0, y).chunks_exact_mut(INPUT_BLOCK).zip(row) {
            to[0] = T::near(value);
            to[1] = T::near(value - to[0].value());
        }
    }
}

/// Writes two planes of one shape as the two channels of an input.
pub(crate) fn put_pair(first: &Array2<f32>, second: &Array2<f32>, input: &mut Maps<f32>) {
    for (y, (first, second)) in first.outer_iter().zip(second.outer_iter()).enumerate() {
        let pixels = input.row_mut(0, y).chunks_exact_mut(INPUT_BLOCK);
        for ((to, &first), &second) in pixels.zip(first).zip(second) {
            to.copy_from_slice(&[first, second]);
        }
    }
}
