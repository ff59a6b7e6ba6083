//! The configuration: what the file says, then what it means.
//!
//! The defaults are a commented TOML file in the binary, which `ichor config` prints; a file
//! overrides single keys. Unknown keys are errors.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Guards, Millilitres, MotionIndex, UnitError};

/// The commented defaults.
pub const DEFAULT_TOML: &str = include_str!("ichor.default.toml");

/// Why a configuration is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Parse(Box<toml::de::Error>),
    /// A value that its unit forbids.
    #[error("{key}: {source}")]
    Unit {
        /// The key as it stands in the file.
        key: &'static str,
        /// What is wrong with its value.
        source: UnitError,
    },
    /// A value out of its range.
    #[error("{key} = {value}: must be {must}")]
    Range {
        /// The key as it stands in the file.
        key: &'static str,
        /// The value found.
        value: String,
        /// What would be taken.
        must: &'static str,
    },
}

/// A unit of a plugin: `plugin id/unit id`, such as `org.ichor.boosting/boosting`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitId {
    /// The plugin's id, in reverse domain order.
    pub plugin: String,
    /// The unit's id within the plugin.
    pub unit: String,
}

impl std::fmt::Display for UnitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.plugin, self.unit)
    }
}

impl From<UnitId> for String {
    fn from(id: UnitId) -> Self {
        id.to_string()
    }
}

/// A text that names no unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no unit: write `plugin id/unit`, such as org.ichor.boosting/boosting")]
pub struct UnitIdError(String);

impl TryFrom<String> for UnitId {
    type Error = UnitIdError;
    fn try_from(text: String) -> Result<Self, UnitIdError> {
        text.parse()
    }
}

impl std::str::FromStr for UnitId {
    type Err = UnitIdError;
    fn from_str(text: &str) -> Result<Self, UnitIdError> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        };
        match text.split_once('/') {
            Some((plugin, unit)) if plain(plugin) && plain(unit) => {
                Ok(Self { plugin: plugin.to_owned(), unit: unit.to_owned() })
            }
            _ => Err(UnitIdError(text.to_owned())),
        }
    }
}

/// A site's settings, complete and valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Database, objects, pictures, quarantine.
    pub data_dir: PathBuf,
    /// Folders with installed plugins.
    pub plugin_dirs: Vec<PathBuf>,
    /// Folder with the networks' weights; none: beside the executable.
    pub weights_dir: Option<PathBuf>,
    /// Reception.
    pub dicom: DicomConfig,
    /// The queue.
    pub engine: EngineConfig,
    /// Network, extractors, scorers.
    pub score: ScoreConfig,
    /// Limits under which a risk means something.
    pub guards: Guards,
}

/// Reception over DICOM and from folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicomConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Our AE title.
    pub ae_title: String,
    /// Calling AE titles that may send; empty: all.
    pub allow_calling: Vec<String>,
    /// Associations at a time.
    pub max_associations: usize,
    /// The largest object taken, in MiB.
    pub max_object_mib: u64,
    /// A watched folder; empty: none.
    pub inbox: PathBuf,
}

/// The queue and its workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Seconds without a new image after which a study is scored.
    pub quiet_s: f64,
    /// Studies scored at a time.
    pub workers: usize,
    /// Attempts before a study is left as failed.
    pub max_attempts: u32,
}

/// What is run on each study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreConfig {
    /// Name of the segmentation weights.
    pub network: String,
    /// Instructions that compute it: `auto`, or a path that the network crate knows by this name.
    pub path: String,
    /// Where it runs: `auto`, `cpu`, or GPUs that the network crate knows by these names.
    pub devices: Vec<String>,
    /// What a GPU computes in, by the network crate's name.
    pub gpu_precision: String,
    /// Folder with the library for GPUs; empty: beside the executable.
    pub cuda_dir: PathBuf,
    /// Name of the weights whose features are gathered beside the extractors'; empty: none.
    pub cnn: String,
    /// Units whose features are gathered.
    pub extractors: Vec<UnitId>,
    /// The scorer whose verdict counts.
    pub scorer: UnitId,
    /// Scorers that run beside it.
    pub shadow: Vec<UnitId>,
    /// The profile that a scorer starts with.
    pub profile: String,
}

/// The guards as the file has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardConfig {
    /// Smallest hematoma that gets an answer, in millilitres.
    pub min_volume_ml: f64,
    /// Highest motion index that gets an answer.
    pub max_motion: f64,
}

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: PathBuf,
    plugin_dirs: Vec<PathBuf>,
    weights_dir: PathBuf,
    dicom: DicomConfig,
    engine: EngineConfig,
    score: ScoreConfig,
    guards: GuardConfig,
}

impl Config {
    /// Reads `text` over the defaults; an empty text gives the defaults themselves.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let parse = |e| ConfigError::Parse(Box::new(e));
        let mut table: toml::Table = toml::from_str(DEFAULT_TOML).map_err(parse)?;
        lay_over(&mut table, toml::from_str(text).map_err(parse)?);
        Self::mean(table.try_into().map_err(parse)?)
    }

    fn mean(file: File) -> Result<Self, ConfigError> {
        let range = |key, value: String, must| Err(ConfigError::Range { key, value, must });
        let title = &file.dicom.ae_title;
        if title.is_empty()
            || title.len() > 16
            || !title.bytes().all(|b| (33..127).contains(&b))
        {
            return range("dicom.ae_title", title.clone(), "1 to 16 visible ASCII characters");
        }
        if file.dicom.max_associations == 0 {
            return range("dicom.max_associations", "0".to_owned(), "at least 1");
        }
        if file.dicom.max_object_mib == 0 || file.dicom.max_object_mib > 3072 {
            return range(
                "dicom.max_object_mib",
                file.dicom.max_object_mib.to_string(),
                "1 to 3072",
            );
        }
        let quiet_s = file.engine.quiet_s;
        if !(0.0..=3600.0).contains(&quiet_s) {
            return range("engine.quiet_s", quiet_s.to_string(), "0 to 3600");
        }
        if file.engine.workers == 0 || file.engine.workers > 64 {
            return range("engine.workers", file.engine.workers.to_string(), "1 to 64");
        }
        if file.engine.max_attempts == 0 {
            return range("engine.max_attempts", "0".to_owned(), "at least 1");
        }
        let unit = |key| move |source| ConfigError::Unit { key, source };
        let guards = Guards {
            min_volume: Millilitres::new(file.guards.min_volume_ml)
                .map_err(unit("guards.min_volume_ml"))?,
            max_motion: MotionIndex::new(file.guards.max_motion)
                .map_err(unit("guards.max_motion"))?,
        };
        Ok(Self {
            data_dir: file.data_dir,
            plugin_dirs: file.plugin_dirs,
            weights_dir: Some(file.weights_dir).filter(|dir| !dir.as_os_str().is_empty()),
            dicom: file.dicom,
            engine: file.engine,
            score: file.score,
            guards,
        })
    }
}

/// Puts the values of `above` over those of `below`, table by table.
fn lay_over(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => {
                lay_over(under, over);
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_loopback() {
        let config = Config::parse("").unwrap();
        assert!(config.dicom.listen.ip().is_loopback());
        assert_eq!(config.score.scorer.to_string(), "org.ichor.boosting/boosting");
    }

    #[test]
    fn a_file_overrides_single_keys() {
        let config = Config::parse("[engine]\nquiet_s = 2.5").unwrap();
        assert_eq!((config.engine.quiet_s, config.engine.workers), (2.5, 1));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = Config::parse("[engine]\nquiet = 2").unwrap_err().to_string();
        assert!(error.contains("`quiet`"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_says_what_would_be_taken() {
        assert_eq!(
            Config::parse("[engine]\nworkers = 0").unwrap_err().to_string(),
            "engine.workers = 0: must be 1 to 64"
        );
    }

    #[test]
    fn a_unit_id_names_a_plugin_and_a_unit() {
        assert!("org.ichor.boosting/boosting".parse::<UnitId>().is_ok());
        for bad in ["boosting", "a/", "/b", "../x/y", "a/b/c", "a/b c"] {
            assert!(bad.parse::<UnitId>().is_err(), "{bad}");
        }
    }
}
