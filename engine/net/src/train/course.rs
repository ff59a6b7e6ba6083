//! The loop of every training: gradient, update, running average; now and then a validation and
//! a checkpoint.

use std::ops::ControlFlow;
use std::path::Path;

use super::adamw::{self, Moments};
use super::checkpoint::{self, Owner};
use super::schedule::Schedule;
use super::validate::Validation;
use crate::NetError;

/// What a validation found: three numbers, one of which chooses the weights.
pub trait Measured: Copy + PartialEq {
    /// The higher, the better the weights.
    fn score(self) -> f64;
    /// All of it, for a checkpoint.
    fn numbers(self) -> [f64; 3];
    /// What [`Measured::numbers`] gave, as it was.
    fn of(numbers: [f64; 3]) -> Self;
}

/// How a training went.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves<V = Validation> {
    /// Loss of every step's batch, before its update.
    pub loss: Vec<f64>,
    /// Validations of the running average, in order.
    pub validations: Vec<V>,
}

impl<V> Default for Curves<V> {
    fn default() -> Self {
        Self { loss: Vec::new(), validations: Vec::new() }
    }
}

impl<V: Measured> Curves<V> {
    /// The validation whose weights are kept.
    pub fn best(&self) -> Option<V> {
        let mut best: Option<V> = None;
        for &validation in &self.validations {
            if best.is_none_or(|best| validation.score() > best.score()) {
                best = Some(validation);
            }
        }
        best
    }

    /// Whether the last `patience` validations brought nothing better.
    fn exhausted(&self, patience: usize) -> bool {
        let at = self.validations.iter().position(|&v| Some(v) == self.best());
        at.is_some_and(|at| self.validations.len() - 1 - at >= patience)
    }
}

/// Where a training stands after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage<V = Validation> {
    /// Steps that are done.
    pub step: usize,
    /// Steps of the recipe.
    pub steps: usize,
    /// Loss of the step's batch.
    pub loss: f64,
    /// The validation after the step, where there was one.
    pub validation: Option<V>,
}

/// Called after every step; `Break` stops the training.
pub(super) type Progress<'a, V = Validation> = dyn FnMut(Stage<V>) -> ControlFlow<()> + 'a;

/// All that changes in a training; the number of losses is the number of steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State<V = Validation> {
    pub(super) parameters: Vec<f32>,
    pub(super) moments: Moments,
    /// Running average of the parameters.
    pub(super) average: Vec<f32>,
    /// The average at the best validation.
    pub(super) best: Vec<f32>,
    pub(super) curves: Curves<V>,
}

impl<V> State<V> {
    pub(super) fn new(parameters: Vec<f32>) -> Self {
        let moments = Moments::new(parameters.len());
        let (average, best) = (parameters.clone(), parameters.clone());
        Self { parameters, moments, average, best, curves: Curves::default() }
    }

    /// What a training hands out: without a validation, the last average.
    pub(super) fn kept(self) -> (Vec<f32>, Curves<V>) {
        let validated = !self.curves.validations.is_empty();
        (if validated { self.best } else { self.average }, self.curves)
    }
}

/// What is trained, on what.
pub(super) trait Course {
    /// What its validations find.
    type Validation: Measured;

    /// Loss of batch `step` at `parameters`; adds its gradient to `gradient`, which holds zeros.
    fn gradient(
        &mut self,
        parameters: &[f32],
        step: usize,
        gradient: &mut [f32],
    ) -> Result<f64, NetError>;

    /// Measures `parameters` after `step` updates; none where nothing is held out.
    fn validate(
        &mut self,
        parameters: &[f32],
        step: usize,
    ) -> Result<Option<Self::Validation>, NetError>;
}

/// What the loop is given, apart from course and start.
pub(super) struct Loop<'a> {
    pub(super) schedule: Schedule,
    pub(super) owner: Owner,
    /// The checkpoint's file.
    pub(super) checkpoint: &'a Path,
}

impl Loop<'_> {
    /// Trains from `start`, or from the checkpoint where there is one.
    ///
    /// `Break` of `progress` writes a checkpoint and stops.
    pub(super) fn run<C: Course>(
        &self,
        course: &mut C,
        start: Vec<f32>,
        progress: &mut Progress<'_, C::Validation>,
    ) -> Result<State<C::Validation>, NetError> {
        let schedule = &self.schedule;
        let mut state = match checkpoint::load(self.checkpoint, &self.owner)? {
            Some(state) => state,
            None => State::new(start),
        };
        loop {
            let step = state.curves.loss.len();
            if step >= schedule.steps || state.curves.exhausted(schedule.patience) {
                return Ok(state);
            }
            let loss = self.step(course, &mut state)?;
            let (step, last) = (step + 1, step + 1 == schedule.steps);
            let validation = if last || step.is_multiple_of(schedule.validate_every) {
                validate(course, &mut state)?
            } else {
                None
            };
            let ended = last || state.curves.exhausted(schedule.patience);
            let stop = progress(Stage { step, steps: schedule.steps, loss, validation });
            let stop = stop.is_break() && !ended;
            if ended || stop || step.is_multiple_of(schedule.checkpoint_every) {
                checkpoint::save(self.checkpoint, &state, &self.owner)?;
            }
            if stop {
                return Err(NetError::TrainingStopped { step, steps: schedule.steps });
            }
        }
    }

    /// One update; gives the loss before it.
    pub(super) fn step<C: Course>(
        &self,
        course: &mut C,
        state: &mut State<C::Validation>,
    ) -> Result<f64, NetError> {
        let schedule = &self.schedule;
        let step = state.curves.loss.len();
        let mut gradient = vec![0.0; state.parameters.len()];
        let loss = course.gradient(&state.parameters, step, &mut gradient)?;
        if !loss.is_finite() {
            return Err(NetError::Diverged { step, loss });
        }
        adamw::clip(&mut gradient, schedule.clip);
        let rate = adamw::rate(schedule, step);
        let decay = schedule.weight_decay;
        state.moments.update(&mut state.parameters, &gradient, rate, decay, step + 1);
        adamw::follow(&mut state.average, &state.parameters, schedule.ema, step + 1);
        state.curves.loss.push(loss);
        Ok(loss)
    }
}

/// Measures the running average, and keeps it where it is the best so far.
fn validate<C: Course>(
    course: &mut C,
    state: &mut State<C::Validation>,
) -> Result<Option<C::Validation>, NetError> {
    let validation = course.validate(&state.average, state.curves.loss.len())?;
    if let Some(validation) = validation {
        let best = state.curves.best();
        if best.is_none_or(|best| validation.score() > best.score()) {
            state.best.clone_from(&state.average);
        }
        state.curves.validations.push(validation);
    }
    Ok(validation)
}
