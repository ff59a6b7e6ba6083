//! Scores of patients beside what became of them.

/// Why a statistic has no value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// One score for each patient.
    #[error("{scores} scores for {labels} patients")]
    Count {
        /// Number of scores.
        scores: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A score that cannot be compared.
    #[error("the score of patient {patient} is not a number")]
    Nan {
        /// Its index.
        patient: usize,
    },
    /// Both outcomes are needed.
    #[error(
        "{positives} positive and {negatives} negative patients: at least one each is needed"
    )]
    OneClass {
        /// Patients that expanded.
        positives: usize,
        /// Patients that did not.
        negatives: usize,
    },
    /// A share out of its range.
    #[error("target {0}: must lie above 0 and be at most 1")]
    Target(f64),
    /// No value at all.
    #[error("no values: a mean needs at least one")]
    Empty,
}

/// Scores of patients who expanded and of those who did not; at least one of each, none NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl Scored {
    /// `expands[i]` is what became of the patient with score `scores[i]`.
    pub fn new(scores: &[f64], expands: &[bool]) -> Result<Self, StatsError> {
        if scores.len() != expands.len() {
            return Err(StatsError::Count { scores: scores.len(), labels: expands.len() });
        }
        if let Some(patient) = scores.iter().position(|score| score.is_nan()) {
            return Err(StatsError::Nan { patient });
        }
        let of = |wanted: bool| -> Vec<f64> {
            let pairs = scores.iter().zip(expands);
            pairs.filter(|&(_, &label)| label == wanted).map(|(&score, _)| score).collect()
        };
        let (positives, negatives) = (of(true), of(false));
        if positives.is_empty() || negatives.is_empty() {
            let (positives, negatives) = (positives.len(), negatives.len());
            return Err(StatsError::OneClass { positives, negatives });
        }
        Ok(Self { positives, negatives })
    }

    /// Scores of those who expanded, in order.
    pub fn positives(&self) -> &[f64] {
        &self.positives
    }

    /// Scores of those who did not.
    pub fn negatives(&self) -> &[f64] {
        &self.negatives
    }
}

/// The reference cases of scipy, scikit-learn and two implementations of `DeLong`.
#[cfg(test)]
pub(super) mod golden {
    const EXPANDS: &str = "000010001000000101000000010110001001101000010001011100000011";
    /// What became of the sixty patients.
    pub(in crate::stats) fn expands() -> Vec<bool> {
        EXPANDS.bytes().map(|byte| byte == b'1').collect()
    }

    pub(in crate::stats) const SCORE_A: [f64; 60] = [
        0.33, 0.51, 0.04, 0.26, 0.64, 0.65, 0.6, 0.55, 0.7, 0.12, 0.42, 0.18, 0.09, 0.06, 0.21,
        0.66, 0.18, 0.59, 0.26, 0.47, 0.74, 0.65, 0.48, 0.11, 0.08, 0.52, 0.08, 0.63, 0.37,
        0.29, 0.58, 0.44, 0.7, 0.18, 0.1, 0.48, 0.19, 0.23, 0.28, 0.23, 0.33, 0.08, 0.15, 0.76,
        0.53, 0.36, 0.23, 0.39, 0.23, 0.55, 0.74, 0.19, 0.32, 0.43, 0.16, 0.05, 0.18, 0.23,
        0.81, 0.6,
    ];
    pub(in crate::stats) const SCORE_B: [f64; 60] = [
        0.22, 0.57, 0.42, 0.36, 0.44, 0.7, 0.56, 0.8, 0.51, 0.11, 0.19, 0.72, 0.59, 0.19, 0.18,
        0.86, 0.16, 0.4, 0.45, 0.29, 0.44, 0.28, 0.5, 0.6, 0.33, 0.62, 0.03, 0.58, 0.26, 0.14,
        0.23, 0.34, 0.8, 0.12, 0.31, 0.38, 0.22, 0.39, 0.45, 0.53, 0.37, 0.14, 0.26, 0.75,
        0.35, 0.22, 0.26, 0.54, 0.79, 0.85, 0.43, 0.22, 0.14, 0.26, 0.35, 0.43, 0.22, 0.17,
        0.12, 0.48,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outcome_alone_is_refused() {
        assert_eq!(
            Scored::new(&[0.1, 0.2], &[true, true]).unwrap_err().to_string(),
            "2 positive and 0 negative patients: at least one each is needed"
        );
        assert_eq!(
            Scored::new(&[0.1, f64::NAN], &[true, false]),
            Err(StatsError::Nan { patient: 1 })
        );
    }
}
