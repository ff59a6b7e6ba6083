//! Area under the receiver operating characteristic, with the variance of `DeLong` et al. 1988.

use super::summary::Interval;
use super::{Scored, Z95};

/// An area under the curve and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Auc {
    /// Probability that a patient who expands scores above one who does not; ties count half.
    pub value: f64,
    /// `DeLong`'s standard error; NaN with fewer than two patients on either side.
    pub standard_error: f64,
    /// `DeLong`'s interval, held within 0 and 1; none where it cannot be estimated: fewer than two
    /// patients on either side, or all of them told apart.
    pub interval: Option<Interval>,
}

/// The area under the curve; midranks, so that its cost grows as `n log n`.
pub fn auc(scored: &Scored) -> Auc {
    let (positives, negatives) = (scored.positives(), scored.negatives());
    let above = placements(positives, negatives);
    let below = placements(negatives, positives).into_iter().map(|share| 1.0 - share);
    let below: Vec<f64> = below.collect();
    let value = super::mean(&above).unwrap_or(f64::NAN);
    let variance = sample_variance(&above, value) / above.len() as f64
        + sample_variance(&below, value) / below.len() as f64;
    let standard_error = variance.sqrt();
    let interval = (standard_error > 0.0).then(|| Interval {
        low: (value - Z95 * standard_error).max(0.0),
        high: (value + Z95 * standard_error).min(1.0),
    });
    Auc { value, standard_error, interval }
}

/// For each of `scores`, the share of `others` below it; ties count half.
fn placements(scores: &[f64], others: &[f64]) -> Vec<f64> {
    let mut sorted = others.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |score: &f64| {
        let below = sorted.partition_point(|other| other < score);
        let upto = sorted.partition_point(|other| other <= score);
        (below + upto) as f64 / (2 * sorted.len()) as f64
    };
    scores.iter().map(share).collect()
}

/// NaN below two values.
fn sample_variance(values: &[f64], mean: f64) -> f64 {
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { f64::NAN } else { square / (values.len() as f64 - 1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::scored::golden;
    use super::*;

    #[test]
    fn delong_agrees_with_two_other_implementations() {
        let check = |scores: &[f64], value: f64, error: f64, low: f64, high: f64| {
            let found = auc(&Scored::new(scores, &golden::expands()).unwrap());
            let interval = found.interval.unwrap();
            for (found, right) in [
                (found.value, value),
                (found.standard_error, error),
                (interval.low, low),
                (interval.high, high),
            ] {
                assert!((found - right).abs() < 1e-10, "{found} for {right}");
            }
        };
        let (low, high) = (0.709_529_392_011, 0.935_973_253_492);
        check(&golden::SCORE_A, 0.822_751_322_751, 0.057_767_352_682_9, low, high);
        let (low, high) = (0.551_239_601_173, 0.848_231_298_298);
        check(&golden::SCORE_B, 0.699_735_449_735, 0.075_764_580_234, low, high);
    }

    #[test]
    fn ties_count_half_and_a_perfect_scorer_has_no_interval() {
        let ties =
            auc(&Scored::new(&[0.5; 6], &[true, true, true, false, false, false]).unwrap());
        assert_eq!((ties.value, ties.interval), (0.5, None));
        let scores = [0.9, 0.8, 0.1, 0.2];
        let perfect = auc(&Scored::new(&scores, &[true, true, false, false]).unwrap());
        assert_eq!((perfect.value, perfect.interval), (1.0, None));
    }

    #[test]
    fn a_single_patient_on_one_side_gives_an_area_without_an_interval() {
        let found = auc(&Scored::new(&[0.9, 0.1, 0.95], &[true, false, false]).unwrap());
        assert_eq!((found.value, found.interval), (0.5, None));
    }
}
