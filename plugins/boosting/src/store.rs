//! Writing a model as XGBoost's UBJSON.
//!
//! The fields are those that XGBoost 3.2 writes, in its order, so that Python loads what was trained
//! here. `sum_hessian` holds the number of training rows, by which contributions average.

use crate::error::BoostingError;
use crate::forest::{Convention, Forest, Test};
use crate::model::Model;
use crate::xgboost::{ATTRIBUTES, logit};

/// Whose fields are written.
const VERSION: [u32; 3] = [3, 2, 0];
/// The parent of a root, as XGBoost has it.
const NO_PARENT: u32 = 0x7fff_ffff;
/// The side of a leaf: -1.
const NO_SIDE: u32 = u32::MAX;

impl Model {
    /// The bytes that [`Model::from_xgboost_ubj`] and Python's `Booster(model_file=…)` read.
    ///
    /// Fails for a model that follows LightGBM or splits on categories.
    pub fn to_ubj(&self) -> Result<Vec<u8>, BoostingError> {
        let forest = &self.forest;
        if forest.convention != Convention::XGBoost
            || forest.nodes.iter().any(|node| node.test == Test::Categories)
        {
            return Err(BoostingError::Unsupported {
                key: "the model".to_owned(),
                value: "LightGBM's or has categories".to_owned(),
                wanted: "only what was trained here is written",
            });
        }
        let score =
            base_score(forest.base as f32).ok_or_else(|| BoostingError::Unsupported {
                key: "the margin before the first tree".to_owned(),
                value: forest.base.to_string(),
                wanted: "only the logit of a single-precision probability is written",
            })?;
        let mut out = Writer::default();
        out.object(|out| {
            out.key("learner");
            out.object(|out| self.learner(score, out));
            out.key("version");
            out.array(VERSION.len(), |out, at| out.integer(VERSION[at]));
        });
        Ok(out.bytes)
    }

    fn learner(&self, score: f32, out: &mut Writer) {
        let n_inputs = self.names().len();
        out.key("attributes");
        out.object(|out| {
            if let Some(trained) = self.trained() {
                let values = [trained.rows as u64, trained.positives as u64, trained.seed];
                for (key, value) in ATTRIBUTES.iter().zip(values) {
                    out.parameter(key, &value.to_string());
                }
            }
        });
        out.key("feature_names");
        out.array(n_inputs, |out, at| out.text(&self.names()[at]));
        out.key("feature_types");
        out.array(n_inputs, |out, _| out.text("float"));
        out.key("gradient_booster");
        out.object(|out| {
            out.key("model");
            out.object(|out| booster(&self.forest, n_inputs, out));
            out.key("name");
            out.text("gbtree");
        });
        out.key("learner_model_param");
        out.object(|out| {
            // Without the brackets of 3.1 and later, which older versions misread in silence.
            out.parameter("base_score", &format!("{score:E}"));
            out.parameter("boost_from_average", "1");
            out.parameter("num_class", "0");
            out.parameter("num_feature", &n_inputs.to_string());
            out.parameter("num_target", "1");
        });
        out.key("objective");
        out.object(|out| {
            out.parameter("name", "binary:logistic");
            out.key("reg_loss_param");
            out.object(|out| out.parameter("scale_pos_weight", "1"));
        });
    }
}

/// The probability whose logit is `margin` to the bit, where there is one.
fn base_score(margin: f32) -> Option<f32> {
    let about = (1.0 / (1.0 + (-f64::from(margin)).exp())) as f32;
    let near = (-8..=8).map(|ulps| f32::from_bits(about.to_bits().wrapping_add_signed(ulps)));
    near.into_iter().find(|&score| logit(score).to_bits() == margin.to_bits())
}

fn booster(forest: &Forest, n_inputs: usize, out: &mut Writer) {
    let n_trees = forest.roots.len();
    out.key("gbtree_model_param");
    out.object(|out| {
        out.parameter("num_parallel_tree", "1");
        out.parameter("num_trees", &n_trees.to_string());
    });
    out.key("iteration_indptr");
    out.array(n_trees + 1, |out, at| out.integer(at as u32));
    out.key("tree_info");
    out.array(n_trees, |out, _| out.integer(0));
    out.key("trees");
    let trees: Vec<_> = forest.trees().collect();
    out.array(n_trees, |out, id| {
        let nodes = trees[id].clone();
        out.object(|out| tree(forest, nodes, id, n_inputs, out));
    });
}

fn tree(
    forest: &Forest,
    place: std::ops::Range<usize>,
    id: usize,
    n_inputs: usize,
    out: &mut Writer,
) {
    // XGBoost takes a right side to follow its left one, so nodes are written level by level.
    let (mut order, mut left, mut parents) = (vec![place.start], Vec::new(), vec![NO_PARENT]);
    while let Some(&at) = order.get(left.len()) {
        if forest.nodes[at].test == Test::Leaf {
            left.push(NO_SIDE);
            continue;
        }
        parents.extend([left.len() as u32; 2]);
        left.push(order.len() as u32);
        order.extend([at + 1, forest.nodes[at].right as usize]);
    }
    let nodes = || order.iter().map(|&at| forest.nodes[at]);
    let known = || order.iter().map(|&at| forest.known[at]);
    out.key("base_weights");
    out.singles(
        nodes().map(|node| if node.test == Test::Leaf { node.value as f32 } else { 0.0 }),
    );
    for (key, marker) in [
        ("categories", b'l'),
        ("categories_nodes", b'l'),
        ("categories_segments", b'L'),
        ("categories_sizes", b'L'),
    ] {
        out.key(key);
        out.integers(marker, std::iter::empty());
    }
    out.key("default_left");
    out.integers(b'U', nodes().map(|node| u32::from(node.missing_left)));
    out.key("id");
    out.integer(id as u32);
    out.key("left_children");
    out.integers(b'l', left.iter().copied());
    out.key("loss_changes");
    out.singles(known().map(|known| known.gain));
    out.key("parents");
    out.integers(b'l', parents.iter().copied());
    out.key("right_children");
    out.integers(b'l', left.iter().map(|&side| if side == NO_SIDE { side } else { side + 1 }));
    out.key("split_conditions");
    out.singles(nodes().map(|node| node.value as f32));
    out.key("split_indices");
    out.integers(b'l', nodes().map(|node| node.input));
    out.key("split_type");
    out.integers(b'U', nodes().map(|_| 0));
    out.key("sum_hessian");
    out.singles(known().map(|known| known.cover as f32));
    out.key("tree_param");
    out.object(|out| {
        out.parameter("num_deleted", "0");
        out.parameter("num_feature", &n_inputs.to_string());
        out.parameter("num_nodes", &order.len().to_string());
        out.parameter("size_leaf_vector", "1");
    });
}

/// Bytes of UBJSON, written as XGBoost does: every length is an `L`.
#[derive(Debug, Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn length(&mut self, length: usize) {
        self.bytes.push(b'L');
        self.bytes.extend((length as u64).to_be_bytes());
    }

    fn key(&mut self, key: &str) {
        self.length(key.len());
        self.bytes.extend(key.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes.push(b'S');
        self.key(text);
    }

    fn parameter(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text(value);
    }

    /// In as few bytes as it fits in.
    fn integer(&mut self, value: u32) {
        if let Ok(small) = i8::try_from(value) {
            self.bytes.push(b'i');
            self.bytes.extend(small.to_be_bytes());
        } else if let Ok(middling) = i16::try_from(value) {
            self.bytes.push(b'I');
            self.bytes.extend(middling.to_be_bytes());
        } else {
            self.bytes.push(b'l');
            self.bytes.extend(value.to_be_bytes());
        }
    }

    fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.bytes.push(b'{');
        fields(self);
        self.bytes.push(b'}');
    }

    /// Untyped: outside of trees XGBoost reads no other.
    fn array(&mut self, length: usize, mut element: impl FnMut(&mut Self, usize)) {
        self.bytes.extend(b"[#");
        self.length(length);
        for at in 0..length {
            element(self, at);
        }
    }

    /// Numbers of one type: `U` for bytes, `l` for four of them; of no other there are any.
    fn integers(&mut self, marker: u8, values: impl Iterator<Item = u32>) {
        let values: Vec<u32> = values.collect();
        self.bytes.extend([b'[', b'$', marker, b'#']);
        self.length(values.len());
        for value in values {
            match marker {
                b'l' => self.bytes.extend(value.to_be_bytes()),
                _ => self.bytes.push(value as u8),
            }
        }
    }

    fn singles(&mut self, values: impl Iterator<Item = f32>) {
        let values: Vec<f32> = values.collect();
        self.bytes.extend(b"[$d#");
        self.length(values.len());
        for value in values {
            self.bytes.extend(value.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Task;
    use crate::train::TrainSettings;

    #[test]
    fn a_trained_model_is_read_back_to_the_same_bits() {
        let task = Task::new(300, 9);
        for (trees, depth) in [(40, 3), (3, 10)] {
            let settings = TrainSettings { trees, depth, ..TrainSettings::default() };
            let model = task.train(&settings).unwrap();
            let bytes = model.to_ubj().unwrap();
            let read = Model::from_xgboost_ubj(&bytes).unwrap();
            assert_eq!(read.forest.nodes, model.forest.nodes);
            assert_eq!(read.forest.known, model.forest.known);
            assert_eq!(read.forest.base.to_bits(), model.forest.base.to_bits());
            assert_eq!((read.names(), read.trained()), (model.names(), model.trained()));
            assert_eq!(read.to_ubj().unwrap(), bytes);
        }
    }

    #[test]
    fn every_share_of_cases_is_stored_as_a_base_that_is_read_back() {
        for rows in [2_u32, 3, 1853, 1_000_003] {
            for positives in [1, rows / 3, rows / 2, rows - 1] {
                let margin = logit((f64::from(positives.max(1)) / f64::from(rows)) as f32);
                let score = base_score(margin).unwrap();
                assert_eq!(logit(score).to_bits(), margin.to_bits(), "{positives} of {rows}");
            }
        }
    }

    #[test]
    fn what_was_not_trained_here_is_not_written() {
        let text = include_str!("../tests/data/lgb.txt");
        let refused = Model::from_lightgbm(text).unwrap().to_ubj().unwrap_err().to_string();
        assert!(refused.ends_with(": only what was trained here is written"), "{refused}");
    }

    #[test]
    fn the_shipped_model_is_read_with_what_it_was_trained_on() {
        let model = Model::from_xgboost_ubj(include_bytes!("../boosting.ubj")).unwrap();
        assert_eq!((model.n_trees(), model.names().len()), (300, 107));
        assert_eq!(model.trained().unwrap().positives, 906);
        let mut contributions = [0.0; 107];
        let base = model.contributions(&[f64::NAN; 107], &mut contributions).unwrap();
        assert!((base - model.expected_log_odds()).abs() < 1e-5);
    }
}
