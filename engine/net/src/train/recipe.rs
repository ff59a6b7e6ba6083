//! The recipe of a training: what the file says over the defaults, each number in its range.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::NetError;
use crate::shape::Shape;
use crate::weights::sha256;

/// All numbers of a training; `Recipe::DEFAULTS` explains each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of everything random.
    pub seed: u64,
    /// Channels of the first level.
    pub width: usize,
    /// Number of poolings.
    pub depth: usize,
    /// Weights to start from; random without.
    pub init: Option<PathBuf>,
    /// How unevenly weights are split between twins, as a share of their half.
    pub uneven: f64,
    /// Number of batches.
    pub steps: usize,
    /// Slices of a batch.
    pub batch: usize,
    /// Largest rate of the update.
    pub rate: f64,
    /// Steps until the rate is reached.
    pub warm_up: usize,
    /// Decay of the weights, as a share of the rate.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Share of the running average that stays each step.
    pub ema: f64,
    /// Weight of the cross-entropy in the loss.
    pub bce: f64,
    /// Weight of blood in the ventricles in the loss.
    pub ivh: f64,
    /// Chance that a slice shows blood.
    pub blood: f64,
    /// Chance that a slice comes from a phantom.
    pub phantom: f64,
    /// Pixels around the head.
    pub margin: usize,
    /// Chance of a mirrored slice.
    pub flip: f64,
    /// Standard deviation of the rotation in radians.
    pub rotation: f64,
    /// Standard deviation of the logarithm of the scale.
    pub scale: f64,
    /// Standard deviation of the shift, of 256 pixels.
    pub shift: f64,
    /// Standard deviation of the contrast.
    pub contrast: f64,
    /// Standard deviation of the offset, of 100 HU.
    pub offset: f64,
    /// Standard deviation of the amount of blur; negative amounts sharpen.
    pub blur: f64,
    /// Largest standard deviation of the noise, of 100 HU.
    pub noise: f64,
    /// Share of the real patients with blood that is held out.
    pub validation: f64,
    /// Patients that are held out instead, where there are any.
    pub validation_patients: Vec<String>,
    /// Steps between two validations.
    pub validate_every: usize,
    /// Validations without a better one after which the training ends.
    pub patience: usize,
    /// Steps between two checkpoints.
    pub checkpoint_every: usize,
}

impl Recipe {
    /// Every key with its default and what it means.
    pub const DEFAULTS: &str = include_str!("recipe.toml");

    /// Reads the recipe at `path`; `init` comes out relative to where `path` is.
    ///
    /// Fails on unknown keys and on numbers outside of their range.
    pub fn read(path: &Path) -> Result<Self, NetError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        let mut recipe = Self::parse(&text, path)?;
        if let (Some(init), Some(folder)) = (&mut recipe.init, path.parent()) {
            *init = folder.join(&*init);
        }
        Ok(recipe)
    }

    /// The defaults with `text` over them; `path` is only named in errors.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, NetError> {
        let failed = |source: toml::de::Error| NetError::Recipe {
            path: path.to_owned(),
            source: Box::new(source),
        };
        let mut table: toml::Table = toml::from_str(Self::DEFAULTS).map_err(failed)?;
        table.extend(toml::from_str::<toml::Table>(text).map_err(failed)?);
        let recipe: Self = table.try_into().map_err(failed)?;
        recipe.check(path)?;
        Ok(recipe)
    }

    fn check(&self, path: &Path) -> Result<(), NetError> {
        Shape::new(self.width, self.depth)?;
        let (at_least_1, positive, share, not_negative) =
            ("at least 1", "above 0", "0 to 1", "0 or more");
        for (key, value) in [
            ("steps", self.steps),
            ("batch", self.batch),
            ("warm_up", self.warm_up),
            ("validate_every", self.validate_every),
            ("patience", self.patience),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            in_range(path, key, value as f64, value >= 1, at_least_1)?;
        }
        for (key, value) in [("rate", self.rate), ("clip", self.clip)] {
            in_range(path, key, value, value > 0.0 && value.is_finite(), positive)?;
        }
        for (key, value) in [
            ("uneven", self.uneven),
            ("ema", self.ema),
            ("blood", self.blood),
            ("phantom", self.phantom),
            ("flip", self.flip),
            ("validation", self.validation),
        ] {
            in_range(path, key, value, (0.0..=1.0).contains(&value), share)?;
        }
        for (key, value) in [
            ("weight_decay", self.weight_decay),
            ("bce", self.bce),
            ("ivh", self.ivh),
            ("rotation", self.rotation),
            ("scale", self.scale),
            ("shift", self.shift),
            ("contrast", self.contrast),
            ("offset", self.offset),
            ("blur", self.blur),
            ("noise", self.noise),
        ] {
            in_range(path, key, value, value >= 0.0 && value.is_finite(), not_negative)?;
        }
        Ok(())
    }

    /// The shape of the network; its range was checked when the recipe was read.
    pub(super) fn shape(&self) -> Result<Shape, NetError> {
        Shape::new(self.width, self.depth)
    }

    /// The numbers of the loop.
    pub(super) fn schedule(&self) -> Schedule {
        let Self { steps, rate, warm_up, weight_decay, clip, ema, .. } = *self;
        let Self { validate_every, patience, checkpoint_every, .. } = *self;
        Schedule {
            steps,
            rate,
            warm_up,
            weight_decay,
            clip,
            ema,
            validate_every,
            patience,
            checkpoint_every,
        }
    }

    /// SHA-256 of all numbers, hex; comments and the folder of `init` do not count.
    pub(super) fn sha256(&self) -> String {
        let init = self.init.as_ref().and_then(|path| path.file_name()).map(PathBuf::from);
        let plain = Self { init, ..self.clone() };
        // A recipe was TOML before: writing it back cannot fail.
        sha256(toml::to_string(&plain).unwrap_or_default().as_bytes())
    }
}

/// Refuses `value` of `key` where it is not `inside` of what it `must` be.
pub(super) fn in_range(
    path: &Path,
    key: &'static str,
    value: f64,
    inside: bool,
    must: &'static str,
) -> Result<(), NetError> {
    let refused = || NetError::RecipeRange { path: path.to_owned(), key, value, must };
    if inside { Ok(()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Recipe, NetError> {
        Recipe::parse(text, Path::new("r.toml"))
    }

    fn check(text: &str, words: &str) {
        let said = parse(text).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn an_empty_recipe_is_the_defaults() {
        let recipe = parse("").unwrap();
        assert_eq!((recipe.width, recipe.steps, recipe.init), (16, 4000, None));
    }

    #[test]
    fn what_a_recipe_cannot_mean_is_refused_with_the_key() {
        check("stpes = 3", "unknown field `stpes`");
        check("blood = 1.5", "recipe r.toml: blood = 1.5, must be 0 to 1");
        check("rate = nan", "rate = NaN, must be above 0");
        check("batch = 0", "batch = 0, must be at least 1");
        check("width = 1000", "a network of width 1000");
    }

    #[test]
    fn the_hash_hangs_on_the_numbers_and_not_on_the_comments() {
        let hash = |text| parse(text).unwrap().sha256();
        assert_eq!(hash("seed = 4 # other"), hash("seed = 4"));
        assert_ne!(hash("seed = 4"), hash("seed = 5"));
    }
}
