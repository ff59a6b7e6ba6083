//! The course of the CNN: a batch of hematomas, their cross-entropy and its gradient.

use std::sync::{Mutex, PoisonError};

use super::augment::augmented;
use super::cases::{CnnCase, CnnCases};
use super::recipe::CnnRecipe;
use super::validation::CnnValidation;
use crate::NetError;
use crate::cnn::model::Answering;
use crate::train::course::Course;
use crate::train::lanes::side_by_side;
use crate::train::random::{Random, Stream};

/// The network under training and what it learns from.
pub(super) struct Hematomas<'a, M: Answering> {
    recipe: &'a CnnRecipe,
    cases: &'a CnnCases,
    threads: usize,
    model: M,
    slots: Vec<Slot>,
    /// Buffers that no thread uses; what they hold does not matter.
    idle: Mutex<Vec<M::Work>>,
}

/// One hematoma of a batch.
struct Slot {
    loss: f64,
    gradient: Vec<f32>,
}

impl<'a, M: Answering> Hematomas<'a, M> {
    pub(super) fn new(
        recipe: &'a CnnRecipe,
        cases: &'a CnnCases,
        threads: usize,
        model: M,
    ) -> Result<Self, NetError> {
        let n_parameters = recipe.shape()?.n_parameters();
        let slot = |_| Slot { loss: 0.0, gradient: vec![0.0; n_parameters] };
        let slots = (0..recipe.batch).map(slot).collect();
        Ok(Self { recipe, cases, threads, model, slots, idle: Mutex::default() })
    }
}

impl<M: Answering> Course for Hematomas<'_, M> {
    type Validation = CnnValidation;

    fn gradient(
        &mut self,
        parameters: &[f32],
        step: usize,
        gradient: &mut [f32],
    ) -> Result<f64, NetError> {
        self.model.take(parameters);
        let Self { recipe, cases, threads, model, slots, idle } = self;
        let scale = 1.0 / recipe.batch as f64;
        side_by_side(slots, *threads, |place, slot| {
            let case = cases.at(step * recipe.batch + place);
            let key = [recipe.seed, step as u64, place as u64];
            let crops = augmented(case, recipe, &mut Random::keyed(Stream::Sample, &key));
            let mut work = lock(idle).pop().unwrap_or_default();
            let right = (case.expands, scale);
            slot.loss = model.gradient(&mut work, &crops, right, &mut slot.gradient)?;
            lock(idle).push(work);
            Ok(())
        })?;
        // In the order of the slots, whichever was done first.
        for slot in slots.iter() {
            for (sum, part) in gradient.iter_mut().zip(&slot.gradient) {
                *sum += part;
            }
        }
        Ok(slots.iter().map(|slot| slot.loss).sum::<f64>() * scale)
    }

    fn validate(
        &mut self,
        parameters: &[f32],
        step: usize,
    ) -> Result<Option<CnnValidation>, NetError> {
        self.model.take(parameters);
        let held = self.cases.validation();
        let found = probabilities(&self.model, held, self.threads)?;
        let expands: Vec<bool> = held.iter().map(|case| case.expands).collect();
        Ok(CnnValidation::of(step, &found, &expands))
    }
}

/// Probability of expansion of every case, as `model` stands.
pub(super) fn probabilities<M: Answering>(
    model: &M,
    cases: &[CnnCase],
    threads: usize,
) -> Result<Vec<f64>, NetError> {
    let idle: Mutex<Vec<M::Work>> = Mutex::default();
    let mut found = vec![0.0; cases.len()];
    side_by_side(&mut found, threads, |place, found| {
        let mut work = lock(&idle).pop().unwrap_or_default();
        *found = model.probability(&model.describe(&mut work, &cases[place].bleed)?);
        lock(&idle).push(work);
        Ok(())
    })?;
    Ok(found)
}

fn lock<T>(idle: &Mutex<Vec<T>>) -> std::sync::MutexGuard<'_, Vec<T>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
