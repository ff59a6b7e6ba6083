//! Asking the host whether to go on, often enough and not too often.

use ichor_plugin::{Call, Refused};

/// Pixels looked at between two questions; a few milliseconds.
const EVERY: usize = 1 << 16;

/// Counts work and asks the host after every so much of it.
#[derive(Debug)]
pub(crate) struct Pace<'a, 'b> {
    call: &'a mut Call<'b>,
    /// Share of the whole that is done, `0.0..=1.0`.
    pub(crate) share: f32,
    since: usize,
}

impl<'a, 'b> Pace<'a, 'b> {
    pub(crate) fn new(call: &'a mut Call<'b>) -> Self {
        Self { call, share: 0.0, since: 0 }
    }

    /// Says that `n` pixels were looked at; fails when the host asks to stop.
    pub(crate) fn work(&mut self, n: usize) -> Result<(), Refused> {
        self.since += n;
        if self.since >= EVERY {
            self.since = 0;
            self.call.progress(self.share)?;
        }
        Ok(())
    }

    /// Asks now.
    pub(crate) fn ask(&mut self) -> Result<(), Refused> {
        self.since = 0;
        self.call.progress(self.share)
    }
}
