#!/usr/bin/env python3
"""Turns a scikit-learn or CatBoost classifier into a LightGBM text model, which Ichor reads.

    to_lightgbm.py model.pkl out.txt [--names names.txt]    GradientBoostingClassifier, HistGradientBoostingClassifier
    to_lightgbm.py model.json out.txt [--names names.txt]   CatBoost: model.save_model("model.json", format="json")

Two classes, numeric inputs. names.txt has one name a line, in the order of the columns; without it the names are those
of the data frame that the model was trained on, else f0, f1, and so on. A .pkl is unpickled, which runs whatever is in
it: convert your own models only. Tried with scikit-learn 1.9.1 and CatBoost 1.2.10.

A LightGBM split sends `x <= threshold` left in double precision. scikit-learn's GradientBoosting and CatBoost round x to
single precision first, so their thresholds are replaced by the largest double that rounds to no more than them.
Missing values: as learnt by HistGradientBoosting and CatBoost; GradientBoosting refuses them, so here they take the side
with more training rows. What is added before the first tree is part of the leaves of the first tree."""
import argparse, json, math, pickle, sys

import numpy as np

MISSING_IS_NAN, DEFAULT_LEFT = 2 << 2, 2


def refuse(words):
    sys.exit(f"to_lightgbm.py: {words}")


def single_precision(threshold):
    """The largest double that rounds to a single-precision number of at most `threshold`."""
    low = np.float32(threshold)
    if float(low) > threshold:
        low = np.nextafter(low, np.float32(-np.inf))
    with np.errstate(over="ignore"):
        high = np.nextafter(low, np.float32(np.inf))
    if not np.isfinite(high):
        return float(low)
    middle = (float(low) + float(high)) / 2
    # The middle itself rounds to the one of them whose last bit is 0.
    even = low.view(np.uint32) % 2 == 0
    return middle if even else math.nextafter(middle, -math.inf)


class Split:
    def __init__(self, column, threshold, missing_left, left, right):
        self.column, self.threshold, self.missing_left, self.left, self.right = column, threshold, missing_left, left, right
        self.count = left.count + right.count


class Leaf:
    def __init__(self, value, count):
        self.value, self.count = float(value), count


def numbers(values):
    return " ".join(format(v, ".17g") if isinstance(v, float) else str(v) for v in values)


def tree_text(number, root, scale):
    """One block of the text; splits and leaves are numbered apart, each from the root down and from left to right."""
    splits, leaves, open_nodes = [], [], [root]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, Leaf):
            node.number = ~len(leaves)
            leaves.append(node)
        else:
            node.number = len(splits)
            splits.append(node)
            open_nodes += [node.right, node.left]
    count = lambda node: int(round(node.count * scale))
    lines = [f"Tree={number}", f"num_leaves={len(leaves)}", "num_cat=0"]
    if splits:
        lines += ["split_feature=" + numbers(s.column for s in splits),
                  "split_gain=" + numbers(0 for _ in splits),
                  "threshold=" + numbers(float(s.threshold) for s in splits),
                  "decision_type=" + numbers(MISSING_IS_NAN + DEFAULT_LEFT * bool(s.missing_left) for s in splits),
                  "left_child=" + numbers(s.left.number for s in splits),
                  "right_child=" + numbers(s.right.number for s in splits)]
    lines.append("leaf_value=" + numbers(leaf.value for leaf in leaves))
    if splits:
        lines += ["leaf_weight=" + numbers(float(leaf.count) for leaf in leaves),
                  "leaf_count=" + numbers(count(leaf) for leaf in leaves),
                  "internal_value=" + numbers(0 for _ in splits),
                  "internal_weight=" + numbers(float(s.count) for s in splits),
                  "internal_count=" + numbers(count(s) for s in splits)]
    return "\n".join(lines + ["is_linear=0", "shrinkage=1", "", ""]) + "\n"


def leaves_of(root):
    return [root] if isinstance(root, Leaf) else leaves_of(root.left) + leaves_of(root.right)


def model_text(trees, names, base):
    """The whole text; `base` is added to every leaf of the first tree."""
    bad = [name for name in names if not name or any(c.isspace() for c in name)]
    if bad or len(set(names)) < len(names):
        refuse(f"names have to differ and to be without white space: {bad[:1] or 'one comes twice'}")
    trees = trees or [Leaf(0.0, 1)]
    for leaf in leaves_of(trees[0]):
        leaf.value += base
    # Counts are whole numbers in the text; weights of rows need not be.
    whole = all(float(leaf.count).is_integer() for tree in trees for leaf in leaves_of(tree))
    blocks = [tree_text(number, tree, 1 if whole else 1000) for number, tree in enumerate(trees)]
    header = ["tree", "version=v4", "num_class=1", "num_tree_per_iteration=1", "label_index=0",
              f"max_feature_idx={len(names) - 1}", "objective=binary sigmoid:1", "feature_names=" + " ".join(names),
              "feature_infos=" + " ".join(["[-inf:inf]"] * len(names)),
              "tree_sizes=" + numbers(len(block) for block in blocks), "", ""]
    return "\n".join(header) + "".join(blocks) + "end of trees\n\npandas_categorical:null\n"


def two_classes(model):
    if len(model.classes_) != 2:
        refuse(f"{len(model.classes_)} classes; a model of two is needed")


def named(model, names):
    if names is None:
        names = list(getattr(model, "feature_names_in_", [f"f{i}" for i in range(model.n_features_in_)]))
    if len(names) != model.n_features_in_:
        refuse(f"{len(names)} names for {model.n_features_in_} inputs")
    return names


def from_gradient_boosting(model, names=None):
    """Text of a fitted sklearn.ensemble.GradientBoostingClassifier."""
    two_classes(model)
    if model.init_ == "zero":
        base = 0.0
    elif hasattr(model.init_, "class_prior_") and model.init_.strategy == "prior":
        share = float(np.clip(model.init_.class_prior_[1], np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps))
        base = math.log(share / (1 - share))
        if model.loss == "exponential":
            base /= 2
    else:
        refuse("an init other than the default or 'zero' depends on the inputs in ways that no tree can hold")
    if model.loss != "log_loss":
        refuse(f"loss {model.loss}: log_loss is needed, whose margin is log-odds")
    trees = []
    for [stage] in model.estimators_:
        tree = stage.tree_

        def node(at):
            count = float(tree.weighted_n_node_samples[at])
            if tree.children_left[at] == -1:
                return Leaf(model.learning_rate * tree.value[at, 0, 0], count)
            left, right = node(tree.children_left[at]), node(tree.children_right[at])
            return Split(int(tree.feature[at]), single_precision(tree.threshold[at]), left.count >= right.count, left, right)

        trees.append(node(0))
    return model_text(trees, named(model, names), base)


def from_hist_gradient_boosting(model, names=None):
    """Text of a fitted sklearn.ensemble.HistGradientBoostingClassifier."""
    two_classes(model)
    if getattr(model, "is_categorical_", None) is not None and np.any(model.is_categorical_):
        refuse("categorical inputs: HistGradientBoosting sends unknown ones as it does missing ones, LightGBM right")
    trees = []
    for [predictor] in model._predictors:
        nodes = predictor.nodes

        def node(at):
            it = nodes[at]
            if it["is_leaf"]:
                return Leaf(it["value"], float(it["count"]))
            missing_left = bool(it["missing_go_to_left"])
            return Split(int(it["feature_idx"]), float(it["num_threshold"]), missing_left, node(it["left"]), node(it["right"]))

        trees.append(node(0))
    return model_text(trees, named(model, names), float(np.ravel(model._baseline_prediction)[0]))


def from_catboost(model, names=None):
    """Text of the JSON, as a dict, that CatBoost saves."""
    info = model["features_info"]
    others = [key for key in ("categorical_features", "text_features", "embedding_features") if info.get(key)]
    if others or model.get("ctr_data"):
        refuse(f"{', '.join(others) or 'ctr_data'}: only numeric inputs are read")
    scale, bias = model.get("scale_and_bias", [1, [0]])
    bias = bias if isinstance(bias, list) else [bias]
    if len(bias) > 1:
        refuse("more than one output; a model of two classes is needed")
    loss = model.get("model_info", {}).get("params", {}).get("loss_function", {}).get("type", "Logloss")
    if loss not in ("Logloss", "CrossEntropy"):
        refuse(f"loss_function {loss}: Logloss or CrossEntropy is needed")
    floats = info["float_features"]
    column = {f["feature_index"]: f["flat_feature_index"] for f in floats}
    # With AsTrue a missing value is above every border, else below.
    missing_left = {f["feature_index"]: f.get("nan_value_treatment") != "AsTrue" for f in floats}
    n_inputs = 1 + max(column.values())
    if names is None:
        known = {f["flat_feature_index"]: f.get("feature_id") for f in floats}
        names = [known.get(i) or f"f{i}" for i in range(n_inputs)]
        names = [f"f{name}" if name.isdigit() else name for name in names]
    if len(names) < n_inputs:
        refuse(f"{len(names)} names for {n_inputs} inputs")

    def split(it, left, right):
        if it.get("split_type", "FloatFeature") != "FloatFeature":
            refuse(f"a split of type {it['split_type']}: only numeric inputs are read")
        feature = it["float_feature_index"]
        return Split(column[feature], single_precision(it["border"]), missing_left[feature], left, right)

    def symmetric(tree):
        splits, values, weights = tree["splits"] or [], tree["leaf_values"], tree.get("leaf_weights")
        if len(values) != 1 << len(splits):
            refuse("more than one value a leaf; a model of two classes is needed")

        def node(depth, leaf):
            # Bit k of a leaf's number is set where split k sends it right; the last split is the root here.
            if depth == 0:
                return Leaf(scale * values[leaf], float(weights[leaf]) if weights else 1.0)
            bit = depth - 1
            return split(splits[bit], node(bit, leaf), node(bit, leaf | 1 << bit))

        return node(len(splits), 0)

    def other(it):
        if "split" in it:
            return split(it["split"], other(it["left"]), other(it["right"]))
        value = it["value"]
        return Leaf(scale * (value[0] if isinstance(value, list) else value), float(it.get("weight", 1.0)))

    trees = [symmetric(t) for t in model["oblivious_trees"]] if "oblivious_trees" in model else [other(t) for t in model["trees"]]
    return model_text(trees, names, float(bias[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--names", help="a file with one name a line, in the order of the columns")
    arguments = parser.parse_args()
    names = None
    if arguments.names:
        with open(arguments.names, encoding="utf-8") as file:
            names = file.read().split("\n")
        names = names[:-1] if names and not names[-1] else names
    if arguments.model.endswith(".json"):
        with open(arguments.model, encoding="utf-8") as file:
            text = from_catboost(json.load(file), names)
    else:
        with open(arguments.model, "rb") as file:
            model = pickle.load(file)
        convert = {"GradientBoostingClassifier": from_gradient_boosting,
                   "HistGradientBoostingClassifier": from_hist_gradient_boosting}.get(type(model).__name__)
        if convert is None:
            refuse(f"{type(model).__name__}: a GradientBoostingClassifier or HistGradientBoostingClassifier is needed")
        text = convert(model, names)
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
