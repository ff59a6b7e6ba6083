//! Plugin `org.ichor.boosting`: a risk from gradient boosted trees.
//!
//! The trainer ([`train`]) grows trees on histograms (Friedman 2001; Chen & Guestrin 2016); the
//! scorer `boosting` adds them up and says what each input contributed (`TreeSHAP`, Lundberg et al.
//! 2018). The same rows and settings give the same model, bit for bit.

mod bins;
mod grow;
mod histogram;
mod random;
mod train;

mod error;
mod format;
mod model;
mod shap;
mod tree;

mod boosting;
mod plugin;

#[cfg(test)]
mod testing;

pub use boosting::Boosting;
pub use error::BoostingError;
pub use model::{Model, Trained};
pub use train::{TrainSettings, train};
