//! A network of ten parameters with its exact gradient, for tests of the trainer: one 3x3
//! convolution.

use ndarray::{Array2, ArrayView2};

use super::model::Trainable;
use crate::NetError;

/// Nine weights and a bias.
#[derive(Default)]
pub(super) struct Toy {
    parameters: Vec<f32>,
}

impl Toy {
    pub(super) fn start() -> Vec<f32> {
        vec![0.0; 10]
    }
}

/// The pixel that tap `tap` shows at `(y, x)`; none beyond the edge.
fn seen(pixels: ArrayView2<'_, f32>, (y, x): (usize, usize), tap: usize) -> Option<f32> {
    let at = ((y + tap / 3).checked_sub(1)?, (x + tap % 3).checked_sub(1)?);
    pixels.get(at).copied()
}

impl Trainable for Toy {
    type Work = Array2<f32>;

    fn n_parameters(&self) -> usize {
        10
    }

    fn work(&self) -> Self::Work {
        Array2::zeros((0, 0))
    }

    fn take(&mut self, parameters: &[f32]) {
        self.parameters = parameters.to_vec();
    }

    fn logits(
        &self,
        work: &mut Self::Work,
        pixels: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError> {
        *work = pixels.to_owned();
        Ok(Array2::from_shape_fn(pixels.dim(), |at| {
            let term = |tap| seen(pixels, at, tap).unwrap_or(0.0) * self.parameters[tap];
            (0..9).map(term).sum::<f32>() + self.parameters[9]
        }))
    }

    fn gradient(
        &self,
        work: &mut Self::Work,
        by_logits: ArrayView2<'_, f32>,
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        gradient.fill(0.0);
        for (at, &by_logit) in by_logits.indexed_iter() {
            for (tap, sum) in gradient[..9].iter_mut().enumerate() {
                *sum += by_logit * seen(work.view(), at, tap).unwrap_or(0.0);
            }
            gradient[9] += by_logit;
        }
        Ok(())
    }
}
