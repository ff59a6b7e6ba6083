//! Exact Shapley values of a forest, one leaf at a time.
//!
//! The values are those of path-dependent `TreeSHAP` (Lundberg et al. 2018): a missing player is
//! averaged over the training rows of each node, by their covers. On the path to a leaf every
//! input has one condition, however often it was asked. A leaf of value `v` is worth `v Π o Π z` to
//! a set of known inputs: `o` is 1 where the case meets the condition of a known input, else 0, and
//! `z` is the share of training rows that meet that of an unknown one.
//!
//! The weight of a set of `k` of `n - 1` others, `k! (n - 1 - k)! / n!`, is the integral of
//! `t^k (1 - t)^(n - 1 - k)` over 0 to 1, so the value of an input is the integral of
//! `v (o - z) Π (z (1 - t) + o t)` over the others. Quadrature with `n / 2` points is exact, and as
//! no term is ever subtracted from another, nothing is lost however deep the tree.

use crate::error::BoostingError;
use crate::forest::{Forest, Test};
use crate::quadrature::gauss_legendre;
use crate::sapling::DEEPEST;

/// The most splits on all paths together; 64 MiB of memory, and some 30 ms a case.
const MOST_STEPS: usize = 2_000_000;
/// Points of one pass; paths with more conditions take several.
const WIDE: usize = 4;

/// The ways to all leaves of a forest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paths {
    leaves: Vec<Path>,
    conditions: Vec<Condition>,
    /// Twice the index of a split, and one more where the way goes right.
    steps: Vec<u32>,
    /// Points and weights for paths of each number of conditions.
    points: Vec<Vec<(f64, f64)>>,
    /// Mean of what the leaves add, over the training rows.
    expected: f64,
    /// Sum over the trees of the largest value of a leaf.
    scale: f64,
}

/// The way to one leaf.
#[derive(Debug, Clone, Copy)]
struct Path {
    value: f64,
    /// Ends of its part of `Paths::conditions`; it starts where the path before ends.
    end: u32,
}

/// What one input has to be to stay on the path.
#[derive(Debug, Clone, Copy)]
struct Condition {
    /// Share of the training rows that stayed on the path where this input was asked.
    share: f64,
    input: u32,
    /// End of its part of `Paths::steps`.
    end: u32,
}

/// A split on the way to a leaf.
#[derive(Debug, Clone, Copy)]
struct Step {
    input: u32,
    /// As in `Paths::steps`.
    code: u32,
    share: f64,
}

impl Paths {
    /// The paths of `forest`.
    pub(crate) fn new(forest: &Forest) -> Result<Self, BoostingError> {
        let mut paths = Self::default();
        for tree in forest.trees() {
            let mut largest = 0.0_f64;
            let mut way: Vec<Step> = Vec::new();
            // Nodes to come, each with how many steps of the way lead to it and the last of them.
            let mut open: Vec<(usize, usize, Option<Step>)> = vec![(tree.start, 0, None)];
            while let Some((at, depth, step)) = open.pop() {
                way.truncate(depth);
                way.extend(step);
                let node = forest.nodes[at];
                if node.test == Test::Leaf {
                    largest = largest.max(node.value.abs());
                    paths.push(&way, node.value)?;
                    continue;
                }
                let whole = forest.known[at].cover;
                for (next, right) in [(node.right as usize, 1), (at + 1, 0)] {
                    // Where no training row came, both sides are as likely.
                    let share =
                        if whole > 0.0 { forest.known[next].cover / whole } else { 0.5 };
                    let step = Step { input: node.input, code: 2 * at as u32 + right, share };
                    open.push((next, way.len(), Some(step)));
                }
            }
            paths.scale += largest;
        }
        let ends = || paths.leaves.iter().map(|path| path.end);
        let most =
            ends().zip([0].into_iter().chain(ends())).map(|(end, start)| end - start).max();
        let most = most.unwrap_or(0) as usize;
        paths.points = (0..=most).map(|n| gauss_legendre(n.div_ceil(2))).collect();
        paths.expected = forest.base + forest.mean(paths.expected);
        paths.scale = forest.base.abs() + forest.mean(paths.scale);
        Ok(paths)
    }

    fn push(&mut self, way: &[Step], value: f64) -> Result<(), BoostingError> {
        let mut sorted = way.to_vec();
        sorted.sort_by_key(|step| step.input);
        let mut product = value;
        for asked in sorted.chunk_by(|a, b| a.input == b.input) {
            let share = asked.iter().map(|step| step.share).product();
            product *= share;
            self.steps.extend(asked.iter().map(|step| step.code));
            let end = self.steps.len() as u32;
            self.conditions.push(Condition { share, input: asked[0].input, end });
        }
        if self.steps.len() > MOST_STEPS {
            let (found, most) = (self.steps.len(), MOST_STEPS);
            let what = "splits on the ways to all leaves";
            return Err(BoostingError::TooLarge { what, found, most });
        }
        self.expected += product;
        self.leaves.push(Path { value, end: self.conditions.len() as u32 });
        Ok(())
    }

    /// The mean margin over the training rows.
    pub(crate) fn expected(&self) -> f64 {
        self.expected
    }

    /// The largest margin that the leaves could add up to.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Writes what each input adds to [`Paths::expected`], in units of the margin.
    pub(crate) fn explain(&self, forest: &Forest, inputs: &[f64], contributions: &mut [f64]) {
        let right: Vec<u8> = forest
            .nodes
            .iter()
            .map(|node| match node.test {
                Test::Leaf => 0,
                _ => u8::from(!forest.goes_left(node, inputs[node.input as usize])),
            })
            .collect();
        contributions.fill(0.0);
        let (mut first, mut first_step) = (0, 0);
        let mut met = [0.0; DEEPEST];
        for path in &self.leaves {
            let conditions = &self.conditions[first..path.end as usize];
            first = path.end as usize;
            for (met, condition) in met.iter_mut().zip(conditions) {
                let steps = &self.steps[first_step..condition.end as usize];
                first_step = condition.end as usize;
                let kept =
                    steps.iter().all(|&step| right[step as usize / 2] == (step & 1) as u8);
                *met = f64::from(u8::from(kept));
            }
            let points = &self.points[conditions.len()];
            let met = &met[..conditions.len()];
            match points.len() {
                1 => pass::<1>(path.value, conditions, met, points, contributions),
                2 => pass::<2>(path.value, conditions, met, points, contributions),
                _ => {
                    for points in points.chunks(WIDE) {
                        pass::<WIDE>(path.value, conditions, met, points, contributions);
                    }
                }
            }
        }
        if forest.average {
            for part in contributions.iter_mut() {
                *part = forest.mean(*part);
            }
        }
    }
}

/// Adds the part of the integral that lies in at most `N` points.
#[inline]
fn pass<const N: usize>(
    value: f64,
    conditions: &[Condition],
    met: &[f64],
    points: &[(f64, f64)],
    contributions: &mut [f64],
) {
    let (mut at, mut products) = ([0.5; N], [0.0; N]);
    for ((at, product), &(point, weight)) in at.iter_mut().zip(&mut products).zip(points) {
        (*at, *product) = (point, value * weight);
    }
    // Above 0, so that what is multiplied in can be divided out.
    let factor =
        |share: f64, met: f64, at: f64| (share * (1.0 - at) + met * at).max(f64::MIN_POSITIVE);
    for (condition, &met) in conditions.iter().zip(met) {
        for (product, &at) in products.iter_mut().zip(&at) {
            *product *= factor(condition.share, met, at);
        }
    }
    for (condition, &met) in conditions.iter().zip(met) {
        let mut others = 0.0;
        for (&product, &at) in products.iter().zip(&at) {
            others += product / factor(condition.share, met, at);
        }
        contributions[condition.input as usize] += (met - condition.share) * others;
    }
}

#[cfg(test)]
mod tests {
    use crate::forest::{Forest, Test};
    use crate::model::Model;
    use crate::sapling::Sprout;
    use crate::testing::{Noise, Task, leaf, lightgbm, split};
    use crate::train::TrainSettings;

    /// Mean value of the tree at `at` where only the inputs in `known` are looked at.
    fn worth(forest: &Forest, at: usize, inputs: &[f64], known: u32) -> f64 {
        let node = forest.nodes[at];
        if node.test == Test::Leaf {
            return node.value;
        }
        let (left, right) = (at + 1, node.right as usize);
        let worth_of = |at: usize| worth(forest, at, inputs, known);
        if known & (1 << node.input) == 0 {
            let cover = |at: usize| forest.known[at].cover;
            (worth_of(left) * cover(left) + worth_of(right) * cover(right)) / cover(at)
        } else if forest.goes_left(&node, inputs[node.input as usize]) {
            worth_of(left)
        } else {
            worth_of(right)
        }
    }

    /// Shapley's formula over all sets of inputs.
    fn by_all_sets(forest: &Forest, inputs: &[f64], input: u32) -> f64 {
        let n = inputs.len() as u32;
        let worth_of = |known: u32| -> f64 {
            forest.roots.iter().map(|&root| worth(forest, root as usize, inputs, known)).sum()
        };
        let factorial = |k: u32| -> f64 { (1..=k).map(f64::from).product() };
        (0..1_u32 << n)
            .filter(|known| known & (1 << input) == 0)
            .map(|known| {
                let k = known.count_ones();
                let weight = factorial(k) * factorial(n - 1 - k) / factorial(n);
                weight * (worth_of(known | 1 << input) - worth_of(known))
            })
            .sum()
    }

    fn check(model: &Model, inputs: &[f64], within: f64) {
        let mut contributions = vec![0.0; inputs.len()];
        let base = model.contributions(inputs, &mut contributions).unwrap();
        for (input, found) in (0..).zip(&contributions) {
            let expected = by_all_sets(&model.forest, inputs, input);
            assert!((found - expected).abs() < within, "{found} for {expected}");
        }
        let sum = base + contributions.iter().sum::<f64>();
        assert!((sum - model.log_odds(inputs)).abs() < within);
        assert!((base - model.expected_log_odds()).abs() < 1e-5);
    }

    #[test]
    fn contributions_are_shapley_values_and_add_up() {
        for depth in [1, 3, 8] {
            let task = Task::new(400, 8);
            let settings =
                TrainSettings { trees: 12, depth, rate: 0.5, ..TrainSettings::default() };
            let settings = TrainSettings { least_hessian: 0.5, ..settings };
            let model = task.train(&settings).unwrap();
            for row in &task.rows[..20] {
                check(&model, row, 1e-12);
            }
        }
    }

    /// A chain of `n` splits that ask for ten inputs in turn or, if `apart`, for one each.
    fn chain(n: u32, apart: bool, noise: &mut Noise) -> Vec<Sprout> {
        let mut sprouts = Vec::new();
        for at in 0..n {
            let input = if apart { at } else { at % 10 };
            let next = 2 * at as usize;
            sprouts.push(split(input, noise.normal(), next + 2, next + 1));
            sprouts.push(leaf(noise.normal(), 1.0 + noise.below(9) as f64));
        }
        sprouts.push(leaf(noise.normal(), 1.0));
        sprouts
    }

    fn named(n: usize, forest: Forest) -> Model {
        Model::new((0..n).map(|input| format!("x{input}")).collect(), forest, None).unwrap()
    }

    #[test]
    fn a_tree_of_128_splits_and_empty_leaves_is_explained_as_exactly() {
        let mut noise = Noise::new(3);
        for _ in 0..20 {
            let mut forest = lightgbm();
            forest.plant(&chain(40, false, &mut noise), 10, 0).unwrap();
            let empty = [split(0, 0.0, 1, 2), split(1, 0.0, 3, 4), leaf(1.0, 5.0)];
            let empty = [&empty[..], &[leaf(2.0, 0.0), leaf(3.0, 0.0)]].concat();
            let inputs: Vec<f64> = (0..10).map(|_| noise.normal()).collect();
            let model = named(10, forest.clone());
            check(&model, &inputs, 1e-12);
            forest.plant(&empty, 10, 0).unwrap();
            let mut contributions = [0.0; 10];
            named(10, forest).contributions(&inputs, &mut contributions).unwrap();
        }
        // All that is known of 128 inputs is that the contributions add up, which is checked.
        let mut forest = lightgbm();
        forest.plant(&chain(128, true, &mut noise), 128, 0).unwrap();
        let model = named(128, forest);
        for _ in 0..100 {
            let inputs: Vec<f64> = (0..128).map(|_| noise.normal()).collect();
            assert!(model.contributions(&inputs, &mut [0.0; 128]).is_ok());
        }
    }

    #[test]
    fn a_mean_of_trees_is_explained_as_such() {
        let mut forest = lightgbm();
        forest.average = true;
        for value in [1.0, 3.0] {
            let sprouts = [split(0, 0.0, 1, 2), leaf(value, 1.0), leaf(-value, 3.0)];
            forest.plant(&sprouts, 1, 0).unwrap();
        }
        let model = named(1, forest);
        let mut contributions = [0.0];
        let base = model.contributions(&[-1.0], &mut contributions).unwrap();
        assert!((base - -1.0).abs() < 1e-15 && (contributions[0] - 3.0).abs() < 1e-15);
        assert!((model.log_odds(&[-1.0]) - 2.0).abs() < 1e-15);
    }
}
