//! A network under training on a device, in f32: a batch of slices in one call.
//!
//! Loss, update, schedule, checkpoint and validation stay where they are; the device gives outputs
//! and gradients. The slices of a batch have the sizes of their heads: they lie in one frame, and
//! each is computed as if it were alone. What a batch takes is reckoned before it is begun; one
//! that takes more than half of the memory that was free at the start is cut into parts, whose
//! maps are computed twice.

use ichor_cuda::interface::{F32, PLACES};
use ichor_cuda::{Library, Loaded, Slices};

use super::Gpus;
use super::check::Meaning;
use super::describe::{bytes_to_train, describe};
use super::pool::Seen;
use crate::NetError;
use crate::cnn::shape::CnnShape;
use crate::plan::Plan;
use crate::shape::Shape;

/// Part of the free memory that a batch may take.
const SHARE: u64 = 2;

/// A network on a device, before its first parameters.
pub(crate) struct OnGpu {
    loaded: Loaded,
    plan: Plan,
    meaning: Meaning,
    /// Bytes that a batch may take.
    room: u64,
    /// How many slices the maps are kept of.
    n_kept: usize,
}

impl OnGpu {
    /// Puts a U-Net on the first device of `gpus`.
    pub(crate) fn unet(gpus: &Gpus, shape: Shape) -> Result<Self, NetError> {
        let (library, index) = gpus.first()?;
        Self::unet_on(&library, i32::from(index), shape)
    }

    /// The same, on a device of a library.
    pub(crate) fn unet_on(
        library: &Library,
        device: i32,
        shape: Shape,
    ) -> Result<Self, NetError> {
        Self::on((library, device), Plan::unet(shape), &shape.tensors(), Meaning::Logits)
    }

    /// Puts a CNN on the first device of `gpus`; its fully connected layer is no part of it.
    pub(crate) fn cnn(gpus: &Gpus, shape: CnnShape) -> Result<Self, NetError> {
        let (library, index) = gpus.first()?;
        Self::cnn_on(&library, i32::from(index), shape)
    }

    /// The same, on a device of a library.
    pub(crate) fn cnn_on(
        library: &Library,
        device: i32,
        shape: CnnShape,
    ) -> Result<Self, NetError> {
        let meaning = Meaning::Means(shape.n_maps());
        Self::on((library, device), Plan::cnn(shape), &shape.tensors(), meaning)
    }

    fn on(
        (library, device): (&Library, i32),
        plan: Plan,
        tensors: &[(String, Vec<usize>)],
        meaning: Meaning,
    ) -> Result<Self, NetError> {
        let n_parameters = tensors.iter().map(|(_, dims)| dims.iter().product::<usize>()).sum();
        let network = describe(&plan, tensors, vec![0.0; n_parameters]);
        let (free, total) = library.memory(device)?;
        // Of a device that knows no memory, such as the CPU, there is enough.
        let room = if total == 0 { u64::MAX } else { free / SHARE };
        let loaded = library.load(device, &network, F32)?;
        Ok(Self { loaded, plan, meaning, room, n_kept: 0 })
    }

    /// Takes new parameters.
    pub(crate) fn take(&mut self, parameters: &[f32]) -> Result<(), NetError> {
        self.n_kept = 0;
        Ok(self.loaded.take(parameters)?)
    }

    /// What the network gives for each slice: logits, or means of the last maps. With `keep` its
    /// maps stay for [`OnGpu::gradient`] where there is room for them.
    pub(crate) fn outputs(
        &mut self,
        slices: &[Seen],
        keep: bool,
    ) -> Result<Vec<Vec<f32>>, NetError> {
        let n = self.n_together(slices)?;
        let keep = keep && slices.len() <= n;
        self.n_kept = 0;
        let mut out = Vec::with_capacity(slices.len());
        let mut before: Option<(usize, &[Seen])> = None;
        for (index, part) in slices.chunks(n).enumerate() {
            let place = index % PLACES;
            Frame::of(part).put(&mut self.loaded, place, part, keep)?;
            // The part before is waited for when the next one is on its way.
            if let Some((place, part)) = before.replace((place, part)) {
                out.extend(self.get(place, part)?);
            }
        }
        if let Some((place, part)) = before {
            out.extend(self.get(place, part)?);
        }
        self.n_kept = if keep { slices.len() } else { 0 };
        Ok(out)
    }

    fn get(&mut self, place: usize, part: &[Seen]) -> Result<Vec<Vec<f32>>, NetError> {
        let frame = Frame::of(part);
        let n_out = self.meaning.n_out(frame.dim);
        let mut numbers = vec![0.0; part.len() * n_out];
        self.loaded.get(place, &mut numbers)?;
        let of_slice = |(numbers, slice): (&[f32], &Seen)| match self.meaning {
            Meaning::Logits => frame.cut(numbers, slice.dim),
            Meaning::Means(_) => numbers.to_vec(),
        };
        Ok(numbers.chunks_exact(n_out).zip(part).map(of_slice).collect())
    }

    /// Adds to `gradient`, which holds zeros, the gradient by the parameters, from those by the
    /// outputs of `slices`, the last that [`OnGpu::outputs`] saw.
    pub(crate) fn gradient(
        &mut self,
        slices: &[Seen],
        by_outputs: &[Vec<f32>],
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        if self.n_kept > 0 && self.n_kept == slices.len() {
            return self.back(slices, by_outputs, gradient);
        }
        let n = self.n_together(slices)?;
        let mut part_of = vec![0.0; gradient.len()];
        for (part, by_outputs) in slices.chunks(n).zip(by_outputs.chunks(n)) {
            Frame::of(part).put(&mut self.loaded, 0, part, true)?;
            self.back(part, by_outputs, &mut part_of)?;
            gradient.iter_mut().zip(&part_of).for_each(|(sum, part)| *sum += part);
        }
        Ok(())
    }

    /// The gradient of one part, whose maps are kept.
    fn back(
        &mut self,
        part: &[Seen],
        by_outputs: &[Vec<f32>],
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        let frame = Frame::of(part);
        let mut by_output = Vec::with_capacity(part.len() * self.meaning.n_out(frame.dim));
        for (slice, by) in part.iter().zip(by_outputs) {
            match self.meaning {
                Meaning::Logits => frame.lay(by, slice.dim, &mut by_output),
                Meaning::Means(_) => by_output.extend_from_slice(by),
            }
        }
        Ok(self.loaded.gradient(&by_output, gradient)?)
    }

    /// How many of `slices` may be on the device at a time.
    fn n_together(&self, slices: &[Seen]) -> Result<usize, NetError> {
        let multiple = self.plan.multiple();
        let fits = |side: usize| side > 0 && side.is_multiple_of(multiple);
        if let Some((y, x)) =
            slices.iter().map(|slice| slice.dim).find(|&(y, x)| !fits(y) || !fits(x))
        {
            return Err(NetError::SliceShape { y, x, multiple });
        }
        let bytes = bytes_to_train(&self.plan, Frame::of(slices).dim).max(1) as u64;
        Ok(usize::try_from(self.room / bytes).unwrap_or(usize::MAX).max(1))
    }

    /// Lets a batch take no more than `bytes`.
    #[cfg(test)]
    pub(crate) fn within(self, bytes: u64) -> Self {
        Self { room: bytes, ..self }
    }
}

/// Rows and columns that hold every slice of a batch.
#[derive(Debug, Clone, Copy)]
struct Frame {
    dim: (usize, usize),
}

impl Frame {
    fn of(slices: &[Seen]) -> Self {
        let most =
            |(y, x): (usize, usize), slice: &Seen| (y.max(slice.dim.0), x.max(slice.dim.1));
        Self { dim: slices.iter().fold((0, 0), most) }
    }

    /// Begins a batch of `part` in `place`.
    fn put(
        self,
        loaded: &mut Loaded,
        place: usize,
        part: &[Seen],
        keep: bool,
    ) -> Result<(), NetError> {
        let mut pixels = Vec::new();
        for slice in part {
            let plane = (slice.dim.0 * slice.dim.1).max(1);
            slice.pixels.chunks_exact(plane).for_each(|p| self.lay(p, slice.dim, &mut pixels));
        }
        let sides: Vec<[usize; 2]> = part.iter().map(|s| [s.dim.0, s.dim.1]).collect();
        let even = sides.iter().all(|&side| side == [self.dim.0, self.dim.1]);
        Ok(loaded.put(
            place,
            &Slices {
                pixels: &pixels,
                dim: [part.len(), self.dim.0, self.dim.1],
                sides: (!even).then_some(&sides),
                probabilities: false,
                keep,
            },
        )?)
    }

    /// Appends a plane of `dim`, with zeros beyond it.
    fn lay(self, plane: &[f32], dim: (usize, usize), to: &mut Vec<f32>) {
        let end = to.len() + self.dim.0 * self.dim.1;
        for row in plane.chunks_exact(dim.1.max(1)) {
            to.extend_from_slice(row);
            to.resize(to.len() + self.dim.1 - dim.1, 0.0);
        }
        to.resize(end, 0.0);
    }

    /// A plane of `dim` out of one of the frame's.
    fn cut(self, plane: &[f32], dim: (usize, usize)) -> Vec<f32> {
        let rows = plane.chunks_exact(self.dim.1.max(1)).take(dim.0);
        rows.flat_map(|row| &row[..dim.1]).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::seen;
    use crate::train::model::Trainable;
    use crate::train::network::network;
    use ichor_cuda::interface::CPU;
    use ndarray::Array2;

    const DIMS: [(usize, usize); 3] = [(24, 16), (16, 32), (8, 8)];

    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32
            / (1_u64 << 24) as f32
            - 0.5
    }

    /// Slices of several sizes, half of each flat, so that poolings see ties.
    fn slices() -> Vec<Array2<f32>> {
        let slice = |(at, dim): (usize, (usize, usize))| {
            Array2::from_shape_fn(dim, |(y, x)| {
                if y < dim.0 / 2 { 0.25 } else { noise(99 * at + y * dim.1 + x) + 0.5 }
            })
        };
        DIMS.into_iter().enumerate().map(slice).collect()
    }

    fn by_logits() -> Vec<Array2<f32>> {
        let by =
            |dim: (usize, usize)| Array2::from_shape_fn(dim, |(y, x)| noise(9 + y * dim.1 + x));
        DIMS.into_iter().map(by).collect()
    }

    fn parameters(n: usize) -> Vec<f32> {
        (0..n).map(|i| noise(i) * 0.4).collect()
    }

    /// Logits and gradient by our own kernels, slice by slice.
    fn expected(shape: Shape) -> (Vec<Array2<f32>>, Vec<f32>) {
        let mut model = network(shape);
        model.take(&parameters(shape.n_parameters()));
        let mut sum = vec![0.0; shape.n_parameters()];
        let mut part = sum.clone();
        let mut logits = Vec::new();
        for (slice, by_logits) in slices().iter().zip(&by_logits()) {
            let mut work = model.work();
            logits.push(model.logits(&mut work, slice.view()).unwrap());
            model.gradient(&mut work, by_logits.view(), &mut part).unwrap();
            sum.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        (logits, sum)
    }

    fn found(mut model: OnGpu, shape: Shape) -> (Vec<Vec<f32>>, Vec<f32>) {
        model.take(&parameters(shape.n_parameters())).unwrap();
        let slices: Vec<Seen> = slices().into_iter().map(|slice| seen([slice])).collect();
        let by: Vec<Vec<f32>> =
            by_logits().into_iter().map(|by| by.into_iter().collect()).collect();
        let logits = model.outputs(&slices, true).unwrap();
        let mut gradient = vec![0.0; shape.n_parameters()];
        model.gradient(&slices, &by, &mut gradient).unwrap();
        (logits, gradient)
    }

    fn close(found: &[f32], expected: &[f32], of_most: f32) {
        let most = expected.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
        assert!(most > 0.01, "{most}");
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < of_most * most, "{at}: {found}, {expected}");
        }
    }

    #[test]
    fn an_uneven_batch_has_the_logits_and_the_gradient_of_our_kernels() {
        for (width, depth) in [(3, 1), (4, 2), (5, 3)] {
            let shape = Shape::new(width, depth).unwrap();
            let on_candle = || OnGpu::unet_on(&Library::linked(), CPU, shape).unwrap();
            let (expected, by_parameters) = expected(shape);
            // All at once, and one after the other, as where there is little memory.
            for model in [on_candle(), on_candle().within(1)] {
                let (logits, gradient) = found(model, shape);
                for (found, expected) in logits.iter().zip(&expected) {
                    close(found, expected.as_slice().unwrap(), 1e-5);
                }
                close(&gradient, &by_parameters, 1e-4);
            }
        }
    }

    #[test]
    fn a_slice_that_cannot_be_halved_is_refused() {
        let shape = Shape::new(2, 2).unwrap();
        let mut model = OnGpu::unet_on(&Library::linked(), CPU, shape).unwrap();
        let refused = model.outputs(&[seen([Array2::zeros((8, 6))])], false);
        assert!(matches!(refused, Err(NetError::SliceShape { multiple: 4, .. })));
    }
}
