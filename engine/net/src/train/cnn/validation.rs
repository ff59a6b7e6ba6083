//! How good the weights are: the area under the curve of the cases that are held out.

use std::fmt::{Display, Formatter};

use crate::train::course::Measured;

/// One validation on the cases that are held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CnnValidation {
    /// Updates before it.
    pub step: usize,
    /// Chance that a case that expands scores above one that does not; ties count half.
    pub auc: f64,
    /// Mean cross-entropy.
    pub entropy: f64,
}

impl CnnValidation {
    /// Measures probabilities of expansion against what became of the cases; none unless there
    /// are cases of both kinds.
    pub(super) fn of(step: usize, probabilities: &[f64], expands: &[bool]) -> Option<Self> {
        let of = |wanted: bool| {
            let pairs = probabilities.iter().zip(expands);
            pairs.filter(move |&(_, &label)| label == wanted).map(|(&p, _)| p)
        };
        let n_pairs = of(true).count() * of(false).count();
        if n_pairs == 0 {
            return None;
        }
        let won = |p: f64, other: f64| {
            if p > other {
                1.0
            } else if p < other {
                0.0
            } else {
                0.5
            }
        };
        let wins: f64 =
            of(true).map(|p| of(false).map(|other| won(p, other)).sum::<f64>()).sum();
        let right = of(true).chain(of(false).map(|p| 1.0 - p));
        let entropy = right.map(|p| -p.max(f64::MIN_POSITIVE).ln()).sum::<f64>();
        let n = probabilities.len() as f64;
        Some(Self { step, auc: wins / n_pairs as f64, entropy: entropy / n })
    }
}

impl Measured for CnnValidation {
    fn score(self) -> f64 {
        self.auc
    }

    fn numbers(self) -> [f64; 3] {
        [self.step as f64, self.auc, self.entropy]
    }

    fn of([step, auc, entropy]: [f64; 3]) -> Self {
        Self { step: step as usize, auc, entropy }
    }
}

impl Display for CnnValidation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "AUC {:.3}, cross-entropy {:.3}", self.auc, self.entropy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let found =
            CnnValidation::of(7, &[0.9, 0.4, 0.4, 0.1], &[true, true, false, false]).unwrap();
        assert!((found.auc - 3.5 / 4.0).abs() < 1e-12);
        // ln of .9, .4, .6, .9.
        let entropy = -(0.9_f64.ln() * 2.0 + 0.4_f64.ln() + 0.6_f64.ln()) / 4.0;
        assert!((found.entropy - entropy).abs() < 1e-12);
        assert_eq!(found.to_string(), "AUC 0.875, cross-entropy 0.409");
    }

    #[test]
    fn cases_of_one_kind_say_nothing() {
        assert_eq!(CnnValidation::of(1, &[0.4, 0.2], &[true, true]), None);
    }
}
