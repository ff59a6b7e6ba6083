//! The CNN with its parameters: forward slice by slice, and backward from the cross-entropy.

use super::crop::{Bleed, Crop, Placing};
use super::pooling::{Pooled, answers, learned};
use super::shape::CnnShape;
use crate::Path;
use crate::cpu::gradient::{Differentiable, Tape};
use crate::cpu::layers::put_pair;
use crate::cpu::path::in_f32;
use crate::kernels::maps::BLOCK;
use crate::plan::Plan;

/// A network of one flat vector of parameters, in the order of `CnnShape::tensors()`, on an f32
/// path.
#[derive(Debug)]
pub(crate) struct Model {
    shape: CnnShape,
    path: Path,
    network: Differentiable,
    /// The slot of the last maps.
    last: usize,
    /// The fully connected layer: weights, then biases.
    connected: Vec<f32>,
}

/// Buffers of one hematoma, from its forward pass to its gradient; they grow to the largest.
#[derive(Debug, Default)]
pub(crate) struct Work {
    tapes: Vec<Tape>,
    part: Vec<f32>,
}

impl Model {
    /// A network before its first parameters.
    pub(crate) fn new(shape: CnnShape, path: Path) -> Self {
        let plan = Plan::cnn(shape);
        let last = plan.slots.len() - 1;
        let network = Differentiable::new(plan, shape.tensors());
        Self { shape, path, network, last, connected: Vec::new() }
    }

    /// Lays `parameters` out for the kernels.
    pub(crate) fn take(&mut self, parameters: &[f32]) {
        self.network.take(parameters);
        self.connected = parameters[self.shape.n_convolved()..].to_vec();
    }

    /// The vector of a hematoma as it was scanned, one slice after the other on one tape.
    pub(crate) fn describe(&self, tape: &mut Tape, bleed: &Bleed) -> Vec<f64> {
        let slices = 0..bleed.n_slices();
        let means: Vec<Vec<f64>> = slices
            .clone()
            .map(|slice| self.means(tape, &bleed.crop(slice, &Placing::PLAIN)))
            .collect();
        let blood: Vec<f64> = slices.map(|slice| bleed.blood_mm3(slice)).collect();
        Pooled::of(&means, &blood).features
    }

    /// Probability of expansion, from the vector.
    pub(crate) fn probability(&self, features: &[f64]) -> f64 {
        answers(features, &self.connected)[1]
    }

    /// Means of the last maps of one crop.
    pub(crate) fn means(&self, tape: &mut Tape, crop: &Crop) -> Vec<f64> {
        self.network.size(tape, crop.pixels.dim());
        put_pair(&crop.pixels, &crop.blood, tape.input());
        in_f32!(self.path, L => self.network.forward::<L>(tape));
        let maps = tape.map(self.last);
        let (y, x) = maps.dim();
        let mean = |channel: usize| {
            let (block, lane) = (channel / BLOCK, channel % BLOCK);
            let rows = (0..y).flat_map(|row| maps.row(block, row).chunks_exact(BLOCK));
            rows.map(|pixel| f64::from(pixel[lane])).sum::<f64>() / (y * x) as f64
        };
        (0..self.shape.n_maps()).map(mean).collect()
    }

    /// Cross-entropy of one hematoma, shown by `crops` with the blood that each stands for; writes
    /// `scale` times its gradient by the parameters.
    pub(crate) fn gradient(
        &self,
        work: &mut Work,
        crops: &[(Crop, f64)],
        (expands, scale): (bool, f64),
        gradient: &mut [f32],
    ) -> f64 {
        while work.tapes.len() < crops.len() {
            work.tapes.push(Tape::default());
        }
        let shown = crops.iter().zip(&mut work.tapes);
        let means: Vec<Vec<f64>> =
            shown.map(|((crop, _), tape)| self.means(tape, crop)).collect();
        let blood: Vec<f64> = crops.iter().map(|(_, blood)| *blood).collect();
        let (convolved, connected) = gradient.split_at_mut(self.shape.n_convolved());
        let shown = (&means[..], &blood[..]);
        let (loss, by_means) = learned(shown, &self.connected, (expands, scale), connected);
        convolved.fill(0.0);
        work.part.resize(convolved.len(), 0.0);
        for (tape, by_means) in work.tapes.iter_mut().zip(&by_means) {
            self.spread(tape, by_means);
            in_f32!(self.path, L => self.network.backward::<L>(tape, &[], &mut work.part));
            for (sum, part) in convolved.iter_mut().zip(&work.part) {
                *sum += part;
            }
        }
        loss
    }

    /// Puts the gradient by the means of the last maps where `backward` starts.
    fn spread(&self, tape: &mut Tape, by_means: &[f64]) {
        let back = tape.back_mut(self.last);
        let (y, x) = back.dim();
        for (block, of_block) in by_means.chunks(BLOCK).enumerate() {
            for row in 0..y {
                for pixel in back.row_mut(block, row).chunks_exact_mut(BLOCK) {
                    pixel.fill(0.0);
                    for (to, by_mean) in pixel.iter_mut().zip(of_block) {
                        *to = (by_mean / (y * x) as f64) as f32;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use serde_json::Value;

    const DIM: (usize, usize) = (8, 12);
    const BLOOD: [f64; 3] = [300.0, 500.0, 200.0];
    const PATHS: [Path; 3] = [Path::Avx512, Path::Avx2, Path::Portable];

    /// A number in -0.5..0.5 that only `i` decides: the formula of `golden_gradient.py`.
    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32
            / (1_u64 << 24) as f32
            - 0.5
    }

    fn shape() -> CnnShape {
        CnnShape::new(3, 2).unwrap()
    }

    fn parameters() -> Vec<f32> {
        (0..shape().n_parameters()).map(|i| noise(i) * 0.8).collect()
    }

    fn crops() -> Vec<(Crop, f64)> {
        let (y, x) = DIM;
        let plane = |start: usize| {
            Array2::from_shape_fn(DIM, |(row, column)| noise(start + row * x + column) + 0.5)
        };
        let crop = |slice: usize| {
            let start = 9000 + 2 * y * x * slice;
            Crop { pixels: plane(start), blood: plane(start + y * x) }
        };
        BLOOD.into_iter().enumerate().map(|(slice, blood)| (crop(slice), blood)).collect()
    }

    /// Loss and gradient, after a larger hematoma whose remains would show.
    fn loss(model: &mut Model, parameters: &[f32]) -> (f64, Vec<f32>) {
        model.take(parameters);
        let mut work = Work::default();
        let mut gradient = vec![f32::NAN; parameters.len()];
        let mut before = crops();
        before.push((before[0].0.clone(), 9.0));
        model.gradient(&mut work, &before, (false, 1.0), &mut gradient);
        let loss = model.gradient(&mut work, &crops(), (true, 1.0), &mut gradient);
        (loss, gradient)
    }

    fn available() -> impl Iterator<Item = Path> {
        PATHS.into_iter().filter(|path| path.is_available())
    }

    fn golden() -> Value {
        serde_json::from_str(include_str!("../../tests/data/golden_cnn.json")).unwrap()
    }

    #[test]
    fn features_and_probability_are_pytorchs() {
        let golden = golden();
        for path in available() {
            let mut model = Model::new(shape(), path);
            model.take(&parameters());
            let mut tape = Tape::default();
            let means: Vec<Vec<f64>> =
                crops().iter().map(|(crop, _)| model.means(&mut tape, crop)).collect();
            let features = Pooled::of(&means, &BLOOD).features;
            let expected = golden["features"].as_array().unwrap();
            assert_eq!(features.len(), expected.len());
            for (found, expected) in features.iter().zip(expected) {
                let expected = expected.as_f64().unwrap();
                assert!((found - expected).abs() < 2e-6, "{path}: {found}, not {expected}");
            }
            let p = model.probability(&features);
            let expected = golden["probability"].as_f64().unwrap();
            assert!((p - expected).abs() < 1e-6, "{path}: {p}, not {expected}");
        }
    }

    #[test]
    fn gradients_are_pytorchs() {
        let golden = golden();
        for path in available() {
            let mut model = Model::new(shape(), path);
            let (loss, gradient) = loss(&mut model, &parameters());
            let expected = golden["loss"].as_f64().unwrap();
            assert!((loss - expected).abs() < 1e-5, "{path}: {loss}, not {expected}");
            let (mut at, mut worst, mut n_checked) = (0, 0.0_f64, 0);
            let rows = golden["tensors"].as_array().unwrap();
            for ((name, dims), row) in shape().tensors().into_iter().zip(rows) {
                assert_eq!(name, row[0].as_str().unwrap());
                let n: usize = dims.iter().product();
                let norm = row[1].as_f64().unwrap();
                let entries = gradient[at..at + n].iter().step_by(7);
                for (&found, expected) in entries.zip(row[2].as_array().unwrap()) {
                    let error = (f64::from(found) - expected.as_f64().unwrap()).abs();
                    worst = worst.max(error / norm);
                    n_checked += 1;
                }
                at += n;
            }
            println!("{path}: {n_checked} entries, worst difference {worst:.1e} of the norm");
            assert!(worst < 1e-5 && n_checked >= 100, "{path}: {worst} of {n_checked}");
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for path in available() {
            let mut model = Model::new(shape(), path);
            let parameters = parameters();
            let (_, gradient) = loss(&mut model, &parameters);
            let mut worst = 0.0_f64;
            for at in (0..parameters.len()).step_by(5) {
                let step = 1e-3;
                let mut moved = |by: f32| {
                    let mut moved = parameters.clone();
                    moved[at] += by;
                    loss(&mut model, &moved).0
                };
                let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                worst = worst.max((f64::from(gradient[at]) - expected).abs());
            }
            println!("{path}: worst difference {worst:.1e}");
            assert!(worst < 2e-3, "{path}: {worst}");
        }
    }
}
