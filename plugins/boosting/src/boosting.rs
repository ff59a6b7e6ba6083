//! The scorer `boosting`.

use std::path::Path;

use ichor_plugin::{Call, Refused, Score, Scorer, Settings};

use crate::model::Model;

/// A model of 10000 trees of 10 splits each would be larger, and slower than a study can wait.
const LARGEST_FILE: u64 = 64 << 20;
/// A risk closer to 0 or 1 than this needs 500 million cases to be known.
const SANE_LOG_ODDS: f64 = 20.0;

/// Scores with a trained [`Model`].
#[derive(Debug, Clone)]
pub struct Boosting {
    model: Model,
}

impl Boosting {
    /// A scorer with `model`.
    pub fn new(model: Model) -> Self {
        Self { model }
    }
}

impl Scorer for Boosting {
    /// `config` holds `model`, the file in `folder` that the training wrote.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let text = settings
            .file("model", folder, LARGEST_FILE)
            .map_err(|refused| Refused::config(format!("{refused}; train the model first")))?;
        settings.finish()?;
        let model = Model::from_text(&text).map_err(|e| Refused::config(e.to_string()))?;
        Ok(Self::new(model))
    }

    fn inputs(&self) -> &[String] {
        self.model.names()
    }

    fn score(
        &self,
        inputs: &[f64],
        contributions: &mut [f64],
        _call: &mut Call<'_>,
    ) -> Result<Score, Refused> {
        if let Some(at) = inputs.iter().position(|value| value.is_infinite()) {
            let name = &self.model.names()[at];
            return Err(Refused::input(format!("{name} is infinite; a missing value is NaN")));
        }
        self.model.contributions(inputs, contributions);
        let base = self.model.expected_log_odds();
        let log_odds = base + contributions.iter().sum::<f64>();
        if log_odds.abs() <= SANE_LOG_ODDS {
            return Ok(Score::from_log_odds(base, contributions));
        }
        Err(Refused::internal(format!(
            "the model's log-odds of {log_odds:.1} are no honest risk: train it again"
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::testing::Task;
    use crate::train::TrainSettings;

    fn score(inputs: &[f64]) -> Result<(Score, Vec<f64>), Refused> {
        let model = Task::new(200, 13).train(&TrainSettings::default());
        let scorer = Boosting::new(model.map_err(|e| Refused::internal(e.to_string()))?);
        let mut contributions = vec![0.0; inputs.len()];
        let mut poll = |_| ControlFlow::Continue(());
        let score = scorer.score(inputs, &mut contributions, &mut Call::new(&mut poll))?;
        Ok((score, contributions))
    }

    #[test]
    fn base_and_contributions_add_up_to_the_log_odds_of_the_risk() {
        let (score, contributions) = score(&[1.0, 2.0, 2.0, f64::NAN, 0.0]).unwrap();
        let log_odds = score.base + contributions.iter().sum::<f64>();
        assert!(((score.risk / (1.0 - score.risk)).ln() - log_odds).abs() < 1e-12);
        assert!(score.risk > 0.5, "{}", score.risk);
    }

    #[test]
    fn an_infinite_input_is_refused_by_name() {
        let refused = score(&[0.0, 0.0, f64::INFINITY, 0.0, 0.0]).unwrap_err();
        assert_eq!(refused.text, "b is infinite; a missing value is NaN");
    }

    #[test]
    fn without_its_model_the_scorer_says_which_file_is_missing() {
        let refused = Boosting::open("model = \"boosting.model\"", Path::new("/nowhere"));
        let text = refused.unwrap_err().text;
        assert!(text.starts_with("model: /nowhere/boosting.model: "), "{text}");
        assert!(text.ends_with("; train the model first"), "{text}");
    }

    #[test]
    fn a_model_that_is_sure_beyond_reason_is_refused() {
        let text = "ichor boosting 1\ntrained 2 1 0\nbase 25\ninputs 1\nx\ntrees 0\n";
        let scorer = Boosting::new(Model::from_text(text).unwrap());
        let mut poll = |_| ControlFlow::Continue(());
        let refused = scorer.score(&[0.0], &mut [0.0], &mut Call::new(&mut poll)).unwrap_err();
        assert_eq!(
            refused.text,
            "the model's log-odds of 25.0 are no honest risk: train it again"
        );
    }
}
