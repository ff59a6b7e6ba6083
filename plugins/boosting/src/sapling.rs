//! One tree as a file or the trainer has it: nodes in any order that name each other by index.
//!
//! What becomes part of a [`Forest`] has one root from which every node is reached once, no path
//! beyond [`DEEPEST`] splits, known inputs, and numbers that add up to something finite.

use crate::error::BoostingError;
use crate::forest::{Forest, Known, Node, Test};

/// The most splits on one path.
pub(crate) const DEEPEST: usize = 128;
/// The most nodes of all trees together.
pub(crate) const MOST_NODES: usize = 4_000_000;
/// The most trees.
pub(crate) const MOST_TREES: usize = 100_000;
/// The most that a leaf may add, so that no number of trees adds up to infinity.
const LARGEST_LEAF: f64 = 1e6;

/// A node that has not been placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sprout {
    Split { node: Node, gain: f32, left: usize, right: usize },
    Leaf { value: f64, cover: f64 },
}

impl Forest {
    /// Adds the tree of `sprouts`, whose root comes first; `n_deleted` of them are not reached.
    pub(crate) fn plant(
        &mut self,
        sprouts: &[Sprout],
        n_inputs: usize,
        n_deleted: usize,
    ) -> Result<(), BoostingError> {
        let tree = self.roots.len();
        if tree >= MOST_TREES {
            let (found, most) = (tree + 1, MOST_TREES);
            return Err(BoostingError::TooLarge { what: "trees", found, most });
        }
        if self.nodes.len() + sprouts.len() > MOST_NODES {
            let (found, most) = (self.nodes.len() + sprouts.len(), MOST_NODES);
            return Err(BoostingError::TooLarge { what: "nodes of all trees", found, most });
        }
        let start = self.nodes.len();
        self.roots.push(start as u32);
        let mut seen = vec![false; sprouts.len()];
        // Nodes to come with their depths and, of right sides, the splits that wait for them.
        let mut open: Vec<(usize, usize, Option<usize>)> = vec![(0, 0, None)];
        while let Some((at, depth, waiting)) = open.pop() {
            let wrong = |wrong: &'static str| BoostingError::Tree { tree, node: at, wrong };
            let Some(sprout) = sprouts.get(at) else {
                return Err(wrong("a tree without nodes"));
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(wrong("reached by two ways: this is no tree"));
            }
            if depth > DEEPEST {
                return Err(wrong("more than 128 splits lead here"));
            }
            let here = self.nodes.len();
            if let Some(split) = waiting.and_then(|split| self.nodes.get_mut(split)) {
                split.right = here as u32;
            }
            let (node, known) = sprout.checked(n_inputs).map_err(wrong)?;
            self.nodes.push(node);
            self.known.push(known);
            if let Sprout::Split { left, right, .. } = *sprout {
                if left.max(right) >= sprouts.len() {
                    return Err(wrong("a side of the split is no node"));
                }
                open.push((right, depth + 1, Some(here)));
                open.push((left, depth + 1, None));
            }
        }
        let n_lost = seen.iter().filter(|seen| !**seen).count();
        if n_lost != n_deleted {
            let node = seen.iter().position(|seen| !*seen).unwrap_or(0);
            let wrong = "the number of nodes that no way leads to is not that of deleted ones";
            return Err(BoostingError::Tree { tree, node, wrong });
        }
        self.cover(start);
        Ok(())
    }

    /// Adds the covers of the leaves up, from the end of the last tree to its `start`.
    fn cover(&mut self, start: usize) {
        for at in (start..self.nodes.len()).rev() {
            let node = self.nodes[at];
            if node.test != Test::Leaf {
                let right = self.known[node.right as usize].cover;
                self.known[at].cover = self.known[at + 1].cover + right;
            }
        }
    }
}

impl Sprout {
    /// The node to be, and what is known of it.
    fn checked(&self, n_inputs: usize) -> Result<(Node, Known), &'static str> {
        match *self {
            Self::Split { node, gain, .. } => {
                if node.input as usize >= n_inputs {
                    return Err("the split asks for an input that the model does not have");
                }
                if node.value.is_nan() {
                    return Err("the threshold is NaN");
                }
                Ok((
                    node,
                    Known { cover: 0.0, gain: if gain.is_finite() { gain } else { 0.0 } },
                ))
            }
            Self::Leaf { value, cover } => {
                if !value.is_finite() || value.abs() > LARGEST_LEAF {
                    return Err("the leaf adds more than a million, or no number");
                }
                if !(0.0..=1e15).contains(&cover) {
                    return Err("the leaf's cover is no number of training rows");
                }
                let test = Test::Leaf;
                let node = Node { value, input: 0, right: 0, test, missing_left: false };
                Ok((node, Known { cover, gain: 0.0 }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{leaf, lightgbm, split};

    fn check_refused(sprouts: &[Sprout], expected: &str) {
        let mut forest = lightgbm();
        assert_eq!(forest.plant(sprouts, 2, 0).unwrap_err().to_string(), expected);
    }

    #[test]
    fn nodes_are_laid_left_side_first_and_covers_added_up() {
        let mut forest = lightgbm();
        let sprouts = [
            split(0, 1.0, 2, 1),
            leaf(5.0, 3.0),
            split(1, 2.0, 4, 3),
            leaf(6.0, 1.0),
            leaf(7.0, 2.0),
        ];
        forest.plant(&sprouts, 2, 0).unwrap();
        let values: Vec<f64> = forest.nodes.iter().map(|node| node.value).collect();
        assert_eq!(values, [1.0, 2.0, 7.0, 6.0, 5.0]);
        let covers: Vec<f64> = forest.known.iter().map(|known| known.cover).collect();
        assert_eq!(covers, [6.0, 3.0, 2.0, 1.0, 3.0]);
        assert_eq!((forest.nodes[0].right, forest.nodes[1].right), (4, 3));
    }

    #[test]
    fn what_is_no_tree_is_refused_with_its_node() {
        let wild = [split(0, 1.0, 1, 2), leaf(0.0, 1.0)];
        check_refused(&wild, "tree 0, node 0: a side of the split is no node");
        check_refused(&[], "tree 0, node 0: a tree without nodes");
        let circle = [split(0, 1.0, 1, 0), leaf(0.0, 1.0)];
        check_refused(&circle, "tree 0, node 0: reached by two ways: this is no tree");
        let lost = [leaf(0.0, 1.0), leaf(0.0, 1.0)];
        check_refused(
            &lost,
            "tree 0, node 1: the number of nodes that no way leads to is not that of deleted ones",
        );
        let leaves = [leaf(0.0, 1.0), leaf(0.0, 1.0)];
        let with = |first: Sprout| [&[first], &leaves[..]].concat();
        check_refused(
            &with(split(2, 1.0, 1, 2)),
            "tree 0, node 0: the split asks for an input that the model does not have",
        );
        check_refused(&with(split(0, f64::NAN, 1, 2)), "tree 0, node 0: the threshold is NaN");
        check_refused(
            &[leaf(f64::NAN, 1.0)],
            "tree 0, node 0: the leaf adds more than a million, or no number",
        );
        check_refused(
            &[leaf(0.0, -1.0)],
            "tree 0, node 0: the leaf's cover is no number of training rows",
        );
    }

    #[test]
    fn no_path_is_deeper_than_128_splits() {
        let chain = |n: usize| {
            let mut sprouts = Vec::new();
            for at in 0..n {
                sprouts.extend([split(0, 1.0, 2 * at + 2, 2 * at + 1), leaf(0.0, 1.0)]);
            }
            sprouts.push(leaf(0.0, 1.0));
            sprouts
        };
        assert_eq!(lightgbm().plant(&chain(128), 1, 0), Ok(()));
        check_refused(&chain(129), "tree 0, node 258: more than 128 splits lead here");
    }
}
