//! Where to put a threshold.
//!
//! Candidates are the scores themselves: between two of them nothing changes. Chosen and reported
//! on the same patients it is optimistic; a profile says so (`apparent`).

use super::{Scored, StatsError};

/// What a threshold is chosen for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Criterion {
    /// The greatest sensitivity + specificity; of equals, the one with the higher sensitivity.
    Youden,
    /// To rule out: the largest threshold whose sensitivity reaches this share.
    Sensitivity(f64),
    /// To rule in: the smallest threshold whose specificity reaches this share.
    Specificity(f64),
}

impl std::fmt::Display for Criterion {
    /// As a profile's `criterion` has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Youden => f.write_str("youden"),
            Self::Sensitivity(target) => write!(f, "sensitivity >= {target:.2}"),
            Self::Specificity(target) => write!(f, "specificity >= {target:.2}"),
        }
    }
}

/// The threshold that `criterion` asks for. Where no score reaches a specificity (those who did
/// not expand hold the highest), it is the next number above all scores: nobody is called.
///
/// Fails when a target lies outside 0 to 1, or is 0.
pub fn choose_threshold(scored: &Scored, criterion: Criterion) -> Result<f64, StatsError> {
    match criterion {
        Criterion::Youden => Ok(youden(scored)),
        Criterion::Sensitivity(target) => {
            let wanted = needed(target, scored.positives().len())?;
            let mut descending = scored.positives().to_vec();
            descending.sort_by(|a, b| b.total_cmp(a));
            Ok(descending[wanted - 1])
        }
        Criterion::Specificity(target) => {
            let wanted = needed(target, scored.negatives().len())?;
            let mut ascending = scored.negatives().to_vec();
            ascending.sort_by(f64::total_cmp);
            Ok(next_above(scored, ascending[wanted - 1]))
        }
    }
}

/// The least number of `n` patients that is a share of `target`, at least 1.
fn needed(target: f64, n: usize) -> Result<usize, StatsError> {
    if !(target > 0.0 && target <= 1.0) {
        return Err(StatsError::Target(target));
    }
    // A share that is reached but for the rounding of `target * n` is reached.
    Ok(((target * n as f64 - 1e-9).ceil() as usize).clamp(1, n))
}

/// The least score above `bound`, or the next number when there is none.
fn next_above(scored: &Scored, bound: f64) -> f64 {
    let all = scored.positives().iter().chain(scored.negatives());
    let above = all.copied().filter(|&score| score > bound);
    above.min_by(f64::total_cmp).unwrap_or_else(|| bound.next_up())
}

fn youden(scored: &Scored) -> f64 {
    let (n_positives, n_negatives) =
        (scored.positives().len() as u64, scored.negatives().len() as u64);
    let positives = scored.positives().iter().map(|&score| (score, true));
    let negatives = scored.negatives().iter().map(|&score| (score, false));
    let mut all: Vec<(f64, bool)> = positives.chain(negatives).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    // J times both counts, so that equals are equal.
    let (mut called, mut wrong) = (0_u64, 0_u64);
    let mut best: Option<(i128, f64)> = None;
    for same in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        called += same.iter().filter(|&&(_, expands)| expands).count() as u64;
        wrong += same.iter().filter(|&&(_, expands)| !expands).count() as u64;
        let gain = i128::from(called * n_negatives) - i128::from(wrong * n_positives);
        // Sensitivity only rises on the way down, so of equals the later wins.
        if best.is_none_or(|(most, _)| gain >= most) {
            best = Some((gain, same[0].0));
        }
    }
    best.map_or(f64::NAN, |(_, threshold)| threshold)
}

#[cfg(test)]
mod tests {
    use super::super::Confusion;
    use super::*;

    fn check(scores: &[f64], expands: &[bool], criterion: Criterion, threshold: f64) {
        let scored = Scored::new(scores, expands).unwrap();
        assert_eq!(choose_threshold(&scored, criterion), Ok(threshold), "{criterion}");
    }

    #[test]
    fn youden_takes_the_higher_sensitivity_of_equals() {
        // J is 0.5 at 0.8 (1 of 2 found, 0 of 2 wrong) and at 0.3 (2 of 2 found, 1 of 2 wrong).
        let (scores, expands) = ([0.8, 0.3, 0.5, 0.1], [true, true, false, false]);
        check(&scores, &expands, Criterion::Youden, 0.3);
    }

    #[test]
    fn rule_out_takes_the_largest_threshold_that_reaches_the_target() {
        let scores = [0.9, 0.7, 0.5, 0.3, 0.2];
        let expands = [true, true, true, true, false];
        check(&scores, &expands, Criterion::Sensitivity(0.75), 0.5);
        check(&scores, &expands, Criterion::Sensitivity(0.76), 0.3);
        check(&scores, &expands, Criterion::Sensitivity(1.0), 0.3);
    }

    #[test]
    fn rule_in_takes_the_smallest_threshold_that_reaches_the_target() {
        let (scores, expands) = ([0.9, 0.6, 0.5, 0.4, 0.1], [true, true, false, false, false]);
        check(&scores, &expands, Criterion::Specificity(1.0), 0.6);
        check(&scores, &expands, Criterion::Specificity(0.6), 0.5);
        let highest = [0.4, 0.9];
        check(&highest, &[true, false], Criterion::Specificity(0.9), 0.9_f64.next_up());
    }

    #[test]
    fn thresholds_are_those_of_the_reference() {
        use super::super::scored::golden;
        let (scores, expands) = (golden::SCORE_A, golden::expands());
        check(&scores, &expands, Criterion::Youden, 0.37);
        check(&scores, &expands, Criterion::Sensitivity(0.8), 0.37);
        check(&scores, &expands, Criterion::Sensitivity(0.95), 0.19);
        let counts = Confusion::at(&Scored::new(&scores, &expands).unwrap(), 0.37);
        assert!((counts.sensitivity().value - 0.833_333_333_333).abs() < 1e-11);
        assert!((counts.specificity().value - 0.690_476_190_476).abs() < 1e-11);
    }

    #[test]
    fn a_reached_target_is_reached_in_the_counts_too() {
        use super::super::scored::golden;
        let scored = Scored::new(&golden::SCORE_A, &golden::expands()).unwrap();
        for target in [0.5, 0.8, 0.9, 0.95, 1.0] {
            let out = choose_threshold(&scored, Criterion::Sensitivity(target)).unwrap();
            assert!(Confusion::at(&scored, out).sensitivity().value >= target);
            assert!(Confusion::at(&scored, out.next_up()).sensitivity().value < target);
            let into = choose_threshold(&scored, Criterion::Specificity(target)).unwrap();
            assert!(Confusion::at(&scored, into).specificity().value >= target);
        }
        assert_eq!(
            choose_threshold(&scored, Criterion::Sensitivity(0.0)),
            Err(StatsError::Target(0.0))
        );
    }
}
