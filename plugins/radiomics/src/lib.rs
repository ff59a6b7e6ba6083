//! Plugin `org.ichor.radiomics`: what a hematoma measures, and a risk from that alone.
//!
//! The extractor `features` gives the 1379 features of the set `teng2021` as pyradiomics 3.0.1 does
//! (van Griethuysen et al. 2017, Cancer Res. 77:e104), or others. The scorer `signature` is a
//! logistic regression on features; its trainer is an ordinary function here.

mod feature;
mod pace;
mod scan;

mod crop;
mod region;
mod resample;

mod axes;
mod cube;
mod diameter;
mod mesh;
mod shape;

mod filters;
mod gaussian;
mod laplacian;
mod pointwise;
mod recursive;
mod wavelet;

mod bins;
mod derived;
mod grid;

mod eigen;
mod firstorder;
mod glcm;
mod gldm;
mod glrlm;
mod glszm;
mod neighbours;
mod ngtdm;
mod sizes;
mod textures;
mod zones;

mod error;
mod extraction;
mod features;
mod format;
mod lasso;
mod parameter_file;
mod parameters;
mod plugin;
mod signature;
mod train;
mod yaml;

#[cfg(test)]
mod testing;

pub use bins::Binning;
pub use derived::Filter;
pub use error::SignatureError;
pub use features::Features;
pub use parameters::{Class, Mode, Parameters};
pub use signature::{Signature, Term, Trained};
pub use textures::Definition;
pub use train::{TrainSettings, train_signature};
