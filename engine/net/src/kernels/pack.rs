//! Weights and biases in the order in which the kernels read them.

use super::aligned::{Aligned, Number};
use super::maps::{BLOCK, lanes_of};

/// Weights as `(output block, input block, tap, input channel / step, output channel % 16,
/// input channel % step)`; zero where a block is padded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed<T> {
    data: Aligned<T>,
    n_in: usize,
    n_out: usize,
    taps: usize,
    block_in: usize,
}

impl<T: Number> Packed<T> {
    /// Packs `weight(output channel, input channel, tap)`.
    ///
    /// `block_in` channels lie together in the maps that are read, and a multiply-add takes
    /// `step` of them.
    pub(crate) fn new(
        (groups_out, groups_in): (&[usize], &[usize]),
        taps: usize,
        (block_in, step): (usize, usize),
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let mut packed = Self::zeroed((groups_out, groups_in), taps, block_in);
        packed.fill((groups_out, groups_in), step, weight);
        packed
    }

    /// Room for such weights, all zero.
    pub(crate) fn zeroed(
        (groups_out, groups_in): (&[usize], &[usize]),
        taps: usize,
        block_in: usize,
    ) -> Self {
        let n_out = lanes_of(groups_out, BLOCK).len() / BLOCK;
        let n_in = lanes_of(groups_in, block_in).len() / block_in;
        let data = Aligned::zeroed(n_out * n_in * taps * block_in * BLOCK);
        Self { data, n_in, n_out, taps, block_in }
    }

    /// Replaces the weights, for maps whose multiply-add takes `step` channels.
    pub(crate) fn fill(
        &mut self,
        (groups_out, groups_in): (&[usize], &[usize]),
        step: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) {
        let (out, inputs) = (lanes_of(groups_out, BLOCK), lanes_of(groups_in, self.block_in));
        for (o, &to) in out.iter().enumerate() {
            for (i, &from) in inputs.iter().enumerate() {
                let (Some(to), Some(from)) = (to, from) else { continue };
                for tap in 0..self.taps {
                    let at = self.at(o, i, tap, step);
                    self.data[at] = T::near(weight(to, from, tap));
                }
            }
        }
    }

    /// Where the weight of padded output channel `o` and input channel `i` lies.
    pub(crate) fn at(&self, o: usize, i: usize, tap: usize, step: usize) -> usize {
        let block = (o / BLOCK * self.n_in + i / self.block_in) * self.taps + tap;
        let within = i % self.block_in;
        block * self.block_in * BLOCK
            + (within / step * BLOCK + o % BLOCK) * step
            + within % step
    }

    /// All weights.
    pub(crate) fn all(&self) -> &[T] {
        &self.data
    }

    /// All weights.
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Blocks of output channels.
    pub(crate) fn n_out(&self) -> usize {
        self.n_out
    }

    /// Blocks of input channels.
    pub(crate) fn n_in(&self) -> usize {
        self.n_in
    }

    /// Places of the input that an output sees.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// Channels in a block of the input.
    pub(crate) fn block_in(&self) -> usize {
        self.block_in
    }
}

/// Biases of blocked output channels; zero where a block is padded.
pub(crate) fn biases(bias: &[f32], groups: &[usize]) -> Aligned<f32> {
    let lanes = lanes_of(groups, BLOCK);
    Aligned::near(
        lanes.iter().map(|lane| lane.map_or(0.0, |c| bias[c])).collect::<Vec<_>>().into_iter(),
    )
}
