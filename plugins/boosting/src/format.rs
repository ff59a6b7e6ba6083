//! The text of a model: `boosting.model`.
//!
//! ```text
//! ichor boosting 1
//! trained 1899 894 20210526
//! base -0.117
//! inputs 2
//! original_shape_Elongation
//! clinical.onset_to_ct_h
//! trees 1
//! split 1 2.5 right
//! split 0 0.71 left
//! leaf 0.02 400
//! leaf 0.05 600
//! leaf -0.01 899
//! ```
//!
//! Rows, cases that grew and seed; log-odds before the first tree; number of inputs and one name a
//! line; number of trees and one node a line. A split names its input by position from 0, the
//! threshold below which a value goes left, and the side that a missing value takes; the nodes of
//! its left side follow, then those of its right side. A leaf has what it adds to the log-odds and
//! how many training rows ended there. So every text that can be read is a tree, and numbers are
//! written so that they are read back to the same bits. No log-odds are beyond 1000.

use std::fmt::Write;

use crate::error::BoostingError;
use crate::model::{Model, Trained};
use crate::tree::{DEEPEST, Node, Tree};

const FIRST_LINE: &str = "ichor boosting 1";
const MOST_INPUTS: usize = 100_000;
const MOST_TREES: usize = 10_000;

impl Model {
    /// The text that [`Model::from_text`] reads.
    pub fn to_text(&self) -> String {
        let Trained { rows, positives, seed } = self.trained;
        let mut text = format!(
            "{FIRST_LINE}\ntrained {rows} {positives} {seed}\nbase {}\ninputs {}\n",
            self.base,
            self.names.len()
        );
        // Writing to a String cannot fail.
        for name in &self.names {
            let _ = writeln!(text, "{name}");
        }
        let _ = writeln!(text, "trees {}", self.trees.len());
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            let _ = match node {
                Node::Leaf { value, rows } => writeln!(text, "leaf {value} {rows}"),
                Node::Split { input, threshold, missing_left, .. } => {
                    let missing = if *missing_left { "left" } else { "right" };
                    writeln!(text, "split {input} {threshold} {missing}")
                }
            };
        }
        text
    }

    /// Reads what [`Model::to_text`] wrote, and nothing else.
    pub fn from_text(text: &str) -> Result<Self, BoostingError> {
        let mut lines = Lines { text: text.lines(), line: 0 };
        lines.next(FIRST_LINE, |line| (line == FIRST_LINE).then_some(()))?;
        let trained = lines.next("trained ROWS POSITIVES SEED", |line| {
            let [rows, positives, seed] = words(line.strip_prefix("trained ")?)?;
            let (rows, positives) = (rows.parse().ok()?, positives.parse().ok()?);
            (positives <= rows).then_some(Trained { rows, positives, seed: seed.parse().ok()? })
        })?;
        let base = lines.next("base LOG-ODDS", |line| log_odds(line.strip_prefix("base ")?))?;
        let names = lines.names()?;
        let n_trees = lines.next("trees COUNT, at most 10000", |line| {
            let count = line.strip_prefix("trees ")?.parse().ok()?;
            (count <= MOST_TREES).then_some(count)
        })?;
        let mut trees = Vec::new();
        for _ in 0..n_trees {
            trees.push(lines.tree(names.len())?);
        }
        lines.end()?;
        Ok(Self::new(names, base, trees, trained))
    }
}

struct Lines<'a> {
    text: std::str::Lines<'a>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, BoostingError> {
        self.line += 1;
        let malformed = BoostingError::Malformed { line: self.line, expected };
        self.text.next().and_then(read).ok_or(malformed)
    }

    fn names(&mut self) -> Result<Vec<String>, BoostingError> {
        let count = self.next("inputs COUNT, 1 to 100000", |line| {
            let count = line.strip_prefix("inputs ")?.parse().ok()?;
            (1..=MOST_INPUTS).contains(&count).then_some(count)
        })?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next("NAME", |line| words(line).map(|[name]| name.to_owned()))?);
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            let expected = "an input with a name of its own";
            return Err(BoostingError::Malformed { line: self.line, expected });
        }
        Ok(names)
    }

    fn tree(&mut self, n_inputs: usize) -> Result<Tree, BoostingError> {
        let mut nodes: Vec<Node> = Vec::new();
        // Depths of the nodes to come and, of right sides, the splits that wait for them.
        let mut open: Vec<(usize, Option<usize>)> = vec![(0, None)];
        while let Some((depth, waiting)) = open.pop() {
            let here = nodes.len();
            if let Some(Node::Split { right, .. }) = waiting.and_then(|at| nodes.get_mut(at)) {
                *right = here as u32;
            }
            let node = if depth < DEEPEST {
                self.next("split INPUT THRESHOLD left|right, or leaf VALUE ROWS", |line| {
                    split(line, n_inputs).or_else(|| leaf(line))
                })?
            } else {
                self.next("leaf VALUE ROWS, after 10 splits", leaf)?
            };
            nodes.push(node);
            if let Node::Split { .. } = node {
                open.push((depth + 1, Some(here)));
                open.push((depth + 1, None));
            }
        }
        Ok(Tree { nodes })
    }

    fn end(mut self) -> Result<(), BoostingError> {
        let expected = "the end of the file";
        match self.text.next() {
            None => Ok(()),
            Some(_) => Err(BoostingError::Malformed { line: self.line + 1, expected }),
        }
    }
}

fn split(line: &str, n_inputs: usize) -> Option<Node> {
    let [input, threshold, missing] = words(line.strip_prefix("split ")?)?;
    let input = input.parse().ok().filter(|input| (*input as usize) < n_inputs)?;
    let missing_left = match missing {
        "left" => true,
        "right" => false,
        _ => return None,
    };
    Some(Node::Split { input, threshold: finite(threshold)?, missing_left, right: 0 })
}

fn leaf(line: &str) -> Option<Node> {
    let [value, rows] = words(line.strip_prefix("leaf ")?)?;
    let rows = rows.parse().ok().filter(|rows| *rows > 0)?;
    Some(Node::Leaf { value: log_odds(value)?, rows })
}

/// Exactly `N` words with one space between them.
fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    let words: Vec<&str> = line.splitn(N + 1, ' ').collect();
    <[&str; N]>::try_from(words).ok().filter(|words| words.iter().all(|word| !word.is_empty()))
}

/// Small enough that no number of trees adds up to infinity.
fn log_odds(word: &str) -> Option<f64> {
    finite(word).filter(|log_odds| log_odds.abs() <= 1000.0)
}

fn finite(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, Task};
    use crate::train::TrainSettings;

    const TEXT: &str = "ichor boosting 1\ntrained 1899 894 7\nbase -0.117\ninputs 2\nx\ny\n\
        trees 1\nsplit 1 2.5 right\nsplit 0 0.71 left\nleaf 0.02 400\nleaf 0.05 600\n\
        leaf -0.01 899\n";
    const NODE: &str = "split INPUT THRESHOLD left|right, or leaf VALUE ROWS";

    fn check_malformed(from: &str, to: &str, line: usize, expected: &'static str) {
        let malformed = BoostingError::Malformed { line, expected };
        assert_eq!(Model::from_text(&TEXT.replacen(from, to, 1)).unwrap_err(), malformed);
    }

    #[test]
    fn the_text_of_a_tree_says_which_way_a_case_goes() {
        let model = Model::from_text(TEXT).unwrap();
        let log_odds = |x: f64, y: f64| model.log_odds(&[x, y]) + 0.117;
        for (x, y, expected) in [
            (0.7, 2.0, 0.02),
            (0.71, 2.0, 0.05),
            (f64::NAN, 2.0, 0.02),
            (0.0, 2.5, -0.01),
            (0.0, f64::NAN, -0.01),
        ] {
            assert!((log_odds(x, y) - expected).abs() < 1e-15, "{x} {y}");
        }
        let mean = (0.02 * 400.0 + 0.05 * 600.0 - 0.01 * 899.0) / 1899.0 - 0.117;
        assert!((model.expected_log_odds() - mean).abs() < 1e-15);
    }

    #[test]
    fn a_trained_model_is_read_back_to_the_same_bits() {
        let task = Task::new(300, 9);
        let model =
            task.train(&TrainSettings { trees: 40, ..TrainSettings::default() }).unwrap();
        let read = Model::from_text(&model.to_text()).unwrap();
        assert_eq!(read.trees, model.trees);
        for row in &task.rows {
            assert_eq!(read.log_odds(row).to_bits(), model.log_odds(row).to_bits());
        }
    }

    #[test]
    fn what_is_no_model_is_refused_with_its_line() {
        check_malformed("boosting 1", "boosting 2", 1, FIRST_LINE);
        check_malformed("894", "2000", 2, "trained ROWS POSITIVES SEED");
        check_malformed("base -0.117", "base inf", 3, "base LOG-ODDS");
        check_malformed("inputs 2", "inputs 0", 4, "inputs COUNT, 1 to 100000");
        check_malformed("\ny\n", "\nx\n", 6, "an input with a name of its own");
        check_malformed("trees 1", "trees 10001", 7, "trees COUNT, at most 10000");
        check_malformed("split 1", "split 2", 8, NODE);
        check_malformed("2.5 right", "2.5 up", 8, NODE);
        check_malformed("leaf 0.02 400", "leaf 0.02 0", 10, NODE);
        check_malformed("leaf 0.02 400", "leaf 1001 400", 10, NODE);
        check_malformed("leaf -0.01 899\n", "", 12, NODE);
        check_malformed("trees 1", "trees 0", 8, "the end of the file");
        let deep = "split 0 1 left\n".repeat(11);
        check_malformed("split 1 2.5 right\n", &deep, 18, "leaf VALUE ROWS, after 10 splits");
    }

    #[test]
    fn no_mutation_of_a_model_brings_the_reader_or_the_scorer_down() {
        let mut noise = Noise::new(12);
        let task = Task::new(100, 10);
        let settings = TrainSettings { trees: 3, depth: 10, ..TrainSettings::default() };
        let trained = task.train(&TrainSettings { least_hessian: 0.0, ..settings }).unwrap();
        let text = trained.to_text();
        let read = (0..20_000).filter(|_| {
            let mutated = noise.mutated(text.as_bytes());
            let Ok(text) = std::str::from_utf8(&mutated) else { return false };
            let Ok(model) = Model::from_text(text) else { return false };
            let inputs = vec![f64::NAN; model.names().len()];
            let mut contributions = vec![0.0; inputs.len()];
            model.contributions(&inputs, &mut contributions);
            assert!(model.log_odds(&inputs).is_finite());
            assert!(contributions.iter().all(|part| part.is_finite()));
            true
        });
        assert!((1..19_000).contains(&read.count()));
    }
}
