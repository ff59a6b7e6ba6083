//! Convolutions with their bias: on a GPU by cuDNN, which adds up in f32 and rounds once.
//!
//! candle's own adds the bias after it has rounded the sums to bf16. Here the output starts as the
//! bias, and the convolution is added to it before it is rounded. A bias is spread over a map once and
//! copied from then on, and an up-convolution is cuDNN's own: candle's kernels for what is not
//! contiguous divide in 64 bits for each dimension of each number, on paper more work than the
//! convolution.
//!
//! In f32 cuDNN would round the products to TF32 (10 bits) on every GPU from Ampere on where nobody
//! forbids it, and candle forbids it nowhere: f32 would be 1e-3 away from f32.

#[cfg(feature = "cuda")]
mod cudnn;

use candle_core::{Result, Tensor};

use crate::taps::deal;

/// `(n, c_in, y, x)` by weights `(c_out, c_in, side, side)` to `(n, c_out, y, x)`, and `bias`,
/// `(1, c_out, 1, 1)` or spread over `(1, c_out, y, x)`, where there is one.
pub(crate) fn convolve(
    seen: &Tensor,
    (weight, bias): (&Tensor, Option<&Tensor>),
    padding: usize,
    dilation: usize,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if seen.device().is_cuda() {
        return cudnn::convolve(&seen.contiguous()?, (weight, bias), padding, dilation);
    }
    let sums = seen.conv2d(weight, padding, 1, dilation, 1)?;
    bias.map_or_else(|| Ok(sums.clone()), |bias| sums.broadcast_add(bias))
}

/// 2x2 up-convolution with stride 2: `(n, c_in, y, x)` to `(n, c_out, 2 y, 2 x)`.
///
/// On a GPU by weights `(c_in, c_out, 2, 2)` and a bias as above; elsewhere by a 1x1 convolution whose
/// channels are dealt out over four pixels: `(4 c_out, c_in, 1, 1)` and `(1, 4 c_out, 1, 1)`.
pub(crate) fn up(seen: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if seen.device().is_cuda() {
        return cudnn::up(&seen.contiguous()?, weight, bias);
    }
    deal(&convolve(seen, (weight, Some(bias)), 0, 1)?)
}
