//! Steps that see one pixel, or four: pooling, the 1x1 at the end, constants.

use super::aligned::{Aligned, Number};
use super::lanes::{Lanes, Work};
use super::maps::{BLOCK, Maps, Span, inside};

/// 2x2 max-pooling of the first `n_blocks` blocks of `source`, for the spans of `target`.
pub(crate) fn pool<L: Lanes>(
    source: &Maps<L::Number>,
    n_blocks: usize,
    target: &mut Maps<L::Number>,
    spans: &[Span],
) {
    let (y, x) = target.dim();
    assert!(source.dim() == (2 * y, 2 * x) && inside(spans, (y, x)));
    assert!(n_blocks <= source.n_blocks() && n_blocks <= target.n_blocks());
    assert!(source.block() == target.block() && target.block().is_multiple_of(BLOCK));
    let work = Pool::<L> { source, n_blocks, target, spans };
    // SAFETY: the path was chosen for this CPU.
    unsafe { L::with(work) }
}

struct Pool<'a, L: Lanes> {
    source: &'a Maps<L::Number>,
    n_blocks: usize,
    target: &'a mut Maps<L::Number>,
    spans: &'a [Span],
}

impl<L: Lanes> Work<L> for Pool<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        let (below, block_of) = (self.source.pitch(), self.source.block());
        for block in 0..self.n_blocks {
            for span in self.spans {
                let n = span.x1 - span.x0;
                let from = self.source.at(block, 2 * span.y, 2 * span.x0);
                let four = &self.source.all()[from..from + below + 2 * n * block_of];
                let to = self.target.at(block, span.y, span.x0);
                let out = &mut self.target.all_mut()[to..to + n * block_of];
                for i in (0..n * block_of).step_by(BLOCK) {
                    let first = i / block_of * 2 * block_of + i % block_of;
                    // SAFETY: below `with`; the slices hold `n` outputs and their four inputs.
                    unsafe {
                        let upper = four.as_ptr().add(first);
                        let lower = upper.add(below);
                        let row = |at| L::max(L::read(at), L::read(at.add(block_of)));
                        let largest = L::max(row(upper), row(lower));
                        L::write(largest, out.as_mut_ptr().add(i));
                    }
                }
            }
        }
    }
}

/// 1x1 convolution to one channel: logits `(y, x)` of the spans, in rows of `source`'s width.
pub(crate) fn logits<L: Lanes>(
    source: &Maps<L::Number>,
    weights: &Aligned<f32>,
    bias: f32,
    spans: &[Span],
    target: &mut [f32],
) {
    let (y, x) = source.dim();
    assert!(
        inside(spans, (y, x)) && target.len() == y * x && source.block().is_multiple_of(BLOCK)
    );
    assert!(weights.len() <= source.n_blocks() * source.block());
    // SAFETY: the path was chosen for this CPU.
    unsafe { L::with(Logits::<L> { source, weights, bias, spans, target }) }
}

struct Logits<'a, L: Lanes> {
    source: &'a Maps<L::Number>,
    weights: &'a Aligned<f32>,
    bias: f32,
    spans: &'a [Span],
    target: &'a mut [f32],
}

impl<L: Lanes> Work<L> for Logits<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        let (width, together) = (self.source.dim().1, self.source.block());
        for span in self.spans {
            for x in span.x0..span.x1 {
                // SAFETY: below `with`.
                let mut sums = unsafe { L::zero() };
                for (block, weights) in self.weights.chunks_exact(BLOCK).enumerate() {
                    let first = block * BLOCK;
                    let at = self.source.at(first / together, span.y, x) + first % together;
                    let pixel = &self.source.all()[at..at + BLOCK];
                    // SAFETY: below `with`; both slices hold sixteen numbers.
                    sums = unsafe {
                        L::multiply_add(
                            L::read(pixel.as_ptr()),
                            L::load(weights.as_ptr()),
                            sums,
                        )
                    };
                }
                let mut lanes = [0.0; BLOCK];
                // SAFETY: below `with`; there is room for sixteen f32.
                unsafe { L::save(sums, lanes.as_mut_ptr()) };
                self.target[span.y * width + x] = in_order(lanes) + self.bias;
            }
        }
    }
}

/// The sum of sixteen numbers, by halves: one order on every path.
#[inline(always)]
fn in_order(lanes: [f32; BLOCK]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Writes the same channels to every pixel of the spans, from `block` on.
pub(crate) fn fill<T: Number>(
    target: &mut Maps<T>,
    block: usize,
    channels: &[T],
    spans: &[Span],
) {
    let together = target.block();
    for (b, value) in channels.chunks_exact(together).enumerate() {
        for span in spans {
            let at = target.at(block + b, span.y, span.x0);
            let n = (span.x1 - span.x0) * together;
            for pixel in target.all_mut()[at..at + n].chunks_exact_mut(together) {
                pixel.copy_from_slice(value);
            }
        }
    }
}
