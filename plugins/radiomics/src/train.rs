//! Training of a signature: ridge logistic regression by Newton's method.

use crate::error::SignatureError;
use crate::signature::{Signature, Term, Trained};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainSettings {
    /// Half of this times the squared weight of every standardised input is taken off the
    /// log-likelihood; above 0. The intercept is free.
    pub ridge: f64,
}

impl Default for TrainSettings {
    /// Features of one hematoma repeat each other, and 10 holds their weights together over
    /// hundreds of cases.
    fn default() -> Self {
        Self { ridge: 10.0 }
    }
}

const MOST_STEPS: usize = 100;

/// Trains on one row of values for each case, in the order of `names`; NaN is missing.
///
/// A missing value counts as the mean of the others, and a name whose value never changes is left
/// out. The same rows give the same bits.
pub fn train_signature(
    names: &[String],
    rows: &[Vec<f64>],
    labels: &[bool],
    settings: TrainSettings,
) -> Result<Signature, SignatureError> {
    check(names, rows, labels, settings)?;
    let mut terms: Vec<Term> = Vec::new();
    let mut kept = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let (mean, deviation) = spread(rows, column);
        if deviation > 0.0 && deviation.is_finite() {
            terms.push(Term { name: name.clone(), mean, deviation, weight: 0.0 });
            kept.push(column);
        }
    }
    let standard = |row: &Vec<f64>| -> Vec<f64> {
        let values = terms.iter().zip(&kept).map(|(term, &column)| {
            let value = (row[column] - term.mean) / term.deviation;
            if value.is_nan() { 0.0 } else { value }
        });
        std::iter::once(1.0).chain(values).collect()
    };
    let cases: Vec<Vec<f64>> = rows.iter().map(standard).collect();
    let weights = regress(&cases, labels, settings.ridge)?;
    for (term, weight) in terms.iter_mut().zip(&weights[1..]) {
        term.weight = *weight;
    }
    let positives = labels.iter().filter(|grew| **grew).count();
    let trained = Trained { rows: rows.len(), positives, ridge: settings.ridge };
    Ok(Signature::new(weights[0], terms, trained))
}

fn check(
    names: &[String],
    rows: &[Vec<f64>],
    labels: &[bool],
    settings: TrainSettings,
) -> Result<(), SignatureError> {
    if rows.len() != labels.len() {
        let (row, expected) = (rows.len().min(labels.len()), rows.len());
        return Err(SignatureError::Shape { row, expected, found: labels.len() });
    }
    for (row_idx, row) in rows.iter().enumerate() {
        if row.len() != names.len() {
            let (expected, found) = (names.len(), row.len());
            return Err(SignatureError::Shape { row: row_idx, expected, found });
        }
        if let Some(at) = row.iter().position(|value| value.is_infinite()) {
            return Err(SignatureError::Infinite { name: names[at].clone(), row: row_idx });
        }
    }
    let positives = labels.iter().filter(|grew| **grew).count();
    if positives == 0 || positives == labels.len() {
        return Err(SignatureError::OneClass { rows: labels.len(), positives });
    }
    if settings.ridge.is_finite() && settings.ridge > 0.0 {
        return Ok(());
    }
    Err(SignatureError::Ridge(settings.ridge))
}

/// Mean and population standard deviation of the values that are there.
fn spread(rows: &[Vec<f64>], column: usize) -> (f64, f64) {
    let values: Vec<f64> =
        rows.iter().map(|row| row[column]).filter(|value| !value.is_nan()).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    // Equal values may have a mean that rounding moved away from them.
    let constant = values.iter().all(|value| value.total_cmp(&values[0]).is_eq());
    (mean, if constant { 0.0 } else { variance.sqrt() })
}

/// Weights that maximise the penalised log-likelihood; the first column of `cases` is 1.
fn regress(
    cases: &[Vec<f64>],
    labels: &[bool],
    ridge: f64,
) -> Result<Vec<f64>, SignatureError> {
    let mut weights = vec![0.0; cases[0].len()];
    let mut merit = likelihood(cases, labels, &weights, ridge);
    for _ in 0..MOST_STEPS {
        let (gradient, curvature) = derivatives(cases, labels, &weights, ridge);
        let Some(step) = solve(curvature, gradient) else { break };
        let size = step.iter().fold(0.0_f64, |size, part| size.max(part.abs()));
        let mut share = 1.0;
        loop {
            let next: Vec<f64> =
                weights.iter().zip(&step).map(|(w, s)| w + share * s).collect();
            let next_merit = likelihood(cases, labels, &next, ridge);
            if next_merit >= merit {
                (weights, merit) = (next, next_merit);
                break;
            }
            share /= 2.0;
            // Nothing to gain but rounding: this is the top.
            if share * size < 1e-12 {
                return Ok(weights);
            }
        }
        if size < 1e-10 {
            return Ok(weights);
        }
    }
    Err(SignatureError::Unsettled { steps: MOST_STEPS })
}

fn log_odds(case: &[f64], weights: &[f64]) -> f64 {
    case.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn likelihood(cases: &[Vec<f64>], labels: &[bool], weights: &[f64], ridge: f64) -> f64 {
    let penalty = weights[1..].iter().map(|weight| weight * weight).sum::<f64>();
    let of_case = |(case, grew): (&Vec<f64>, &bool)| {
        let toward = if *grew { log_odds(case, weights) } else { -log_odds(case, weights) };
        // ln(1 / (1 + e^-t)) without overflow.
        toward.min(0.0) - (-toward.abs()).exp().ln_1p()
    };
    cases.iter().zip(labels).map(of_case).sum::<f64>() - ridge / 2.0 * penalty
}

/// The gradient of the penalised log-likelihood and the negative of its second derivatives.
fn derivatives(
    cases: &[Vec<f64>],
    labels: &[bool],
    weights: &[f64],
    ridge: f64,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = weights.len();
    let mut gradient: Vec<f64> = weights.iter().map(|weight| -ridge * weight).collect();
    gradient[0] = 0.0;
    let mut curvature = vec![vec![0.0; n]; n];
    for (at, row) in curvature.iter_mut().enumerate().skip(1) {
        row[at] = ridge;
    }
    for (case, grew) in cases.iter().zip(labels) {
        let risk = 1.0 / (1.0 + (-log_odds(case, weights)).exp());
        let residual = f64::from(u8::from(*grew)) - risk;
        let certainty = risk * (1.0 - risk);
        for row in 0..n {
            gradient[row] += residual * case[row];
            let scaled = certainty * case[row];
            for column in 0..=row {
                curvature[row][column] += scaled * case[column];
            }
        }
    }
    (gradient, curvature)
}

/// Solves `matrix x = right` by Cholesky's method from the lower triangle of `matrix`; nothing
/// where it is not positive definite.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - dot;
            matrix[row][column] = if row > column {
                rest / matrix[column][column]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    for row in 0..n {
        let dot: f64 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    for row in (0..n).rev() {
        let dot: f64 = (row + 1..n).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - dot) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|at| format!("f{at}")).collect()
    }

    #[test]
    fn without_a_signal_the_intercept_is_the_log_odds_of_growth() {
        let rows: Vec<Vec<f64>> =
            [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0].map(|x| vec![x]).into();
        let labels = [true, true, false, false, false, false, false, false];
        let signature =
            train_signature(&names(1), &rows, &labels, TrainSettings { ridge: 1.0 }).unwrap();
        assert!((signature.intercept() - (2.0_f64 / 6.0).ln()).abs() < 1e-9);
        assert!(signature.terms()[0].weight.abs() < 1e-9);
    }

    #[test]
    fn at_the_maximum_the_penalised_gradient_is_zero() {
        // By hand: two groups of four, x = -1 with one and x = 1 with three that grew. By symmetry
        // the intercept is 0 and w solves 8 (3/4 - s(w)) = 2 w with s the logistic function.
        let rows: Vec<Vec<f64>> =
            [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0].map(|x| vec![x]).into();
        let labels = [true, false, false, false, true, true, true, false];
        let signature =
            train_signature(&names(1), &rows, &labels, TrainSettings { ridge: 2.0 }).unwrap();
        let weight = signature.terms()[0].weight;
        let risk = 1.0 / (1.0 + (-weight).exp());
        assert!((8.0 * (0.75 - risk) - 2.0 * weight).abs() < 1e-9, "{weight}");
        assert!(signature.intercept().abs() < 1e-9);
    }

    #[test]
    fn cases_that_a_line_parts_and_columns_that_repeat_each_other_settle() {
        let rows: Vec<Vec<f64>> =
            (0..40).map(|at| vec![f64::from(at), 2.0 * f64::from(at), 7.0, f64::NAN]).collect();
        let labels: Vec<bool> = (0..40).map(|at| at >= 20).collect();
        let settings = TrainSettings { ridge: 1e-3 };
        let signature = train_signature(&names(4), &rows, &labels, settings).unwrap();
        let kept: Vec<&str> = signature.terms().iter().map(|term| term.name.as_str()).collect();
        assert_eq!(kept, ["f0", "f1"], "what never changes is left out");
        assert!((signature.terms()[0].weight - signature.terms()[1].weight).abs() < 1e-6);
    }

    fn check_refused(rows: &[Vec<f64>], labels: &[bool], ridge: f64, expected: &str) {
        let refused = train_signature(&names(1), rows, labels, TrainSettings { ridge });
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_cannot_be_trained_on_is_refused_in_words() {
        let rows = vec![vec![1.0], vec![2.0]];
        check_refused(&rows, &[true, false], 0.0, "a ridge of 0 is not above 0");
        check_refused(&rows, &[true], 1.0, "case 1 has 1 values or labels where 2 are needed");
        check_refused(
            &[vec![1.0], vec![f64::INFINITY]],
            &[true, false],
            1.0,
            "f0 of case 1 is infinite; a missing value is NaN",
        );
        check_refused(
            &rows,
            &[true, true],
            1.0,
            "2 of 2 cases grew: training needs cases that grew and cases that did not",
        );
    }
}
