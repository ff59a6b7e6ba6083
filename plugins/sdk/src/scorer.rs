//! From named numbers to a risk.

use std::path::Path;

use crate::{Call, Refused};

/// Turns features into the probability that the hematoma grows.
pub trait Scorer: Sized + Send {
    /// Opens the scorer from its `config` text; `folder` holds its weights.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused>;

    /// Names of the inputs wanted, in the order in which `score` gets them; read once, after
    /// `open`, and bound by name.
    fn inputs(&self) -> &[String];

    /// Whether the same inputs give the same bits.
    fn deterministic(&self) -> bool {
        true
    }

    /// Risk of growth by more than 6 ml within 24 h, with what pushed it.
    ///
    /// `inputs` are doubles, NaN where missing. `contributions` has one slot an input, in
    /// log-odds, and comes filled with zeros; with the base they add up to the logit of the risk
    /// (the host refuses a score where they do not, within 1e-6). `call` takes progress and asks
    /// to stop.
    fn score(
        &self,
        inputs: &[f64],
        contributions: &mut [f64],
        call: &mut Call,
    ) -> Result<Score, Refused>;
}

/// What a scorer says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Probability of growth, `0.0..=1.0`.
    pub risk: f64,
    /// Log-odds of the risk before any input is looked at.
    pub base: f64,
}

impl Score {
    /// The score that `base` and `contributions`, all in log-odds, add up to.
    pub fn from_log_odds(base: f64, contributions: &[f64]) -> Self {
        let log_odds = base + contributions.iter().sum::<f64>();
        Self { risk: 1.0 / (1.0 + (-log_odds).exp()), base }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_of_ln_3_are_a_risk_of_three_in_four() {
        let score = Score::from_log_odds(3.0_f64.ln() - 1.0, &[1.5, -0.5]);
        assert!((score.risk - 0.75).abs() < 1e-15);
    }
}
