//! The CNN under training on a device, in f32.
//!
//! The device gives means and the gradient by its parameters from that by the means, all crops of a
//! hematoma in one call; what lies behind the means stays on the CPU, with loss, update, schedule
//! and validation.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ichor_cuda::interface::F32;
use ichor_cuda::{Absent, Images, Library, Loaded};

use super::Gpus;
use super::describe::describe;
use super::means::image;
use crate::NetError;
use crate::cnn::crop::{Bleed, Crop, SIDE};
use crate::cnn::model::{Answering, answered, pooled, probability, shown};
use crate::cnn::shape::CnnShape;
use crate::plan::Plan;

/// A CNN on a device, before its first parameters.
pub(crate) struct CnnOnGpu {
    loaded: Mutex<Loaded>,
    shape: CnnShape,
    /// The fully connected layer: weights, then biases.
    connected: Vec<f32>,
    /// What the last parameters met; told by the next call that can fail.
    taken: Result<(), Absent>,
}

impl CnnOnGpu {
    /// Puts a network of `shape` on the first device of `gpus`.
    pub(crate) fn open(gpus: &Gpus, shape: CnnShape) -> Result<Self, NetError> {
        let (library, index, _) = gpus.first()?;
        Self::on(&library, i32::from(index), shape)
    }

    /// The same, on a device of a library.
    pub(crate) fn on(
        library: &Library,
        device: i32,
        shape: CnnShape,
    ) -> Result<Self, NetError> {
        let parameters = vec![0.0; shape.n_parameters()];
        let network = describe(&Plan::cnn(shape), &shape.tensors(), parameters);
        let loaded = Mutex::new(library.load(device, &network, F32)?);
        Ok(Self { loaded, shape, connected: Vec::new(), taken: Ok(()) })
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Means of `crops` by a device that is held; the maps are kept under `keep` where that is not
    /// 0.
    fn means(
        &self,
        loaded: &mut Loaded,
        crops: &[&Crop],
        keep: usize,
    ) -> Result<Vec<Vec<f64>>, NetError> {
        self.taken.clone()?;
        let pixels: Vec<f32> = crops.iter().flat_map(|crop| image(crop).pixels).collect();
        let (y, x) = crops.first().map_or((SIDE, SIDE), |crop| crop.pixels.dim());
        let n_maps = self.shape.n_maps();
        let mut out = vec![0.0; crops.len() * n_maps];
        let images =
            Images { pixels: &pixels, dim: [crops.len(), y, x], probabilities: false, keep };
        loaded.forward(&images, &mut out)?;
        let wide = |means: &[f32]| means.iter().copied().map(f64::from).collect();
        Ok(out.chunks_exact(n_maps).map(wide).collect())
    }
}

impl Answering for CnnOnGpu {
    /// All buffers are the device's.
    type Work = ();

    fn take(&mut self, parameters: &[f32]) {
        let taken = self.lock().take(parameters);
        self.taken = taken;
        self.connected = parameters[self.shape.n_convolved()..].to_vec();
    }

    fn describe(&self, (): &mut (), bleed: &Bleed) -> Result<Vec<f64>, NetError> {
        let crops = shown(bleed);
        let crops: Vec<&Crop> = crops.iter().collect();
        Ok(pooled(&self.means(&mut self.lock(), &crops, 0)?, bleed))
    }

    fn probability(&self, features: &[f64]) -> f64 {
        probability(features, &self.connected)
    }

    fn gradient(
        &self,
        (): &mut (),
        crops: &[(Crop, f64)],
        right: (bool, f64),
        gradient: &mut [f32],
    ) -> Result<f64, NetError> {
        let (shown, blood): (Vec<&Crop>, Vec<f64>) =
            crops.iter().map(|(crop, blood)| (crop, *blood)).unzip();
        // Nobody else's maps come between: there is one number to keep them under.
        let mut loaded = self.lock();
        let means = self.means(&mut loaded, &shown, 1)?;
        let n_convolved = self.shape.n_convolved();
        let (convolved, connected) = gradient.split_at_mut(n_convolved);
        let (loss, by_means) = answered(&means, &blood, (&self.connected, right), connected);
        let by_means: Vec<f32> = by_means.concat().into_iter().map(|v| v as f32).collect();
        let mut all = vec![0.0; self.shape.n_parameters()];
        loaded.gradient(1, &by_means, &mut all)?;
        convolved.copy_from_slice(&all[..n_convolved]);
        Ok(loss)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Path;
    use crate::cnn::model::Model;
    use ichor_cuda::interface::CPU;
    use ndarray::Array2;

    fn noise(i: usize) -> f32 {
        ((i as f32 * 12.9898).sin() * 43758.547).fract()
    }

    fn crops() -> Vec<(Crop, f64)> {
        let plane = |start: usize| {
            Array2::from_shape_fn((16, 24), |(y, x)| noise(start + 24 * y + x).abs())
        };
        [300.0, 500.0, 200.0]
            .into_iter()
            .enumerate()
            .map(|(at, blood)| {
                let start = 1000 * at;
                (Crop { pixels: plane(start), blood: plane(start + 500) }, blood)
            })
            .collect()
    }

    fn loss(model: &mut impl Answering) -> (f64, Vec<f32>) {
        let shape = CnnShape::new(3, 2).unwrap();
        let parameters: Vec<f32> = (0..shape.n_parameters()).map(|i| noise(i) * 0.4).collect();
        model.take(&parameters);
        let mut gradient = vec![f32::NAN; parameters.len()];
        let mut work = Default::default();
        let loss = model.gradient(&mut work, &crops(), (true, 0.5), &mut gradient).unwrap();
        (loss, gradient)
    }

    #[test]
    fn loss_and_gradient_are_those_of_our_kernels() {
        check(&Library::linked(), CPU);
    }

    /// Loss and gradient of a device are those of our kernels.
    pub(in crate::gpu) fn check(library: &Library, device: i32) {
        let shape = CnnShape::new(3, 2).unwrap();
        let mut device = CnnOnGpu::on(library, device, shape).unwrap();
        let (found, gradient) = loss(&mut device);
        let (expected, by_parameters) = loss(&mut Model::new(shape, Path::Portable));
        assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
        let most = by_parameters.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
        assert!(most > 0.01, "{most}");
        for (at, (found, expected)) in gradient.iter().zip(&by_parameters).enumerate() {
            assert!((found - expected).abs() < 1e-4 * most, "{at}: {found}, {expected}");
        }
    }
}
