//! The scorer `boosting`.

use std::path::Path;

use ichor_plugin::{Call, Refused, Score, Scorer, Settings};

use crate::error::BoostingError;
use crate::model::Model;
use crate::names;

/// The largest model file; a larger model would be slower than a study can wait.
const LARGEST_FILE: u64 = 64 << 20;
/// The largest list of names.
const LARGEST_LIST: u64 = 1 << 20;
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
    /// `config` holds `model`, a file in `folder`, and its `format`: `xgboost-ubj`,
    /// `xgboost-json` or `lightgbm`; it may hold `names`, a file that says which input is which.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused> {
        let mut settings = Settings::read(config)?;
        let bytes = settings.bytes("model", folder, LARGEST_FILE)?;
        let format = settings.text("format")?;
        let list = if settings.has("names") {
            Some(settings.file("names", folder, LARGEST_LIST)?)
        } else {
            None
        };
        settings.finish()?;
        let model = read(&bytes, &format)?;
        named(model, list.as_deref())
            .map(Self::new)
            .map_err(|error| Refused::config(format!("the model: {error}")))
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
        if let Some(at) = inputs.iter().position(|&value| !self.model.takes(value)) {
            let name = &self.model.names()[at];
            return Err(Refused::input(format!("{name} is infinite; a missing value is NaN")));
        }
        let base = self
            .model
            .contributions(inputs, contributions)
            .map_err(|error| Refused::internal(error.to_string()))?;
        let log_odds = base + contributions.iter().sum::<f64>();
        if log_odds.abs() <= SANE_LOG_ODDS {
            return Ok(Score::from_log_odds(base, contributions));
        }
        Err(Refused::internal(format!(
            "the model's log-odds of {log_odds:.1} are no honest risk: train it again"
        )))
    }
}

/// Reads a model in the format that the settings name.
fn read(bytes: &[u8], format: &str) -> Result<Model, Refused> {
    let read = match format {
        "xgboost-ubj" => Model::from_xgboost_ubj(bytes),
        "xgboost-json" => Model::from_xgboost_json(bytes),
        "lightgbm" => std::str::from_utf8(bytes)
            .map_err(|e| BoostingError::Byte { at: e.valid_up_to(), wrong: "no UTF-8" })
            .and_then(Model::from_lightgbm),
        _ => {
            return Err(Refused::config(format!(
                "format = \"{format}\": xgboost-ubj, xgboost-json or lightgbm is needed"
            )));
        }
    };
    read.map_err(|error| Refused::config(format!("the model: {error}")))
}

/// The model with its inputs called as a study calls them.
fn named(model: Model, list: Option<&str>) -> Result<Model, BoostingError> {
    let model = match list {
        Some(list) => {
            let names = names::renamed(model.names(), list)?;
            model.with_names(names)?
        }
        None => model,
    };
    names::known(model.names())?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::testing::{Task, leaf, lightgbm};
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
        let refused = Boosting::open("model = \"boosting.ubj\"", Path::new("/nowhere"));
        let text = refused.unwrap_err().text;
        assert!(text.starts_with("model: /nowhere/boosting.ubj: "), "{text}");
    }

    fn opened(config: &str) -> Result<Boosting, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        Boosting::open(config, &folder).map_err(|refused| refused.text)
    }

    #[test]
    fn the_settings_name_the_model_its_format_and_the_names_of_its_inputs() {
        for (file, format) in
            [("xgb.ubj", "xgboost-ubj"), ("xgb.json", "xgboost-json"), ("lgb.txt", "lightgbm")]
        {
            let names = if format == "lightgbm" { "lgb.names" } else { "xgb.names" };
            let config =
                format!("model = \"{file}\"\nformat = \"{format}\"\nnames = \"{names}\"");
            let scorer = opened(&config).unwrap();
            assert_eq!(scorer.inputs()[0], "original_shape_Elongation");
            assert_eq!(scorer.inputs()[9], "clinical.onset_to_ct_h");
        }
        let refused = opened("model = \"xgb.ubj\"\nformat = \"onnx\"").unwrap_err();
        assert_eq!(
            refused,
            "format = \"onnx\": xgboost-ubj, xgboost-json or lightgbm is needed"
        );
    }

    #[test]
    fn a_model_whose_inputs_no_study_has_is_refused_in_words() {
        let refused = opened("model = \"xgb.ubj\"\nformat = \"xgboost-ubj\"").unwrap_err();
        assert!(
            refused.starts_with("the model: the input \"f0\" is no input of a study: "),
            "{refused}"
        );
    }

    #[test]
    fn a_model_that_is_sure_beyond_reason_is_refused() {
        let mut forest = lightgbm();
        forest.plant(&[leaf(25.0, 1.0)], 1, 0).unwrap();
        let scorer = Boosting::new(Model::new(vec!["x".to_owned()], forest, None).unwrap());
        let mut poll = |_| ControlFlow::Continue(());
        let refused = scorer.score(&[0.0], &mut [0.0], &mut Call::new(&mut poll)).unwrap_err();
        assert_eq!(
            refused.text,
            "the model's log-odds of 25.0 are no honest risk: train it again"
        );
    }
}
