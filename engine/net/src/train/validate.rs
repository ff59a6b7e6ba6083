//! How good the weights are: intersection over union by patient, at a probability of one half.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::Array2;

use super::course::Measured;
use super::examples::Example;
use super::lanes::{Lane, side_by_side};
use super::model::Trainable;
use crate::NetError;

/// One validation on the patients that are held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validation {
    /// Updates before it.
    pub step: usize,
    /// Mean over the patients of intersection over union, blood of all their slices together.
    pub mean_iou: f64,
    /// The lowest patient's.
    pub least_iou: f64,
}

impl Measured for Validation {
    fn score(self) -> f64 {
        self.mean_iou
    }

    fn numbers(self) -> [f64; 3] {
        [self.step as f64, self.mean_iou, self.least_iou]
    }

    fn of([step, mean_iou, least_iou]: [f64; 3]) -> Self {
        Self { step: step as usize, mean_iou, least_iou }
    }
}

impl Display for Validation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "IoU mean {:.4}, least {:.4}", self.mean_iou, self.least_iou)
    }
}

/// Pixels of one slice or patient.
#[derive(Debug, Clone, Copy, Default)]
struct Overlap {
    both: usize,
    either: usize,
    labelled: usize,
}

impl Overlap {
    /// A probability of one half is a logit of 0.
    fn of(logits: &Array2<f32>, blood: Option<&Array2<u8>>) -> Self {
        let mut overlap = Self::default();
        for (at, &logit) in logits.indexed_iter() {
            let label = blood.is_some_and(|blood| blood[at] > 0);
            let called = logit >= 0.0;
            overlap.both += usize::from(called && label);
            overlap.either += usize::from(called || label);
            overlap.labelled += usize::from(label);
        }
        overlap
    }
}

/// What is found of each patient, slice by slice and in any order.
#[derive(Debug, Default)]
pub(super) struct Patients<'a>(BTreeMap<&'a str, Overlap>);

impl<'a> Patients<'a> {
    /// Adds what `logits` say of a slice.
    pub(super) fn add(&mut self, example: &'a Example, logits: &Array2<f32>) {
        let slice = Overlap::of(logits, example.blood());
        let patient = self.0.entry(example.subject()).or_default();
        patient.both += slice.both;
        patient.either += slice.either;
        patient.labelled += slice.labelled;
    }

    /// The validation after `step` updates; none without a labelled patient.
    pub(super) fn validation(&self, step: usize) -> Option<Validation> {
        let labelled = self.0.values().filter(|patient| patient.labelled > 0);
        let ious: Vec<f64> =
            labelled.map(|patient| patient.both as f64 / patient.either as f64).collect();
        if ious.is_empty() {
            return None;
        }
        let mean_iou = ious.iter().sum::<f64>() / ious.len() as f64;
        let least_iou = ious.iter().copied().fold(f64::INFINITY, f64::min);
        Some(Validation { step, mean_iou, least_iou })
    }
}

/// Measures `model` as it stands on `examples`; none without a labelled patient.
pub(super) fn validate<M: Trainable>(
    model: &M,
    lanes: &mut [Lane<M::Work>],
    threads: usize,
    examples: &[Example],
    step: usize,
) -> Result<Option<Validation>, NetError> {
    let next = AtomicUsize::new(0);
    let patients: Mutex<Patients<'_>> = Mutex::default();
    side_by_side(lanes, threads, |_, lane| {
        while let Some(example) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            let logits = model.logits(&mut lane.work, example.pixels().view())?;
            // Counts add up to the same patient in any order.
            patients.lock().unwrap_or_else(PoisonError::into_inner).add(example, &logits);
        }
        Ok(())
    })?;
    Ok(patients.into_inner().unwrap_or_else(PoisonError::into_inner).validation(step))
}
