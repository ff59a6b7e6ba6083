//! Convolutions on matrix units: 32 pixels by 32 output channels at once, in bf16.
//!
//! Maps hold blocks of 32 channels, so that a tile row (64 bytes) is one pixel. A tile of sums is
//! 16 pixels by 16 channels; four of them share two tiles of pixels and two of weights. Each sum
//! runs over blocks of input channels, then taps, then pairs of channels, wherever its pixel lies
//! in a tile.

use half::bf16;

use super::aligned::Aligned;
use super::convolve::{Source, Target};
use super::lanes::{Lanes, Work};
use super::maps::{BLOCK, Span, inside};
use super::pack::Packed;

/// Channels of a block of maps on matrix units.
pub(crate) const WIDE: usize = 32;
/// Pixels of one tile.
const PIXELS: usize = 16;
/// Numbers of the source that stay near while the output channels go by.
const NEAR: usize = 256 * 1024;

/// Four tiles of sums, `(pixels / 16, channels / 16, pixel % 16, channel % 16)`.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Sums(pub(crate) [f32; 4 * PIXELS * BLOCK]);

/// A matrix unit.
///
/// # Safety
/// Called below `L::with` of the lanes that name it, on a CPU that has it, and between
/// `configure` and `release`.
pub(crate) unsafe trait Unit {
    /// Takes the unit for this thread.
    unsafe fn configure();
    /// Gives it back.
    unsafe fn release();
    /// Starts four tiles of sums at zero, which `sums` may hold or stand for.
    unsafe fn zero(sums: &mut Sums);
    /// Adds one tap: pixels of 32 channels that follow each other, times the weights of twice
    /// sixteen output channels. The second sixteen pixels only where `TWO`.
    unsafe fn multiply<const TWO: bool>(
        sums: &mut Sums,
        pixels: *const bf16,
        weights: [*const bf16; 2],
    );
    /// Leaves the sums in `sums`.
    unsafe fn finish(sums: &mut Sums);
}

/// As [`super::convolve::convolve`], for maps of blocks of 32 channels.
pub(crate) fn convolve<L: Lanes>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    dilation: usize,
    rectify: bool,
    target: Target<'_, L::Number>,
) {
    assert!(source.0.dim() == target.maps.dim() && weights.taps() == 9);
    let taps = source.0.nine(dilation);
    run::<L, 9>(source, (weights, bias), taps, rectify, (1, (0, 0)), target);
}

/// As [`super::convolve::convolve_up`], for maps of blocks of 32 channels.
pub(crate) fn convolve_up<L: Lanes>(
    source: Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    corner: (usize, usize),
    target: Target<'_, L::Number>,
) {
    let (y, x) = source.0.dim();
    assert!(target.maps.dim() == (2 * y, 2 * x) && weights.taps() == 1);
    assert!(corner.0 < 2 && corner.1 < 2);
    run::<L, 1>(source, (weights, bias), [0], false, (2, corner), target);
}

/// `spread` target pixels for each of the source, the first at `corner`.
fn run<L: Lanes, const K: usize>(
    (source, first): Source<'_, L::Number>,
    (weights, bias): (&Packed<L::Number>, &Aligned<f32>),
    taps: [isize; K],
    rectify: bool,
    (spread, corner): (usize, (usize, usize)),
    target: Target<'_, L::Number>,
) {
    assert!(L::MAPS == WIDE && L::STEP == 2);
    assert!(inside(target.spans, source.dim()));
    assert!(
        source.block() == WIDE && target.maps.block() == WIDE && weights.block_in() == WIDE
    );
    assert!(first + weights.n_in() <= source.n_blocks());
    assert!(weights.n_out().is_multiple_of(2) && bias.len() == weights.n_out() * BLOCK);
    assert!(target.block + weights.n_out() / 2 <= target.maps.n_blocks());
    let origin = target.maps.at(target.block, corner.0, corner.1);
    let (target_plane, target_pitch) = (target.maps.plane(), target.maps.pitch());
    let work = Convolution::<L, K> {
        taps,
        source: source.all()[source.at(first, 0, 0)..].as_ptr().cast(),
        source_strides: (source.plane(), source.pitch()),
        n_in: weights.n_in(),
        weights: weights.all().as_ptr().cast(),
        weights_of_block: weights.n_in() * K * WIDE * BLOCK,
        n_out: weights.n_out(),
        bias,
        rectify,
        target: target.maps.all_mut()[origin..].as_mut_ptr(),
        target_strides: (target_plane, target_pitch * spread, WIDE * spread),
        near: (NEAR / (source.pitch() * weights.n_in())).max(4),
        spans: target.spans,
        lanes: std::marker::PhantomData,
    };
    // SAFETY: the path was chosen for this CPU. All spans lie inside the maps; a tile that looks
    // past the end of its row sees the next row or the slack at the end of the maps.
    unsafe { L::with(work) }
}

struct Convolution<'a, L: Lanes, const K: usize> {
    taps: [isize; K],
    source: *const bf16,
    /// Numbers from a block of channels and from a row to the next.
    source_strides: (usize, usize),
    n_in: usize,
    weights: *const bf16,
    weights_of_block: usize,
    /// Blocks of sixteen output channels.
    n_out: usize,
    bias: &'a Aligned<f32>,
    rectify: bool,
    target: *mut L::Number,
    /// Numbers from a block of channels, from a row and from a pixel to the next.
    target_strides: (usize, usize, usize),
    /// Rows that are finished for all output channels before the next ones.
    near: usize,
    spans: &'a [Span],
    lanes: std::marker::PhantomData<L>,
}

impl<L: Lanes, const K: usize> Work<L> for Convolution<'_, L, K> {
    #[inline(always)]
    unsafe fn run(self) {
        let mut sums = Sums([0.0; 4 * PIXELS * BLOCK]);
        // SAFETY: below `with`.
        unsafe { L::Unit::configure() };
        let mut rest = self.spans;
        while let Some(first) = rest.first() {
            let n = rest.partition_point(|span| span.y < first.y + self.near);
            let (band, after) = rest.split_at(n);
            rest = after;
            for block in (0..self.n_out).step_by(2) {
                for span in band {
                    // SAFETY: below `with`, configured; the span lies in the maps.
                    unsafe { self.span(&mut sums, block, *span) };
                }
            }
        }
        // SAFETY: configured above.
        unsafe { L::Unit::release() };
    }
}

impl<L: Lanes, const K: usize> Convolution<'_, L, K> {
    #[inline(always)]
    unsafe fn span(&self, sums: &mut Sums, block: usize, span: Span) {
        for (x, n) in pieces(span) {
            // SAFETY: the caller's promise: the pixels that are kept lie in the span.
            unsafe {
                if n > PIXELS {
                    self.tile::<true>(sums, block, span.y, x);
                } else {
                    self.tile::<false>(sums, block, span.y, x);
                }
                self.give(sums, block, (span.y, x, n));
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<const TWO: bool>(&self, sums: &mut Sums, block: usize, y: usize, x: usize) {
        let (plane, pitch) = self.source_strides;
        // SAFETY: the caller's promise.
        unsafe {
            let pixels = self.source.add(y * pitch + x * WIDE);
            let weights = self.weights.add(block * self.weights_of_block);
            L::Unit::zero(sums);
            for i in 0..self.n_in {
                for k in 0..K {
                    let w = weights.add((i * K + k) * WIDE * BLOCK);
                    let pair = [w, w.add(self.weights_of_block)];
                    let seen = pixels.add(i * plane).offset(self.taps[k]);
                    L::Unit::multiply::<TWO>(sums, seen, pair);
                }
            }
            L::Unit::finish(sums);
        }
    }

    /// Writes the first `n` pixels of the sums, with their bias.
    #[inline(always)]
    unsafe fn give(&self, sums: &Sums, block: usize, (y, x, n): (usize, usize, usize)) {
        let (plane, row, step) = self.target_strides;
        // SAFETY: the caller's promise; sums and bias have sixteen numbers at every place below.
        unsafe {
            let bias = self.bias.as_ptr().add(block * BLOCK);
            let bias = [L::load(bias), L::load(bias.add(BLOCK))];
            let zero = L::zero();
            let to = self.target.add(block / 2 * plane + y * row + x * step);
            for p in 0..n {
                for half in 0..2 {
                    let at = ((p / PIXELS * 2 + half) * PIXELS + p % PIXELS) * BLOCK;
                    let sum = L::add(L::load(sums.0.as_ptr().add(at)), bias[half]);
                    let sum = if self.rectify { L::max(sum, zero) } else { sum };
                    L::write(sum, to.add(p * step + half * BLOCK));
                }
            }
        }
    }
}

/// First pixel and length of the tiles of a span. The last one of a long span begins earlier and
/// computes some pixels again: the same bits, and full tiles.
fn pieces(span: Span) -> impl Iterator<Item = (usize, usize)> {
    let length = span.x1 - span.x0;
    let mut next = span.x0;
    std::iter::from_fn(move || {
        let left = span.x1.checked_sub(next).filter(|&left| left > 0)?;
        let n = left.min(2 * PIXELS);
        let whole = if n > PIXELS { 2 * PIXELS } else { PIXELS };
        let (x, n) = if length >= whole { (next + n - whole, whole) } else { (next, n) };
        next = x + n;
        Some((x, n))
    })
}

/// No matrix unit: for the paths that have none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoUnit;

// SAFETY: nothing is done.
unsafe impl Unit for NoUnit {
    unsafe fn configure() {}
    unsafe fn release() {}
    unsafe fn zero(_: &mut Sums) {}
    unsafe fn multiply<const TWO: bool>(_: &mut Sums, _: *const bf16, _: [*const bf16; 2]) {}
    unsafe fn finish(_: &mut Sums) {}
}

/// What a matrix unit does, in plain Rust: proves layout and order where there is none.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Emulated;

#[cfg(test)]
// SAFETY: plain Rust that reads what a tile would load: 16 rows of 64 bytes.
unsafe impl Unit for Emulated {
    unsafe fn configure() {}
    unsafe fn release() {}
    unsafe fn zero(sums: &mut Sums) {
        sums.0.fill(0.0);
    }

    unsafe fn multiply<const TWO: bool>(
        sums: &mut Sums,
        pixels: *const bf16,
        weights: [*const bf16; 2],
    ) {
        let groups = if TWO { 2 } else { 1 };
        for p in 0..groups * PIXELS {
            for half in 0..2 {
                let at = ((p / PIXELS * 2 + half) * PIXELS + p % PIXELS) * BLOCK;
                for pair in 0..WIDE / 2 {
                    for o in 0..BLOCK {
                        for c in 0..2 {
                            // SAFETY: the caller's promise, inside the tiles' rows.
                            let (pixel, weight) = unsafe {
                                let weight = weights[half].add((pair * BLOCK + o) * 2 + c);
                                (*pixels.add(p * WIDE + pair * 2 + c), *weight)
                            };
                            sums.0[at + o] += pixel.to_f32() * weight.to_f32();
                        }
                    }
                }
            }
        }
    }

    unsafe fn finish(_: &mut Sums) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(x0: usize, x1: usize, expected: &[(usize, usize)]) {
        assert_eq!(pieces(Span { y: 0, x0, x1 }).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn long_spans_are_cut_into_whole_tiles_and_short_ones_into_parts() {
        check(0, 64, &[(0, 32), (32, 32)]);
        check(8, 48, &[(8, 32), (32, 16)]);
        check(8, 64, &[(8, 32), (32, 32)]);
        check(0, 24, &[(0, 24)]);
        check(16, 24, &[(16, 8)]);
        check(0, 16, &[(0, 16)]);
    }
}
