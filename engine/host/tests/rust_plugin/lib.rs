//! A scorer written with the SDK, compiled by `tests/worker/wrong.rs`; it panics on negative volumes.

use ichor_plugin::{Call, Refused, Score, Scorer};

struct Careless([String; 1]);

impl Scorer for Careless {
    fn open(_: &str, folder: &std::path::Path) -> Result<Self, Refused> {
        let path = folder.join("name");
        let name = std::fs::read_to_string(&path)
            .map_err(|e| Refused::config(format!("{}: {e}", path.display())))?;
        Ok(Self([name]))
    }

    fn inputs(&self) -> &[String] {
        &self.0
    }

    fn score(&self, inputs: &[f64], sums: &mut [f64], call: &mut Call) -> Result<Score, Refused> {
        call.progress(0.5)?;
        assert!(inputs[0] >= 0.0, "a hematoma of {} ml", inputs[0]);
        sums[0] = inputs[0] / 10.0;
        Ok(Score::from_log_odds(-2.0, sums))
    }
}

ichor_plugin::plugin! {
    id: "org.example.careless",
    version: "2.0",
    scorers: [("careless", Careless)],
}
