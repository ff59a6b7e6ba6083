//! The course of the segmentation network on a device: the whole batch in one call.
//!
//! Batch n is a function of the seed and n alone, so the threads of this machine make the next
//! one while the device computes.

use std::thread;

use ndarray::Array2;

use super::augment::Sample;
use super::batch;
use super::course::Course;
use super::lanes::side_by_side;
use super::loss::Sums;
use super::run::Job;
use super::validate::{Patients, Validation};
use crate::NetError;
use crate::gpu::seen;
use crate::gpu::train::OnGpu;

/// A network on a device and the batch that comes next.
pub(super) struct Batches<'a> {
    job: &'a Job<'a>,
    model: OnGpu,
    ready: Option<(usize, Vec<Sample>)>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(job: &'a Job<'a>, model: OnGpu) -> Self {
        Self { job, model, ready: None }
    }
}

impl Course for Batches<'_> {
    type Validation = Validation;

    fn gradient(
        &mut self,
        parameters: &[f32],
        step: usize,
        gradient: &mut [f32],
    ) -> Result<f64, NetError> {
        let job = self.job;
        self.model.take(parameters)?;
        let samples = match self.ready.take() {
            Some((ready, samples)) if ready == step => samples,
            _ => made(job, step)?,
        };
        let model = &mut self.model;
        let (loss, next) = thread::scope(|scope| {
            let more = step + 1 < job.recipe.steps;
            let next = more.then(|| scope.spawn(move || made(job, step + 1)));
            let loss = on_device(model, &samples, job.recipe.bce, gradient);
            let join = |next: thread::ScopedJoinHandle<'_, _>| {
                next.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            (loss, next.map(join))
        });
        self.ready = next.transpose()?.map(|samples| (step + 1, samples));
        loss
    }

    fn validate(
        &mut self,
        parameters: &[f32],
        step: usize,
    ) -> Result<Option<Validation>, NetError> {
        self.model.take(parameters)?;
        let mut patients = Patients::default();
        // As many at a time as train, so that few are in memory at once.
        for examples in self.job.examples.validation().chunks(self.job.recipe.batch) {
            let slices: Vec<_> = examples.iter().map(|e| seen([e.pixels()])).collect();
            let logits = self.model.outputs(&slices, false)?;
            for (example, logits) in examples.iter().zip(logits) {
                patients.add(example, &plane(example.dim(), logits)?);
            }
        }
        Ok(patients.validation(step))
    }
}

/// The samples of batch `step`, each by a thread.
fn made(job: &Job<'_>, step: usize) -> Result<Vec<Sample>, NetError> {
    let mut samples: Vec<Option<Sample>> = (0..job.recipe.batch).map(|_| None).collect();
    side_by_side(&mut samples, job.threads, |slot, sample| {
        *sample = Some(batch::sample(job.examples, job.recipe, step, slot));
        Ok(())
    })?;
    Ok(samples.into_iter().flatten().collect())
}

/// Loss of a batch; adds its gradient to `gradient`.
fn on_device(
    model: &mut OnGpu,
    samples: &[Sample],
    bce: f64,
    gradient: &mut [f32],
) -> Result<f64, NetError> {
    let slices: Vec<_> = samples.iter().map(|sample| seen([sample.pixels.clone()])).collect();
    let logits = model.outputs(&slices, true)?;
    let logits = samples.iter().zip(logits).map(|(s, logits)| plane(s.pixels.dim(), logits));
    let logits: Vec<Array2<f32>> = logits.collect::<Result<_, _>>()?;
    let mut sums = Sums::default();
    for (logits, sample) in logits.iter().zip(samples) {
        sums.add(Sums::of(logits, sample));
    }
    let by_logits: Vec<Vec<f32>> = logits
        .iter()
        .zip(samples)
        .map(|(logits, sample)| sums.by_logits(bce, logits, sample).into_iter().collect())
        .collect();
    model.gradient(&slices, &by_logits, gradient)?;
    Ok(sums.loss(bce))
}

/// Numbers of every pixel as a plane.
fn plane(dim: (usize, usize), numbers: Vec<f32>) -> Result<Array2<f32>, NetError> {
    Array2::from_shape_vec(dim, numbers).map_err(|error| NetError::Arithmetic(error.into()))
}
