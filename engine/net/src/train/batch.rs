//! Batches: number n is a function of the seed and n alone, so that a training goes on with the
//! slices that it would have seen.

use super::augment::{Sample, augmented};
use super::examples::Examples;
use super::random::{Random, Stream};
use super::recipe::Recipe;

/// Slot `slot` of the batch of step `step`.
pub(super) fn sample(examples: &Examples, recipe: &Recipe, step: usize, slot: usize) -> Sample {
    let key = [recipe.seed, step as u64, slot as u64];
    let mut random = Random::keyed(Stream::Sample, &key);
    let example = examples.draw(recipe, &mut random);
    augmented(example, recipe, &mut random)
}
