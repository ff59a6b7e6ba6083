//! The segmentation network under training on a device, in f32.
//!
//! Loss, update, schedule, checkpoint and validation stay where they are; the device gives logits
//! and gradients, slices of one size in one call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ichor_cuda::interface::F32;
use ichor_cuda::{Absent, Images, Library, Loaded};
use ndarray::{Array2, ArrayView2};

use super::Gpus;
use super::describe::describe;
use crate::NetError;
use crate::plan::Plan;
use crate::shape::Shape;
use crate::train::model::{Batched, Trainable};

/// A network on a device, before its first parameters.
pub(crate) struct OnGpu {
    loaded: Mutex<Loaded>,
    shape: Shape,
    /// What the last parameters met; told by the next call that can fail.
    taken: Result<(), Absent>,
    n_kept: AtomicUsize,
    /// Of the last batch, the places of the slices of each size; group `n` is kept under `n + 1`.
    groups: Mutex<Vec<Group>>,
}

/// Slices of one size.
struct Group {
    dim: (usize, usize),
    places: Vec<usize>,
}

impl OnGpu {
    /// Puts a network of `shape` on the first device of `gpus`; gives its name, too.
    pub(crate) fn open(gpus: &Gpus, shape: Shape) -> Result<(Self, String), NetError> {
        let (library, index, name) = gpus.first()?;
        Ok((Self::on(&library, i32::from(index), shape)?, name))
    }

    /// The same, on a device of a library.
    pub(crate) fn on(library: &Library, device: i32, shape: Shape) -> Result<Self, NetError> {
        let parameters = vec![0.0; shape.n_parameters()];
        let network = describe(&Plan::unet(shape), &shape.tensors(), parameters);
        let loaded = Mutex::new(library.load(device, &network, F32)?);
        Ok(Self {
            loaded,
            shape,
            taken: Ok(()),
            n_kept: AtomicUsize::new(0),
            groups: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where the network cannot halve the sides of a slice often enough.
    fn fits(&self, (y, x): (usize, usize)) -> Result<(), NetError> {
        let multiple = self.shape.multiple();
        if [y, x].iter().any(|&side| side == 0 || !side.is_multiple_of(multiple)) {
            return Err(NetError::SliceShape { y, x, multiple });
        }
        Ok(())
    }
}

impl Trainable for OnGpu {
    /// The number that its maps are kept under.
    type Work = usize;

    fn n_parameters(&self) -> usize {
        self.shape.n_parameters()
    }

    fn work(&self) -> usize {
        self.n_kept.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn take(&mut self, parameters: &[f32]) {
        let taken = self.lock().take(parameters);
        self.taken = taken;
    }

    fn logits(
        &self,
        kept: &mut usize,
        pixels: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, NetError> {
        self.taken.clone()?;
        let (y, x) = pixels.dim();
        self.fits((y, x))?;
        let pixels: Vec<f32> = pixels.iter().copied().collect();
        let mut logits = vec![0.0; y * x];
        let images =
            Images { pixels: &pixels, dim: [1, y, x], probabilities: false, keep: *kept };
        self.lock().forward(&images, &mut logits)?;
        Ok(Array2::from_shape_fn((y, x), |(row, column)| logits[row * x + column]))
    }

    fn gradient(
        &self,
        kept: &mut usize,
        by_logits: ArrayView2<'_, f32>,
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        let by_logits: Vec<f32> = by_logits.iter().copied().collect();
        Ok(self.lock().gradient(*kept, &by_logits, gradient)?)
    }

    fn batched(&self) -> Option<&dyn Batched> {
        Some(self)
    }
}

impl Batched for OnGpu {
    fn logits(&self, pixels: &[ArrayView2<'_, f32>]) -> Result<Vec<Array2<f32>>, NetError> {
        self.taken.clone()?;
        let mut groups: Vec<Group> = Vec::new();
        for (place, dim) in pixels.iter().map(ArrayView2::dim).enumerate() {
            self.fits(dim)?;
            match groups.iter_mut().find(|group| group.dim == dim) {
                Some(group) => group.places.push(place),
                None => groups.push(Group { dim, places: vec![place] }),
            }
        }
        let mut all = vec![Array2::zeros((0, 0)); pixels.len()];
        let mut loaded = self.lock();
        for (number, Group { dim: (y, x), places }) in groups.iter().enumerate() {
            let shown: Vec<f32> =
                places.iter().flat_map(|&place| pixels[place].iter().copied()).collect();
            let mut out = vec![0.0; shown.len()];
            let images = Images {
                pixels: &shown,
                dim: [places.len(), *y, *x],
                probabilities: false,
                keep: number + 1,
            };
            loaded.forward(&images, &mut out)?;
            for (&place, of_slice) in places.iter().zip(out.chunks_exact(y * x)) {
                all[place] =
                    Array2::from_shape_fn((*y, *x), |(row, column)| of_slice[row * x + column]);
            }
        }
        drop(loaded);
        *self.groups.lock().unwrap_or_else(PoisonError::into_inner) = groups;
        Ok(all)
    }

    fn gradient(
        &self,
        by_logits: &[Array2<f32>],
        gradient: &mut [f32],
    ) -> Result<(), NetError> {
        gradient.fill(0.0);
        let mut part = vec![0.0; gradient.len()];
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, group) in groups.iter().enumerate() {
            let of_group = group.places.iter().flat_map(|&place| by_logits[place].iter());
            let of_group: Vec<f32> = of_group.copied().collect();
            self.lock().gradient(number + 1, &of_group, &mut part)?;
            for (sum, part) in gradient.iter_mut().zip(&part) {
                *sum += part;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::train::network::network;
    use ichor_cuda::interface::CPU;

    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32
            / (1_u64 << 24) as f32
            - 0.5
    }

    /// Logits and gradient of one slice, half of which is flat, so that poolings see ties.
    fn both(mut model: impl Trainable) -> (Array2<f32>, Vec<f32>) {
        let parameters: Vec<f32> = (0..model.n_parameters()).map(|i| noise(i) * 0.4).collect();
        model.take(&parameters);
        let pixels = Array2::from_shape_fn((24, 16), |(y, x)| {
            if y < 12 { 0.25 } else { noise(y * 16 + x) + 0.5 }
        });
        let (mut work, mut other) = (model.work(), model.work());
        let logits = model.logits(&mut work, pixels.view()).unwrap();
        // Another slice in between takes nothing away from the first.
        model.logits(&mut other, pixels.mapv(|p| 1.0 - p).view()).unwrap();
        let by_logits = Array2::from_shape_fn((24, 16), |(y, x)| noise(9 + y * 16 + x));
        let mut gradient = vec![0.0; parameters.len()];
        model.gradient(&mut work, by_logits.view(), &mut gradient).unwrap();
        (logits, gradient)
    }

    fn on_candle(width: usize, depth: usize) -> OnGpu {
        OnGpu::on(&Library::linked(), CPU, Shape::new(width, depth).unwrap()).unwrap()
    }

    /// Logits and gradients of a device are those of our kernels.
    pub(in crate::gpu) fn check(library: &Library, device: i32) {
        for (width, depth) in [(3, 1), (4, 2), (5, 3)] {
            let shape = Shape::new(width, depth).unwrap();
            let (logits, gradient) = both(OnGpu::on(library, device, shape).unwrap());
            let (expected, by_parameters) = both(network(shape));
            for (found, expected) in logits.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{found}");
            }
            let most = by_parameters.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
            assert!(most > 0.1, "{most}");
            for (at, (found, expected)) in gradient.iter().zip(&by_parameters).enumerate() {
                assert!((found - expected).abs() < 1e-4 * most, "{at}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn logits_and_gradient_are_those_of_our_kernels() {
        check(&Library::linked(), CPU);
    }

    #[test]
    fn a_batch_of_several_sizes_adds_up_to_its_slices() {
        let mut model = on_candle(4, 2);
        let parameters: Vec<f32> = (0..model.n_parameters()).map(|i| noise(i) * 0.4).collect();
        model.take(&parameters);
        let slice = |at: usize, dim: (usize, usize)| {
            Array2::from_shape_fn(dim, |(y, x)| noise(7919 * at + 64 * y + x) + 0.5)
        };
        let dims = [(16, 8), (8, 8), (16, 8), (8, 12)];
        let slices: Vec<_> =
            dims.into_iter().enumerate().map(|(at, dim)| slice(at, dim)).collect();
        let by_logits: Vec<_> =
            slices.iter().map(|slice| slice.mapv(|pixel| 0.1 * pixel - 0.03)).collect();
        let whole = model.batched().unwrap();
        let views: Vec<_> = slices.iter().map(|slice| slice.view()).collect();
        let logits = whole.logits(&views).unwrap();
        let mut gradient = vec![f32::NAN; parameters.len()];
        whole.gradient(&by_logits, &mut gradient).unwrap();

        let mut sum = vec![0.0_f32; parameters.len()];
        for (at, slice) in slices.iter().enumerate() {
            let (mut work, mut part) = (model.work(), vec![0.0; parameters.len()]);
            let alone = Trainable::logits(&model, &mut work, slice.view()).unwrap();
            for (found, expected) in logits[at].iter().zip(&alone) {
                assert!((found - expected).abs() < 1e-5, "{at}: {found}, {expected}");
            }
            let back = by_logits[at].view();
            Trainable::gradient(&model, &mut work, back, &mut part).unwrap();
            sum.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        let most = sum.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
        for (found, expected) in gradient.iter().zip(&sum) {
            assert!((found - expected).abs() < 1e-5 * (1.0 + most), "{found}, {expected}");
        }
        let odd = Array2::zeros((8, 6));
        assert!(whole.logits(&[views[0], odd.view()]).is_err());
    }

    #[test]
    fn a_slice_that_cannot_be_halved_is_refused() {
        let model = on_candle(2, 2);
        let refused =
            Trainable::logits(&model, &mut model.work(), Array2::zeros((8, 6)).view());
        assert!(matches!(refused, Err(NetError::SliceShape { multiple: 4, .. })));
    }
}
