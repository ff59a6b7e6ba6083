//! What a gradient takes besides convolutions: taps, turned weights, pooling, pixels dealt out.

use candle_core::{DType, Result, Tensor};

/// Channels `(n, 4 c, y, x)` dealt out over four pixels: `(n, c, 2 y, 2 x)`.
pub(crate) fn deal(xs: &Tensor) -> Result<Tensor> {
    let (n, c, y, x) = xs.dims4()?;
    let spread = xs.reshape(vec![n, c / 4, 2, 2, y, x])?.permute(vec![0, 1, 4, 2, 5, 3])?;
    spread.contiguous()?.reshape((n, c / 4, 2 * y, 2 * x))
}

/// Four pixels gathered in channels: what [`deal`] takes back.
pub(crate) fn gather(xs: &Tensor) -> Result<Tensor> {
    let (n, c, y, x) = xs.dims4()?;
    let spread = xs.reshape(vec![n, c, y / 2, 2, x / 2, 2])?.permute(vec![0, 1, 3, 5, 2, 4])?;
    spread.contiguous()?.reshape((n, 4 * c, y / 2, x / 2))
}

/// Weights `(out, in, side, side)` turned around: `(in, out, side, side)`.
pub(crate) fn turned(weight: &Tensor) -> Result<Tensor> {
    let (c_out, c_in, side, _) = weight.dims4()?;
    let flat = weight.reshape((c_out, c_in, side * side))?;
    let taps: Vec<Tensor> =
        (0..side * side).rev().map(|tap| flat.narrow(2, tap, 1)).collect::<Result<_>>()?;
    Tensor::cat(&taps, 2)?.transpose(0, 1)?.contiguous()?.reshape((c_in, c_out, side, side))
}

/// Gradient by the weights of a convolution, `(out, in, side, side)` in one order: a product for
/// each tap. One tap where `dilation` is 0, else nine.
pub(crate) fn by_taps(seen: &Tensor, by_sums: &Tensor, dilation: usize) -> Result<Tensor> {
    let (n, c_in, y, x) = seen.dims4()?;
    let c_out = by_sums.dim(1)?;
    let by_sums = by_sums.transpose(0, 1)?.contiguous()?.reshape((c_out, n * y * x))?;
    let side = if dilation == 0 { 1 } else { 3 };
    let mut padded = seen.clone();
    if dilation > 0 {
        padded = padded.pad_with_zeros(2, dilation, dilation)?;
        padded = padded.pad_with_zeros(3, dilation, dilation)?;
    }
    let tap = |at: usize| {
        let (row, column) = (at / side * dilation, at % side * dilation);
        let shown = padded.narrow(2, row, y)?.narrow(3, column, x)?.transpose(0, 1)?;
        let shown = shown.contiguous()?.reshape((c_in, n * y * x))?;
        by_sums.matmul(&shown.t()?)
    };
    let taps: Vec<Tensor> = (0..side * side).map(tap).collect::<Result<_>>()?;
    Tensor::stack(&taps, 2)
}

/// What comes back through a 2x2 max-pooling of `seen`: the gradient goes to the largest input,
/// the first where several are.
pub(crate) fn largest(seen: &Tensor, by_output: &Tensor) -> Result<Tensor> {
    let (n, c, y, x) = by_output.dims4()?;
    let four = gather(seen)?.reshape((n, c, 4, y * x))?;
    let most = four.max_keepdim(2)?;
    let by_output = by_output.reshape((n, c, 1, y * x))?;
    let mut open = most.ones_like()?;
    let mut parts = Vec::with_capacity(4);
    for at in 0..4 {
        let here = four.narrow(2, at, 1)?.eq(&most)?.to_dtype(DType::F32)?;
        let here = (here * &open)?;
        open = (open - &here)?;
        parts.push((here * &by_output)?);
    }
    deal(&Tensor::cat(&parts, 2)?.reshape((n, 4 * c, y, x))?)
}

/// The channels of each group of a slot.
pub(crate) fn halves(maps: &Tensor, dims: [Option<usize>; 2]) -> Result<[Option<Tensor>; 2]> {
    let first = dims[0].unwrap_or(0);
    let part = |start: usize, n: Option<usize>| {
        n.map(|n| maps.narrow(1, start, n)?.contiguous()).transpose()
    };
    Ok([part(0, dims[0])?, part(first, dims[1])?])
}
