//! The one place where the network of a training is made.

use ndarray::{Array2, ArrayView2};

use super::model::Trainable;
use crate::NetError;
use crate::shape::Shape;

/// The network of `shape`, before its first parameters.
pub(super) fn network(shape: Shape) -> Result<impl Trainable, NetError> {
    // HOOK: the trainable network goes here; `Missing` and its error go away with this line.
    Err::<Missing, _>(NetError::NotTrainable { n_parameters: shape.n_parameters() })
}

/// Stands in until there is a network with a gradient; there is no value of it.
enum Missing {}

impl Trainable for Missing {
    type Work = ();

    fn n_parameters(&self) -> usize {
        match *self {}
    }

    fn work(&self) -> Self::Work {
        match *self {}
    }

    fn take(&mut self, _: &[f32]) {
        match *self {}
    }

    fn logits(&self, (): &mut (), _: ArrayView2<'_, f32>) -> Result<Array2<f32>, NetError> {
        match *self {}
    }

    fn gradient(
        &self,
        (): &mut (),
        _: ArrayView2<'_, f32>,
        _: &mut [f32],
    ) -> Result<(), NetError> {
        match *self {}
    }
}
