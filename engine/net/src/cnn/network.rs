//! A loaded CNN: volume and mask in, features and a probability of expansion out.

use std::path::PathBuf;

use candle_core::Device;
use ichor_core::{Features, Mask, Volume};

use super::crop::{Bleed, SIDE};
use super::model::Model;
use super::shape::{CHANNELS, CnnShape};
use crate::cpu::gradient::Tape;
use crate::manifest::{self, Entry};
use crate::weights::Weights;
use crate::{Kind, NetError, Path};

/// A CNN with its weights, ready to describe hematomas; always in f32.
///
/// The same volume and mask give the same bits on the same path, however many cores there are.
#[derive(Debug)]
pub struct Cnn {
    entry: Entry,
    shape: CnnShape,
    path: Path,
    model: Model,
}

impl Cnn {
    /// Loads the network that the first manifest in `folders` calls `name`, onto the f32 kernels
    /// of the `path` given or the fastest that this CPU has.
    ///
    /// Fails when no manifest names it, when it is no CNN, when the file's hash, tensor names or
    /// shapes are not the manifest's, or when this CPU lacks the path.
    pub fn load(folders: &[PathBuf], name: &str, path: Option<Path>) -> Result<Self, NetError> {
        let path = path.unwrap_or_else(Path::fastest_f32);
        if !path.is_available() {
            return Err(NetError::NoPath { path, fastest: Path::fastest_f32() });
        }
        let path = path.without_bf16();
        let (folder, entry) = manifest::find(folders, name)?;
        entry.must_be(Kind::Cnn)?;
        let shape = CnnShape::new(entry.width, entry.depth)?;
        entry.must_have(shape.n_parameters(), [1, CHANNELS, SIDE, SIDE])?;
        let weights = Weights::load(&folder, &entry, shape.tensors(), &Device::Cpu)?;
        let mut numbers = weights.numbers()?;
        let tensors = shape.tensors();
        let parameters: Vec<f32> = tensors
            .iter()
            .flat_map(|(name, _)| numbers.remove(name).unwrap_or_default())
            .collect();
        let mut model = Model::new(shape, path);
        model.take(&parameters);
        Ok(Self { entry, shape, path, model })
    }

    /// Its name in the manifest.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// SHA-256 of its weights, hex.
    pub fn sha256(&self) -> &str {
        &self.entry.sha256
    }

    /// All that the manifest says about it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The kernels that compute it.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Names of its features, `cnn_000` and on, in order.
    pub fn names(&self) -> Vec<String> {
        self.shape.feature_names()
    }

    /// Describes what `mask` marks in `volume`.
    ///
    /// Fails when the mask has another shape than the volume, or marks nothing.
    pub fn features(&self, volume: &Volume, mask: &Mask) -> Result<Features, NetError> {
        let values = self.model.describe(&mut Tape::default(), &Bleed::cut(volume, mask)?);
        // As many values as names, and no name twice: the shape gives both.
        Features::new(self.names(), values).map_err(|error| NetError::Arithmetic(error.into()))
    }

    /// Probability that what `mask` marks in `volume` expands, `0.0..=1.0`, by the network's own
    /// last layer. Its labels are simulated; no threshold belongs to it.
    ///
    /// Fails like [`Cnn::features`].
    pub fn probability(&self, volume: &Volume, mask: &Mask) -> Result<f64, NetError> {
        let features = self.features(volume, mask)?;
        Ok(self.model.probability(features.values()))
    }
}
