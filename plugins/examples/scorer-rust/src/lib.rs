//! A scorer: the risk rises with the volume of the hematoma and falls with the hours since onset.

use ichor_plugin::{Call, Refused, Score, Scorer};
use std::path::Path;

struct Yours([String; 2]);

impl Scorer for Yours {
    fn open(_config: &str, _folder: &Path) -> Result<Self, Refused> {
        Ok(Self(["hematoma.volume_ml", "clinical.onset_to_ct_h"].map(str::to_owned)))
    }

    fn inputs(&self) -> &[String] {
        &self.0
    }

    fn score(&self, inputs: &[f64], push: &mut [f64], _: &mut Call) -> Result<Score, Refused> {
        let known = |value: f64, push: f64| if value.is_nan() { 0.0 } else { push };
        push[0] = known(inputs[0], 0.03 * (inputs[0] - 20.0));
        push[1] = known(inputs[1], -0.1 * (inputs[1] - 4.0));
        Ok(Score::from_log_odds(-1.2, push))
    }
}

ichor_plugin::plugin! { id: "org.example.yours", version: "0.1.0", scorers: [("yours", Yours)] }
