//! The path for every CPU: plain Rust that the compiler turns into whatever vectors there are.

use super::lanes::{Lanes, Work};
use super::maps::BLOCK;
use super::tiles::NoUnit;

/// Plain f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn each(mut f: impl FnMut(usize) -> f32) -> [f32; 16] {
    let mut out = [0.0; 16];
    for (i, out) in out.iter_mut().enumerate() {
        *out = f(i);
    }
    out
}

// SAFETY: nothing here needs more than the target itself has.
unsafe impl Lanes for Portable {
    type Number = f32;
    type Vector = [f32; 16];
    type Weights = [f32; 16];
    type Pixel = f32;
    type Unit = NoUnit;

    const STEP: usize = 1;
    const MAPS: usize = BLOCK;
    const PIXELS: usize = 2;
    const TWO_BLOCKS: bool = false;
    const WINOGRAD: bool = true;
    const SUMS: usize = 2;

    #[inline(always)]
    unsafe fn with<W: Work<Self>>(work: W) {
        // SAFETY: every CPU has what plain Rust is compiled to.
        unsafe { work.run() }
    }

    #[inline(always)]
    unsafe fn zero() -> [f32; 16] {
        [0.0; 16]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 16] {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { from.cast::<[f32; 16]>().read() }
    }

    #[inline(always)]
    unsafe fn save(vector: [f32; 16], to: *mut f32) {
        // SAFETY: the caller has room for sixteen f32 there.
        unsafe { to.cast::<[f32; 16]>().write(vector) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> [f32; 16] {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(vector: [f32; 16], to: *mut f32) {
        // SAFETY: the caller has room for sixteen f32 there.
        unsafe { Self::save(vector, to) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const f32) -> [f32; 16] {
        // SAFETY: the caller has sixteen f32 there.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn pixel(from: *const f32) -> f32 {
        // SAFETY: the caller has an f32 there.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn sum(sum: [f32; 16], w: [f32; 16], p: f32) -> [f32; 16] {
        each(|i| sum[i] + w[i] * p)
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        each(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn subtract(a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(|i| a[i] - b[i])
    }

    #[inline(always)]
    unsafe fn max(a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
}
