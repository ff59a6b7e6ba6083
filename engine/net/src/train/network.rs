//! The one place where the network of a training is made.

use ndarray::{Array2, ArrayView2};

use super::model::Trainable;
use crate::cpu::gradient::{Differentiable, Tape};
use crate::cpu::layers::put_pixels;
use crate::cpu::path::in_f32;
use crate::plan::Plan;
use crate::shape::Shape;
use crate::{NetError, Path};

/// The segmentation network of `shape`, before its first parameters, on an f32 path of the CPU.
pub(crate) fn network(shape: Shape) -> impl Trainable {
    UNet {
        network: Differentiable::new(Plan::unet(shape), shape.tensors()),
        multiple: shape.multiple(),
        path: Path::fastest_f32(),
    }
}

struct UNet {
    network: Differentiable,
    multiple: usize,
    path: Path,
}

impl Trainable for UNet {
    type Work = Tape;

    fn n_parameters(&self) -> usize {
        self.network.n_parameters()
    }

    fn work(&self) -> Tape {
        Tape::default()
    }

    fn take(&mut self, parameters: &[f32]) {
        self.network.take(parameters);
    }

    fn logits(
        &self,
        tape: &mut Tape,
        pixels: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError> {
        let (y, x) = pixels.dim();
        let fits = |side: usize| side > 0 && side.is_multiple_of(self.multiple);
        if !fits(y) || !fits(x) {
            return Err(NetError::SliceShape { y, x, multiple: self.multiple });
        }
        self.network.size(tape, (y, x));
        let pixels = pixels.as_standard_layout();
        put_pixels(pixels.as_slice().unwrap_or_default().chunks(x), tape.input());
        in_f32!(self.path, L => self.network.forward::<L>(tape));
        // One logit for each pixel: `forward` makes sure of it.
        Ok(Array2::from_shape_fn((y, x), |(row, column)| tape.logits()[row * x + column]))
    }

    fn gradient(
        &self,
        tape: &mut Tape,
        by_logits: ArrayView2<'_, f32>,
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        let by_logits = by_logits.as_standard_layout();
        let by_logits = by_logits.as_slice().unwrap_or_default();
        in_f32!(self.path, L => self.network.backward::<L>(tape, by_logits, gradient));
        Ok(())
    }
}
