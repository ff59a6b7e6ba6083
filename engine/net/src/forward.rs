//! The seam between a network and what computes it.
//!
//! A CPU path, candle, or a library for another device: each takes slices and gives
//! probabilities, and nothing else of this crate knows which it is.

use std::fmt::Debug;
use std::ops::ControlFlow;

use ndarray::Array2;

use crate::NetError;

/// One slice as the network sees it.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    /// Pixels `(y, x)` in `0.0..=1.0` for 0 to 100 HU.
    pub(crate) windowed: Array2<f32>,
    /// Where the probability is wanted; everywhere when none.
    pub(crate) wanted: Option<Array2<bool>>,
}

/// Slices to compute, made when they are asked for so that few are in memory at once.
pub(crate) struct Slices<'a> {
    pub(crate) n: usize,
    pub(crate) make: &'a (dyn Fn(usize) -> Slice + Sync),
}

/// Takes the probability of slice `index`, `(y, x)`, defined where it was wanted; breaking off
/// ends the work early and without an error.
pub(crate) type Done<'a> = dyn FnMut(usize, Array2<f32>) -> ControlFlow<()> + 'a;

/// One step of a network and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// Name of its weights, or what it does.
    pub name: String,
    /// Poolings above its output.
    pub level: usize,
    /// Multiplications and additions that were done.
    pub flop: f64,
    /// Multiplications and additions of the whole slice.
    pub whole_flop: f64,
    /// CPU time of the thread, seconds.
    pub cpu_s: f64,
}

/// A device with the network's weights on it.
pub(crate) trait Forward: Debug + Send + Sync {
    /// What computes, for provenance: such as `cpu avx512-bf16`.
    fn device(&self) -> String;

    /// Memory that a slice of `dim`, `(y, x)`, takes while it is computed, in bytes; none where
    /// it is not planned.
    fn bytes_a_slice(&self, dim: (usize, usize)) -> Option<usize> {
        let _ = dim;
        None
    }

    /// What multiply-adds alone would reach on one core, FLOP/s; none where it is not known.
    fn peak(&self) -> Option<f64> {
        None
    }

    /// Runs one slice on this thread, step by step: what each took. None where steps cannot be
    /// told apart.
    fn timed(&self, slice: &Slice) -> Result<Option<Vec<StepTime>>, NetError> {
        let _ = slice;
        Ok(None)
    }

    /// Probability of blood of every slice, handed over in any order, on the calling thread.
    fn run(&self, slices: &Slices<'_>, done: &mut Done<'_>) -> Result<(), NetError>;
}
