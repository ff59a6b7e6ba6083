//! Models that the Python libraries saved, and what they answer.
//!
//! `tests/data` was made by XGBoost 3.2.0, LightGBM 4.7.0, scikit-learn 1.9.1 and `CatBoost` 1.2.10
//! (`expected.json`: inputs, margins, contributions; the inputs of the last two rows are in part
//! missing). A model that differs from its library by one rounding of a margin fails here.

use std::path::Path;

use crate::error::BoostingError;
use crate::json;
use crate::model::Model;
use crate::testing::Noise;
use crate::value::Value;

const FILES: [&str; 6] = [
    "xgb.json",
    "xgb.ubj",
    "lgb.txt",
    "sklearn_gb.lgb.txt",
    "sklearn_hgb.lgb.txt",
    "catboost.lgb.txt",
];

fn bytes(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(file)).unwrap()
}

fn read(file: &str, bytes: &[u8]) -> Result<Model, BoostingError> {
    match file.rsplit('.').next() {
        Some("json") => Model::from_xgboost_json(bytes),
        Some("ubj") => Model::from_xgboost_ubj(bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Model::from_lightgbm(text),
            Err(e) => Err(BoostingError::Byte { at: e.valid_up_to(), wrong: "no UTF-8" }),
        },
    }
}

fn get<'v, 'a>(value: &'v Value<'a>, key: &str) -> &'v Value<'a> {
    let Value::Object(fields) = value else { panic!("{key}") };
    &fields.iter().find(|(known, _)| known == key).unwrap().1
}

/// Numbers, `null` for a missing one.
fn numbers(value: &Value<'_>) -> Vec<f64> {
    let Value::Array(values) = value else { panic!("{value:?}") };
    let number = |value: &Value<'_>| match value {
        Value::Written(text) => text.parse().unwrap(),
        _ => f64::NAN,
    };
    values.iter().map(number).collect()
}

fn rows(value: &Value<'_>) -> Vec<Vec<f64>> {
    let Value::Array(values) = value else { panic!("{value:?}") };
    values.iter().map(numbers).collect()
}

/// How far margins and contributions may be off; the file has eight decimals of contributions.
fn check(file: &str, margin_within: f64, contribution_within: f64) {
    let text = bytes("expected.json");
    let expected = json::parse(&text).unwrap();
    let of_file = get(get(&expected, "models"), file);
    let inputs = rows(get(&expected, "X"));
    let (margins, contributions) =
        (numbers(get(of_file, "margin")), rows(get(of_file, "contrib")));
    let model = read(file, &bytes(file)).unwrap();
    assert!(margins.len() >= 10 && contributions.len() == margins.len());
    // Margins of the first rows: scikit-learn's GradientBoosting takes no missing values.
    for ((inputs, margin), contributions) in inputs.iter().zip(margins).zip(contributions) {
        let found = model.margin(inputs);
        assert!((found - margin).abs() <= margin_within, "{file}: {found} for {margin}");
        let mut parts = vec![0.0; inputs.len()];
        let base = model.contributions(inputs, &mut parts).unwrap();
        parts.push(base);
        for (found, expected) in parts.iter().zip(contributions) {
            // LightGBM divides 0 by 0 where no training row came to either side of a split.
            let lost = expected.is_nan() && found.is_finite() && file.starts_with("catboost");
            let equal = (found - expected).abs() <= contribution_within;
            assert!(equal || lost, "{file}: {found} for {expected}");
        }
    }
}

#[test]
fn margins_of_xgboost_are_equal_to_the_bit() {
    check("xgb.json", 0.0, 1e-6);
    check("xgb.ubj", 0.0, 1e-6);
}

#[test]
fn margins_of_lightgbm_are_equal_within_1e_12() {
    check("lgb.txt", 1e-12, 1e-8);
    check("sklearn_gb.lgb.txt", 1e-12, 1e-8);
    check("sklearn_hgb.lgb.txt", 1e-12, 1e-8);
    check("catboost.lgb.txt", 1e-12, 1e-8);
}

/// `tests/data/refused` was made by `tests/peers/boosting.py --only refusals`, XGBoost 3.2.0 and
/// `LightGBM` 4.7.0.
fn check_refused(file: &str, expected: &str) {
    let refused = read(file, &bytes(&format!("refused/{file}"))).unwrap_err().to_string();
    assert_eq!(refused, expected, "{file}");
}

#[test]
fn models_that_give_no_probability_by_trees_are_refused_in_their_own_words() {
    let booster = "only trees of the booster gbtree are read";
    let key = "model.learner.gradient_booster.name";
    check_refused("xgb_dart.json", &format!("{key} is dart: {booster}"));
    check_refused("xgb_gblinear.json", &format!("{key} is gblinear: {booster}"));
    let outputs = "only models with one output are read";
    let key = "model.learner.learner_model_param";
    check_refused("xgb_classes.json", &format!("{key}.num_class is 3: {outputs}"));
    check_refused("xgb_targets.json", &format!("{key}.num_target is 2: {outputs}"));
    check_refused("lgb_classes.txt", &format!("num_class is 3: {outputs}"));
    check_refused(
        "xgb_regression.json",
        "model.learner.objective.name is reg:squarederror: only models of a probability are read: \
         binary:logistic, binary:logitraw, reg:logistic",
    );
    check_refused(
        "lgb_regression.txt",
        "objective is regression: only models of a probability are read: binary, cross_entropy",
    );
    check_refused(
        "xgb_coded.json",
        "model.learner.gradient_booster.model.cats.enc is 2 inputs: categories by names are not \
         read; train on their numbers",
    );
    check_refused(
        "lgb_linear.txt",
        "is_linear is 1: leaves that are linear models are not read",
    );
}

/// `bytes` with one to four places changed: bytes, bits, numbers, pieces taken out, doubled or
/// cut off.
fn mutated(noise: &mut Noise, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=noise.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = noise.below(bytes.len());
        let length = 1 + noise.below(40).min(bytes.len() - at - 1);
        match noise.below(8) {
            0 => bytes[at] = noise.below(256) as u8,
            1 => bytes[at] ^= 1 << noise.below(8),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.truncate(at),
            5 => bytes[at] = [0xff, 0x7f, 0x80, 0][noise.below(4)],
            _ => number_edited(noise, &mut bytes, at),
        }
    }
    bytes
}

/// Puts another number where the next one of a text stands.
fn number_edited(noise: &mut Noise, bytes: &mut Vec<u8>, at: usize) {
    const NUMBERS: [&str; 14] = [
        "0",
        "-1",
        "1",
        "2",
        "7",
        "15",
        "-9",
        "nan",
        "inf",
        "1e300",
        "-1e-320",
        "2147483647",
        "18446744073709551616",
        "4294967295",
    ];
    let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else { return };
    let start = at + start;
    let end =
        bytes[start..].iter().position(|b| !is_part(b)).map_or(bytes.len(), |n| start + n);
    let number = NUMBERS[noise.below(NUMBERS.len())];
    bytes.splice(start..end, number.bytes());
}

#[test]
fn no_mutation_of_a_model_brings_a_loader_or_the_scorer_down() {
    const TIMES: usize = 4000;
    let mut noise = Noise::new(12);
    let mut all = 0;
    for file in FILES {
        let whole = bytes(file);
        let mut n_read = 0;
        for _ in 0..TIMES {
            let mutated = mutated(&mut noise, &whole);
            let Ok(model) = read(file, &mutated) else { continue };
            n_read += 1;
            assert!(model.n_nodes() <= mutated.len(), "more nodes than bytes");
            for value in [f64::NAN, 0.0, -0.5, 3.0e38] {
                let inputs = vec![value; model.names().len()];
                let mut contributions = vec![0.0; inputs.len()];
                let base = model.contributions(&inputs, &mut contributions).unwrap();
                assert!(model.log_odds(&inputs).is_finite() && base.is_finite());
            }
        }
        all += TIMES;
        println!("{file}: {TIMES} mutations, {n_read} read, the others refused");
        assert!((1..TIMES - 1).contains(&n_read), "{file}: {n_read}");
    }
    println!("{all} mutations in all");
}

#[test]
fn a_model_cut_off_anywhere_is_refused() {
    for file in FILES {
        let whole = bytes(file);
        // A LightGBM model is complete once its trees have ended.
        let text = String::from_utf8_lossy(&whole);
        let end = text.find("end of trees").map_or(whole.len(), |at| at + "end of trees".len());
        for length in (0..end).step_by(7) {
            assert!(read(file, &whole[..length]).is_err(), "{file} cut to {length} bytes");
        }
    }
}
