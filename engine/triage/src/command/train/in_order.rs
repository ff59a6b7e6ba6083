//! Work on all threads whose results come in the order of the items.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::TriageError;

/// Calls `each` with every item on `threads` threads, and `progress` with the number done.
///
/// Fails with the first error that comes, and leaves the rest undone.
pub(in crate::command) fn in_order<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    progress: &mut dyn FnMut(usize, usize),
    each: impl Fn(&T) -> Result<R, TriageError> + Sync,
) -> Result<Vec<R>, TriageError> {
    let queue = &Mutex::new(items.iter().enumerate());
    let (send, results) = mpsc::channel();
    let each = &each;
    let mut done: Vec<Option<R>> = items.iter().map(|_| None).collect();
    thread::scope(move |scope| {
        for _ in 0..threads {
            let send = send.clone();
            scope.spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((index, item)) = next() {
                    if send.send((index, each(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        // Leaving this loop drops the receiver, which stops the threads after their item.
        for (n_done, (index, result)) in (1..).zip(results) {
            done[index] = Some(result?);
            progress(n_done, items.len());
        }
        Ok(done.into_iter().flatten().collect())
    })
}
