//! Gradients that the forward kernels cannot give: by weights, through pooling and rectifier.
//!
//! The gradient by a convolution's input is a convolution itself (`convolve`, with weights turned
//! around). All sums run in one fixed order.

use super::aligned::Aligned;
use super::convolve::Source;
use super::lanes::{Lanes, Work};
use super::maps::{BLOCK, HALO, Maps};
use super::pack::Packed;

/// Numbers of source and gradient that stay near while the taps go by.
const NEAR: usize = 8 * 1024;

/// Adds to `sums` the gradient of a 3x3 convolution by its weights.
///
/// `source` is what it saw, `by_output` the gradient by what it gave, of the same size; `sums`
/// is packed like weights of step 1.
pub(crate) fn by_weights<L: Lanes<Number = f32>>(
    source: &Maps<f32>,
    by_output: &Maps<f32>,
    dilation: usize,
    sums: &mut Packed<f32>,
) {
    assert!(source.dim() == by_output.dim() && (1..=HALO).contains(&dilation));
    assert!(sums.taps() == 9);
    let taps = source.nine(dilation);
    if source.block() == BLOCK {
        run::<L, 9, BLOCK, 1>((source, 0), by_output, taps, sums);
    } else {
        run::<L, 9, 2, 1>((source, 0), by_output, taps, sums);
    }
}

/// Adds to `sums` the gradient of a 2x2 up-convolution by its weights.
///
/// Packed as a convolution from `by_output`'s channels to `source`'s, 4 taps: what
/// `convolve_down` reads.
pub(crate) fn up_by_weights<L: Lanes<Number = f32>>(
    source: &Maps<f32>,
    (by_output, first): Source<'_, f32>,
    sums: &mut Packed<f32>,
) {
    let (y, x) = source.dim();
    assert!(by_output.dim() == (2 * y, 2 * x) && sums.taps() == 4);
    let taps = by_output.four();
    run::<L, 4, BLOCK, 2>((by_output, first), source, taps, sums);
}

/// Sums over pixels of `fine`, seen through `taps`, times `coarse`.
fn run<L: Lanes<Number = f32>, const K: usize, const B: usize, const S: usize>(
    (fine, first): Source<'_, f32>,
    coarse: &Maps<f32>,
    taps: [isize; K],
    sums: &mut Packed<f32>,
) {
    assert!(fine.block() == B && sums.block_in() == B && coarse.block() == BLOCK);
    assert!(fine.n_blocks() >= first + sums.n_in() && coarse.n_blocks() >= sums.n_out());
    let work = Weigh::<L, K, B, S> {
        fine,
        first,
        coarse,
        taps,
        sums,
        lanes: std::marker::PhantomData,
    };
    // SAFETY: the path was chosen for this CPU; the taps stay inside the halo.
    unsafe { L::with(work) }
}

struct Weigh<'a, L, const K: usize, const B: usize, const S: usize> {
    fine: &'a Maps<f32>,
    first: usize,
    coarse: &'a Maps<f32>,
    taps: [isize; K],
    sums: &'a mut Packed<f32>,
    lanes: std::marker::PhantomData<L>,
}

impl<L: Lanes<Number = f32>, const K: usize, const B: usize, const S: usize> Work<L>
    for Weigh<'_, L, K, B, S>
{
    #[inline(always)]
    unsafe fn run(self) {
        let (y, x) = self.coarse.dim();
        let band = (NEAR / (x * (BLOCK + S * S * B))).clamp(1, y);
        for o in 0..self.sums.n_out() {
            for i in 0..self.sums.n_in() {
                let sums = (o * self.sums.n_in() + i) * K * B * BLOCK;
                for y0 in (0..y).step_by(band) {
                    for k in 0..K {
                        let at = sums + k * B * BLOCK;
                        let of = &mut self.sums.all_mut()[at..at + B * BLOCK];
                        let rows = y0..(y0 + band).min(y);
                        let mut c = 0;
                        // SAFETY: below `with`; rows and columns lie in both maps, and what the
                        // taps add lies in the halo. `of` holds `B` times sixteen sums.
                        unsafe {
                            let fine = self.fine.all().as_ptr().add(self.fine.at(
                                self.first + i,
                                0,
                                0,
                            ));
                            let fine = fine.offset(self.taps[k]);
                            let coarse =
                                self.coarse.all().as_ptr().add(self.coarse.at(o, 0, 0));
                            let pitch = (self.fine.pitch() * S, self.coarse.pitch());
                            while c < B {
                                let (fine, of) = (fine.add(c), of.as_mut_ptr().add(c * BLOCK));
                                let n = L::SUMS.min(B - c);
                                match n {
                                    16 if L::SUMS >= 16 => {
                                        sum::<L, 16, B, S>(fine, coarse, pitch, &rows, x, of);
                                    }
                                    4 if L::SUMS >= 4 => {
                                        sum::<L, 4, B, S>(fine, coarse, pitch, &rows, x, of);
                                    }
                                    _ => sum::<L, 2, B, S>(fine, coarse, pitch, &rows, x, of),
                                }
                                c += n;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `N` input channels against sixteen outputs, over some rows.
#[inline(always)]
unsafe fn sum<L: Lanes<Number = f32>, const N: usize, const B: usize, const S: usize>(
    fine: *const f32,
    coarse: *const f32,
    pitch: (usize, usize),
    rows: &std::ops::Range<usize>,
    x: usize,
    of: *mut f32,
) {
    // SAFETY: the caller's promise, for every row and column below.
    unsafe {
        let mut sums = [L::zero(); N];
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = L::load(of.add(n * BLOCK));
        }
        for row in rows.clone() {
            let (fine, coarse) = (fine.add(row * pitch.0), coarse.add(row * pitch.1));
            for column in 0..x {
                let gradient = L::weights(coarse.add(column * BLOCK));
                let pixel = fine.add(column * S * B);
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = L::sum(*sum, gradient, L::pixel(pixel.add(n)));
                }
            }
        }
        for (n, sum) in sums.iter().enumerate() {
            L::save(*sum, of.add(n * BLOCK));
        }
    }
}

/// Sets to 0 the gradient of what the rectifier cut: where `output` is not above 0, in the first
/// `n_blocks` blocks of both.
pub(crate) fn rectifier(output: &Maps<f32>, gradient: &mut Maps<f32>, n_blocks: usize) {
    assert!(output.dim() == gradient.dim());
    let n = n_blocks * output.plane();
    for (gradient, &output) in gradient.all_mut()[..n].iter_mut().zip(&output.all()[..n]) {
        *gradient = if output > 0.0 { *gradient } else { 0.0 };
    }
}

/// Adds to `by_input` what comes back through a 2x2 max-pooling: the gradient goes to the
/// largest input, the first where several are.
pub(crate) fn pool(input: &Maps<f32>, by_output: &Maps<f32>, by_input: &mut Maps<f32>) {
    let (y, x) = by_output.dim();
    assert!(input.dim() == (2 * y, 2 * x) && by_input.dim() == input.dim());
    assert!(input.n_blocks() >= by_output.n_blocks());
    assert!(by_input.n_blocks() >= by_output.n_blocks());
    let pitch = input.pitch();
    for block in 0..by_output.n_blocks() {
        for row in 0..y {
            let at = input.at(block, 2 * row, 0);
            let seen = &input.all()[at..at + pitch + 2 * x * BLOCK];
            let back = &mut by_input.all_mut()[at..at + pitch + 2 * x * BLOCK];
            for (i, &gradient) in by_output.row(block, row).iter().enumerate() {
                let first = i / BLOCK * 2 * BLOCK + i % BLOCK;
                let four = [first, first + BLOCK, first + pitch, first + pitch + BLOCK];
                let mut largest = four[0];
                for &at in &four[1..] {
                    largest = if seen[at] > seen[largest] { at } else { largest };
                }
                back[largest] += gradient;
            }
        }
    }
}

/// Sum over pixels of every channel of `n_blocks` blocks: the gradient by a bias.
pub(crate) fn by_bias((by_output, first): Source<'_, f32>, n_blocks: usize) -> Vec<f32> {
    let mut sums = vec![0.0; n_blocks * BLOCK];
    for (block, sums) in sums.chunks_exact_mut(BLOCK).enumerate() {
        for row in 0..by_output.dim().0 {
            for pixel in by_output.row(first + block, row).chunks_exact(BLOCK) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
        }
    }
    sums
}

/// The 1x1 at the end: writes the gradient by what it saw, and gives those by weights and bias.
pub(crate) fn logits(
    source: &Maps<f32>,
    weights: &Aligned<f32>,
    by_logits: &[f32],
    by_source: &mut Maps<f32>,
) -> (Vec<f32>, f32) {
    let (y, x) = source.dim();
    assert!(by_source.dim() == (y, x) && by_logits.len() == y * x);
    let mut by_weights = vec![0.0; weights.len()];
    let blocks = weights.chunks_exact(BLOCK).zip(by_weights.chunks_exact_mut(BLOCK));
    for (block, (weights, sums)) in blocks.enumerate() {
        for row in 0..y {
            let gradients = &by_logits[row * x..(row + 1) * x];
            let pixels = source.row(block, row).chunks_exact(BLOCK);
            let back = by_source.row_mut(block, row).chunks_exact_mut(BLOCK);
            for ((&gradient, pixel), back) in gradients.iter().zip(pixels).zip(back) {
                for c in 0..BLOCK {
                    sums[c] += gradient * pixel[c];
                    back[c] = gradient * weights[c];
                }
            }
        }
    }
    (by_weights, by_logits.iter().sum())
}
