//! How well a scorer and a segmentation do, with how sure one can be.
//!
//! The patient is the unit, always: intervals resample patients, never slices. A score equal to
//! the threshold is positive. Intervals are of 95 %. Values are checked against scipy,
//! statsmodels and scikit-learn.

mod bootstrap;
mod confusion;
mod overlap;
mod roc;
mod scored;
mod summary;
mod threshold;

pub use bootstrap::bootstrap_mean;
pub use confusion::{Confusion, wilson};
pub use overlap::Overlap;
pub use roc::{Auc, auc};
pub use scored::{Scored, StatsError};
pub use summary::{Interval, mean, median};
pub use threshold::{Criterion, choose_threshold};

/// Standard normal quantile of .975.
const Z95: f64 = 1.959_963_984_540_054;
