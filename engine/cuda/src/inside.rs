//! What of each slice of a batch is there: slices of different sizes in one batch, each computed as
//! if it were alone.
//!
//! A slice that is smaller than the batch lies in the first rows and columns. Beyond them every map
//! is zero, which is what a convolution finds beyond an edge. Poolings halve the sides, which are
//! multiples of two to their number, so that no pixel of a map lies half inside.

use candle_core::{DType, Device, Error, Result, Tensor};

/// Sides of the slices of a batch, as maps of ones and zeros for every level.
#[derive(Debug)]
pub(crate) struct Inside {
    /// `(n, 1, y, x)`, each level half of the one before.
    levels: Vec<Tensor>,
}

impl Inside {
    /// Fails where a side is longer than the batch's, or is no multiple of two to `n_poolings`.
    pub(crate) fn new(
        sides: &[[usize; 2]],
        [n, y, x]: [usize; 3],
        n_poolings: usize,
        (dtype, device): (DType, &Device),
    ) -> Result<Self> {
        let multiple = 1 << n_poolings;
        let fits = |side: usize, all: usize| side <= all && side.is_multiple_of(multiple);
        if sides.len() != n
            || sides.iter().any(|&[rows, cols]| !fits(rows, y) || !fits(cols, x))
        {
            let words = format!("sides {sides:?} in {y} x {x}, multiples of {multiple}");
            return Err(Error::msg(words));
        }
        let level = |level: usize| {
            let (y, x) = (y >> level, x >> level);
            let mut here = vec![0_f32; n * y * x];
            for (slice, [rows, columns]) in here.chunks_exact_mut(y * x).zip(sides) {
                for row in slice.chunks_exact_mut(x).take(rows >> level) {
                    row[..columns >> level].fill(1.0);
                }
            }
            Tensor::from_vec(here, (n, 1, y, x), device)?.to_dtype(dtype)
        };
        Ok(Self { levels: (0..=n_poolings).map(level).collect::<Result<_>>()? })
    }

    /// `maps` with zeros beyond what is there.
    pub(crate) fn of(&self, maps: &Tensor) -> Result<Tensor> {
        let (_, _, y, x) = maps.dims4()?;
        maps.broadcast_mul(self.level(y, x)?)
    }

    /// Pixels that are there, `(n, 1, 1, 1)`, for maps of `y` rows and `x` columns.
    pub(crate) fn n_pixels(&self, y: usize, x: usize) -> Result<Tensor> {
        self.level(y, x)?.to_dtype(DType::F32)?.sum_keepdim((2, 3))
    }

    fn level(&self, y: usize, x: usize) -> Result<&Tensor> {
        let found = self.levels.iter().find(|here| here.dims()[2..] == [y, x]);
        found.ok_or_else(|| Error::msg(format!("no level of {y} x {x}")))
    }
}
