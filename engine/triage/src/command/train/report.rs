//! What a training says while it runs: a line that is written over on a terminal, and one line a
//! validation anywhere.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ichor_net::{NetError, Stage};

use super::stop::stop_flag;
use crate::TriageError;
use crate::command::score::print;

/// How often the line on the terminal changes at most.
const PAUSE: Duration = Duration::from_millis(200);
/// Share of the shown loss that stays each step.
const SMOOTH: f64 = 0.98;

/// Runs `training` and reports its stages, until it ends, a signal stops it, or nobody is told.
/// `checkpoint` is only named in errors.
pub(super) fn reported<V: Display, T>(
    checkpoint: &Path,
    training: impl FnOnce(&mut dyn FnMut(Stage<V>) -> ControlFlow<()>) -> Result<T, NetError>,
) -> Result<T, TriageError> {
    let stop = stop_flag(checkpoint)?;
    let mut report = Report::new();
    let mut said = Ok(());
    let trained = training(&mut |stage| {
        said = report.at(stage);
        if said.is_err() || stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    drop(report);
    said?;
    Ok(trained?)
}

/// Says where the weights are, and what belongs into the manifest.
pub(super) fn written(out: &Path, entry: &str) -> Result<(), TriageError> {
    print(&format!("{} and its card are written; for the manifest:\n\n{entry}", out.display()))
}

/// Reports the stages of one training.
struct Report {
    shown: bool,
    start: Instant,
    last: Option<Instant>,
    /// Step before the first one of this run.
    first: Option<usize>,
    loss: Option<f64>,
}

impl Report {
    fn new() -> Self {
        let shown = stderr().is_terminal();
        Self { shown, start: Instant::now(), last: None, first: None, loss: None }
    }

    /// Says what is new at `stage`.
    fn at<V: Display>(&mut self, stage: Stage<V>) -> Result<(), TriageError> {
        let first = *self.first.get_or_insert(stage.step - 1);
        let before = self.loss.unwrap_or(stage.loss);
        let loss = SMOOTH * before + (1.0 - SMOOTH) * stage.loss;
        self.loss = Some(loss);
        let elapsed = self.start.elapsed().as_secs_f64();
        let left_s = elapsed / (stage.step - first) as f64 * (stage.steps - stage.step) as f64;
        let Stage { step, steps, .. } = stage;
        if let Some(validation) = stage.validation {
            self.clear();
            print(&format!(
                "step {step}/{steps}  loss {loss:.4}  validation {validation}  {} left",
                clock_time(left_s)
            ))?;
        }
        let now = Instant::now();
        if self.shown && self.last.is_none_or(|last| now.duration_since(last) >= PAUSE) {
            self.last = Some(now);
            let left = clock_time(left_s);
            // A terminal that went away is no reason to stop the work.
            let _ =
                write!(stderr(), "\r\x1b[Kstep {step}/{steps}  loss {loss:.4}  {left} left")
                    .and_then(|()| stderr().flush());
        }
        Ok(())
    }

    fn clear(&self) {
        if self.shown && self.last.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Seconds as `h:mm:ss`.
fn clock_time(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_reads_like_a_clock() {
        assert_eq!(clock_time(3725.4), "1:02:05");
        assert_eq!(clock_time(-1.0), "0:00:00");
    }
}
