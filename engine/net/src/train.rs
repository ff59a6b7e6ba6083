//! The trainers: examples and a recipe in, weights out.
//!
//! One loop ([`course`]) trains both networks: gradient, update, running average, validation,
//! checkpoints. The segmentation network is known to it by what a training needs of it
//! ([`model::Trainable`]); the CNN has a folder of its own ([`cnn`]). The same recipe and the same
//! examples give the same bits, however many threads there are and however often the training
//! was stopped and taken up again. On a device ([`batches`], [`cnn`]) a whole batch is one call, and
//! the bits are that device's.

mod adamw;
mod augment;
mod batch;
mod batches;
mod checkpoint;
mod cnn;
mod course;
mod entry;
mod examples;
mod filter;
mod lanes;
mod loss;
mod measure;
pub(crate) mod model;
pub(crate) mod network;
mod random;
mod recipe;
#[cfg(test)]
mod reference;
mod run;
mod schedule;
mod start;
mod state_dict;
#[cfg(test)]
mod toy;
mod validate;
mod widen;

pub use cnn::{CnnCase, CnnCases, CnnRecipe, CnnTrained, CnnValidation, train_cnn};
pub use course::{Curves, Measured, Stage};
pub use entry::{Saved, Trained, train_unet};
pub use examples::{Example, Examples, Origin, Slice};
pub use measure::TrainingStep;
pub use recipe::Recipe;
pub use start::Start;
pub use validate::Validation;
