//! XGBoost's models, JSON and UBJSON alike.
//!
//! The fields are those of XGBoost's `doc/model.schema`; models of 1.7.6, 2.0.3, 2.1.4, 3.0.5 and
//! 3.2.0 were read and answered as there (`tests/peers/boosting.py`). Whatever
//! would change an answer and is not read here is refused: other boosters than `gbtree`, more than
//! one output, an objective without a probability, categories coded by their names.

use crate::error::BoostingError;
use crate::forest::{Convention, Forest, Node, Test};
use crate::model::{Model, Trained};
use crate::sapling::Sprout;
use crate::value::{Field, Value};
use crate::{json, ubj};

/// Before the names of what a model of ours was trained on.
pub(crate) const ATTRIBUTES: [&str; 3] = ["ichor.rows", "ichor.positives", "ichor.seed"];
/// The most inputs of a model.
pub(crate) const MOST_INPUTS: usize = 100_000;

impl Model {
    /// Reads a model that XGBoost saved as JSON.
    pub fn from_xgboost_json(bytes: &[u8]) -> Result<Self, BoostingError> {
        read(&json::parse(bytes)?)
    }

    /// Reads a model that XGBoost saved as UBJSON, or [`Model::to_ubj`] wrote.
    pub fn from_xgboost_ubj(bytes: &[u8]) -> Result<Self, BoostingError> {
        read(&ubj::parse(bytes)?)
    }
}

fn read(value: &Value<'_>) -> Result<Model, BoostingError> {
    let learner = Field::root("model", value).get("learner")?;
    let parameters = learner.get("learner_model_param")?;
    one_output(&parameters)?;
    let n_inputs = parameters.get("num_feature")?.count()?;
    if n_inputs > MOST_INPUTS {
        let (found, most) = (n_inputs, MOST_INPUTS);
        return Err(BoostingError::TooLarge { what: "inputs", found, most });
    }
    let objective = learner.get("objective")?.get("name")?;
    let base = base_margin(objective, &parameters.get("base_score")?)?;
    let booster = learner.get("gradient_booster")?;
    only(booster.get("name")?, &["gbtree"], "only trees of the booster gbtree are read")?;
    let model = booster.get("model")?;
    no_coded_names(&model)?;
    let mut forest = Forest::new(Convention::XGBoost);
    forest.base = f64::from(base);
    for tree in model.get("trees")?.items()? {
        plant(&mut forest, &tree, n_inputs)?;
    }
    let wanted = model.get("gbtree_model_param")?.get("num_trees")?.count()?;
    if wanted != forest.roots.len() {
        let path = format!("{}.trees", model.path());
        return Err(BoostingError::Length { path, found: forest.roots.len(), needed: wanted });
    }
    Model::new(names(&learner, n_inputs)?, forest, trained(&learner)?)
}

fn one_output(parameters: &Field<'_, '_>) -> Result<(), BoostingError> {
    for (key, most) in [("num_class", 1), ("num_target", 1)] {
        if let Some(field) = parameters.find(key)?
            && field.count()? > most
        {
            let (key, value) = (field.path().to_owned(), field.count()?.to_string());
            let wanted = "only models with one output are read";
            return Err(BoostingError::Unsupported { key, value, wanted });
        }
    }
    Ok(())
}

/// Fails when a text is none of those that are `read`.
fn only(
    field: Field<'_, '_>,
    read: &[&str],
    wanted: &'static str,
) -> Result<(), BoostingError> {
    let value = field.text()?;
    if read.contains(&value) {
        return Ok(());
    }
    let key = field.path().to_owned();
    Err(BoostingError::Unsupported { key, value: shortened(value), wanted })
}

/// The first 60 characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The margin before the first tree, computed as XGBoost does (`src/common/math.h`).
fn base_margin(objective: Field<'_, '_>, score: &Field<'_, '_>) -> Result<f32, BoostingError> {
    let raw = objective.text()? == "binary:logitraw";
    only(
        objective,
        &["binary:logistic", "binary:logitraw", "reg:logistic"],
        "only models of a probability are read: binary:logistic, binary:logitraw, reg:logistic",
    )?;
    let text = score.text()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let number: Option<f32> =
        bare.trim().parse().ok().filter(|number: &f32| number.is_finite());
    let refuse = |wanted| {
        let (key, value) = (score.path().to_owned(), shortened(text));
        BoostingError::Unsupported { key, value, wanted }
    };
    let number = number.ok_or_else(|| refuse("one finite number is needed"))?;
    if raw {
        return Ok(number);
    }
    if number > 0.0 && number < 1.0 {
        return Ok(logit(number));
    }
    Err(refuse("a probability above 0 and below 1 is needed"))
}

/// Log-odds of a probability, rounded as XGBoost rounds.
pub(crate) fn logit(probability: f32) -> f32 {
    -(1.0 / probability - 1.0).ln()
}

/// Since 3.1 a model may carry the names of its categories, to which codes are then matched.
fn no_coded_names(model: &Field<'_, '_>) -> Result<(), BoostingError> {
    let Some(cats) = model.find("cats")? else { return Ok(()) };
    let Some(enc) = cats.find("enc")? else { return Ok(()) };
    match enc.items()?.len() {
        0 => Ok(()),
        n => Err(BoostingError::Unsupported {
            key: enc.path().to_owned(),
            value: format!("{n} inputs"),
            wanted: "categories by names are not read; train on their numbers",
        }),
    }
}

/// What XGBoost calls its inputs: their names, or f0, f1, and so on.
fn names(learner: &Field<'_, '_>, n_inputs: usize) -> Result<Vec<String>, BoostingError> {
    let mut names = Vec::new();
    if let Some(field) = learner.find("feature_names")? {
        for name in field.items()? {
            names.push(name.text()?.to_owned());
        }
        if !names.is_empty() && names.len() != n_inputs {
            let path = field.path().to_owned();
            return Err(BoostingError::Length { path, found: names.len(), needed: n_inputs });
        }
    }
    if names.is_empty() {
        names = (0..n_inputs).map(|input| format!("f{input}")).collect();
    }
    Ok(names)
}

fn trained(learner: &Field<'_, '_>) -> Result<Option<Trained>, BoostingError> {
    let Some(attributes) = learner.find("attributes")? else { return Ok(None) };
    let mut read = [0_usize; 3];
    for (read, key) in read.iter_mut().zip(ATTRIBUTES) {
        let Some(field) = attributes.find(key)? else { return Ok(None) };
        *read = field.count()?;
    }
    let [rows, positives, seed] = read;
    Ok(Some(Trained { rows, positives, seed: seed as u64 }))
}

/// Adds a tree, whose fields are arrays with one element a node.
fn plant(
    forest: &mut Forest,
    tree: &Field<'_, '_>,
    n_inputs: usize,
) -> Result<(), BoostingError> {
    let parameters = tree.get("tree_param")?;
    if let Some(size) = parameters.find("size_leaf_vector")?
        && size.count()? > 1
    {
        let (key, value) = (size.path().to_owned(), size.count()?.to_string());
        let wanted = "only leaves with one value are read";
        return Err(BoostingError::Unsupported { key, value, wanted });
    }
    let n_nodes = parameters.get("num_nodes")?.count()?;
    let n_deleted = match parameters.find("num_deleted")? {
        Some(field) => field.count()?,
        None => 0,
    };
    let sized = |key: &str, found: usize| {
        let path = format!("{}.{key}", tree.path());
        let wrong = BoostingError::Length { path, found, needed: n_nodes };
        if found == n_nodes { Ok(()) } else { Err(wrong) }
    };
    let integers = |key: &str| {
        let read = tree.get(key)?.integers()?;
        sized(key, read.len()).map(|()| read)
    };
    let singles = |key: &str| {
        let read = tree.get(key)?.singles()?;
        sized(key, read.len()).map(|()| read)
    };
    let (left, right) = (integers("left_children")?, integers("right_children")?);
    let (inputs, missing_left) = (integers("split_indices")?, integers("default_left")?);
    let (values, hessians) = (singles("split_conditions")?, singles("sum_hessian")?);
    let gains = singles("loss_changes")?;
    let sets = sets(forest, tree, n_nodes)?;
    // What is no index is that of no node.
    let side = |index: i64| usize::try_from(index).unwrap_or(usize::MAX);
    let sprouts: Vec<Sprout> = (0..n_nodes)
        .map(|at| {
            if left[at] == -1 {
                return Sprout::Leaf {
                    value: f64::from(values[at]),
                    cover: f64::from(hessians[at]),
                };
            }
            let (test, value) = match sets[at] {
                Some(set) => (Test::Categories, set as f64),
                None => (Test::Threshold, f64::from(values[at])),
            };
            // An input beyond the number of inputs is refused where the tree is planted.
            let input = u32::try_from(inputs[at]).unwrap_or(u32::MAX);
            let missing_left = missing_left[at] != 0;
            let node = Node { value, input, right: 0, test, missing_left };
            Sprout::Split {
                node,
                gain: gains[at],
                left: side(left[at]),
                right: side(right[at]),
            }
        })
        .collect();
    forest.plant(&sprouts, n_inputs, n_deleted)
}

/// The number of the set of categories that each node asks for.
fn sets(
    forest: &mut Forest,
    tree: &Field<'_, '_>,
    n_nodes: usize,
) -> Result<Vec<Option<usize>>, BoostingError> {
    let mut sets = vec![None; n_nodes];
    let Some(types) = tree.find("split_type")? else { return Ok(sets) };
    let types = types.integers()?;
    let nodes = tree.get("categories_nodes")?.integers()?;
    let starts = tree.get("categories_segments")?.integers()?;
    let sizes = tree.get("categories_sizes")?.integers()?;
    let categories = tree.get("categories")?.integers()?;
    let tree = forest.roots.len();
    if nodes.len() != starts.len() || nodes.len() != sizes.len() {
        let wrong = "categories_nodes, _segments and _sizes differ in length";
        return Err(BoostingError::Tree { tree, node: 0, wrong });
    }
    for ((&node, &start), &size) in nodes.iter().zip(&starts).zip(&sizes) {
        let node = usize::try_from(node).unwrap_or(usize::MAX);
        let wrong = |wrong: &'static str| BoostingError::Tree { tree, node, wrong };
        let range = usize::try_from(start).ok().zip(usize::try_from(size).ok());
        let range = range.and_then(|(start, size)| Some(start..start.checked_add(size)?));
        let set = range.and_then(|range| categories.get(range));
        let set = set.ok_or_else(|| wrong("its categories are not in the file"))?;
        let numbers: Option<Vec<u32>> = set.iter().map(|&c| u32::try_from(c).ok()).collect();
        let numbers = numbers.ok_or_else(|| wrong("a category is below 0"))?;
        let place = sets.get_mut(node).ok_or_else(|| wrong("has categories and is no node"))?;
        *place = Some(forest.categories.push(&numbers)?);
    }
    for (at, set) in sets.iter().enumerate() {
        if (types.get(at) == Some(&1)) != set.is_some() {
            let wrong = "split_type and the list of categories do not agree";
            return Err(BoostingError::Tree { tree, node: at, wrong });
        }
    }
    Ok(sets)
}
