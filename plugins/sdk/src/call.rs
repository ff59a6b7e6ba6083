//! One call into a plugin, as the plugin sees it.

use std::ops::ControlFlow;

use crate::Refused;

/// Reports progress and asks whether to go on.
pub struct Call<'a> {
    poll: &'a mut dyn FnMut(f32) -> ControlFlow<()>,
}

impl<'a> Call<'a> {
    /// A call that asks `poll`; it takes the progress, `0.0..=1.0`, and breaks to stop.
    pub fn new(poll: &'a mut dyn FnMut(f32) -> ControlFlow<()>) -> Self {
        Self { poll }
    }

    /// Reports that `share` of the work is done, `0.0..=1.0`; fails when the host asks to stop.
    ///
    /// Cheap enough for every slice; long work should come here at least every 50 ms:
    /// `call.progress(0.4)?`.
    pub fn progress(&mut self, share: f32) -> Result<(), Refused> {
        match (self.poll)(share.clamp(0.0, 1.0)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Refused::cancelled()),
        }
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_asks_to_stop_ends_the_work() {
        let mut seen = Vec::new();
        let mut poll = |share: f32| {
            seen.push(share);
            if share < 0.5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let mut call = Call::new(&mut poll);
        assert_eq!(call.progress(0.25), Ok(()));
        assert_eq!(call.progress(7.0), Err(Refused::cancelled()));
        assert_eq!(seen, [0.25, 1.0]);
    }
}
