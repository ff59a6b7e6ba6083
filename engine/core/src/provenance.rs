//! What made a number: plugin, version, hash, weights, profile.

use serde::{Deserialize, Serialize};

use crate::{Threshold, UnitId};

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
