//! The C interface between the engine and the library: one table under one name.
//!
//! Every struct carries its size; a table of another [`VERSION`] is refused before anything is
//! called. All buffers belong to the caller and are read or written during the call only. A call
//! gives 0, or another number and the reason in the caller's [`Text`]; no panic leaves the
//! library. A network is used by one thread at a time, any thread.

use std::ffi::{c_char, c_void};

/// Raised whenever a struct or a call changes.
pub const VERSION: u32 = 2;
/// The table's symbol.
pub const SYMBOL: &str = "ICHOR_CUDA";
/// The device that is the CPU: what a library without CUDA has, for tests.
pub const CPU: i32 = -1;

/// Batches that may be under way in one network: while one is computed the next one arrives.
pub const PLACES: usize = 2;

/// 3x3 convolution and rectifier; weights `(out, in, 3, 3)`.
pub const CONVOLVE: u32 = 0;
/// 2x2 max-pooling.
pub const POOL: u32 = 1;
/// 2x2 up-convolution with stride 2; weights `(in, out, 2, 2)`.
pub const UP: u32 = 2;
/// 1x1 convolution to one logit a pixel; weights `(1, in, 1, 1)`.
pub const LOGITS: u32 = 3;

/// Maps and weights in f32.
pub const F32: u32 = 0;
/// Maps and weights in bf16, sums in f32.
pub const BF16: u32 = 1;

/// Where a call writes why it failed: UTF-8, cut to `room`, ended by a zero.
#[repr(C)]
#[derive(Debug)]
pub struct Text {
    /// The caller's buffer.
    pub at: *mut c_char,
    /// Its bytes.
    pub room: usize,
}

/// One step of a network over its slots of maps; slot 0 is the input.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Step {
    /// [`CONVOLVE`], [`POOL`], [`UP`] or [`LOGITS`].
    pub kind: u32,
    /// The slot that is read, all of its groups one after the other.
    pub source: u32,
    /// The slot that is written; of no meaning for [`LOGITS`].
    pub target: u32,
    /// Which of its groups, 0 or 1.
    pub group: u32,
    /// Between the taps of a [`CONVOLVE`].
    pub dilation: u32,
    /// Channels that are read.
    pub channels_in: u32,
    /// Channels that are written.
    pub channels_out: u32,
    /// Where the weights start in the flat vector of parameters.
    pub weight: u64,
    /// Where the biases start.
    pub bias: u64,
}

/// A network and its parameters.
///
/// Its output is the map of [`LOGITS`], `(n, 1, y, x)`; without that step it is the mean of every
/// map of the last slot, `(n, channels)`.
#[repr(C)]
#[derive(Debug)]
pub struct Network {
    /// Of this struct, bytes.
    pub size: usize,
    /// Its steps in order.
    pub steps: *const Step,
    /// How many.
    pub n_steps: usize,
    /// One flat vector.
    pub parameters: *const f32,
    /// Its length.
    pub n_parameters: usize,
    /// Channels of the input.
    pub channels: u32,
    /// [`F32`] or [`BF16`].
    pub precision: u32,
}

/// Slices to compute.
#[repr(C)]
#[derive(Debug)]
pub struct Batch {
    /// Of this struct, bytes.
    pub size: usize,
    /// How many, rows, columns.
    pub dim: [usize; 3],
    /// `(n, channels, y, x)`.
    pub pixels: *const f32,
    /// Of `pixels`.
    pub n_pixels: usize,
    /// 1 where logits are given as probabilities; else 0.
    pub probabilities: u32,
    /// 0, or under which number the maps are kept for a gradient, over those kept before.
    pub keep: usize,
}

/// What is known of a device.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Of this struct, bytes.
    pub size: usize,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What the library offers.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// [`VERSION`]; first in every version.
    pub version: u32,
    /// 1 where CUDA is linked.
    pub cuda: u32,
    /// Of this table, bytes.
    pub size: usize,
    /// Memory of a device, by its number, or [`CPU`], which knows none.
    pub memory: unsafe extern "C" fn(i32, *mut Memory, *mut Text) -> i32,
    /// Puts a network on a device; the handle is ended by `close`.
    pub open: unsafe extern "C" fn(i32, *const Network, *mut *mut c_void, *mut Text) -> i32,
    /// New parameters, of the same length.
    pub take: unsafe extern "C" fn(*mut c_void, *const f32, usize, *mut Text) -> i32,
    /// Begins a batch in a place below [`PLACES`] and returns, on a GPU, before it is computed:
    /// handle, place, batch. What lay in the place is lost.
    pub put: unsafe extern "C" fn(*mut c_void, usize, *const Batch, *mut Text) -> i32,
    /// Waits for the batch in a place and writes its output: handle, place, output, its length. The
    /// place is free after it.
    pub get: unsafe extern "C" fn(*mut c_void, usize, *mut f32, usize, *mut Text) -> i32,
    /// Gradient by the parameters, from that by the output of what was kept under a number: handle,
    /// number, gradient by the output, its length, gradient by the parameters, its length. In f32
    /// only.
    pub gradient: unsafe extern "C" fn(
        *mut c_void,
        usize,
        *const f32,
        usize,
        *mut f32,
        usize,
        *mut Text,
    ) -> i32,
    /// Ends a handle.
    pub close: unsafe extern "C" fn(*mut c_void),
}
