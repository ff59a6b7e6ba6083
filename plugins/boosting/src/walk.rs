//! From the roots to the leaves, eight trees abreast.
//!
//! One tree after the other, a processor waits for every node and guesses every turn. Here a turn is
//! a number and not a branch, and while one tree waits the others go on. A leaf leads to itself, so
//! eight trees go down together until none moves.

use crate::forest::{Convention, Forest, Node, Test};

/// Trees that go down together: as many as there are loads to wait for at once.
const ABREAST: usize = 8;

/// Where an input is asked about; a missing one goes left.
const MISSING_LEFT: u32 = 1 << 31;

/// A node of [`Forest`] at the same index, in 16 bytes.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Below goes left, to the next node; NaN in a leaf, which nothing is below.
    below: f64,
    /// Index of the input and [`MISSING_LEFT`].
    input: u32,
    /// Where the right side is; in a leaf, the leaf.
    right: u32,
}

/// The steps of a forest that only compares with thresholds.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    steps: Vec<Step>,
}

impl Walk {
    /// None where a split asks for more than a threshold.
    pub(crate) fn new(forest: &Forest) -> Option<Self> {
        let step = |(at, node): (usize, &Node)| match node.test {
            Test::Leaf => Some(Step { below: f64::NAN, input: 0, right: at as u32 }),
            Test::Threshold if node.value.is_finite() => Some(Step {
                below: match forest.convention {
                    Convention::XGBoost => node.value,
                    // Up to a number is below the next one.
                    Convention::LightGBM => node.value.next_up(),
                },
                input: node.input | if node.missing_left { MISSING_LEFT } else { 0 },
                right: node.right,
            }),
            _ => None,
        };
        let steps = forest.nodes.iter().enumerate().map(step).collect::<Option<_>>()?;
        Some(Self { steps })
    }

    /// Hands on, in the order of `roots`, the indices of the leaves in which `inputs` end.
    pub(crate) fn leaves(
        &self,
        roots: &[u32],
        value: impl Fn(usize) -> f64,
        mut on: impl FnMut(usize),
    ) {
        let mut groups = roots.chunks_exact(ABREAST);
        for group in &mut groups {
            let mut at = [0; ABREAST];
            at.copy_from_slice(group);
            self.descend(&mut at, &value);
            for leaf in at {
                on(leaf as usize);
            }
        }
        for &root in groups.remainder() {
            let mut at = [root];
            self.descend(&mut at, &value);
            on(at[0] as usize);
        }
    }

    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a branch would be guessed, and often wrong"
    )]
    fn descend<const N: usize>(&self, at: &mut [u32; N], value: impl Fn(usize) -> f64) {
        let mut moved = true;
        while moved {
            moved = false;
            for at in at.iter_mut() {
                let step = self.steps[*at as usize];
                let value = value((step.input & !MISSING_LEFT) as usize);
                let left =
                    (value < step.below) | (value.is_nan() & (step.input & MISSING_LEFT != 0));
                let next = if left { *at + 1 } else { step.right };
                moved |= next != *at;
                *at = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Task, leaf, split};
    use crate::train::TrainSettings;

    #[test]
    fn eight_trees_abreast_end_in_the_leaves_of_one_after_the_other() {
        let task = Task::new(500, 11);
        // Three groups and three trees more, of several depths.
        let settings = TrainSettings { trees: 27, depth: 6, ..TrainSettings::default() };
        let mut forest = task.train(&settings).unwrap().forest;
        let cuts: Vec<_> = forest.nodes.iter().filter(|n| n.test == Test::Threshold).collect();
        let mut rows = task.rows.clone();
        rows.extend(cuts.iter().map(|node| vec![node.value; 5]));
        rows.extend(cuts.iter().map(|node| vec![node.value.next_up(); 5]));
        rows.push(vec![f64::NAN; 5]);
        for convention in [Convention::XGBoost, Convention::LightGBM] {
            forest.convention = convention;
            let walk = Walk::new(&forest);
            assert!(walk.is_some());
            for row in &rows {
                let margins = [walk.as_ref(), None].map(|walk| forest.margin(walk, row));
                assert_eq!(margins[0].to_bits(), margins[1].to_bits(), "{row:?}");
            }
        }
    }

    #[test]
    fn what_is_no_comparison_is_left_to_the_forest() {
        for (test, walks) in [(Test::Threshold, true), (Test::ThresholdOrZero, false)] {
            let mut forest = crate::testing::lightgbm();
            forest.plant(&[split(0, 0.5, 1, 2), leaf(1.0, 1.0), leaf(2.0, 1.0)], 1, 0).unwrap();
            forest.nodes[0].test = test;
            assert_eq!(Walk::new(&forest).is_some(), walks);
        }
    }
}
