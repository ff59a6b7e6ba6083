//! The recipe of the CNN's training: what the file says over the defaults, each number in its
//! range.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::cnn::shape::CnnShape;
use crate::train::recipe::in_range;
use crate::train::schedule::Schedule;
use crate::weights::sha256;

/// All numbers of a training; `CnnRecipe::DEFAULTS` explains each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnRecipe {
    /// Seed of everything random.
    pub seed: u64,
    /// Channels of the first level.
    pub width: usize,
    /// Number of poolings.
    pub depth: usize,
    /// Number of batches.
    pub steps: usize,
    /// Hematomas of a batch.
    pub batch: usize,
    /// Most slices of a hematoma that a step looks at.
    pub slices: usize,
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
    /// Chance of a mirrored hematoma.
    pub flip: f64,
    /// Standard deviation of the rotation in radians.
    pub rotation: f64,
    /// Standard deviation of the shift in millimetres.
    pub shift_mm: f64,
    /// Standard deviation of the contrast.
    pub contrast: f64,
    /// Standard deviation of the offset, of 100 HU.
    pub offset: f64,
    /// Largest standard deviation of the noise, of 100 HU.
    pub noise: f64,
    /// Chance that the mask loses a pixel all around, and that it gains one.
    pub mask: f64,
    /// Share of the cases that is held out.
    pub validation: f64,
    /// Steps between two validations.
    pub validate_every: usize,
    /// Validations without a better one after which the training ends.
    pub patience: usize,
    /// Steps between two checkpoints.
    pub checkpoint_every: usize,
}

impl CnnRecipe {
    /// Every key with its default and what it means.
    pub const DEFAULTS: &str = include_str!("recipe.toml");

    /// Reads the recipe at `path`.
    ///
    /// Fails on unknown keys and on numbers outside of their range.
    pub fn read(path: &Path) -> Result<Self, NetError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
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
        self.shape()?;
        for (key, value) in [
            ("steps", self.steps),
            ("batch", self.batch),
            ("slices", self.slices),
            ("warm_up", self.warm_up),
            ("validate_every", self.validate_every),
            ("patience", self.patience),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            in_range(path, key, value as f64, value >= 1, "at least 1")?;
        }
        for (key, value) in [("rate", self.rate), ("clip", self.clip)] {
            in_range(path, key, value, value > 0.0 && value.is_finite(), "above 0")?;
        }
        for (key, value) in
            [("ema", self.ema), ("flip", self.flip), ("validation", self.validation)]
        {
            in_range(path, key, value, (0.0..=1.0).contains(&value), "0 to 1")?;
        }
        let half = (0.0..=0.5).contains(&self.mask);
        in_range(path, "mask", self.mask, half, "0 to 0.5")?;
        for (key, value) in [
            ("weight_decay", self.weight_decay),
            ("rotation", self.rotation),
            ("shift_mm", self.shift_mm),
            ("contrast", self.contrast),
            ("offset", self.offset),
            ("noise", self.noise),
        ] {
            in_range(path, key, value, value >= 0.0 && value.is_finite(), "0 or more")?;
        }
        Ok(())
    }

    /// The shape of the network.
    pub(super) fn shape(&self) -> Result<CnnShape, NetError> {
        CnnShape::new(self.width, self.depth)
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

    /// SHA-256 of all numbers, hex; comments do not count.
    pub(super) fn sha256(&self) -> String {
        // A recipe was TOML before: writing it back cannot fail.
        sha256(toml::to_string(self).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &str) {
        let said = CnnRecipe::parse(text, Path::new("r.toml")).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn what_a_recipe_cannot_mean_is_refused_with_the_key() {
        check("stpes = 3", "unknown field `stpes`");
        check("mask = 0.7", "recipe r.toml: mask = 0.7, must be 0 to 0.5");
        check("slices = 0", "slices = 0, must be at least 1");
        check("depth = 9", "a network of width 16 and depth 9");
    }

    #[test]
    fn an_empty_recipe_is_the_defaults() {
        let recipe = CnnRecipe::parse("", Path::new("r.toml")).unwrap();
        assert_eq!((recipe.width, recipe.depth, recipe.slices), (16, 4, 6));
    }
}
