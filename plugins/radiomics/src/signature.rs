//! The scorer `signature`: logistic regression on radiomics alone.
//!
//! The log-odds are an intercept plus, for each input, its weight times its distance from the
//! training mean in standard deviations. An input that is missing counts as the mean: it adds 0
//! and the host names it. What an input adds is its contribution, so they add up as they stand.

use std::path::Path;

use ichor_plugin::{Call, Refused, Score, Scorer, Settings};

/// Log-odds beyond which a score says more about the inputs than about the patient.
const SANE_LOG_ODDS: f64 = 20.0;
/// A signature of all 1379 features takes a tenth of this.
const LARGEST_FILE: u64 = 1 << 20;

/// One input of a [`Signature`].
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Name of the feature.
    pub name: String,
    /// Its mean over the training cases, in its own unit.
    pub mean: f64,
    /// Its standard deviation over the training cases, in its own unit; above 0.
    pub deviation: f64,
    /// Log-odds for each standard deviation above the mean.
    pub weight: f64,
}

/// A trained logistic regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    pub(crate) intercept: f64,
    pub(crate) terms: Vec<Term>,
    pub(crate) trained: Trained,
    pub(crate) names: Vec<String>,
}

/// What a signature was trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// Number of cases.
    pub rows: usize,
    /// Number of cases that grew.
    pub positives: usize,
    /// The penalty, see [`crate::TrainSettings`].
    pub l1: f64,
}

impl Signature {
    pub(crate) fn new(intercept: f64, terms: Vec<Term>, trained: Trained) -> Self {
        let names = terms.iter().map(|term| term.name.clone()).collect();
        Self { intercept, terms, trained, names }
    }

    /// Log-odds of a case in which every input is average.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The inputs, in the order in which [`Signature::log_odds`] takes them.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What the signature was trained on.
    pub fn trained(&self) -> Trained {
        self.trained
    }

    /// Log-odds of growth; writes what each input adds to the intercept into `contributions`.
    pub fn log_odds(&self, inputs: &[f64], contributions: &mut [f64]) -> f64 {
        let mut log_odds = self.intercept;
        for ((term, &value), slot) in self.terms.iter().zip(inputs).zip(contributions) {
            *slot = if value.is_nan() {
                0.0
            } else {
                term.weight * (value - term.mean) / term.deviation
            };
            log_odds += *slot;
        }
        log_odds
    }
}

impl Scorer for Signature {
    /// `config` holds `model`, the file in `folder` that the training wrote.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let text = settings.file("model", folder, LARGEST_FILE).map_err(|refused| {
            Refused::config(format!("{refused}; train the signature first"))
        })?;
        settings.finish()?;
        Self::from_text(&text).map_err(|e| Refused::config(e.to_string()))
    }

    fn inputs(&self) -> &[String] {
        &self.names
    }

    fn score(
        &self,
        inputs: &[f64],
        contributions: &mut [f64],
        _call: &mut Call<'_>,
    ) -> Result<Score, Refused> {
        let log_odds = self.log_odds(inputs, contributions);
        // Not `>`: infinite inputs give NaN.
        if log_odds.abs() <= SANE_LOG_ODDS {
            return Ok(Score::from_log_odds(self.intercept, contributions));
        }
        let strange = self.terms.iter().zip(inputs).zip(contributions);
        let strange = strange.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        Err(Refused::input(match strange {
            Some(((term, value), _)) => format!(
                "{} = {value} is too far from the {} +- {} of the training cases",
                term.name, term.mean, term.deviation
            ),
            None => format!("the signature's intercept {} is out of range", self.intercept),
        }))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::testing::unhurried;

    fn signature() -> Signature {
        let term = |name: &str, mean, deviation, weight| Term {
            name: name.to_owned(),
            mean,
            deviation,
            weight,
        };
        let terms = vec![term("a", 10.0, 2.0, 0.5), term("b", -1.0, 4.0, -1.0)];
        Signature::new(-1.0, terms, Trained { rows: 10, positives: 4, l1: 1.0 })
    }

    fn score(inputs: &[f64; 2]) -> (Result<Score, Refused>, [f64; 2]) {
        let mut contributions = [0.0; 2];
        let score = unhurried(|call| signature().score(inputs, &mut contributions, call));
        (score, contributions)
    }

    #[test]
    fn contributions_and_base_add_up_to_the_log_odds_of_the_risk() {
        let (score, contributions) = score(&[14.0, 3.0]);
        assert_eq!(contributions, [1.0, -1.0]);
        let Score { risk, base } = score.unwrap();
        assert_eq!(base, -1.0);
        assert!(((risk / (1.0 - risk)).ln() - -1.0).abs() < 1e-12);
    }

    #[test]
    fn a_missing_input_counts_as_the_mean() {
        let (missing, contributions) = score(&[f64::NAN, 3.0]);
        assert_eq!(contributions, [0.0, -1.0]);
        assert_eq!(missing, score(&[10.0, 3.0]).0);
    }

    #[test]
    fn without_its_model_the_scorer_says_which_file_is_missing() {
        let refused = Signature::open("model = \"signature.model\"", Path::new("/nowhere"));
        let text = refused.unwrap_err().text;
        assert!(text.starts_with("model: /nowhere/signature.model: "), "{text}");
        assert!(text.ends_with("; train the signature first"), "{text}");
    }

    #[test]
    fn an_input_far_outside_of_the_training_cases_is_refused_by_name() {
        let (refused, _) = score(&[10.0, 1000.0]);
        assert_eq!(
            refused.unwrap_err().text,
            "b = 1000 is too far from the -1 +- 4 of the training cases"
        );
        assert!(score(&[f64::INFINITY, 0.0]).0.is_err());
        assert!(score(&[f64::INFINITY, f64::INFINITY]).0.is_err());
    }
}
