//! The trainer of the CNN: hematomas with what became of them, and a recipe in, weights out.
//!
//! What holds for every training holds here: the same recipe and the same cases give the same
//! bits, however many threads there are and however often the training was stopped.

mod augment;
mod batches;
mod cases;
mod entry;
mod hematomas;
mod recipe;
mod validation;

pub use cases::{CnnCase, CnnCases};
pub use entry::{CnnTrained, train_cnn};
pub use recipe::CnnRecipe;
pub use validation::CnnValidation;
