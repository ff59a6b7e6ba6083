//! Convolutions over the wanted parts of a map: 3x3, 2x2 up, and what their gradients need.

use super::aligned::Aligned;
use super::lanes::{Lanes, Work};
use super::maps::{BLOCK, HALO, Maps, Span, inside};
use super::pack::Packed;
use super::tile::{Shared, tile};
use super::tiles;

/// Numbers of the source that stay near while the output channels go by.
const NEAR: usize = 256 * 1024;

/// What a convolution sees: maps, and the first block of channels that counts.
pub(crate) type Source<'a, T> = (&'a Maps<T>, usize);

/// Where the outputs of a convolution go.
#[derive(Debug)]
pub(crate) struct Target<'a, T> {
    pub(crate) maps: &'a mut Maps<T>,
    /// First block of channels that is written.
    pub(crate) block: usize,
    /// The pixels that are computed, row by row.
    pub(crate) spans: &'a [Span],
}

/// 3x3 convolution with `bias`, dilated by 1 or 2, then `max(0, .)` where `rectify`.
///
/// # Panics
/// When the maps, weights and spans do not fit each other: the plan that made them is wrong.
pub(crate) fn convolve<L: Lanes>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    dilation: usize,
    rectify: bool,
    target: Target<'_, L::Number>,
) {
    let maps = source.0;
    if maps.block() == tiles::WIDE {
        return tiles::convolve::<L>(source, (weights, bias), dilation, rectify, target);
    }
    assert!(maps.dim() == target.maps.dim() && inside(target.spans, maps.dim()));
    assert!((1..=HALO).contains(&dilation) && weights.taps() == 9);
    let taps = maps.nine(dilation);
    let walk = Walk { source_rows: 1, target_rows: 1, offset: (0, 0) };
    if maps.block() == BLOCK {
        run::<L, 9, BLOCK, 1>(source, (weights, bias), taps, rectify, walk, target);
    } else {
        run::<L, 9, 2, 1>(source, (weights, bias), taps, rectify, walk, target);
    }
}

/// One quarter of a 2x2 up-convolution with stride 2: source pixel `(y, x)`, by the spans, goes
/// to target pixel `(2 y + corner.0, 2 x + corner.1)`.
pub(crate) fn convolve_up<L: Lanes>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    corner: (usize, usize),
    target: Target<'_, L::Number>,
) {
    if source.0.block() == tiles::WIDE {
        return tiles::convolve_up::<L>(source, (weights, bias), corner, target);
    }
    let (y, x) = source.0.dim();
    assert!(target.maps.dim() == (2 * y, 2 * x) && inside(target.spans, (y, x)));
    assert!(weights.taps() == 1 && source.0.block() == BLOCK && corner.0 < 2 && corner.1 < 2);
    let walk = Walk { source_rows: 1, target_rows: 2, offset: corner };
    run::<L, 1, BLOCK, 1>(source, (weights, bias), [0], false, walk, target);
}

/// Gradient of an up-convolution by its input: a 2x2 convolution with stride 2.
pub(crate) fn convolve_down<L: Lanes>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    target: Target<'_, L::Number>,
) {
    let (y, x) = target.maps.dim();
    assert!(source.0.dim() == (2 * y, 2 * x) && inside(target.spans, (y, x)));
    assert!(weights.taps() == 4 && source.0.block() == BLOCK);
    let taps = source.0.four();
    let walk = Walk { source_rows: 2, target_rows: 1, offset: (0, 0) };
    run::<L, 4, BLOCK, 2>(source, (weights, bias), taps, false, walk, target);
}

/// How source and target pixels belong together: span pixel `(y, x)` is source pixel
/// `source_rows · (y, x)` and target pixel `target_rows · (y, x) + offset`.
#[derive(Clone, Copy)]
struct Walk {
    source_rows: usize,
    target_rows: usize,
    offset: (usize, usize),
}

fn run<L: Lanes, const K: usize, const B: usize, const S: usize>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    taps: [isize; K],
    rectify: bool,
    walk: Walk,
    target: Target<'_, L::Number>,
) {
    let (source, first) = source;
    assert!(source.block() == B && weights.block_in() == B);
    assert!(first + weights.n_in() <= source.n_blocks());
    let together = target.maps.block() / BLOCK;
    assert!((1..=2).contains(&together) && weights.n_out().is_multiple_of(together));
    assert!(bias.len() == weights.n_out() * BLOCK);
    assert!(target.block + weights.n_out() / together <= target.maps.n_blocks());
    let target_step = target.maps.block() * walk.target_rows;
    let shared = Shared {
        taps,
        n_in: weights.n_in(),
        source_plane: source.plane(),
        weights_of_block: weights.n_in() * K * B * BLOCK,
        target_plane: if together == 1 { target.maps.plane() } else { BLOCK },
        target_step,
        rectify,
        bias: bias.as_ptr(),
        weights: weights.all().as_ptr(),
    };
    let (target_plane, target_pitch) = (target.maps.plane(), target.maps.pitch());
    let origin = target.maps.at(target.block, walk.offset.0, walk.offset.1);
    let row = source.pitch() * weights.n_in() * walk.source_rows;
    let rows = Rows::<L, K, B, S> {
        shared,
        source: (
            source.all()[source.at(first, 0, 0)..].as_ptr(),
            source.pitch() * walk.source_rows,
        ),
        target: (
            target.maps.all_mut()[origin..].as_mut_ptr(),
            (target_pitch * walk.target_rows, target_step),
        ),
        target_plane,
        together,
        n_out: weights.n_out(),
        near: (NEAR / row.max(1)).max(4),
        spans: target.spans,
    };
    // SAFETY: the path was chosen for this CPU. All spans lie inside the maps, whose halo is as
    // wide as the taps reach, and the asserts above bound blocks and weights.
    unsafe { L::with(rows) }
}

/// The spans of one convolution, in an order that keeps source rows and weights near.
struct Rows<'a, L: Lanes, const K: usize, const B: usize, const S: usize> {
    shared: Shared<L::Number, K>,
    /// First source pixel, and numbers from a row to the next.
    source: (*const L::Number, usize),
    /// First target pixel, and numbers from a row and from a pixel to the next.
    target: (*mut L::Number, (usize, usize)),
    /// Numbers from a block of the target's channels to the next.
    target_plane: usize,
    /// Blocks of sixteen channels in one of those.
    together: usize,
    n_out: usize,
    /// Rows that are finished for all output channels before the next ones.
    near: usize,
    spans: &'a [Span],
}

impl<L: Lanes, const K: usize, const B: usize, const S: usize> Work<L>
    for Rows<'_, L, K, B, S>
{
    #[inline(always)]
    unsafe fn run(self) {
        let mut rest = self.spans;
        while let Some(first) = rest.first() {
            let n = rest.partition_point(|span| span.y < first.y + self.near);
            let (band, after) = rest.split_at(n);
            rest = after;
            let mut block = 0;
            while block < self.n_out {
                let two = L::TWO_BLOCKS && self.n_out - block >= 2;
                for span in band {
                    // SAFETY: what the caller of `with` promises.
                    unsafe {
                        if two {
                            self.span::<2>(block, *span);
                        } else {
                            self.span::<1>(block, *span);
                        }
                    }
                }
                block += if two { 2 } else { 1 };
            }
        }
    }
}

impl<L: Lanes, const K: usize, const B: usize, const S: usize> Rows<'_, L, K, B, S> {
    /// One span in tiles of nearly the same length.
    #[inline(always)]
    unsafe fn span<const O: usize>(&self, block: usize, span: Span) {
        let mut x = span.x0;
        while x < span.x1 {
            let n = piece(span.x1 - x, L::PIXELS);
            // SAFETY: `x` and the `n - 1` pixels after it lie in the span.
            unsafe {
                let source = self.source.0.add(span.y * self.source.1 + x * S * B);
                let (row, step) = self.target.1;
                let of_block =
                    block / self.together * self.target_plane + block % self.together * BLOCK;
                let target = self.target.0.add(of_block + span.y * row + x * step);
                self.tile::<O>(n, block, source, target);
            }
            x += n;
        }
    }

    #[inline(always)]
    unsafe fn tile<const O: usize>(
        &self,
        n: usize,
        block: usize,
        source: *const L::Number,
        target: *mut L::Number,
    ) {
        let shared = &self.shared;
        // SAFETY: what the caller promises.
        unsafe {
            match n {
                14 if L::PIXELS >= 14 => {
                    tile::<L, O, 14, K, B, S>(shared, block, source, target);
                }
                12 if L::PIXELS >= 12 => {
                    tile::<L, O, 12, K, B, S>(shared, block, source, target);
                }
                10 if L::PIXELS >= 10 => {
                    tile::<L, O, 10, K, B, S>(shared, block, source, target);
                }
                8 if L::PIXELS >= 8 => tile::<L, O, 8, K, B, S>(shared, block, source, target),
                6 if L::PIXELS >= 6 => tile::<L, O, 6, K, B, S>(shared, block, source, target),
                4 if L::PIXELS >= 4 => tile::<L, O, 4, K, B, S>(shared, block, source, target),
                2 => tile::<L, O, 2, K, B, S>(shared, block, source, target),
                _ => tile::<L, O, 1, K, B, S>(shared, block, source, target),
            }
        }
    }
}

/// Length of the next tile of `left` pixels: even, or 1 at the very end.
fn piece(left: usize, most: usize) -> usize {
    let n_tiles = left.div_ceil(most);
    match left.div_ceil(n_tiles) {
        1 => 1,
        n if n.is_multiple_of(2) => n,
        n if n < most && n < left => n + 1,
        n => n - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(length: usize, most: usize, expected: &[usize]) {
        let (mut left, mut pieces) = (length, Vec::new());
        while left > 0 {
            let n = piece(left, most);
            pieces.push(n);
            left -= n;
        }
        assert_eq!(pieces, expected);
    }

    #[test]
    fn a_span_is_cut_into_tiles_of_nearly_the_same_length() {
        check(8, 14, &[8]);
        check(16, 14, &[8, 8]);
        check(24, 14, &[12, 12]);
        check(32, 14, &[12, 10, 10]);
        check(40, 14, &[14, 14, 12]);
        check(13, 14, &[12, 1]);
        check(15, 14, &[8, 6, 1]);
        check(8, 6, &[4, 4]);
        check(5, 2, &[2, 2, 1]);
    }
}
