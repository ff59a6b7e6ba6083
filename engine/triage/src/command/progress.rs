//! Progress of long work: a line that is written over on a terminal, nothing in a pipe.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

/// One line on stderr about work of a known length.
pub(crate) struct Progress {
    what: &'static str,
    shown: bool,
    start: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// `what` is done, as in "scoring 3/26".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, shown: stderr().is_terminal(), start: Instant::now(), last: None }
    }

    /// Shows how far the work is, at most ten times a second.
    pub(crate) fn at(&mut self, done: usize, of: usize) {
        let now = Instant::now();
        let soon = self.last.is_some_and(|last| now.duration_since(last).as_millis() < 100);
        if !self.shown || (soon && done < of) {
            return;
        }
        self.last = Some(now);
        let elapsed = now.duration_since(self.start).as_secs_f64();
        let left = match done {
            0 => String::new(),
            _ => format!(
                ", {:.0} s left",
                elapsed / done as f64 * of.saturating_sub(done) as f64
            ),
        };
        let what = self.what;
        // A terminal that went away is no reason to stop the work.
        let _ = write!(stderr(), "\r\x1b[K{what} {done}/{of}{left}")
            .and_then(|()| stderr().flush());
    }

    /// Clears the line.
    pub(crate) fn end(&mut self) {
        if self.shown && self.last.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
