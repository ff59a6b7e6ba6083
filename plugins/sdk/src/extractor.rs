//! From voxels to named numbers.

use std::path::Path;

use crate::{Call, Refused, VolumeView};

/// Turns a volume and its mask into features.
pub trait Extractor: Sized + Send {
    /// Opens the extractor from its `config` text; `folder` holds its files.
    fn open(config: &str, folder: &Path) -> Result<Self, Refused>;

    /// Names of further inputs wanted, in the order in which `extract` gets them.
    fn inputs(&self) -> &[String] {
        &[]
    }

    /// Names of the features, in the order of `extract`'s `features`; read once, after `open`.
    fn outputs(&self) -> &[String];

    /// Whether the same inputs give the same bits.
    fn deterministic(&self) -> bool {
        true
    }

    /// Writes one value for each of [`Extractor::outputs`] into `features`; NaN is missing, and
    /// infinity is refused by the host.
    ///
    /// `features` comes filled with NaN. `inputs` are doubles, NaN where missing. `call` takes
    /// progress and asks to stop.
    fn extract(
        &self,
        volume: &VolumeView,
        inputs: &[f64],
        features: &mut [f64],
        call: &mut Call,
    ) -> Result<(), Refused>;
}
