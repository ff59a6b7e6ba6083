//! The networks: a slice of the head to the probability of blood (the U-Net), a hematoma to
//! features and a probability of expansion (the CNN).
//!
//! Teng et al. 2021, Front. Aging Neurosci. 13:632138, figure 3 and its second branch. Weights
//! come with a manifest and are refused when a byte or a shape is not the one that was written
//! down.

mod bits;
mod cnn;
mod cpu;
mod error;
mod forward;
mod frame;
#[cfg(test)]
mod golden;
mod gpu;
mod kernels;
mod manifest;
mod measure;
mod network;
mod plan;
mod reach;
mod shape;
mod train;
mod unet;
mod weights;

pub use cnn::crop::Bleed;
pub use cnn::network::Cnn;
pub use cpu::path::Path;
pub use error::NetError;
pub use forward::StepTime;
pub use frame::{FRAME, WINDOW_HU};
pub use gpu::{Devices, GpuPrecision, Gpus};
pub use manifest::{Entry, Kind};
pub use measure::{Bench, process_cpu_s};
pub use network::Network;
pub use train::{
    CnnCase, CnnCases, CnnRecipe, CnnTrained, CnnValidation, Curves, Example, Examples,
    Measured, Origin, Recipe, Saved, Slice, Stage, Start, Trained, TrainingStep, Validation,
    train_cnn, train_unet,
};
