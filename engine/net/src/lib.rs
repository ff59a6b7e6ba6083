//! The segmentation network: a slice of the head in, the probability of blood out.
//!
//! Teng et al. 2021, Front. Aging Neurosci. 13:632138, figure 3. Weights come with a manifest
//! and are refused when a byte or a shape is not the one that was written down.

mod error;
mod frame;
#[cfg(test)]
mod golden;
mod manifest;
mod network;
mod shape;
mod train;
mod unet;
mod weights;

pub use error::NetError;
pub use frame::{FRAME, WINDOW_HU};
pub use manifest::{Entry, Kind};
pub use network::Network;
pub use train::{
    Curves, Example, Examples, Origin, Recipe, Saved, Slice, Stage, Start, Trained, Validation,
    train_unet,
};
