//! The innermost kernel: one tile of outputs, held in registers while it is summed.

use super::lanes::Lanes;
use super::maps::BLOCK;

/// What every tile of one convolution shares. `K` taps; strides count numbers.
pub(crate) struct Shared<T, const K: usize> {
    /// From the source pixel of an output to what each tap sees.
    pub(crate) taps: [isize; K],
    /// Blocks of input channels.
    pub(crate) n_in: usize,
    /// From a block of input channels to the next.
    pub(crate) source_plane: usize,
    /// From the weights of a block of output channels to those of the next.
    pub(crate) weights_of_block: usize,
    /// From a block of output channels to the next.
    pub(crate) target_plane: usize,
    /// From an output pixel to the next.
    pub(crate) target_step: usize,
    /// Whether outputs below 0 become 0.
    pub(crate) rectify: bool,
    /// Whether there is a bias; without one sums start at 0.
    pub(crate) bias: *const f32,
    pub(crate) weights: *const T,
}

/// Computes `O` blocks of output channels of `P` pixels of one row.
///
/// `B` channels lie together in the source, whose pixels are `S` apart for neighbouring outputs.
/// `block` is the first block of output channels.
///
/// # Safety
/// Below `L::with`. `source` points at the source pixel of the first output, `target` at the
/// first output, and everything that `shared` reaches from there belongs to their maps.
#[inline(always)]
pub(crate) unsafe fn tile<
    L: Lanes,
    const O: usize,
    const P: usize,
    const K: usize,
    const B: usize,
    const S: usize,
>(
    shared: &Shared<L::Number, K>,
    block: usize,
    source: *const L::Number,
    target: *mut L::Number,
) {
    // SAFETY: what the caller promises, for every address below.
    unsafe {
        let weights = shared.weights.add(block * shared.weights_of_block);
        let mut sums = [[L::zero(); P]; O];
        for o in 0..O {
            let bias = L::load(shared.bias.add((block + o) * BLOCK));
            for p in 0..P {
                sums[o][p] = bias;
            }
        }
        for i in 0..shared.n_in {
            let plane = source.add(i * shared.source_plane);
            for k in 0..K {
                let pixels = plane.offset(shared.taps[k]);
                let w = weights.add((i * K + k) * B * BLOCK);
                for c in 0..B / L::STEP {
                    let mut of = [L::weights(w.add(c * BLOCK * L::STEP)); O];
                    for o in 1..O {
                        of[o] = L::weights(
                            w.add(o * shared.weights_of_block + c * BLOCK * L::STEP),
                        );
                    }
                    for p in 0..P {
                        let pixel = L::pixel(pixels.add(p * S * B + c * L::STEP));
                        for o in 0..O {
                            sums[o][p] = L::sum(sums[o][p], of[o], pixel);
                        }
                    }
                }
            }
        }
        let zero = L::zero();
        for o in 0..O {
            for p in 0..P {
                let sum = if shared.rectify { L::max(sums[o][p], zero) } else { sums[o][p] };
                L::write(sum, target.add(o * shared.target_plane + p * shared.target_step));
            }
        }
    }
}
