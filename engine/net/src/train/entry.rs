//! The way into the trainer from outside of this crate.

use std::path::Path;

use super::course::{Curves, Progress};
use super::examples::Examples;
use super::network::network;
use super::recipe::Recipe;
use super::run::Job;
use super::start::Start;
use super::state_dict::{bf16_file, replace};
use crate::gpu::train::OnGpu;
use crate::shape::Shape;
use crate::weights::sha256;
use crate::{Gpus, NetError};

/// The checkpoint in its folder.
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";

/// A trained network, in memory.
#[derive(Debug)]
pub struct Trained {
    /// How the training went.
    pub curves: Curves,
    parameters: Vec<f32>,
    shape: Shape,
}

/// What the manifest must say about weights that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Number of weights and biases.
    pub parameters: usize,
}

impl Trained {
    /// Writes the weights as bf16; the file is there whole or not at all.
    pub fn save(&self, path: &Path) -> Result<Saved, NetError> {
        let bytes = bf16_file(path, &self.shape.tensors(), &self.parameters)?;
        replace(path, &bytes)?;
        Ok(Saved { sha256: sha256(&bytes), parameters: self.parameters.len() })
    }
}

/// Trains the segmentation network from `start` on `threads` threads.
///
/// The folder `checkpoints` is where it goes on from when it was stopped. `progress` is called
/// after every step; `Break` stops the training, which is then an error. The result is the
/// running average of the weights with the best validation. On `gpus` the first of them computes
/// logits and gradients, a batch at a time, and its failure is the training's; a checkpoint goes on
/// anywhere.
pub fn train_unet(
    recipe: &Recipe,
    examples: &Examples,
    start: Start,
    checkpoints: &Path,
    threads: usize,
    gpus: &Gpus,
    progress: &mut Progress<'_>,
) -> Result<Trained, NetError> {
    let shape = recipe.shape()?;
    let checkpoint = checkpoints.join(CHECKPOINT);
    let job = Job { recipe, examples, checkpoint: &checkpoint, threads };
    let state = if gpus.wanted() {
        job.train(job.in_batches(OnGpu::unet(gpus, shape)?), start.parameters, progress)?
    } else {
        job.train(job.in_slices(network(shape)), start.parameters, progress)?
    };
    let (parameters, curves) = state.kept();
    Ok(Trained { curves, parameters, shape })
}
