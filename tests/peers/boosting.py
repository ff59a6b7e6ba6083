#!/usr/bin/env python3
"""Compares Ichor's gradient boosting with the Python libraries: the same answers, and the time they take, in one run.

    cargo build --release -p ichor-boosting --example peer
    boosting.py --peer target/release/examples/peer [--rows 1899] [--columns 1635] [--repeat 3] [--only equality|refusals|speed]

Needs numpy, and xgboost, lightgbm, scikit-learn, catboost; a library that is not there is left out, and said to be, but for
the speed. `--only refusals --keep plugins/boosting/tests/data/refused` writes the models that must be refused there. Models are trained here with every rule that a file can hold
(missing values, zero as missing, categories, random forests, pruning), saved, and read by both sides; printed are the
largest differences over the rows, which have missing values, zeros and numbers beside the thresholds. Times are CPU
seconds on one thread, so that other work on the machine does not count; the fastest of --repeat runs."""
import argparse, importlib, json, os, subprocess, sys, tempfile, time

import numpy as np

CONVERTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "plugins", "boosting", "converters")
failed = []


def ours(peer, folder, model, rows):
    """Margins, contributions with the base last, and the peer's figures."""
    rows_path, out_path = os.path.join(folder, "rows.f64"), os.path.join(folder, "out.f64")
    np.ascontiguousarray(rows, dtype="<f8").tofile(rows_path)
    done = subprocess.run([peer, "score", model, rows_path, out_path], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{model}: {done.stderr}")
    out = np.fromfile(out_path, "<f8").reshape(len(rows), -1)
    return out[:, 0], out[:, 1:], [float(word) for word in done.stdout.split()]


def row(name, margins, expected, contributions, expected_contributions, margin_within, contribution_within):
    off = np.abs(np.asarray(margins, float) - np.asarray(expected, float)).max()
    text = "-"
    if expected_contributions is not None:
        counted = np.isfinite(expected_contributions).all(axis=1)
        parts = np.abs(contributions - expected_contributions)[counted].max() if counted.any() else np.inf
        text = f"{parts:.1e}" + ("" if counted.all() else f" ({(~counted).sum()} rows NaN there)")
        if not parts <= contribution_within:
            failed.append(f"{name}: contributions")
    if not off <= margin_within:
        failed.append(f"{name}: margins")
    print(f"| {name} | {len(expected)} | {off:.1e} | {text} |", flush=True)


def task(rng, n, n_columns, missing=0.1):
    X = np.round(rng.standard_normal((n, n_columns)), 3)
    X[:, 1] *= rng.random(n) < 0.5
    margin = X[:, 0] - X[:, 2] * X[:, 3] + (X[:, 1] > 0.3) + (X[:, 4].clip(0) * 2)
    y = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(int)
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def library(name):
    """The library, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def equality(peer, folder):
    xgboost, lightgbm, sklearn, catboost = (library(name) for name in ("xgboost", "lightgbm", "sklearn", "catboost"))
    rng = np.random.default_rng(7)
    X, y = task(rng, 1200, 12)
    R, _ = task(rng, 2000, 12, 0.2)
    C, R_c = X.copy(), R.copy()
    C[:, 5], R_c[:, 5] = rng.integers(0, 40, len(C)), rng.integers(-2, 60, len(R_c))
    C[::9, 5] = np.nan
    print("\n" + ", ".join(f"{name} {made.__version__ if made else 'left out'}" for name, made in
                          [("XGBoost", xgboost), ("LightGBM", lightgbm), ("scikit-learn", sklearn), ("CatBoost", catboost)]))
    print("\n| model | rows | margins, largest difference | contributions, largest difference |\n|---|---|---|---|")
    at = lambda name: os.path.join(folder, name)

    if xgboost:
        def xgb(name, parameters, rounds=60, X=X, R=R, types=None, kinds=("ubj", "json")):
            train = xgboost.DMatrix(X, y, feature_types=types, enable_categorical=types is not None)
            booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1, **parameters}, train, rounds)
            test = xgboost.DMatrix(R, feature_types=types, enable_categorical=types is not None)
            for kind in kinds:
                booster.save_model(at(f"m.{kind}"))
                margins, parts, _ = ours(peer, folder, at(f"m.{kind}"), R)
                row(f"XGBoost {kind}, {name}", margins, booster.predict(test, output_margin=True), parts,
                    booster.predict(test, pred_contribs=True), 0.0, 2e-5)

        xgb("hist", {"max_depth": 4})
        xgb("exact, pruned", {"max_depth": 6, "tree_method": "exact", "gamma": 2.0})
        xgb("lossguide, 40 leaves", {"grow_policy": "lossguide", "tree_method": "hist", "max_leaves": 40, "max_depth": 0})
        xgb("random forest, base 0.2", {"num_parallel_tree": 8, "subsample": 0.6, "base_score": 0.2, "learning_rate": 1.0}, 3)
        xgb("logitraw", {"objective": "binary:logitraw"})
        types = ["q"] * 5 + ["c"] + ["q"] * 6
        xgb("categories", {"max_cat_to_onehot": 1, "tree_method": "hist"}, X=C, R=np.where(R_c < 0, np.nan, R_c), types=types)
        xgb("categories one by one", {"max_cat_to_onehot": 100, "tree_method": "hist"}, X=C, R=np.where(R_c < 0, np.nan, R_c), types=types)
        xgb("reg:logistic", {"objective": "reg:logistic"})
        xgb("trained without NaN", {}, X=np.nan_to_num(X))

    if lightgbm:
        def lgb(name, parameters, rounds=60, X=X, R=R, categories="auto"):
            parameters = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 1, "min_data_in_leaf": 5, **parameters}
            booster = lightgbm.train(parameters, lightgbm.Dataset(X, y, categorical_feature=categories), rounds)
            booster.save_model(at("m.txt"))
            booster = lightgbm.Booster(model_file=at("m.txt"))
            margins, parts, _ = ours(peer, folder, at("m.txt"), R)
            sigmoid = parameters.get("sigmoid", 1)
            # The raw score of a random forest is the sum of its trees, its probability that of their mean.
            raw, share = booster.predict(R, raw_score=True), booster.num_trees() if "average_output" in booster.model_to_string() else 1
            expected = booster.predict(R, pred_contrib=True) * sigmoid / share
            row(f"LightGBM, {name}", margins, raw / share, parts, expected, 1e-12, 1e-9)
            probability = booster.predict(R)
            if not np.abs(1 / (1 + np.exp(-sigmoid * margins)) - probability).max() <= 1e-12:
                failed.append(f"LightGBM, {name}: probability")

        lgb("NaN missing", {})
        lgb("255 leaves", {"num_leaves": 255, "min_data_in_leaf": 1}, 20)
        lgb("zero as missing", {"zero_as_missing": True})
        lgb("no missing", {"use_missing": False})
        lgb("trained without NaN", {}, X=np.nan_to_num(X))
        lgb("sigmoid 0.7", {"sigmoid": 0.7})
        lgb("categories", {"max_cat_to_onehot": 1, "min_data_per_group": 5}, X=C, R=R_c, categories=[5])
        lgb("cross_entropy", {"objective": "cross_entropy"})
        lgb("random forest (average_output)", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, 20)
        lgb("dart", {"boosting": "dart"}, 30)

    if sklearn and lightgbm and catboost:
        from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
        sys.path.insert(0, CONVERTERS)
        import to_lightgbm

        def converted(name, text, margins, R, contributions=None, margin_within=1e-12):
            with open(at("m.txt"), "w") as file:
                file.write(text)
            found, parts, _ = ours(peer, folder, at("m.txt"), R)
            row(name, found, margins, parts, contributions, margin_within, 1e-9)

        filled, R_filled = np.nan_to_num(X), np.nan_to_num(R)
        model = GradientBoostingClassifier(n_estimators=80, max_depth=4, random_state=0).fit(filled, y)
        # Doubles beside thresholds, which scikit-learn rounds to single precision.
        cuts = np.concatenate([t.tree_.threshold[t.tree_.feature >= 0] for t in model.estimators_[:, 0]])
        beside = R_filled.copy()
        beside[:, 0] = np.resize(np.concatenate([cuts, np.nextafter(cuts, np.inf), cuts * (1 + 2e-8), cuts * (1 - 2e-8)]), len(beside))
        converted("scikit-learn GradientBoosting", to_lightgbm.from_gradient_boosting(model), model.decision_function(beside), beside)
        model = HistGradientBoostingClassifier(max_iter=80, random_state=0).fit(X, y)
        text = to_lightgbm.from_hist_gradient_boosting(model)
        expected = lightgbm.Booster(model_str=text).predict(R, pred_contrib=True)
        converted("scikit-learn HistGradientBoosting", text, model.decision_function(R), R, expected)
        for policy in ("SymmetricTree", "Depthwise", "Lossguide"):
            for mode in ("Min", "Max"):
                model = catboost.CatBoostClassifier(iterations=60, depth=4, verbose=False, thread_count=1, random_seed=0, grow_policy=policy,
                                                    nan_mode=mode, allow_writing_files=False)
                model.fit(X, y)
                model.save_model(at("cat.json"), format="json")
                with open(at("cat.json")) as file:
                    text = to_lightgbm.from_catboost(json.load(file))
                margins = model.predict(R, prediction_type="RawFormulaVal", thread_count=1)
                expected = model.get_feature_importance(catboost.Pool(R), type="ShapValues") if policy == "SymmetricTree" else None
                converted(f"CatBoost, {policy}, NaN {mode}", text, margins, R, expected)

    if xgboost:
        print("\nTrained by Ichor, read by XGBoost:\n\n| model | rows | margins, largest difference | contributions, largest difference |\n|---|---|---|---|")
        X.astype("<f8").tofile(at("X.f64"))
        y.astype("u1").tofile(at("y.u8"))
        for settings in (["trees=300"], ["trees=60", "depth=8", "least_hessian=0"]):
            subprocess.run([peer, "train", at("X.f64"), at("y.u8"), at("m.ubj"), *settings], check=True, capture_output=True)
            booster = xgboost.Booster(model_file=at("m.ubj"))
            test = xgboost.DMatrix(R, feature_names=booster.feature_names)
            margins, parts, _ = ours(peer, folder, at("m.ubj"), R)
            row(" ".join(settings), margins, booster.predict(test, output_margin=True), parts, booster.predict(test, pred_contribs=True), 0.0, 2e-5)


def refusals(peer, folder):
    """Models that give no probability by trees: each is to be refused."""
    xgboost, lightgbm = library("xgboost"), library("lightgbm")
    X, y = task(np.random.default_rng(3), 300, 5, 0)
    print("\n| model | refused because |\n|---|---|")

    def refused(file):
        done = subprocess.run([peer, "score", os.path.join(folder, file), os.devnull, os.devnull], capture_output=True, text=True)
        if not done.returncode:
            failed.append(f"{file}: not refused")
        print(f"| {file} | {done.stderr.strip()} |", flush=True)

    def xgb(file, parameters, labels=y, **more):
        parameters = {"objective": "binary:logistic", "max_depth": 1, "nthread": 1, **parameters}
        xgboost.train(parameters, xgboost.DMatrix(more.get("X", X), labels, enable_categorical="X" in more), 2).save_model(os.path.join(folder, file))
        refused(file)

    def lgb(file, parameters, labels=y):
        parameters = {"objective": "binary", "num_leaves": 3, "verbosity": -1, "num_threads": 1, **parameters}
        lightgbm.train(parameters, lightgbm.Dataset(X, labels), 2).save_model(os.path.join(folder, file))
        refused(file)

    classes = np.arange(len(y)) % 3
    if xgboost:
        xgb("xgb_dart.json", {"booster": "dart"})
        xgb("xgb_gblinear.json", {"booster": "gblinear"})
        xgb("xgb_classes.json", {"objective": "multi:softprob", "num_class": 3}, classes)
        xgb("xgb_targets.json", {}, np.stack([y, 1 - y], axis=1))
        xgb("xgb_regression.json", {"objective": "reg:squarederror"})
        if library("pandas"):
            import pandas
            colour = pandas.DataFrame({"colour": pandas.Categorical(np.array(["red", "green", "blue"])[classes]), "x": X[:, 0]})
            xgb("xgb_coded.json", {}, X=colour)
    if lightgbm:
        lgb("lgb_classes.txt", {"objective": "multiclass", "num_class": 3}, classes)
        lgb("lgb_linear.txt", {"linear_tree": True})
        lgb("lgb_regression.txt", {"objective": "regression"})


def fastest(repeat, work):
    least = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def auc(y, margins):
    order = np.argsort(np.argsort(margins, kind="stable"), kind="stable") + 1
    n = y.sum()
    return (order[y == 1].sum() - n * (n + 1) / 2) / (n * (len(y) - n))


def speed(peer, folder, arguments):
    import lightgbm, xgboost
    rng = np.random.default_rng(20210526)
    n, n_columns = arguments.rows, arguments.columns
    hidden = rng.standard_normal((n + 4000, 24))
    X = 0.7 * hidden @ rng.standard_normal((24, n_columns)) / 5 + 0.5 * rng.standard_normal((n + 4000, n_columns))
    X = X.astype(np.float32).astype(np.float64)
    margin = hidden[:, :6] @ [1, -0.8, 0.7, 0.6, -0.5, 0.4] + hidden[:, 6] * hidden[:, 7]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-margin))).astype(int)
    (X, T), (y, z) = (X[:n], X[n:]), (y[:n], y[n:])
    at = lambda name: os.path.join(folder, name)
    X.astype("<f8").tofile(at("X.f64"))
    y.astype("u1").tofile(at("y.u8"))
    few = T[:500]
    print(f"\n{n} x {n_columns}, 300 trees, depth 4, rate 0.05, 64 bins, row share 0.8, column share 0.3, one thread, CPU time")
    print("\n| | train, s | AUC on 4000 other rows | margin of one row, us | with contributions, ms |\n|---|---|---|---|---|")

    command = [peer, "train", at("X.f64"), at("y.u8"), at("ours.ubj"), "trees=300", "depth=4", "column_share=0.3", "least_hessian=1"]
    seconds = min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(arguments.repeat))
    margins, _, _ = ours(peer, folder, at("ours.ubj"), T)
    _, _, figures = ours(peer, folder, at("ours.ubj"), few)
    line = lambda name, train, area, one, explain: print(f"| {name} | {train:.2f} | {area:.3f} | {one * 1e6:.1f} | {explain * 1e3:.3f} |", flush=True)
    line("Ichor", seconds, auc(z, margins), figures[0], figures[1])

    def one_by_one(predict):
        for at_row in range(100):
            predict(few[at_row:at_row + 1])

    parameters = {"objective": "binary", "learning_rate": 0.05, "max_depth": 4, "num_leaves": 16, "max_bin": 63, "bagging_fraction": 0.8,
                  "bagging_freq": 1, "feature_fraction": 0.3, "num_threads": 1, "verbosity": -1, "seed": 1, "min_sum_hessian_in_leaf": 1,
                  "lambda_l2": 1}
    seconds, booster = fastest(arguments.repeat, lambda: lightgbm.train(parameters, lightgbm.Dataset(X, y), 300))
    one, _ = fastest(arguments.repeat, lambda: one_by_one(lambda r: booster.predict(r, raw_score=True, num_threads=1)))
    explain, _ = fastest(arguments.repeat, lambda: booster.predict(few, pred_contrib=True, num_threads=1))
    line("LightGBM", seconds, auc(z, booster.predict(T, raw_score=True, num_threads=1)), one / 100, explain / len(few))
    booster.save_model(at("m.txt"))
    _, _, figures = ours(peer, folder, at("m.txt"), few)
    print(f"| that model in Ichor | | | {figures[0] * 1e6:.1f} | {figures[1] * 1e3:.3f} |", flush=True)

    parameters = {"objective": "binary:logistic", "learning_rate": 0.05, "max_depth": 4, "max_bin": 64, "subsample": 0.8,
                  "colsample_bytree": 0.3, "tree_method": "hist", "nthread": 1, "seed": 1, "min_child_weight": 1, "reg_lambda": 1}
    seconds, booster = fastest(arguments.repeat, lambda: xgboost.train(parameters, xgboost.DMatrix(X, y, nthread=1), 300))
    one, _ = fastest(arguments.repeat, lambda: one_by_one(lambda r: booster.inplace_predict(r, predict_type="margin")))
    rows = xgboost.DMatrix(few, nthread=1)
    explain, _ = fastest(arguments.repeat, lambda: booster.predict(rows, pred_contribs=True))
    line("XGBoost", seconds, auc(z, booster.inplace_predict(T, predict_type="margin")), one / 100, explain / len(few))
    booster.save_model(at("m.ubj"))
    _, _, figures = ours(peer, folder, at("m.ubj"), few)
    print(f"| that model in Ichor | | | {figures[0] * 1e6:.1f} | {figures[1] * 1e3:.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--rows", type=int, default=1899)
    parser.add_argument("--columns", type=int, default=1635)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["equality", "refusals", "speed"])
    parser.add_argument("--keep", metavar="FOLDER")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only in (None, "equality"):
            equality(arguments.peer, folder)
        if arguments.only in (None, "refusals"):
            kept = arguments.keep or os.path.join(folder, "refused")
            os.makedirs(kept, exist_ok=True)
            refusals(arguments.peer, kept)
        if arguments.only in (None, "speed"):
            speed(arguments.peer, folder, arguments)
    if failed:
        sys.exit("boosting.py: beyond what is promised: " + "; ".join(failed))


if __name__ == "__main__":
    main()
