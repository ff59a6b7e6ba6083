//! Plugin `org.ichor.boosting`: a risk from gradient boosted trees.
//!
//! A [`Model`] is read from what XGBoost or LightGBM saved, or trained here ([`train`]: trees on
//! histograms, Friedman 2001; Chen & Guestrin 2016) and stored as XGBoost stores it. The scorer
//! `boosting` adds the trees up as the library would and says what each input contributed
//! (`TreeSHAP`, Lundberg et al. 2018). The same rows and settings give the same model, bit for bit.

mod bins;
mod grow;
mod histogram;
mod random;
mod train;

mod error;

mod categories;
mod forest;
mod quadrature;
mod sapling;
mod shap;
mod walk;

mod json;
mod lightgbm;
mod names;
mod store;
mod ubj;
mod value;
mod xgboost;

mod model;

mod boosting;
mod plugin;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod testing;

pub use boosting::Boosting;
pub use error::BoostingError;
pub use model::{Model, Trained};
pub use train::{TrainSettings, train};
