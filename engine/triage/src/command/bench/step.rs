//! One step of a training.

use ichor_net::{Gpus, TrainingStep};
use ichor_study::stats;

use crate::TriageError;

/// A step and what it took.
pub(super) struct Timed {
    pub(super) step: TrainingStep,
    /// `cpu` or `gpu`.
    pub(super) device: &'static str,
    pub(super) runs: usize,
    pub(super) core_s: f64,
    pub(super) wall_s: f64,
}

/// Times a step on all cores, or on the first of `gpus` where any are wanted: the median of `runs`.
pub(super) fn time(
    width: usize,
    size: usize,
    batch: usize,
    runs: usize,
    gpus: &Gpus,
) -> Result<Timed, TriageError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let step = TrainingStep { width, size, batch, threads };
    let (wall, core): (Vec<f64>, Vec<f64>) = step.time(runs, gpus)?.into_iter().unzip();
    let median = |times: &[f64]| stats::median(times).unwrap_or(f64::NAN);
    let device = if gpus.wanted() { "gpu" } else { "cpu" };
    Ok(Timed { step, device, runs, core_s: median(&core), wall_s: median(&wall) })
}
