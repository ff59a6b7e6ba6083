//! Which tensors a CNN of a width and a depth has.
//!
//! Level 0 has `width` channels, each level below twice as many. Names are those of the U-Net's
//! way down, and `fc` for the fully connected layer.

use crate::NetError;
use crate::shape::Shape;

/// Channels of the input: windowed pixels and mask.
pub(crate) const CHANNELS: usize = 2;
/// Answers of the fully connected layer: stable, expands.
pub(crate) const ANSWERS: usize = 2;

/// What fixes every shape of the network: width and depth, as those of the U-Net whose way down it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CnnShape(Shape);

impl CnnShape {
    /// Width 1 to 256, depth 1 to 6, so that a crop of 128 pixels is at least 2 at the end.
    pub(crate) fn new(width: usize, depth: usize) -> Result<Self, NetError> {
        Shape::new(width, depth).map(Self)
    }

    /// Number of poolings.
    pub(crate) fn depth(self) -> usize {
        self.0.depth()
    }

    /// Channels at a level.
    pub(crate) fn channels(self, level: usize) -> usize {
        self.0.channels(level)
    }

    /// Number of the last maps.
    pub(crate) fn n_maps(self) -> usize {
        self.channels(self.depth() - 1)
    }

    /// Number of features: mean and maximum of every map.
    pub(crate) fn n_features(self) -> usize {
        2 * self.n_maps()
    }

    /// Names of the features, `cnn_000` and on.
    pub(crate) fn feature_names(self) -> Vec<String> {
        (0..self.n_features()).map(|at| format!("cnn_{at:03}")).collect()
    }

    /// Number of weights and biases.
    pub(crate) fn n_parameters(self) -> usize {
        self.tensors().iter().map(|(_, dims)| dims.iter().product::<usize>()).sum()
    }

    /// Number of parameters before the fully connected layer.
    pub(crate) fn n_convolved(self) -> usize {
        let tensors = self.tensors();
        let convolved = tensors.iter().filter(|(name, _)| !name.starts_with("fc."));
        convolved.map(|(_, dims)| dims.iter().product::<usize>()).sum()
    }

    /// Every tensor by name with its shape: convolutions `(out, in, y, x)`, the fully connected
    /// layer `(out, in)` and last, biases `(out)`.
    pub(crate) fn tensors(self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        for level in 0..self.depth() {
            let c_in = if level == 0 { CHANNELS } else { self.channels(level - 1) };
            let c_out = self.channels(level);
            for (part, c_in) in [("c1", c_in), ("c2", c_out)] {
                tensors.push((format!("d.{level}.{part}.weight"), vec![c_out, c_in, 3, 3]));
                tensors.push((format!("d.{level}.{part}.bias"), vec![c_out]));
            }
        }
        tensors.push(("fc.weight".to_owned(), vec![ANSWERS, self.n_features()]));
        tensors.push(("fc.bias".to_owned(), vec![ANSWERS]));
        tensors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_size_has_256_features() {
        let shape = CnnShape::new(16, 4).unwrap();
        assert_eq!((shape.n_features(), shape.n_parameters()), (256, 293_890));
        let names = shape.feature_names();
        assert_eq!((names[0].as_str(), names[255].as_str()), ("cnn_000", "cnn_255"));
    }

    #[test]
    fn a_network_too_deep_for_the_crop_is_refused() {
        assert!(matches!(CnnShape::new(16, 7), Err(NetError::Size { width: 16, depth: 7 })));
    }
}
