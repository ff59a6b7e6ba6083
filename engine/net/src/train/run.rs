//! The loop: batch, logits, loss, gradient, update; now and then a validation and a checkpoint.

use std::ops::ControlFlow;
use std::path::Path;

use super::adamw::{self, Moments};
use super::batch;
use super::checkpoint::{self, Owner};
use super::examples::Examples;
use super::lanes::{Lane, side_by_side};
use super::loss::Sums;
use super::model::Trainable;
use super::recipe::Recipe;
use super::validate::{Validation, validate};
use crate::NetError;

/// How a training went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    /// Loss of every step's batch, before its update.
    pub loss: Vec<f64>,
    /// Validations of the running average, in order.
    pub validations: Vec<Validation>,
}

impl Curves {
    /// The validation whose weights are kept.
    pub fn best(&self) -> Option<Validation> {
        let mut best: Option<Validation> = None;
        for &validation in &self.validations {
            if best.is_none_or(|best| validation.mean_iou > best.mean_iou) {
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
pub struct Stage {
    /// Steps that are done.
    pub step: usize,
    /// Steps of the recipe.
    pub steps: usize,
    /// Loss of the step's batch.
    pub loss: f64,
    /// The validation after the step, where there was one.
    pub validation: Option<Validation>,
}

/// All that changes in a training; the number of losses is the number of steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) parameters: Vec<f32>,
    pub(super) moments: Moments,
    /// Running average of the parameters.
    pub(super) average: Vec<f32>,
    /// The average at the best validation.
    pub(super) best: Vec<f32>,
    pub(super) curves: Curves,
}

impl State {
    pub(super) fn new(parameters: Vec<f32>) -> Self {
        let moments = Moments::new(parameters.len());
        let (average, best) = (parameters.clone(), parameters.clone());
        Self { parameters, moments, average, best, curves: Curves::default() }
    }

    /// What a training hands out: without a validation, the last average.
    pub(super) fn kept(self) -> (Vec<f32>, Curves) {
        let validated = !self.curves.validations.is_empty();
        (if validated { self.best } else { self.average }, self.curves)
    }
}

/// What a training is given, apart from network and start.
pub(super) struct Job<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) examples: &'a Examples,
    /// The checkpoint's file.
    pub(super) checkpoint: &'a Path,
    pub(super) threads: usize,
}

impl Job<'_> {
    /// Trains `model` from `start`, or from the checkpoint where there is one.
    ///
    /// `progress` is called after every step; `Break` writes a checkpoint and stops.
    pub(super) fn train<M: Trainable>(
        &self,
        mut model: M,
        start: Vec<f32>,
        progress: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<State, NetError> {
        let recipe = self.recipe;
        let owner = Owner { recipe: recipe.sha256(), examples: self.examples.sha256() };
        let mut state = match checkpoint::load(self.checkpoint, &owner)? {
            Some(state) => state,
            None => State::new(start),
        };
        let mut lanes = lanes(&model, recipe.batch);
        loop {
            let step = state.curves.loss.len();
            if step >= recipe.steps || state.curves.exhausted(recipe.patience) {
                return Ok(state);
            }
            let loss = self.step(&mut model, &mut lanes, &mut state)?;
            let (step, last) = (step + 1, step + 1 == recipe.steps);
            let validation = if last || step.is_multiple_of(recipe.validate_every) {
                self.validate(&mut model, &mut lanes, &mut state)?
            } else {
                None
            };
            let ended = last || state.curves.exhausted(recipe.patience);
            let stop = progress(Stage { step, steps: recipe.steps, loss, validation });
            let stop = stop.is_break() && !ended;
            if ended || stop || step.is_multiple_of(recipe.checkpoint_every) {
                checkpoint::save(self.checkpoint, &state, &owner)?;
            }
            if stop {
                return Err(NetError::TrainingStopped { step, steps: recipe.steps });
            }
        }
    }

    /// One update; gives the loss before it.
    pub(super) fn step<M: Trainable>(
        &self,
        model: &mut M,
        lanes: &mut [Lane<M::Work>],
        state: &mut State,
    ) -> Result<f64, NetError> {
        let recipe = self.recipe;
        let step = state.curves.loss.len();
        model.take(&state.parameters);
        let loss = self.gradients(&*model, lanes, step)?;
        if !loss.is_finite() {
            return Err(NetError::Diverged { step, loss });
        }
        let mut gradient = vec![0.0; state.parameters.len()];
        // In the order of the slots, whichever was done first.
        for lane in lanes.iter() {
            for (sum, part) in gradient.iter_mut().zip(&lane.gradient) {
                *sum += part;
            }
        }
        adamw::clip(&mut gradient, recipe.clip);
        let rate = adamw::rate(recipe, step);
        let decay = recipe.weight_decay;
        state.moments.update(&mut state.parameters, &gradient, rate, decay, step + 1);
        adamw::follow(&mut state.average, &state.parameters, recipe.ema, step + 1);
        state.curves.loss.push(loss);
        Ok(loss)
    }

    /// Leaves in each lane its part of the gradient of batch `step`; gives the batch's loss.
    fn gradients<M: Trainable>(
        &self,
        model: &M,
        lanes: &mut [Lane<M::Work>],
        step: usize,
    ) -> Result<f64, NetError> {
        let (recipe, bce) = (self.recipe, self.recipe.bce);
        side_by_side(lanes, self.threads, |slot, lane| {
            let sample = batch::sample(self.examples, recipe, step, slot);
            let logits = model.logits(&mut lane.work, sample.pixels.view())?;
            lane.taken = Some((sample, logits));
            Ok(())
        })?;
        let mut sums = Sums::default();
        for (sample, logits) in lanes.iter().filter_map(|lane| lane.taken.as_ref()) {
            sums.add(Sums::of(logits, sample));
        }
        side_by_side(lanes, self.threads, |_, lane| match lane.taken.take() {
            Some((sample, logits)) => {
                let by_logits = sums.by_logits(bce, &logits, &sample);
                model.gradient(&mut lane.work, by_logits.view(), &mut lane.gradient)
            }
            None => Ok(()),
        })?;
        Ok(sums.loss(bce))
    }

    /// Measures the running average, and keeps it where it is the best so far.
    fn validate<M: Trainable>(
        &self,
        model: &mut M,
        lanes: &mut [Lane<M::Work>],
        state: &mut State,
    ) -> Result<Option<Validation>, NetError> {
        model.take(&state.average);
        let (step, held) = (state.curves.loss.len(), self.examples.validation());
        let validation = validate(&*model, lanes, self.threads, held, step)?;
        if let Some(validation) = validation {
            let best = state.curves.best();
            if best.is_none_or(|best| validation.mean_iou > best.mean_iou) {
                state.best.clone_from(&state.average);
            }
            state.curves.validations.push(validation);
        }
        Ok(validation)
    }
}

/// Buffers for every slot of a batch.
pub(super) fn lanes<M: Trainable>(model: &M, batch: usize) -> Vec<Lane<M::Work>> {
    let lane =
        |_| Lane { work: model.work(), gradient: vec![0.0; model.n_parameters()], taken: None };
    (0..batch).map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::examples::tests::{example, recipe};
    use crate::train::examples::{Example, Origin};
    use crate::train::toy::Toy;

    const TEXT: &str = "steps = 60\nbatch = 5\nrate = 0.1\nwarm_up = 5\nema = 0.9\nvalidation = 0.3\nvalidate_every = 20\ncheckpoint_every = 7\nmargin = 0\nnoise = 0.01\nshift = 0.01";

    fn examples(recipe: &Recipe) -> Examples {
        let all: Vec<Example> = ["a", "b", "c", "d"]
            .into_iter()
            .flat_map(|name| [(name, 10), (name, 0)])
            .map(|(name, blood)| example(name, Origin::Real, blood, recipe))
            .chain([example("p", Origin::Phantom, 9, recipe)])
            .collect();
        Examples::split(all, recipe).unwrap()
    }

    /// Trains the toy in `folder`; stops after `stop` steps where that is given.
    fn train(
        text: &str,
        threads: usize,
        folder: &Path,
        stop: Option<usize>,
    ) -> Result<State, NetError> {
        let recipe = recipe(text);
        let examples = examples(&recipe);
        let checkpoint = folder.join("checkpoint.safetensors");
        let job =
            Job { recipe: &recipe, examples: &examples, checkpoint: &checkpoint, threads };
        job.train(Toy::default(), Toy::start(), &mut |stage| {
            if Some(stage.step) == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    fn fresh(text: &str, threads: usize) -> State {
        train(text, threads, tempfile::tempdir().unwrap().path(), None).unwrap()
    }

    #[test]
    fn training_lowers_the_loss_and_finds_the_blood() {
        let state = fresh(&TEXT.replace("steps = 60", "steps = 300"), 2);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let loss = &state.curves.loss;
        let (first, last) = (mean(&loss[..20]), mean(&loss[280..]));
        assert!(last < 0.5 * first, "{first}, then {last}");
        let best = state.curves.best().unwrap();
        assert!(best.mean_iou > 0.5, "{best:?}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        assert_eq!(fresh(TEXT, 1), fresh(TEXT, 2));
        assert_eq!(fresh(TEXT, 1), fresh(TEXT, 7));
    }

    #[test]
    fn a_training_that_was_stopped_goes_on_as_if_it_had_not_been() {
        let folder = tempfile::tempdir().unwrap();
        for stop in [9, 20, 41] {
            let stopped = train(TEXT, 2, folder.path(), Some(stop)).unwrap_err();
            assert_eq!(
                stopped.to_string(),
                format!(
                    "stopped after {stop} of 60 steps: the same command goes on from there"
                )
            );
        }
        let whole = fresh(TEXT, 1);
        assert_eq!(train(TEXT, 1, folder.path(), None).unwrap(), whole);
        // It is at its end now, and says so again.
        assert_eq!(train(TEXT, 1, folder.path(), None).unwrap(), whole);
    }

    #[test]
    fn another_recipe_does_not_go_on_from_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        train(TEXT, 1, folder.path(), Some(9)).unwrap_err();
        let refused = train(&TEXT.replace("0.1", "0.2"), 1, folder.path(), None);
        assert!(matches!(refused, Err(NetError::OtherTraining { what: "recipe", .. })));
    }

    #[test]
    fn patience_ends_a_training_and_the_best_average_is_kept() {
        // A rate of almost nothing: the first validation is never beaten.
        let text = TEXT.replace("rate = 0.1", "rate = 1e-30\npatience = 1");
        let state = fresh(&text, 1);
        assert_eq!(state.curves.loss.len(), 40);
        assert!(state.kept().0.iter().all(|v| v.abs() < 1e-20));
    }
}
