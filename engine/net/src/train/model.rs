//! What a training asks of a network.

use ndarray::{Array2, ArrayView2};

use crate::NetError;

/// A network under training, by sample.
///
/// Its parameters are one flat vector in the order of `Shape::tensors()`, each tensor in the
/// order of the weights file.
pub(crate) trait Trainable: Sync {
    /// Buffers of one sample, from its logits to its gradient.
    type Work: Send;

    /// Length of the flat vector.
    fn n_parameters(&self) -> usize;

    /// Fresh buffers; they grow to the largest sample that they meet.
    fn work(&self) -> Self::Work;

    /// Lays `parameters` out for the kernels; called once a step.
    fn take(&mut self, parameters: &[f32]);

    /// Windowed pixels `(y, x)`, sides multiples of two to the depth, to logits of the same
    /// shape; keeps what [`Trainable::gradient`] needs in `work`.
    fn logits(
        &self,
        work: &mut Self::Work,
        pixels: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError>;

    /// Gradient of the loss by every parameter, from its gradient by the logits of the last
    /// [`Trainable::logits`] call on `work`; overwrites `gradient`.
    fn gradient(
        &self,
        work: &mut Self::Work,
        by_logits: ArrayView2<'_, f32>,
        gradient: &mut [f32],
    ) -> Result<(), NetError>;
}
