//! One decision tree.

/// The deepest tree that is trained or read.
pub(crate) const DEEPEST: usize = 10;

/// A node; a split's left side follows it directly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// Values below `threshold` go left, others right.
    Split {
        /// Index of the input.
        input: u32,
        /// A finite number.
        threshold: f64,
        /// Where a missing value goes.
        missing_left: bool,
        /// Index of the node on the right side.
        right: u32,
    },
    /// The end of a path.
    Leaf {
        /// What it adds to the log-odds.
        value: f64,
        /// Training rows that ended here; at least 1.
        rows: u32,
    },
}

/// Nodes, the root first and every left side before the right one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// What the tree adds to the log-odds of a case.
    pub(crate) fn predict(&self, inputs: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { value, .. } => return value,
                Node::Split { input, threshold, missing_left, right } => {
                    let value = inputs[input as usize];
                    let left = if value.is_nan() { missing_left } else { value < threshold };
                    at = if left { at + 1 } else { right as usize };
                }
            }
        }
    }
}
