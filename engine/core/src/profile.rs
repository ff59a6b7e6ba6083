//! Threshold profiles: where a probability becomes a decision.
//!
//! A profile belongs to the scorer that it was tuned for, and is void when the plugin's version
//! or its weights change. One file each: `profiles/<plugin id>/<unit>/<name>.toml`.

use serde::{Deserialize, Serialize};

use crate::{Threshold, UnitId};

/// Why a profile is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is no profile.
    #[error("profile {name}: {source}")]
    Parse {
        /// The file's stem.
        name: String,
        /// What the parser says.
        source: Box<toml::de::Error>,
    },
    /// The profile was tuned for another scorer.
    #[error("profile {name} was tuned for {tuned}, not for {asked}")]
    Scorer {
        /// The profile's name.
        name: String,
        /// The scorer that it names.
        tuned: String,
        /// The scorer that was to use it.
        asked: String,
    },
    /// The plugin or its weights are not those that the profile was tuned for.
    #[error(
        "profile {name} is void: tuned for {what} {tuned}, installed is {installed}; \
         `ichor profile list` shows which hold, `ichor train profiles {scorer}` makes new ones"
    )]
    Void {
        /// The profile's name.
        name: String,
        /// The scorer that it lies with.
        scorer: Box<UnitId>,
        /// What changed: the plugin's version, or which files of the scorer's.
        what: Box<str>,
        /// What the profile was tuned for.
        tuned: String,
        /// What is installed.
        installed: String,
    },
}

/// A proportion with its 95 % confidence interval (Wilson) and its denominator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// The estimate, 0 to 1.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Patients in the denominator.
    pub n: u32,
}

/// A threshold with what was known when it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The file's stem: `youden`, `rule-out`, `rule-in`, or a site's own.
    #[serde(skip)]
    pub name: String,
    /// The scorer that it was tuned for.
    pub scorer: UnitId,
    /// Version of the plugin that it was tuned for.
    pub plugin_version: String,
    /// SHA-256 of the scorer's weights, hex.
    pub weights_sha256: String,
    /// A risk of at least this expands.
    pub threshold: Threshold,
    /// How the threshold was chosen.
    pub criterion: String,
    /// The cohort, in words; simulated labels are called so here.
    pub tuned_on: String,
    /// Whether the labels of that cohort were simulated; taken to be so where the file is silent.
    #[serde(default = "simulated")]
    pub simulated_labels: bool,
    /// True when tuned on the patients that the figures below are reported on.
    pub apparent: bool,
    /// Share of expanding hematomas in that cohort.
    pub prevalence: f64,
    /// Share of the expanding ones that are called so.
    pub sensitivity: Proportion,
    /// Share of the stable ones that are called so.
    pub specificity: Proportion,
    /// The day it was made, `YYYY-MM-DD`.
    pub date: String,
}

fn simulated() -> bool {
    true
}

impl Profile {
    /// Reads a profile; `name` is the stem of its file.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let read: Result<Self, toml::de::Error> = toml::from_str(text);
        let mut profile = read.map_err(|source| ProfileError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        name.clone_into(&mut profile.name);
        Ok(profile)
    }

    /// The text of the profile's file.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Fails when the profile was not tuned for exactly this scorer, version and weights; `files`
    /// are those that the hash is of.
    pub fn fits(
        &self,
        scorer: &UnitId,
        plugin_version: &str,
        weights_sha256: &str,
        files: &[&str],
    ) -> Result<(), ProfileError> {
        if self.scorer != *scorer {
            return Err(ProfileError::Scorer {
                name: self.name.clone(),
                tuned: self.scorer.to_string(),
                asked: scorer.to_string(),
            });
        }
        let void = |what: &str, tuned: &str, installed: &str| ProfileError::Void {
            name: self.name.clone(),
            scorer: Box::new(scorer.clone()),
            what: what.into(),
            tuned: tuned.to_owned(),
            installed: installed.to_owned(),
        };
        if self.plugin_version != plugin_version {
            let what = format!("version of {}", scorer.plugin);
            return Err(void(&what, &self.plugin_version, plugin_version));
        }
        if self.weights_sha256 != weights_sha256 {
            let files = if files.is_empty() { "no files".to_owned() } else { files.join(", ") };
            let what = format!("weights ({files}) of sha256");
            return Err(void(&what, &self.weights_sha256, weights_sha256));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
scorer = "org.ichor.boosting/boosting"
plugin_version = "0.1.0"
weights_sha256 = "ab"
threshold = 0.412
criterion = "youden"
tuned_on = "phantom development, n 1899, simulated labels"
apparent = false
prevalence = 0.237
sensitivity = { value = 0.89, low = 0.73, high = 0.96, n = 28 }
specificity = { value = 0.78, low = 0.68, high = 0.85, n = 90 }
date = "2026-01-01"
"#;

    #[test]
    fn a_profile_is_void_when_the_weights_change() {
        let profile = Profile::parse("youden", TEXT).unwrap();
        let scorer = profile.scorer.clone();
        let files = ["boosting.toml", "boosting.ubj"];
        let fits = |version, weights| profile.fits(&scorer, version, weights, &files);
        assert_eq!(fits("0.1.0", "ab"), Ok(()));
        let check = |version, weights, what: &str| {
            let next = "`ichor profile list` shows which hold, \
                        `ichor train profiles org.ichor.boosting/boosting` makes new ones";
            let expected = format!("profile youden is void: tuned for {what}; {next}");
            assert_eq!(fits(version, weights).unwrap_err().to_string(), expected);
        };
        let weights = "weights (boosting.toml, boosting.ubj) of sha256 ab, installed is cd";
        check("0.1.0", "cd", weights);
        check("0.2.0", "ab", "version of org.ichor.boosting 0.1.0, installed is 0.2.0");
    }

    #[test]
    fn a_profile_survives_being_written_and_read() {
        let profile = Profile::parse("youden", TEXT).unwrap();
        let text = profile.to_toml().unwrap();
        assert_eq!(Profile::parse("youden", &text).unwrap(), profile);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(Profile::parse("youden", &format!("{TEXT}\ntreshold = 0.5")).is_err());
    }
}
