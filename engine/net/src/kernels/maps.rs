//! Feature maps as the kernels read them.

use super::aligned::{Aligned, Number};

/// Zeros around every map: the reach of the largest dilation, so that no kernel knows borders.
pub(crate) const HALO: usize = 2;
/// Pixels after the last one that a tile at the end may look at, and does not keep.
const SLACK: usize = 40;
/// Channels that lie together, one vector register of f32.
pub(crate) const BLOCK: usize = 16;

/// Maps of one level, `(channel / block, y + 2 HALO, x + 2 HALO, channel % block)`, and some
/// pixels of slack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maps<T> {
    data: Aligned<T>,
    n_blocks: usize,
    y: usize,
    x: usize,
    block: usize,
}

impl<T: Number> Maps<T> {
    /// `n_blocks` blocks of `block` channels of `(y, x)` pixels, all zero.
    pub(crate) fn zeroed(n_blocks: usize, (y, x): (usize, usize), block: usize) -> Self {
        let plane = (y + 2 * HALO) * (x + 2 * HALO) * block;
        let data = Aligned::zeroed(n_blocks * plane + SLACK * block);
        Self { data, n_blocks, y, x, block }
    }

    /// Changes the size, keeping the memory where it suffices; what the pixels hold is undefined,
    /// the halo is zero.
    pub(crate) fn reshape(&mut self, (y, x): (usize, usize)) {
        if (y, x) == (self.y, self.x) {
            return;
        }
        let n = (self.n_blocks * (y + 2 * HALO) * (x + 2 * HALO) + SLACK) * self.block;
        (self.y, self.x) = (y, x);
        self.data.resize(n);
        let (pitch, side) = (self.pitch(), HALO * self.block);
        for block in 0..self.n_blocks {
            let first = block * self.plane();
            for row in 0..y + 2 * HALO {
                let row_of = &mut self.data[first + row * pitch..first + (row + 1) * pitch];
                if row < HALO || row >= y + HALO {
                    row_of.fill(T::default());
                } else {
                    row_of[..side].fill(T::default());
                    row_of[pitch - side..].fill(T::default());
                }
            }
        }
    }

    /// Blocks of channels.
    pub(crate) fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// Rows and columns, without the halo.
    pub(crate) fn dim(&self) -> (usize, usize) {
        (self.y, self.x)
    }

    /// Channels in a block.
    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Numbers from a row to the next.
    pub(crate) fn pitch(&self) -> usize {
        (self.x + 2 * HALO) * self.block
    }

    /// Numbers from a block of channels to the next.
    pub(crate) fn plane(&self) -> usize {
        self.pitch() * (self.y + 2 * HALO)
    }

    /// Where the first channel of `block` at pixel `(y, x)` lies.
    pub(crate) fn at(&self, block: usize, y: usize, x: usize) -> usize {
        block * self.plane() + (y + HALO) * self.pitch() + (x + HALO) * self.block
    }

    /// From a pixel to those that a 3x3 kernel of this dilation sees, row by row, in numbers.
    pub(crate) fn nine(&self, dilation: usize) -> [isize; 9] {
        let (row, column) = (self.pitch() * dilation, self.block * dilation);
        std::array::from_fn(|k| {
            let (rows, columns) = (k.cast_signed() / 3 - 1, k.cast_signed() % 3 - 1);
            rows * row.cast_signed() + columns * column.cast_signed()
        })
    }

    /// From the first pixel of a 2x2 square to all four, row by row, in numbers.
    pub(crate) fn four(&self) -> [isize; 4] {
        let (row, column) = (self.pitch().cast_signed(), self.block.cast_signed());
        [0, column, row, row + column]
    }

    /// A row of one block, without the halo.
    pub(crate) fn row(&self, block: usize, y: usize) -> &[T] {
        let start = self.at(block, y, 0);
        &self.data[start..start + self.x * self.block]
    }

    /// A row of one block, without the halo.
    pub(crate) fn row_mut(&mut self, block: usize, y: usize) -> &mut [T] {
        let start = self.at(block, y, 0);
        let n = self.x * self.block;
        &mut self.data[start..start + n]
    }

    /// All numbers, halo and all.
    pub(crate) fn all(&self) -> &[T] {
        &self.data
    }

    /// All numbers, halo and all; the halo must stay zero.
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

/// Which real channel each lane of blocked channels holds; none where a block is padded.
///
/// Channels come in groups (what a concatenation joins), each padded to whole blocks.
pub(crate) fn lanes_of(groups: &[usize], block: usize) -> Vec<Option<usize>> {
    let mut lanes = Vec::new();
    let mut first = 0;
    for &n in groups {
        let padded = n.next_multiple_of(block);
        lanes.extend((0..padded).map(|c| (c < n).then_some(first + c)));
        first += n;
    }
    lanes
}

/// Pixels `x0..x1` of row `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) y: usize,
    pub(crate) x0: usize,
    pub(crate) x1: usize,
}

impl Span {
    /// Every pixel of a map of `(y, x)` pixels.
    pub(crate) fn all((y, x): (usize, usize)) -> Vec<Self> {
        (0..y).map(|y| Self { y, x0: 0, x1: x }).collect()
    }
}

/// Whether every span lies in a map of `(y, x)` pixels: what the kernels rely on.
pub(crate) fn inside(spans: &[Span], (y, x): (usize, usize)) -> bool {
    spans.iter().all(|span| span.y < y && span.x0 <= span.x1 && span.x1 <= x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_concatenation_are_padded_apart() {
        let lanes = lanes_of(&[3, 2], 4);
        assert_eq!(lanes, [Some(0), Some(1), Some(2), None, Some(3), Some(4), None, None]);
    }
}
