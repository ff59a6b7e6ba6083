//! Decision trees in one list of nodes, as every model file is read into.
//!
//! Two libraries, two conventions. XGBoost (3.2, `src/predictor`) rounds inputs to single
//! precision, sends `x < threshold` left and adds the trees up in single precision on top of the
//! base. LightGBM (4.7, `include/LightGBM/tree.h`) compares `x <= threshold` and adds up in double
//! precision. Both are followed to the bit, so a margin is that of the library itself.

use crate::categories::Categories;
use crate::walk::Walk;

/// Whose rules a forest follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Convention {
    /// Single precision; below the threshold goes left; a category of the set goes right.
    XGBoost,
    /// Double precision; up to the threshold goes left; a category of the set goes left.
    LightGBM,
}

/// What a split asks about its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// How it compares with the threshold.
    Threshold,
    /// The same, and a zero is a missing value (LightGBM's `zero_as_missing`).
    ThresholdOrZero,
    /// Whether it is in the set of categories whose number is in `value`.
    Categories,
    /// Nothing: this is a leaf.
    Leaf,
}

/// A node; a split's left side follows it directly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// A split's threshold or number of its set; what a leaf adds.
    pub(crate) value: f64,
    /// Index of the input.
    pub(crate) input: u32,
    /// Index of the node on the right side.
    pub(crate) right: u32,
    pub(crate) test: Test,
    /// Where a missing value goes.
    pub(crate) missing_left: bool,
}

/// What is known of a node beside its question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Known {
    /// Weight of the training rows that came here: their number or their sum of hessians.
    pub(crate) cover: f64,
    /// How much the split took off the loss; 0 in a leaf or where the file does not say.
    pub(crate) gain: f32,
}

/// Trees whose values add up to a margin.
#[derive(Debug, Clone)]
pub(crate) struct Forest {
    pub(crate) convention: Convention,
    /// All trees, one after the other.
    pub(crate) nodes: Vec<Node>,
    /// One for each node.
    pub(crate) known: Vec<Known>,
    /// Where each tree starts in `nodes`.
    pub(crate) roots: Vec<u32>,
    pub(crate) categories: Categories,
    /// The margin before the first tree.
    pub(crate) base: f64,
    /// Whether the margin is the mean of the trees and not their sum.
    pub(crate) average: bool,
    /// What a margin is multiplied with to give log-odds.
    pub(crate) sigmoid: f64,
}

/// LightGBM's `kZeroThreshold`, a single-precision constant.
const ZERO: f64 = 1e-35_f32 as f64;

impl Forest {
    /// No tree yet, a base of 0.
    pub(crate) fn new(convention: Convention) -> Self {
        Self {
            convention,
            nodes: Vec::new(),
            known: Vec::new(),
            roots: Vec::new(),
            categories: Categories::default(),
            base: 0.0,
            average: false,
            sigmoid: 1.0,
        }
    }

    /// Whether `node`, a split, sends `value` left.
    pub(crate) fn goes_left(&self, node: &Node, value: f64) -> bool {
        let value = match self.convention {
            Convention::XGBoost => f64::from(value as f32),
            Convention::LightGBM => value,
        };
        if value.is_nan() {
            return node.missing_left;
        }
        match (node.test, self.convention) {
            (Test::ThresholdOrZero, _) if (-ZERO..=ZERO).contains(&value) => node.missing_left,
            (Test::Categories, convention) => {
                self.categories.goes_left(node.value as usize, value, convention)
            }
            (_, Convention::XGBoost) => value < node.value,
            (_, Convention::LightGBM) => value <= node.value,
        }
    }

    /// The leaf in which `inputs` end, from the node `at` on.
    fn leaf(&self, mut at: usize, inputs: &[f64]) -> usize {
        loop {
            let node = &self.nodes[at];
            if node.test == Test::Leaf {
                return at;
            }
            let left = self.goes_left(node, inputs[node.input as usize]);
            at = if left { at + 1 } else { node.right as usize };
        }
    }

    /// Hands on the value of the leaf in which `inputs` end, tree after tree.
    fn each_leaf(&self, walk: Option<&Walk>, inputs: &[f64], mut on: impl FnMut(f64)) {
        let value_of = |leaf: usize| self.nodes[leaf].value;
        match (walk, self.convention) {
            (Some(walk), Convention::XGBoost) => {
                let single = |input: usize| f64::from(inputs[input] as f32);
                walk.leaves(&self.roots, single, |leaf| on(value_of(leaf)));
            }
            (Some(walk), Convention::LightGBM) => {
                walk.leaves(&self.roots, |input| inputs[input], |leaf| on(value_of(leaf)));
            }
            (None, _) => {
                self.roots.iter().for_each(|&at| on(value_of(self.leaf(at as usize, inputs))));
            }
        }
    }

    /// The margin that the library itself would give, to the bit; `walk` is this forest's.
    pub(crate) fn margin(&self, walk: Option<&Walk>, inputs: &[f64]) -> f64 {
        match self.convention {
            Convention::XGBoost => {
                let mut sum = self.base as f32;
                self.each_leaf(walk, inputs, |leaf| sum += leaf as f32);
                f64::from(sum)
            }
            Convention::LightGBM => {
                let mut sum = self.base;
                self.each_leaf(walk, inputs, |leaf| sum += leaf);
                self.mean(sum)
            }
        }
    }

    /// The margin in double precision, by whichever convention the trees compare.
    pub(crate) fn exact_margin(&self, walk: Option<&Walk>, inputs: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.each_leaf(walk, inputs, |leaf| sum += leaf);
        self.base + self.mean(sum)
    }

    /// The mean of the trees that add up to `sum`, where that is the margin.
    pub(crate) fn mean(&self, sum: f64) -> f64 {
        if self.average { sum / self.roots.len().max(1) as f64 } else { sum }
    }

    /// The nodes of each tree.
    pub(crate) fn trees(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let ends = self.roots.iter().skip(1).map(|&root| root as usize);
        let starts = self.roots.iter().map(|&root| root as usize);
        starts.zip(ends.chain([self.nodes.len()])).map(|(start, end)| start..end)
    }
}
