//! Exact Shapley values of a tree, one leaf at a time.
//!
//! On the path to a leaf every input has one condition, however often it was asked. A leaf of
//! value `v` is worth `v Π o Π z` to a set of known inputs: `o` is 1 where the case meets the
//! condition of a known input, else 0, and `z` is the share of training rows that meet that of an
//! unknown one. The weights of all sets of one size are coefficients of `Π (z + o t)`, so that
//! a leaf of depth `d` takes `d²` steps.

use crate::tree::{DEEPEST, Node, Tree};

/// The way to one leaf.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    conditions: Vec<Condition>,
    value: f64,
}

/// What one input has to be to stay on the path.
#[derive(Debug, Clone, Copy)]
struct Condition {
    input: u32,
    /// In `low..high`, or missing where that is allowed.
    low: f64,
    high: f64,
    missing: bool,
    /// Share of the training rows that stayed on the path where this input was asked.
    share: f64,
}

impl Condition {
    fn meets(&self, value: f64) -> bool {
        if value.is_nan() { self.missing } else { self.low <= value && value < self.high }
    }

    /// The same with one more split.
    fn and(mut self, threshold: f64, left: bool, missing_left: bool, share: f64) -> Self {
        if left {
            self.high = self.high.min(threshold);
        } else {
            self.low = self.low.max(threshold);
        }
        self.missing &= left == missing_left;
        self.share *= share;
        self
    }
}

impl Path {
    /// The paths to all leaves of `tree`.
    pub(crate) fn all(tree: &Tree) -> Vec<Self> {
        let mut rows = vec![0_u64; tree.nodes.len()];
        for (at, node) in tree.nodes.iter().enumerate().rev() {
            rows[at] = match *node {
                Node::Leaf { rows, .. } => u64::from(rows),
                Node::Split { right, .. } => rows[at + 1] + rows[right as usize],
            };
        }
        let mut paths = Vec::new();
        let mut open = vec![(0, Vec::new())];
        while let Some((at, conditions)) = open.pop() {
            match tree.nodes[at] {
                Node::Leaf { value, .. } => paths.push(Self { conditions, value }),
                Node::Split { input, threshold, missing_left, right } => {
                    for (next, left) in [(right as usize, false), (at + 1, true)] {
                        let share = rows[next] as f64 / rows[at] as f64;
                        let mut conditions = conditions.clone();
                        let known = take(&mut conditions, input);
                        conditions.push(known.and(threshold, left, missing_left, share));
                        open.push((next, conditions));
                    }
                }
            }
        }
        paths
    }

    /// What the leaf adds to the log-odds, on average over the training rows.
    pub(crate) fn expected(&self) -> f64 {
        self.value * self.conditions.iter().map(|condition| condition.share).product::<f64>()
    }

    /// Adds what the leaf contributes to each input.
    pub(crate) fn explain(&self, inputs: &[f64], contributions: &mut [f64]) {
        let n = self.conditions.len();
        let mut met = [false; DEEPEST];
        let mut factors = [0.0; DEEPEST + 1];
        factors[0] = 1.0;
        let (mut degree, mut unmet) = (0, self.value);
        for (met, condition) in met.iter_mut().zip(&self.conditions) {
            *met = condition.meets(inputs[condition.input as usize]);
            if *met {
                degree += 1;
                for power in (1..=degree).rev() {
                    factors[power] = factors[power] * condition.share + factors[power - 1];
                }
                factors[0] *= condition.share;
            } else {
                unmet *= condition.share;
            }
        }
        let weights = &WEIGHTS[n];
        let of_unmet: f64 = -unmet * (0..=degree).map(|k| weights[k] * factors[k]).sum::<f64>();
        for (met, condition) in met.iter().zip(&self.conditions) {
            contributions[condition.input as usize] += if *met {
                unmet
                    * (1.0 - condition.share)
                    * without(&factors, degree, condition.share, weights)
            } else {
                of_unmet
            };
        }
    }
}

/// Takes the condition of `input` out, or makes one that everything meets.
fn take(conditions: &mut Vec<Condition>, input: u32) -> Condition {
    match conditions.iter().position(|condition| condition.input == input) {
        Some(at) => conditions.remove(at),
        None => Condition {
            input,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            missing: true,
            share: 1.0,
        },
    }
}

/// The weighted sum of the coefficients of `factors / (share + t)`.
fn without(
    factors: &[f64; DEEPEST + 1],
    degree: usize,
    share: f64,
    weights: &[f64; DEEPEST + 1],
) -> f64 {
    let (mut coefficient, mut sum) = (0.0, 0.0);
    for power in (1..=degree).rev() {
        coefficient = factors[power] - share * coefficient;
        sum += weights[power - 1] * coefficient;
    }
    sum
}

/// `k! (n - 1 - k)! / n!` for `n` conditions of which `k` others are known.
static WEIGHTS: [[f64; DEEPEST + 1]; DEEPEST + 1] = weights();

const fn weights() -> [[f64; DEEPEST + 1]; DEEPEST + 1] {
    let mut weights = [[0.0; DEEPEST + 1]; DEEPEST + 1];
    let mut n = 1;
    while n <= DEEPEST {
        // 1/n, and from one k to the next times (k + 1) / (n - 1 - k).
        let mut weight = 1.0 / n as f64;
        let mut k = 0;
        while k < n {
            weights[n][k] = weight;
            if k + 1 < n {
                weight *= (k + 1) as f64 / (n - 1 - k) as f64;
            }
            k += 1;
        }
        n += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use crate::model::Model;
    use crate::testing::Task;
    use crate::train::TrainSettings;
    use crate::tree::{Node, Tree};

    /// Mean value of `tree` where only the inputs in `known` are looked at, weighted by rows.
    fn worth(tree: &Tree, at: usize, inputs: &[f64], known: u32) -> (f64, f64) {
        match tree.nodes[at] {
            Node::Leaf { value, rows } => (value, f64::from(rows)),
            Node::Split { input, threshold, missing_left, right } => {
                let left = worth(tree, at + 1, inputs, known);
                let right = worth(tree, right as usize, inputs, known);
                let rows = left.1 + right.1;
                let value = inputs[input as usize];
                let goes_left = if value.is_nan() { missing_left } else { value < threshold };
                if known & (1 << input) == 0 {
                    ((left.0 * left.1 + right.0 * right.1) / rows, rows)
                } else if goes_left {
                    (left.0, rows)
                } else {
                    (right.0, rows)
                }
            }
        }
    }

    /// Shapley's formula over all sets of 5 inputs.
    fn by_all_sets(model: &Model, inputs: &[f64], input: u32) -> f64 {
        let worth_of = |known: u32| -> f64 {
            model.trees.iter().map(|tree| worth(tree, 0, inputs, known).0).sum()
        };
        let weights = [1.0 / 5.0, 1.0 / 20.0, 1.0 / 30.0, 1.0 / 20.0, 1.0 / 5.0];
        (0..1_u32 << 5)
            .filter(|known| known & (1 << input) == 0)
            .map(|known| {
                let weight: f64 = weights[known.count_ones() as usize];
                weight * (worth_of(known | 1 << input) - worth_of(known))
            })
            .sum()
    }

    fn check(depth: usize) {
        let task = Task::new(400, 8);
        let settings =
            TrainSettings { trees: 12, depth, rate: 0.5, ..TrainSettings::default() };
        let settings = TrainSettings { least_hessian: 0.5, ..settings };
        let model = task.train(&settings).unwrap();
        for row in &task.rows[..20] {
            let mut contributions = [0.0; 5];
            model.contributions(row, &mut contributions);
            for (input, found) in (0..5).zip(contributions) {
                let expected = by_all_sets(&model, row, input);
                assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
            }
            let sum = model.expected_log_odds() + contributions.iter().sum::<f64>();
            assert!((sum - model.log_odds(row)).abs() < 1e-12);
        }
    }

    #[test]
    fn contributions_are_shapley_values_and_add_up() {
        check(1);
        check(3);
        check(8);
    }
}
