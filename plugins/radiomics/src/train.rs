//! Training of a signature: sparse logistic regression, after which most inputs have no weight.

use crate::error::SignatureError;
use crate::lasso::Lasso;
use crate::signature::{Signature, Term, Trained};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainSettings {
    /// This times the size of every standardised input's weight is taken off the mean
    /// log-likelihood; above 0. The intercept is free.
    pub l1: f64,
}

impl Default for TrainSettings {
    /// By cross-validation on the phantom development cohort, see the model's card.
    fn default() -> Self {
        Self { l1: 0.003 }
    }
}

/// Trains on one row of values for each case, in the order of `names`; NaN is missing.
///
/// A missing value counts as the mean of the others; a name whose value never changes or that gets
/// no weight is left out. The same rows give the same bits.
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
    let standardised = |(term, &column): (&Term, &usize)| -> Vec<f64> {
        let standard = |row: &Vec<f64>| (row[column] - term.mean) / term.deviation;
        rows.iter().map(standard).map(|z| if z.is_nan() { 0.0 } else { z }).collect()
    };
    let columns: Vec<Vec<f64>> = terms.iter().zip(&kept).map(standardised).collect();
    let weights = Lasso { columns: &columns, labels }.fit(settings.l1);
    let weights = weights.ok_or(SignatureError::Unsettled { l1: settings.l1 })?;
    for (term, weight) in terms.iter_mut().zip(&weights.of) {
        term.weight = *weight;
    }
    terms.retain(|term| term.weight != 0.0);
    let positives = labels.iter().filter(|grew| **grew).count();
    let trained = Trained { rows: rows.len(), positives, l1: settings.l1 };
    Ok(Signature::new(weights.intercept, terms, trained))
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
    if settings.l1.is_finite() && settings.l1 > 0.0 {
        return Ok(());
    }
    Err(SignatureError::Penalty(settings.l1))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|at| format!("f{at}")).collect()
    }

    #[test]
    fn at_the_maximum_the_slope_is_the_penalty() {
        // By hand: two groups of four, x = -1 with one and x = 1 with three that grew. By symmetry
        // the intercept is 0 and w solves 3/4 - s(w) = 1/10 with s the logistic function.
        let rows: Vec<Vec<f64>> =
            [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0].map(|x| vec![x]).into();
        let labels = [true, false, false, false, true, true, true, false];
        let signature =
            train_signature(&names(1), &rows, &labels, TrainSettings { l1: 0.1 }).unwrap();
        let weight = signature.terms()[0].weight;
        assert!((weight - (0.65_f64 / 0.35).ln()).abs() < 1e-5, "{weight}");
        assert!(signature.intercept().abs() < 1e-5);
    }

    #[test]
    fn what_says_nothing_or_never_changes_is_left_out() {
        let rows: Vec<Vec<f64>> =
            (0..40).map(|at| vec![f64::from(at), f64::from(at % 2), 7.0, f64::NAN]).collect();
        let labels: Vec<bool> = (0..40).map(|at| at >= 20).collect();
        let settings = TrainSettings { l1: 0.05 };
        let signature = train_signature(&names(4), &rows, &labels, settings).unwrap();
        let kept: Vec<&str> = signature.terms().iter().map(|term| term.name.as_str()).collect();
        assert_eq!(kept, ["f0"]);
    }

    fn check_refused(rows: &[Vec<f64>], labels: &[bool], l1: f64, expected: &str) {
        let refused = train_signature(&names(1), rows, labels, TrainSettings { l1 });
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_cannot_be_trained_on_is_refused_in_words() {
        let rows = vec![vec![1.0], vec![2.0]];
        check_refused(&rows, &[true, false], 0.0, "an L1 penalty of 0 is not above 0");
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
