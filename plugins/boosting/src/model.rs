//! A model: a forest, the names of its inputs, and what it was trained on.

use crate::error::BoostingError;
use crate::forest::{Convention, Forest};
use crate::names;
use crate::shap::Paths;
use crate::walk::Walk;

/// How far base and contributions may lie from the margin, as a share of the largest margin that
/// the leaves could add up to. Rounding of doubles stays a hundred times below.
const ADDITIVE_WITHIN: f64 = 1e-12;

/// Trees whose values add up to log-odds of growth.
#[derive(Debug, Clone)]
pub struct Model {
    names: Vec<String>,
    pub(crate) forest: Forest,
    trained: Option<Trained>,
    paths: Paths,
    walk: Option<Walk>,
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
        forest: Forest,
        trained: Option<Trained>,
    ) -> Result<Self, BoostingError> {
        names::check(&names)?;
        let paths = Paths::new(&forest)?;
        let walk = Walk::new(&forest);
        Ok(Self { names, forest, trained, paths, walk })
    }

    /// Names of the inputs, in the order in which [`Model::log_odds`] takes them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The same model with its inputs called otherwise; `names` has one for each of them.
    pub fn with_names(mut self, names: Vec<String>) -> Result<Self, BoostingError> {
        if names.len() != self.names.len() {
            let (path, found) = ("the list of names".to_owned(), names.len());
            return Err(BoostingError::Length { path, found, needed: self.names.len() });
        }
        names::check(&names)?;
        self.names = names;
        Ok(self)
    }

    /// What the model was trained on, where it was trained here.
    pub fn trained(&self) -> Option<Trained> {
        self.trained
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.forest.roots.len()
    }

    /// Number of splits and leaves of all trees.
    pub fn n_nodes(&self) -> usize {
        self.forest.nodes.len()
    }

    /// What the library that trained the model calls the margin or raw score, to the bit; of a
    /// mean of trees (`average_output`), of which LightGBM's raw score is the sum, the mean.
    ///
    /// `inputs` has one value for each name, NaN where missing.
    pub fn margin(&self, inputs: &[f64]) -> f64 {
        self.forest.margin(self.walk.as_ref(), inputs)
    }

    /// Log-odds of growth: the margin, times LightGBM's `sigmoid`.
    pub fn log_odds(&self, inputs: &[f64]) -> f64 {
        self.forest.sigmoid * self.margin(inputs)
    }

    /// Mean log-odds over the training cases, by the covers of the leaves: what is known before
    /// any input is looked at.
    pub fn expected_log_odds(&self) -> f64 {
        self.forest.sigmoid * self.paths.expected()
    }

    /// Whether an input can be told from an infinite one in the model's precision.
    pub(crate) fn takes(&self, value: f64) -> bool {
        match self.forest.convention {
            Convention::XGBoost => !(value as f32).is_infinite(),
            Convention::LightGBM => !value.is_infinite(),
        }
    }

    /// Writes what each input adds to the base, which is returned; together they are
    /// [`Model::log_odds`].
    ///
    /// Shapley values whose missing players are averaged over the training cases of each node
    /// (Lundberg et al. 2018, path dependent). The base is [`Model::expected_log_odds`] but for
    /// what XGBoost's sums in single precision are off. Fails where the contributions do not add
    /// up within 1e-12 of the largest margin there could be: they are never to be shown then.
    pub fn contributions(
        &self,
        inputs: &[f64],
        contributions: &mut [f64],
    ) -> Result<f64, BoostingError> {
        self.paths.explain(&self.forest, inputs, contributions);
        let sum = self.paths.expected() + contributions.iter().sum::<f64>();
        let exact = self.forest.exact_margin(self.walk.as_ref(), inputs);
        // Not finite is not within.
        let within = (sum - exact).abs() <= ADDITIVE_WITHIN * self.paths.scale();
        if !within {
            return Err(BoostingError::NotAdditive { sum, margin: exact });
        }
        for part in contributions.iter_mut() {
            *part *= self.forest.sigmoid;
        }
        Ok(self.log_odds(inputs) - contributions.iter().sum::<f64>())
    }
}
