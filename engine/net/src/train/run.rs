//! The course of the segmentation network: a batch of slices, their logits, loss and gradient.

use std::path::Path;

use super::batch;
use super::batches::Batches;
use super::checkpoint::Owner;
use super::course::{Course, Loop, Progress, State};
use super::examples::Examples;
use super::lanes::{Lane, side_by_side};
use super::loss::Sums;
use super::model::Trainable;
use super::recipe::Recipe;
use super::validate::{Validation, validate};
use crate::NetError;
use crate::gpu::train::OnGpu;

/// What a training is given, apart from network and start.
pub(super) struct Job<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) examples: &'a Examples,
    /// The checkpoint's file.
    pub(super) checkpoint: &'a Path,
    pub(super) threads: usize,
}

impl Job<'_> {
    /// Trains `course` from `start`, or from the checkpoint where there is one.
    ///
    /// `progress` is called after every step; `Break` writes a checkpoint and stops.
    pub(super) fn train(
        &self,
        mut course: impl Course<Validation = Validation>,
        start: Vec<f32>,
        progress: &mut Progress<'_>,
    ) -> Result<State, NetError> {
        self.in_steps().run(&mut course, start, progress)
    }

    /// The loop of the recipe.
    pub(super) fn in_steps(&self) -> Loop<'_> {
        let owner = Owner { recipe: self.recipe.sha256(), examples: self.examples.sha256() };
        Loop { schedule: self.recipe.schedule(), owner, checkpoint: self.checkpoint }
    }

    /// The course of a network on a device.
    pub(super) fn in_batches(&self, model: OnGpu) -> Batches<'_> {
        Batches::new(self, model)
    }

    /// The course of a network that takes its slices one by one.
    pub(super) fn in_slices<M: Trainable>(&self, model: M) -> Slices<'_, M> {
        let lane = |_| Lane {
            work: model.work(),
            gradient: vec![0.0; model.n_parameters()],
            taken: None,
        };
        let lanes = (0..self.recipe.batch).map(lane).collect();
        Slices { job: self, model, lanes }
    }
}

/// A network under training and the slots of its batch.
pub(super) struct Slices<'a, M: Trainable> {
    job: &'a Job<'a>,
    model: M,
    lanes: Vec<Lane<M::Work>>,
}

impl<M: Trainable> Course for Slices<'_, M> {
    type Validation = Validation;

    fn gradient(
        &mut self,
        parameters: &[f32],
        step: usize,
        gradient: &mut [f32],
    ) -> Result<f64, NetError> {
        self.model.take(parameters);
        let loss = self.gradients(step)?;
        // In the order of the slots, whichever was done first.
        for lane in &self.lanes {
            for (sum, part) in gradient.iter_mut().zip(&lane.gradient) {
                *sum += part;
            }
        }
        Ok(loss)
    }

    fn validate(
        &mut self,
        parameters: &[f32],
        step: usize,
    ) -> Result<Option<Validation>, NetError> {
        self.model.take(parameters);
        let held = self.job.examples.validation();
        validate(&self.model, &mut self.lanes, self.job.threads, held, step)
    }
}

impl<M: Trainable> Slices<'_, M> {
    /// Leaves in each lane its part of the gradient of batch `step`; gives the batch's loss.
    fn gradients(&mut self, step: usize) -> Result<f64, NetError> {
        let Job { recipe, examples, threads, .. } = *self.job;
        let (bce, model) = (recipe.bce, &self.model);
        side_by_side(&mut self.lanes, threads, |slot, lane| {
            let sample = batch::sample(examples, recipe, step, slot);
            let logits = model.logits(&mut lane.work, sample.pixels.view())?;
            lane.taken = Some((sample, logits));
            Ok(())
        })?;
        let mut sums = Sums::default();
        for (sample, logits) in self.lanes.iter().filter_map(|lane| lane.taken.as_ref()) {
            sums.add(Sums::of(logits, sample));
        }
        side_by_side(&mut self.lanes, threads, |_, lane| match lane.taken.take() {
            Some((sample, logits)) => {
                let by_logits = sums.by_logits(bce, &logits, &sample);
                model.gradient(&mut lane.work, by_logits.view(), &mut lane.gradient)
            }
            None => Ok(()),
        })?;
        Ok(sums.loss(bce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::course::Stage;
    use crate::train::examples::tests::{example, recipe};
    use crate::train::examples::{Example, Origin};
    use crate::train::network::network;
    use crate::train::start::Start;
    use crate::train::toy::Toy;
    use ichor_cuda::Library;
    use ichor_cuda::interface::CPU;
    use std::ops::ControlFlow;

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
        train_model(
            Model::OneByOne(Toy::default()),
            Toy::start(),
            (text, threads),
            folder,
            stop,
        )
    }

    /// A network, and how it takes a batch.
    enum Model<M> {
        OneByOne(M),
        AtOnce(OnGpu),
    }

    /// The same of any model.
    fn train_model<M: Trainable>(
        model: Model<M>,
        start: Vec<f32>,
        (text, threads): (&str, usize),
        folder: &Path,
        stop: Option<usize>,
    ) -> Result<State, NetError> {
        let recipe = recipe(text);
        let examples = examples(&recipe);
        let checkpoint = folder.join("checkpoint.safetensors");
        let job =
            Job { recipe: &recipe, examples: &examples, checkpoint: &checkpoint, threads };
        let mut progress = |stage: Stage| {
            if Some(stage.step) == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        match model {
            Model::OneByOne(model) => job.train(job.in_slices(model), start, &mut progress),
            Model::AtOnce(model) => job.train(job.in_batches(model), start, &mut progress),
        }
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
    fn a_checkpoint_goes_on_from_the_cpu_to_a_library_and_back() {
        let text = TEXT.replace("rate = 0.1", "rate = 0.003\nwidth = 2\ndepth = 2");
        let shape = recipe(&text).shape().unwrap();
        let start = Start::of(&recipe(&text)).unwrap().parameters;
        let on_library = || {
            let model = OnGpu::unet_on(&Library::linked(), CPU, shape).unwrap();
            // Room for some slices of a batch, not for all.
            Model::AtOnce::<Toy>(model.within(200_000))
        };
        let here = || Model::OneByOne(network(shape));
        let work = (text.as_str(), 1);
        let whole = tempfile::tempdir().unwrap();
        let expected = train_model(here(), start.clone(), work, whole.path(), None).unwrap();

        let folder = tempfile::tempdir().unwrap();
        train_model(here(), start.clone(), work, folder.path(), Some(9)).unwrap_err();
        train_model(on_library(), start.clone(), work, folder.path(), Some(41)).unwrap_err();
        let found = train_model(here(), start, work, folder.path(), None).unwrap();
        let (found, expected) = (found.curves, expected.curves);
        assert_eq!(found.loss[..9], expected.loss[..9]);
        for (found, expected) in found.loss.iter().zip(&expected.loss) {
            assert!((found - expected).abs() < 1e-3 * expected, "{found}, {expected}");
        }
        assert!(found.loss[59] < found.loss[0], "{:?}", found.loss);
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
