//! Threads: the samples of a batch side by side, each with buffers of its own.
//!
//! Which thread takes which item is left to chance; what an item computes must hang on the item
//! alone, so that the result does not.

use std::sync::{Mutex, PoisonError};
use std::thread;

use ndarray::Array2;

use super::augment::Sample;
use crate::NetError;

/// One slot of the batch: the network's buffers from the logits to the gradient.
pub(super) struct Lane<W> {
    /// The network's buffers.
    pub(super) work: W,
    /// Gradient of the batch's loss by the parameters, as far as this sample makes it.
    pub(super) gradient: Vec<f32>,
    /// What the slot trains on and its logits.
    pub(super) taken: Option<(Sample, Array2<f32>)>,
}

/// Calls `each` with every item and its index, on `threads` threads.
pub(super) fn side_by_side<T: Send>(
    items: &mut [T],
    threads: usize,
    each: impl Fn(usize, &mut T) -> Result<(), NetError> + Sync,
) -> Result<(), NetError> {
    let queue = Mutex::new(items.iter_mut().enumerate());
    let run = || loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        match next {
            Some((index, item)) => each(index, item)?,
            None => return Ok(()),
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done = done.and(theirs);
        }
        done
    })
}
