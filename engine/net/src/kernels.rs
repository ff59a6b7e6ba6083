//! Convolution kernels for CPUs: the only unsafe code of this crate.
//!
//! Feature maps are blocked: a pixel's channels lie in blocks of 16 (`nChw16c`), 64 or 32 bytes
//! that a vector register loads at once, inside a frame of [`maps::HALO`] zeros that takes the
//! place of every border case. Each output pixel is summed in one fixed order (block of input
//! channels, tap, channel), whatever tile it is computed in: computing a part of a map gives the
//! bits of the whole.
//!
//! One source serves every instruction set: it is written against [`lanes::Lanes`], sixteen
//! numbers at a time, and compiled once for each of its implementations.

#![expect(unsafe_code, reason = "vector instructions and the memory that they read")]
#![expect(clippy::inline_always, reason = "what is not inlined is not compiled for the path")]
#![expect(clippy::needless_range_loop, reason = "registers are counted, and unrolled by index")]

pub(crate) mod aligned;
#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
pub(crate) mod backward;
pub(crate) mod convolve;
pub(crate) mod lanes;
pub(crate) mod maps;
pub(crate) mod pack;
pub(crate) mod peak;
pub(crate) mod pixelwise;
pub(crate) mod portable;
pub(crate) mod tile;
pub(crate) mod tiles;
pub(crate) mod winograd;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;
