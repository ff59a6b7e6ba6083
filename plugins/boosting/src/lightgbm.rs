//! LightGBM's text models, versions 2 to 4.
//!
//! Lines of `key=value`: a header, one block a tree from `Tree=0` on, `end of trees`; what follows
//! says how the model was trained and is not read. LightGBM's own reader is
//! `src/boosting/gbdt_model_text.cpp` and `src/io/tree.cpp`, whose rules of missing values are in
//! `Tree::NumericalDecision`: by bits 2 and 3 of a split's `decision_type`, NaN is no value and
//! counts as 0 (`None`), 0 and NaN are missing (`Zero`), or NaN is missing (`NaN`).

use crate::error::BoostingError;
use crate::forest::{Convention, Forest, Node, Test};
use crate::model::Model;
use crate::sapling::Sprout;
use crate::xgboost::{MOST_INPUTS, shortened};

/// Bits of `decision_type`.
const CATEGORICAL: i64 = 1;
const DEFAULT_LEFT: i64 = 2;

impl Model {
    /// Reads a model that LightGBM saved as text.
    pub fn from_lightgbm(text: &str) -> Result<Self, BoostingError> {
        let mut lines = Lines { left: text.lines(), line: 0, held: None };
        let header = lines.header()?;
        let names: Vec<String> =
            header.get("feature_names")?.text.split_whitespace().map(str::to_owned).collect();
        let last: usize = header.get("max_feature_idx")?.number("a whole number")?;
        if names.len() > MOST_INPUTS || names.len() != last.saturating_add(1) {
            return Err(header
                .get("feature_names")?
                .wrong("max_feature_idx + 1 names, at most 100000"));
        }
        let mut forest = Forest::new(Convention::LightGBM);
        forest.sigmoid = sigmoid(&header)?;
        forest.average = header.find("average_output").is_some();
        while let Some(tree) = lines.tree(forest.roots.len())? {
            plant(&mut forest, &tree, names.len())?;
        }
        if let Some(sizes) = header.find("tree_sizes")
            && sizes.text.split_whitespace().count() != forest.roots.len()
        {
            return Err(sizes.wrong("as many sizes as there are trees"));
        }
        Self::new(names, forest, None)
    }
}

/// What a margin is multiplied with; fails where the objective gives no probability.
fn sigmoid(header: &Block<'_>) -> Result<f64, BoostingError> {
    for key in ["num_class", "num_tree_per_iteration"] {
        let entry = header.get(key)?;
        if entry.text != "1" {
            let (key, value) = (key.to_owned(), shortened(entry.text));
            let wanted = "only models with one output are read";
            return Err(BoostingError::Unsupported { key, value, wanted });
        }
    }
    let objective = header.get("objective")?;
    let mut words = objective.text.split_whitespace();
    let name = words.next().unwrap_or_default();
    if name == "cross_entropy" && words.clone().next().is_none() {
        return Ok(1.0);
    }
    if name == "binary" {
        let sigmoid = words.next().and_then(|word| word.strip_prefix("sigmoid:"));
        let sigmoid = sigmoid.and_then(|number| number.parse().ok());
        let allowed = |sigmoid: &f64| (1e-3..=1e3).contains(sigmoid) && words.next().is_none();
        return sigmoid
            .filter(allowed)
            .ok_or_else(|| objective.wrong("binary sigmoid:NUMBER, 0.001 to 1000"));
    }
    Err(BoostingError::Unsupported {
        key: "objective".to_owned(),
        value: shortened(objective.text),
        wanted: "only models of a probability are read: binary, cross_entropy",
    })
}

/// Adds a tree, in which splits and leaves are numbered apart: leaf `k` is called `-1 - k`.
fn plant(forest: &mut Forest, tree: &Block<'_>, n_inputs: usize) -> Result<(), BoostingError> {
    let n_leaves: usize = tree.get("num_leaves")?.number("a whole number")?;
    if n_leaves == 0 {
        return Err(tree.get("num_leaves")?.wrong("at least one leaf"));
    }
    if let Some(linear) = tree.find("is_linear")
        && linear.text != "0"
    {
        let (key, value) = ("is_linear".to_owned(), shortened(linear.text));
        let wanted = "leaves that are linear models are not read";
        return Err(BoostingError::Unsupported { key, value, wanted });
    }
    let values: Vec<f64> = tree.get("leaf_value")?.numbers(n_leaves)?;
    let n_splits = n_leaves - 1;
    let covers: Vec<f64> = match tree.find("leaf_count") {
        Some(counts) if n_splits > 0 => counts.numbers(n_leaves)?,
        _ if n_splits > 0 => return Err(tree.absent("leaf_count")),
        _ => vec![1.0],
    };
    let mut sprouts = Vec::new();
    if n_splits > 0 {
        let sets = sets(forest, tree)?;
        let inputs: Vec<u32> = tree.get("split_feature")?.numbers(n_splits)?;
        let thresholds: Vec<f64> = tree.get("threshold")?.numbers(n_splits)?;
        let decisions: Vec<i64> = tree.get("decision_type")?.numbers(n_splits)?;
        let left: Vec<i64> = tree.get("left_child")?.numbers(n_splits)?;
        let right: Vec<i64> = tree.get("right_child")?.numbers(n_splits)?;
        let gains: Vec<f32> = match tree.find("split_gain") {
            Some(gains) => gains.numbers(n_splits)?,
            None => vec![0.0; n_splits],
        };
        // `!k` is `-1 - k`; a split that there is not becomes a node that there is not.
        let place = |child: i64| match usize::try_from(child) {
            Ok(split) if split < n_splits => split,
            Ok(_) => usize::MAX,
            Err(_) => n_splits.saturating_add(usize::try_from(!child).unwrap_or(usize::MAX)),
        };
        for at in 0..n_splits {
            let node =
                split(inputs[at], thresholds[at], decisions[at], &sets).map_err(|wanted| {
                    tree.get("decision_type").map_or_else(|e| e, |e| e.wrong(wanted))
                })?;
            let (left, right) = (place(left[at]), place(right[at]));
            sprouts.push(Sprout::Split { node, gain: gains[at], left, right });
        }
    }
    sprouts.extend(
        values.iter().zip(&covers).map(|(&value, &cover)| Sprout::Leaf { value, cover }),
    );
    forest.plant(&sprouts, n_inputs, 0)
}

fn split(
    input: u32,
    threshold: f64,
    decision: i64,
    sets: &[usize],
) -> Result<Node, &'static str> {
    if decision & CATEGORICAL != 0 {
        let set = sets.get(threshold as usize).filter(|_| threshold >= 0.0);
        let set = *set.ok_or("a categorical split whose set is in cat_boundaries")?;
        let (value, test) = (set as f64, Test::Categories);
        return Ok(Node { value, input, right: 0, test, missing_left: false });
    }
    let default_left = decision & DEFAULT_LEFT != 0;
    let (test, missing_left) = match decision >> 2 {
        0 => (Test::Threshold, 0.0 <= threshold),
        1 => (Test::ThresholdOrZero, default_left),
        2 => (Test::Threshold, default_left),
        _ => return Err("splits whose missing values are None, Zero or NaN"),
    };
    Ok(Node { value: threshold, input, right: 0, test, missing_left })
}

/// The numbers that the forest gives to the tree's sets of categories.
fn sets(forest: &mut Forest, tree: &Block<'_>) -> Result<Vec<usize>, BoostingError> {
    let n_sets: usize = match tree.find("num_cat") {
        Some(entry) => entry.number("a whole number")?,
        None => 0,
    };
    if n_sets == 0 {
        return Ok(Vec::new());
    }
    let entry = tree.get("cat_boundaries")?;
    let bounds: Vec<usize> = entry.numbers(n_sets.saturating_add(1))?;
    let words: Vec<u32> = tree.get("cat_threshold")?.numbers(*bounds.last().unwrap_or(&0))?;
    bounds
        .windows(2)
        .map(|ends| {
            let set = words.get(ends[0]..ends[1]);
            let set = set.ok_or_else(|| entry.wrong("rising boundaries of cat_threshold"))?;
            forest.categories.push_words(set)
        })
        .collect()
}

/// Lines with the same beginning, one of which may be held back.
struct Lines<'a> {
    left: std::str::Lines<'a>,
    line: usize,
    held: Option<&'a str>,
}

/// Entries of the header or of a tree.
struct Block<'a> {
    /// The line on which it begins.
    line: usize,
    entries: Vec<Entry<'a>>,
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    line: usize,
    key: &'a str,
    text: &'a str,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        self.line += 1;
        self.left.next().map(str::trim_end)
    }

    fn header(&mut self) -> Result<Block<'a>, BoostingError> {
        if self.next() != Some("tree") {
            return Err(BoostingError::Line {
                line: 1,
                wanted: "`tree`, the first line of a LightGBM model",
            });
        }
        let header = self.block()?;
        let version = header.get("version")?;
        if !["v2", "v3", "v4"].contains(&version.text) {
            return Err(version.wrong("version v2, v3 or v4"));
        }
        Ok(header)
    }

    /// The tree with this number; none: the trees have ended.
    fn tree(&mut self, number: usize) -> Result<Option<Block<'a>>, BoostingError> {
        loop {
            match self.next() {
                Some("") => {}
                Some("end of trees") => return Ok(None),
                Some(line) if line.strip_prefix("Tree=") == Some(&number.to_string()) => {
                    return self.block().map(Some);
                }
                _ => {
                    let wanted = "the next `Tree=` or `end of trees`";
                    return Err(BoostingError::Line { line: self.line, wanted });
                }
            }
        }
    }

    /// The entries up to an empty line, the next tree or the end of the trees.
    fn block(&mut self) -> Result<Block<'a>, BoostingError> {
        let mut block = Block { line: self.line, entries: Vec::new() };
        while let Some(line) = self.next() {
            if line.is_empty() {
                break;
            }
            if line.starts_with("Tree=") || line == "end of trees" {
                self.held = Some(line);
                break;
            }
            let (key, text) = line.split_once('=').unwrap_or((line, ""));
            block.entries.push(Entry { line: self.line, key, text });
        }
        let mut keys: Vec<&str> = block.entries.iter().map(|entry| entry.key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(BoostingError::Line {
                line: block.line,
                wanted: "a block without a key twice",
            });
        }
        Ok(block)
    }
}

impl<'a> Block<'a> {
    fn find(&self, key: &str) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.key == key).copied()
    }

    fn get(&self, key: &str) -> Result<Entry<'a>, BoostingError> {
        self.find(key).ok_or_else(|| self.absent(key))
    }

    fn absent(&self, key: &str) -> BoostingError {
        BoostingError::Absent { path: format!("{key} of the block on line {}", self.line) }
    }
}

impl Entry<'_> {
    fn number<T: std::str::FromStr>(self, wanted: &'static str) -> Result<T, BoostingError> {
        self.text.parse().map_err(|_| self.wrong(wanted))
    }

    /// Exactly `needed` numbers with white space between them.
    fn numbers<T: std::str::FromStr>(self, needed: usize) -> Result<Vec<T>, BoostingError> {
        let read: Result<Vec<T>, _> =
            self.text.split_ascii_whitespace().map(str::parse).collect();
        let read = read.map_err(|_| self.wrong("numbers of its kind and nothing else"))?;
        if read.len() == needed {
            return Ok(read);
        }
        let path = format!("{} on line {}", self.key, self.line);
        Err(BoostingError::Length { path, found: read.len(), needed })
    }

    fn wrong(self, wanted: &'static str) -> BoostingError {
        BoostingError::Line { line: self.line, wanted }
    }
}
