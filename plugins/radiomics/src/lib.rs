//! Plugin `org.ichor.radiomics`: what a hematoma measures, and a risk from that alone.
//!
//! The extractor `features` gives the 32 shape and first-order features of the original image as
//! pyradiomics 3.0.1 does (van Griethuysen et al. 2017, Cancer Res. 77:e104). The scorer
//! `signature` is a logistic regression on them; its trainer is an ordinary function here.

mod axes;
mod cube;
mod diameter;
mod mesh;
mod region;

mod firstorder;
mod histogram;
mod shape;

mod error;
mod features;
mod format;
mod plugin;
mod signature;
mod train;

#[cfg(test)]
mod testing;

pub use error::SignatureError;
pub use features::Features;
pub use signature::{Signature, Term, Trained};
pub use train::{TrainSettings, train_signature};
