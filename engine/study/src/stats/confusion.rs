//! Counts at a threshold, and proportions with their Wilson interval.

use ichor_core::Proportion;

use super::{Scored, Z95};

/// How many patients were called right and wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confusion {
    /// Expanded, and called so.
    pub true_positives: u32,
    /// Did not expand, and were called expanding.
    pub false_positives: u32,
    /// Expanded, and were called stable.
    pub false_negatives: u32,
    /// Did not expand, and were called so.
    pub true_negatives: u32,
}

impl Confusion {
    /// Counts at `threshold`; a score equal to it is positive.
    pub fn at(scored: &Scored, threshold: f64) -> Self {
        let called =
            |scores: &[f64]| scores.iter().filter(|&&score| score >= threshold).count() as u32;
        let (true_positives, false_positives) =
            (called(scored.positives()), called(scored.negatives()));
        Self {
            true_positives,
            false_positives,
            false_negatives: scored.positives().len() as u32 - true_positives,
            true_negatives: scored.negatives().len() as u32 - false_positives,
        }
    }

    /// Share of those who expanded that is called so.
    pub fn sensitivity(&self) -> Proportion {
        wilson(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Share of those who did not expand that is called so.
    pub fn specificity(&self) -> Proportion {
        wilson(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// Share of those called expanding that did; holds at this cohort's prevalence only.
    pub fn positive_predictive_value(&self) -> Proportion {
        wilson(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of those called stable that were; holds at this cohort's prevalence only.
    pub fn negative_predictive_value(&self) -> Proportion {
        wilson(self.true_negatives, self.true_negatives + self.false_negatives)
    }
}

/// `k` of `n` with Wilson's interval; of none, NaN between 0 and 1.
pub fn wilson(k: u32, n: u32) -> Proportion {
    if n == 0 {
        return Proportion { value: f64::NAN, low: 0.0, high: 1.0, n };
    }
    let (value, size) = (f64::from(k) / f64::from(n), f64::from(n));
    let z2 = Z95 * Z95;
    let middle = (value + z2 / (2.0 * size)) / (1.0 + z2 / size);
    let spread = (value * (1.0 - value) / size + z2 / (4.0 * size * size)).sqrt();
    let half = Z95 * spread / (1.0 + z2 / size);
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if k == 0 { 0.0 } else { middle - half };
    let high = if k >= n { 1.0 } else { middle + half };
    Proportion { value, low, high, n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals_are_those_of_statsmodels() {
        let check = |k, n, low: f64, high: f64| {
            let found = wilson(k, n);
            assert!((found.low - low).abs() < 1e-11, "{k} of {n}: {}", found.low);
            assert!((found.high - high).abs() < 1e-11, "{k} of {n}: {}", found.high);
        };
        check(25, 28, 0.728_041_484_513, 0.962_881_633_171);
        check(70, 90, 0.681_526_896_09, 0.851_286_645_264);
        check(25, 45, 0.411_761_344_935, 0.690_610_699_65);
        check(70, 73, 0.885_999_083_737, 0.985_926_059_646);
        check(0, 8, 0.0, 0.324_407_564_884);
    }

    #[test]
    fn a_score_equal_to_the_threshold_is_positive() {
        let scored = Scored::new(&[0.4, 0.6, 0.4, 0.1], &[true, true, false, false]).unwrap();
        let counts = Confusion::at(&scored, 0.4);
        let (sensitivity, specificity) = (counts.sensitivity(), counts.specificity());
        assert_eq!((sensitivity.value, sensitivity.n), (1.0, 2));
        assert_eq!((specificity.value, specificity.n), (0.5, 2));
        assert!((counts.positive_predictive_value().value - 2.0 / 3.0).abs() < 1e-12);
        let negative = counts.negative_predictive_value();
        assert_eq!((negative.value, negative.n), (1.0, 1));
    }

    #[test]
    fn a_share_of_nobody_is_unknown() {
        let none = wilson(0, 0);
        assert!(none.value.is_nan());
        assert_eq!((none.low, none.high), (0.0, 1.0));
    }
}
