//! What a scorer gave, and whether it can be believed.

use ichor_core::{Contribution, Risk};

use crate::HostError;

/// How far base and contributions may lie from the logit of the risk, in log-odds.
const WITHIN: f64 = 1e-6;
/// The same in probability, for risks so near 0 or 1 that a double no longer holds their logit.
const WITHIN_PROBABILITY: f64 = 1e-12;

/// A risk with what pushed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Probability of growth.
    pub risk: Risk,
    /// Log-odds before any input is looked at.
    pub base: f64,
    /// What each input added, in the scorer's order.
    pub contributions: Vec<Contribution>,
    /// Names of the inputs that had no value.
    pub missing: Vec<String>,
}

impl Scored {
    /// Fails when a number is not finite or the contributions do not add up to the risk.
    pub(crate) fn checked(
        unit: &str,
        names: &[String],
        inputs: &[f64],
        probability: f64,
        base: f64,
        log_odds: &[f64],
    ) -> Result<Self, HostError> {
        let numbers = names.iter().map(String::as_str).zip(log_odds);
        let finite = |(name, value): (&str, &f64)| {
            if value.is_finite() {
                return Ok(());
            }
            let (unit, name) = (unit.to_owned(), name.to_owned());
            Err(HostError::NotFinite { unit, name, value: *value })
        };
        [("the risk", &probability), ("the base", &base)]
            .into_iter()
            .chain(numbers)
            .try_for_each(finite)?;
        let risk = Risk::new(probability)
            .map_err(|source| HostError::Risk { unit: unit.to_owned(), source })?;
        let sum = base + log_odds.iter().sum::<f64>();
        let logit = (probability / (1.0 - probability)).ln();
        let at_sum = 1.0 / (1.0 + (-sum).exp());
        let adds_up =
            (sum - logit).abs() <= WITHIN || (at_sum - probability).abs() <= WITHIN_PROBABILITY;
        if !adds_up {
            return Err(HostError::NotAdditive { unit: unit.to_owned(), sum, log_odds: logit });
        }
        let known = |value: f64| Some(value).filter(|value| !value.is_nan());
        let contributions = names
            .iter()
            .zip(inputs)
            .zip(log_odds)
            .map(|((name, value), &log_odds)| Contribution {
                name: name.clone(),
                value: known(*value),
                log_odds,
            })
            .collect();
        let missing = names.iter().zip(inputs).filter(|(_, value)| value.is_nan());
        let missing = missing.map(|(name, _)| name.clone()).collect();
        Ok(Self { risk, base, contributions, missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(probability: f64, base: f64, log_odds: [f64; 2]) -> Result<Scored, HostError> {
        let names = ["hematoma.volume_ml".to_owned(), "clinical.onset_to_ct_h".to_owned()];
        Scored::checked("a/b", &names, &[20.0, f64::NAN], probability, base, &log_odds)
    }

    #[test]
    fn contributions_that_do_not_add_up_are_refused() {
        assert!(check(0.5, -1.0, [1.5, -0.5 + 9e-7]).is_ok());
        assert!(matches!(
            check(0.5, -1.0, [1.5, -0.5 + 2e-6]),
            Err(HostError::NotAdditive { .. })
        ));
        assert!(matches!(check(0.9, 0.0, [0.0, 0.0]), Err(HostError::NotAdditive { .. })));
    }

    #[test]
    fn risks_at_the_ends_of_the_range_are_compared_as_probabilities() {
        assert!(check(1.0, 40.0, [0.0, 0.0]).is_ok());
        assert!(check(1.0 / (1.0 + (-33.0_f64).exp()), 33.0, [0.0, 0.0]).is_ok());
        assert!(check(1.0, 3.0, [0.0, 0.0]).is_err());
    }

    #[test]
    fn what_is_not_finite_or_no_probability_is_refused() {
        let error = check(f64::NAN, 0.0, [0.0, 0.0]).unwrap_err().to_string();
        assert_eq!(error, "a/b gave NaN for the risk");
        let error = check(0.5, 0.0, [0.0, f64::INFINITY]).unwrap_err().to_string();
        assert_eq!(error, "a/b gave inf for clinical.onset_to_ct_h");
        assert!(matches!(check(1.5, 0.0, [0.0, 0.0]), Err(HostError::Risk { .. })));
    }

    #[test]
    fn a_missing_input_is_listed_and_has_no_value() {
        let scored = check(0.5, 0.0, [0.0, 0.0]).unwrap();
        assert_eq!(scored.missing, ["clinical.onset_to_ct_h"]);
        assert_eq!(scored.contributions[0].value, Some(20.0));
        assert_eq!(scored.contributions[1].value, None);
    }
}
