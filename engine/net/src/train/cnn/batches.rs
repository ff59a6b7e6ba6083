//! The course of the CNN on a device: all crops of a batch in one call.
//!
//! The device computes maps and their gradient; pooling over the slices, the fully connected layer
//! and the loss are computed here, in doubles, as on the CPU.

use super::augment::augmented;
use super::cases::{CnnCase, CnnCases};
use super::recipe::CnnRecipe;
use super::validation::CnnValidation;
use crate::NetError;
use crate::cnn::crop::{Crop, Placing};
use crate::cnn::pooling::{Pooled, answers, learned};
use crate::cnn::shape::CnnShape;
use crate::gpu::train::OnGpu;
use crate::gpu::{Seen, seen};
use crate::train::course::Course;
use crate::train::lanes::side_by_side;
use crate::train::random::{Random, Stream};

/// A network on a device and what it learns from.
pub(super) struct Batches<'a> {
    recipe: &'a CnnRecipe,
    cases: &'a CnnCases,
    threads: usize,
    shape: CnnShape,
    model: OnGpu,
}

impl<'a> Batches<'a> {
    pub(super) fn new(
        recipe: &'a CnnRecipe,
        cases: &'a CnnCases,
        threads: usize,
        model: OnGpu,
    ) -> Result<Self, NetError> {
        Ok(Self { recipe, cases, threads, shape: recipe.shape()?, model })
    }

    /// Means of the last maps of crops.
    fn means(&mut self, crops: Vec<Crop>, keep: bool) -> Result<Shown, NetError> {
        let slices: Vec<_> =
            crops.into_iter().map(|Crop { pixels, blood }| seen([pixels, blood])).collect();
        let means = self.model.outputs(&slices, keep)?;
        let means =
            means.into_iter().map(|of| of.into_iter().map(f64::from).collect()).collect();
        Ok(Shown { slices, means })
    }
}

/// Crops as the device saw them, and what it made of them.
struct Shown {
    slices: Vec<Seen>,
    means: Vec<Vec<f64>>,
}

impl Course for Batches<'_> {
    type Validation = CnnValidation;

    fn gradient(
        &mut self,
        parameters: &[f32],
        step: usize,
        gradient: &mut [f32],
    ) -> Result<f64, NetError> {
        self.model.take(parameters)?;
        let (recipe, cases) = (self.recipe, self.cases);
        let case_at = |place: usize| cases.at(step * recipe.batch + place);
        let mut shown: Vec<Vec<(Crop, f64)>> = vec![Vec::new(); recipe.batch];
        side_by_side(&mut shown, self.threads, |place, crops| {
            let key = [recipe.seed, step as u64, place as u64];
            let mut random = Random::keyed(Stream::Sample, &key);
            *crops = augmented(case_at(place), recipe, &mut random);
            Ok(())
        })?;
        let blood: Vec<Vec<f64>> =
            shown.iter().map(|of| of.iter().map(|(_, blood)| *blood).collect()).collect();
        let crops = shown.into_iter().flatten().map(|(crop, _)| crop).collect();
        let Shown { slices, means } = self.means(crops, true)?;

        let n_convolved = self.shape.n_convolved();
        let connected = &parameters[n_convolved..];
        let mut by_connected = vec![0.0; connected.len()];
        let mut sum = by_connected.clone();
        let scale = 1.0 / recipe.batch as f64;
        let (mut loss, mut by_means, mut rest) = (0.0, Vec::new(), &means[..]);
        for (place, blood) in blood.iter().enumerate() {
            let (of_case, after) = rest.split_at(blood.len());
            rest = after;
            let right = (case_at(place).expands, scale);
            let found = learned((of_case, blood), connected, right, &mut by_connected);
            loss += found.0;
            by_means.extend(found.1);
            sum.iter_mut().zip(&by_connected).for_each(|(sum, by)| *sum += by);
        }
        let by_means: Vec<Vec<f32>> =
            by_means.iter().map(|of| of.iter().map(|by| *by as f32).collect()).collect();
        self.model.gradient(&slices, &by_means, gradient)?;
        gradient[n_convolved..].copy_from_slice(&sum);
        Ok(loss * scale)
    }

    fn validate(
        &mut self,
        parameters: &[f32],
        step: usize,
    ) -> Result<Option<CnnValidation>, NetError> {
        self.model.take(parameters)?;
        let held = self.cases.validation();
        let mut found = Vec::with_capacity(held.len());
        for case in held {
            found.push(self.probability(case, &parameters[self.shape.n_convolved()..])?);
        }
        let expands: Vec<bool> = held.iter().map(|case| case.expands).collect();
        Ok(CnnValidation::of(step, &found, &expands))
    }
}

impl Batches<'_> {
    /// Probability of expansion of one case as it was scanned.
    fn probability(&mut self, case: &CnnCase, connected: &[f32]) -> Result<f64, NetError> {
        let slices = 0..case.bleed.n_slices();
        let crops =
            slices.clone().map(|slice| case.bleed.crop(slice, &Placing::PLAIN)).collect();
        let blood: Vec<f64> = slices.map(|slice| case.bleed.blood_mm3(slice)).collect();
        let Shown { means, .. } = self.means(crops, false)?;
        Ok(answers(&Pooled::of(&means, &blood).features, connected)[1])
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::tests::{cases, recipe};
    use super::super::hematomas::Hematomas;
    use super::*;
    use crate::cnn::model::Model;
    use ichor_cuda::Library;
    use ichor_cuda::interface::CPU;

    const TEXT: &str = "width = 4\ndepth = 3\nbatch = 3\nslices = 2\nvalidation = 0.5";

    fn parameters(n: usize) -> Vec<f32> {
        let mut random = Random::keyed(Stream::Start, &[7]);
        (0..n).map(|_| (0.2 * random.normal()) as f32).collect()
    }

    fn found(
        course: &mut impl Course<Validation = CnnValidation>,
        n: usize,
    ) -> (f64, Vec<f32>, f64) {
        let mut gradient = vec![0.0; n];
        let loss = course.gradient(&parameters(n), 2, &mut gradient).unwrap();
        let validation = course.validate(&parameters(n), 2).unwrap().unwrap();
        (loss, gradient, validation.entropy)
    }

    #[test]
    fn a_batch_has_the_loss_and_the_gradient_of_our_kernels() {
        let recipe = recipe(TEXT);
        let shape = recipe.shape().unwrap();
        let n = shape.n_parameters();
        let cases = CnnCases::split(cases(12), &recipe).unwrap();
        let model = Model::new(shape, crate::Path::fastest_f32());
        let expected = found(&mut Hematomas::new(&recipe, &cases, 1, model).unwrap(), n);
        // All crops at once, and one after the other.
        for bytes in [u64::MAX, 1] {
            let model = OnGpu::cnn_on(&Library::linked(), CPU, shape).unwrap().within(bytes);
            let found = found(&mut Batches::new(&recipe, &cases, 2, model).unwrap(), n);
            assert!((found.0 - expected.0).abs() < 1e-5 * expected.0, "{found:?}");
            assert!((found.2 - expected.2).abs() < 1e-5 * expected.2, "{found:?}");
            let most = expected.1.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
            assert!(most > 0.01, "{most}");
            for (at, (found, expected)) in found.1.iter().zip(&expected.1).enumerate() {
                assert!((found - expected).abs() < 1e-4 * most, "{at}: {found}, {expected}");
            }
        }
    }
}
