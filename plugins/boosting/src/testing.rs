//! Tasks and disorder for the tests of this crate.

use std::ops::ControlFlow;

use crate::error::BoostingError;
use crate::forest::{Convention, Forest, Node, Test};
use crate::model::Model;
use crate::sapling::Sprout;
use crate::train::{TrainSettings, train};

/// A forest of LightGBM's convention without trees.
pub(crate) fn lightgbm() -> Forest {
    Forest::new(Convention::LightGBM)
}

/// A split that sends missing values right.
pub(crate) fn split(input: u32, threshold: f64, left: usize, right: usize) -> Sprout {
    let (value, test) = (threshold, Test::Threshold);
    let node = Node { value, input, right: 0, test, missing_left: false };
    Sprout::Split { node, gain: 0.0, left, right }
}

pub(crate) fn leaf(value: f64, cover: f64) -> Sprout {
    Sprout::Leaf { value, cover }
}

/// Repeatable disorder.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        // Knuth's MMIX generator; its upper half is random enough for a test.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// About normal: mean 0, variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0
    }
}

/// Cases with a label that hangs on them.
pub(crate) struct Task {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) labels: Vec<bool>,
}

impl Task {
    /// `n` cases of 5 inputs: a step, an interaction of two, one missing in every other case, and
    /// noise.
    pub(crate) fn new(n: usize, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let names = ["step", "a", "b", "often_missing", "noise"].map(str::to_owned).to_vec();
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let mut row: Vec<f64> = (0..5).map(|_| noise.normal()).collect();
            let step = if row[0] > 0.5 { 1.5 } else { -0.5 };
            let log_odds = step + row[1] * row[2] + 0.8 * row[3];
            labels.push((noise.below(10_000) as f64) < 10_000.0 / (1.0 + (-log_odds).exp()));
            if noise.below(2) == 0 {
                row[3] = f64::NAN;
            }
            rows.push(row);
        }
        Self { names, rows, labels }
    }

    pub(crate) fn train(&self, settings: &TrainSettings) -> Result<Model, BoostingError> {
        train(&self.names, &self.rows, &self.labels, settings, &mut |_, _| {
            ControlFlow::Continue(())
        })
    }

    /// Share of the pairs of a case that grew and one that did not that `model` orders rightly.
    pub(crate) fn auc(&self, model: &Model) -> f64 {
        let mut scored: Vec<(f64, bool)> =
            self.rows.iter().map(|row| model.log_odds(row)).zip(self.labels.clone()).collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut negatives, mut pairs) = (0, 0);
        for (_, grew) in &scored {
            if *grew {
                pairs += negatives;
            } else {
                negatives += 1;
            }
        }
        f64::from(pairs) / (f64::from(negatives) * (scored.len() as f64 - f64::from(negatives)))
    }
}
