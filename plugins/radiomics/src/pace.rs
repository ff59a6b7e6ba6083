//! How long work finds out that it should stop.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};

use ichor_plugin::{Call, Refused};

/// Asked at least every few milliseconds of work.
pub(crate) trait Pace {
    /// Fails when the work is to stop.
    fn check(&self) -> Result<(), Refused>;
}

/// Items between two checks: some tenths of a millisecond of work.
const PART: usize = 1 << 15;

/// Goes through `items`, checking often enough.
pub(crate) fn in_parts<T>(
    items: &[T],
    pace: &dyn Pace,
    mut work: impl FnMut(&[T]),
) -> Result<(), Refused> {
    for part in items.chunks(PART) {
        pace.check()?;
        work(part);
    }
    Ok(())
}

/// Asks the host itself, on the thread that it called.
pub(crate) struct Hosted<'a, 'b> {
    call: RefCell<&'a mut Call<'b>>,
    share: Cell<f32>,
}

impl<'a, 'b> Hosted<'a, 'b> {
    pub(crate) fn new(call: &'a mut Call<'b>) -> Self {
        Self { call: RefCell::new(call), share: Cell::new(0.0) }
    }

    /// Reports that `share` of the work is done.
    pub(crate) fn report(&self, share: f32) -> Result<(), Refused> {
        self.share.set(share);
        self.check()
    }
}

impl Pace for Hosted<'_, '_> {
    fn check(&self) -> Result<(), Refused> {
        self.call.borrow_mut().progress(self.share.get())
    }
}

/// Looks at a flag that the thread which the host called sets.
pub(crate) struct Flagged<'a>(pub(crate) &'a AtomicBool);

impl Pace for Flagged<'_> {
    fn check(&self) -> Result<(), Refused> {
        if self.0.load(Ordering::Relaxed) { Err(Refused::cancelled()) } else { Ok(()) }
    }
}

/// Never stops; for tests.
#[cfg(test)]
pub(crate) struct Endless;

#[cfg(test)]
impl Pace for Endless {
    fn check(&self) -> Result<(), Refused> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_flag_stops_the_work() {
        let flag = AtomicBool::new(false);
        assert_eq!(Flagged(&flag).check(), Ok(()));
        flag.store(true, Ordering::Relaxed);
        assert_eq!(Flagged(&flag).check(), Err(Refused::cancelled()));
    }
}
