//! Numbers whose first one lies on a cache line.
//!
//! A 64-byte load that crosses a line costs two; on matrix units alignment decides over a factor
//! of two.

use std::fmt::{Debug, Formatter};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use half::bf16;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A number that kernels read: valid for every bit pattern, zero when all bits are.
///
/// # Safety
/// Any 64 bytes must be valid values of the type, which must not be larger or stricter in its
/// alignment than a cache line.
pub(crate) unsafe trait Number:
    Copy + Default + PartialEq + Send + Sync + 'static
{
    /// The nearest number to `value`, ties to even.
    fn near(value: f32) -> Self;
    /// Its value.
    fn value(self) -> f32;
}

// SAFETY: four bytes, every pattern of which is an f32.
unsafe impl Number for f32 {
    fn near(value: f32) -> Self {
        value
    }

    fn value(self) -> f32 {
        self
    }
}

// SAFETY: two bytes, every pattern of which is a bf16.
unsafe impl Number for bf16 {
    fn near(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn value(self) -> f32 {
        self.to_f32()
    }
}

/// A fixed number of `T`s, the first on a cache line.
#[derive(Clone)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    n: usize,
    holds: PhantomData<T>,
}

impl<T: Number> Aligned<T> {
    /// `n` zeros.
    pub(crate) fn zeroed(n: usize) -> Self {
        let n_lines = (n * size_of::<T>()).div_ceil(size_of::<Line>());
        Self { lines: vec![Line([0; 64]); n_lines], n, holds: PhantomData }
    }

    /// Becomes `n` numbers; those that were there keep their values, memory is never given back.
    pub(crate) fn resize(&mut self, n: usize) {
        let n_lines = (n * size_of::<T>()).div_ceil(size_of::<Line>());
        if n_lines > self.lines.len() {
            self.lines.resize(n_lines, Line([0; 64]));
        }
        self.n = n;
    }

    /// The nearest `T`s to `values`.
    pub(crate) fn near(values: impl ExactSizeIterator<Item = f32>) -> Self {
        let mut all = Self::zeroed(values.len());
        all.iter_mut().zip(values).for_each(|(to, value)| *to = T::near(value));
        all
    }
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), n: 0, holds: PhantomData }
    }
}

impl<T: Number> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `lines` holds at least `n` numbers, initialised bytes are valid ones (the
        // promise of `Number`), and a line is aligned more strictly than any of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.n) }
    }
}

impl<T: Number> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.n) }
    }
}

impl<T> Debug for Aligned<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "Aligned({})", self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_lies_on_a_cache_line_and_all_are_zero() {
        for n in [0, 1, 15, 16, 17, 1000] {
            let numbers = Aligned::<bf16>::zeroed(n);
            assert_eq!(numbers.as_ptr().addr() % 64, 0);
            assert_eq!(*numbers, *vec![bf16::ZERO; n]);
        }
    }
}
