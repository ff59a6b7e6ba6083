//! What made a number: plugin, version, hash, weights, profile.

use serde::{Deserialize, Serialize};

use crate::{ClinicalValue, Threshold, UnitId};

/// Everything that must be known to repeat a verdict, stored beside it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the engine.
    pub engine: String,
    /// What ran the network, such as `cpu avx512-bf16` or `cuda NVIDIA L4 bf16`; where a GPU was
    /// asked for and the CPU ran it, why.
    pub device: String,
    /// Name of the segmentation weights in the weights' manifest.
    pub network: String,
    /// SHA-256 of those weights, hex.
    pub network_sha256: String,
    /// The scorer; none when the verdict was withheld before one ran.
    pub scorer: Option<UnitId>,
    /// Version of the scorer's plugin.
    pub plugin_version: Option<String>,
    /// SHA-256 of the plugin's library, hex.
    pub plugin_sha256: Option<String>,
    /// SHA-256 of the scorer's weights, hex.
    pub weights_sha256: Option<String>,
    /// Name of the threshold profile.
    pub profile: Option<String>,
    /// Its threshold.
    pub threshold: Option<Threshold>,
    /// The extractors whose features were scored, each with its version.
    pub extractors: Vec<String>,
    /// What was known of the clinical values that the scorer wants.
    #[serde(default)]
    pub clinical: Vec<ClinicalValue>,
    /// Names of those that it wants and nobody knew, without the prefix `clinical.`.
    #[serde(default)]
    pub clinical_missing: Vec<String>,
    /// `SeriesInstanceUID` of the series that was scored.
    pub series_uid: Option<String>,
    /// Why that series and not another.
    pub series_why: String,
    /// SHA-256 over the image objects in slice order, hex.
    pub images_sha256: Option<String>,
    /// Whether the scorer, learned or published, was tested on simulated labels alone; then no
    /// verdict is clinical evidence.
    pub simulated_labels: bool,
}

/// What one input added to the risk, in log-odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Name of the input.
    pub name: String,
    /// Its value; `null` where missing.
    pub value: Option<f64>,
    /// What it added to the logit of the risk.
    pub log_odds: f64,
}

/// Four significant digits; scientific where that would be long.
pub fn short_number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e6).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_their_size() {
        let check = |value, text: &str| assert_eq!(short_number(value), text);
        check(0.0, "0");
        check(1.5, "1.5");
        check(-0.012_34, "-0.01234");
        check(48.25, "48.25");
        check(123_456.0, "123456");
        check(1.0e-9, "1.00e-9");
    }
}
