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

    /// The same of a whole batch at once, where that is what computes it fastest.
    fn batched(&self) -> Option<&dyn Batched> {
        None
    }
}

/// A network that takes a batch whole. What a sample adds is the same alone.
pub(crate) trait Batched: Sync {
    /// Logits of every sample, in order; keeps what [`Batched::gradient`] needs.
    fn logits(&self, pixels: &[ArrayView2<'_, f32>]) -> Result<Vec<Array2<f32>>, NetError>;

    /// Gradient of the loss by every parameter, summed over the samples, from its gradients by the
    /// logits of the last [`Batched::logits`]; overwrites `gradient`.
    fn gradient(&self, by_logits: &[Array2<f32>], gradient: &mut [f32])
    -> Result<(), NetError>;
}
