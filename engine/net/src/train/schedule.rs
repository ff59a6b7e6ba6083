//! How long a training goes, how fast, and when it looks at itself: what every recipe has.

/// The numbers of the loop, whatever is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Schedule {
    /// Number of batches.
    pub(super) steps: usize,
    /// Largest rate of the update.
    pub(super) rate: f64,
    /// Steps until the rate is reached.
    pub(super) warm_up: usize,
    /// Decay of the weights, as a share of the rate.
    pub(super) weight_decay: f64,
    /// Largest norm of the gradient.
    pub(super) clip: f64,
    /// Share of the running average that stays each step.
    pub(super) ema: f64,
    /// Steps between two validations.
    pub(super) validate_every: usize,
    /// Validations without a better one after which the training ends.
    pub(super) patience: usize,
    /// Steps between two checkpoints.
    pub(super) checkpoint_every: usize,
}
