//! A trained model.

use crate::shap::Path;
use crate::tree::Tree;

/// Trees whose values add up to log-odds of growth.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) names: Vec<String>,
    pub(crate) base: f64,
    pub(crate) trees: Vec<Tree>,
    pub(crate) trained: Trained,
    paths: Vec<Path>,
    expected: f64,
}

/// What a model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trained {
    /// Number of cases.
    pub rows: usize,
    /// Number of cases that grew.
    pub positives: usize,
    /// What the draws started from.
    pub seed: u64,
}

impl Model {
    pub(crate) fn new(
        names: Vec<String>,
        base: f64,
        trees: Vec<Tree>,
        trained: Trained,
    ) -> Self {
        let paths: Vec<Path> = trees.iter().flat_map(Path::all).collect();
        let expected = base + paths.iter().map(Path::expected).sum::<f64>();
        Self { names, base, trees, trained, paths, expected }
    }

    /// Names of the inputs, in the order in which [`Model::log_odds`] takes them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What the model was trained on.
    pub fn trained(&self) -> Trained {
        self.trained
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.trees.len()
    }

    /// Log-odds of growth; `inputs` has one value for each name, NaN where missing.
    pub fn log_odds(&self, inputs: &[f64]) -> f64 {
        self.base + self.trees.iter().map(|tree| tree.predict(inputs)).sum::<f64>()
    }

    /// Mean log-odds over the training cases: what is known before any input is looked at.
    pub fn expected_log_odds(&self) -> f64 {
        self.expected
    }

    /// What each input adds to [`Model::expected_log_odds`]; the sum is [`Model::log_odds`].
    ///
    /// Shapley values whose missing players are averaged over the training cases of each node
    /// (Lundberg et al. 2018, path dependent).
    pub fn contributions(&self, inputs: &[f64], contributions: &mut [f64]) {
        contributions.fill(0.0);
        for path in &self.paths {
            path.explain(inputs, contributions);
        }
    }
}
