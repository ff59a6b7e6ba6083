//! The way into the CNN's trainer from outside of this crate.

use std::path::Path;

use half::f16;

use super::batches::Batches;
use super::cases::{CnnCase, CnnCases};
use super::hematomas::{Hematomas, probabilities};
use super::recipe::CnnRecipe;
use super::validation::CnnValidation;
use crate::cnn::model::Model;
use crate::cnn::shape::CnnShape;
use crate::gpu::train::OnGpu;
use crate::train::checkpoint::Owner;
use crate::train::course::{Curves, Loop, Progress};
use crate::train::entry::{CHECKPOINT, Saved};
use crate::train::random::{Random, Stream};
use crate::train::state_dict::{f16_file, replace};
use crate::weights::sha256;
use crate::{Gpus, NetError};

/// Deviation of the fully connected layer at the start.
const FIRST_ANSWERS: f64 = 0.05;

/// A trained CNN, in memory, its weights rounded as they are stored.
#[derive(Debug)]
pub struct CnnTrained {
    /// How the training went.
    pub curves: Curves<CnnValidation>,
    parameters: Vec<f32>,
    shape: CnnShape,
}

impl CnnTrained {
    /// Writes the weights as f16; the file is there whole or not at all.
    pub fn save(&self, path: &Path) -> Result<Saved, NetError> {
        let bytes = f16_file(path, &self.shape.tensors(), &self.parameters)?;
        replace(path, &bytes)?;
        Ok(Saved { sha256: sha256(&bytes), parameters: self.parameters.len() })
    }

    /// Probability of expansion of every case, by the weights as they are stored.
    pub fn probabilities(
        &self,
        cases: &[CnnCase],
        threads: usize,
    ) -> Result<Vec<f64>, NetError> {
        let mut model = Model::new(self.shape, crate::Path::fastest_f32());
        model.take(&self.parameters);
        probabilities(&model, cases, threads)
    }
}

/// Trains the CNN from a random start on `threads` threads.
///
/// The folder `checkpoints` is where it goes on from when it was stopped. `progress` is called
/// after every step; `Break` stops the training, which is then an error. The result is the
/// running average of the weights with the best validation. On `gpus` the first of them computes
/// maps and gradients, a batch at a time, and its failure is the training's; a checkpoint goes on
/// anywhere.
pub fn train_cnn(
    recipe: &CnnRecipe,
    cases: &CnnCases,
    checkpoints: &Path,
    threads: usize,
    gpus: &Gpus,
    progress: &mut Progress<'_, CnnValidation>,
) -> Result<CnnTrained, NetError> {
    let shape = recipe.shape()?;
    let owner = Owner { recipe: recipe.sha256(), examples: cases.sha256() };
    let checkpoint = checkpoints.join(CHECKPOINT);
    let course = Loop { schedule: recipe.schedule(), owner, checkpoint: &checkpoint };
    let start = drawn(shape, recipe.seed);
    let state = if gpus.wanted() {
        let model = OnGpu::cnn(gpus, shape)?;
        course.run(&mut Batches::new(recipe, cases, threads, model)?, start, progress)?
    } else {
        let model = Model::new(shape, crate::Path::fastest_f32());
        course.run(&mut Hematomas::new(recipe, cases, threads, model)?, start, progress)?
    };
    let (parameters, curves) = state.kept();
    let stored = |v: &f32| f16::from_f32(*v).to_f32();
    Ok(CnnTrained { curves, parameters: parameters.iter().map(stored).collect(), shape })
}

/// He et al. 2015: deviation `sqrt(2 / inputs)` for weights before a rectifier, no bias.
fn drawn(shape: CnnShape, seed: u64) -> Vec<f32> {
    let mut random = Random::keyed(Stream::Start, &[seed]);
    let mut flat = Vec::with_capacity(shape.n_parameters());
    for (name, dims) in shape.tensors() {
        let n: usize = dims.iter().product();
        let n_inputs: usize = dims[1..].iter().product();
        let he = (2.0 / n_inputs as f64).sqrt();
        let deviation = if name == "fc.weight" { FIRST_ANSWERS } else { he };
        if dims.len() == 1 {
            flat.extend(std::iter::repeat_n(0.0, n));
        } else {
            flat.extend((0..n).map(|_| (deviation * random.normal()) as f32));
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::super::cases::tests::{cases, recipe};
    use super::*;
    use std::ops::ControlFlow;

    const TEXT: &str = "width = 4\ndepth = 3\nsteps = 30\nbatch = 4\nslices = 1\nrate = 3e-3\nwarm_up = 5\nema = 0.8\nvalidation = 0.3\nvalidate_every = 10\ncheckpoint_every = 7";

    /// Trains in `folder`; stops after `stop` steps where that is given.
    fn train(
        text: &str,
        threads: usize,
        folder: &Path,
        stop: Option<usize>,
    ) -> Result<CnnTrained, NetError> {
        let recipe = recipe(text);
        let cases = CnnCases::split(cases(20), &recipe).unwrap();
        let gpus = Gpus::none();
        train_cnn(&recipe, &cases, folder, threads, &gpus, &mut |stage| {
            if Some(stage.step) == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    fn fresh(text: &str, threads: usize) -> CnnTrained {
        train(text, threads, tempfile::tempdir().unwrap().path(), None).unwrap()
    }

    #[test]
    fn it_learns_that_large_ones_expand() {
        let trained = fresh(&TEXT.replace("steps = 30", "steps = 80"), 2);
        let best = trained.curves.best().unwrap();
        assert!(best.auc > 0.95, "{best}");
        let cases = cases(20);
        let p = trained.probabilities(&cases, 2).unwrap();
        assert_eq!(p, trained.probabilities(&cases, 1).unwrap());
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (one, three) = (fresh(TEXT, 1), fresh(TEXT, 3));
        assert_eq!((one.parameters, one.curves), (three.parameters, three.curves));
    }

    #[test]
    fn a_training_that_was_stopped_goes_on_as_if_it_had_not_been() {
        let folder = tempfile::tempdir().unwrap();
        for stop in [9, 20] {
            let stopped = train(TEXT, 2, folder.path(), Some(stop)).unwrap_err();
            assert!(matches!(stopped, NetError::TrainingStopped { .. }), "{stopped}");
        }
        let (whole, resumed) = (fresh(TEXT, 1), train(TEXT, 1, folder.path(), None).unwrap());
        assert_eq!((whole.parameters, whole.curves), (resumed.parameters, resumed.curves));
        let other = train(&TEXT.replace("3e-3", "2e-3"), 1, folder.path(), None);
        assert!(matches!(other, Err(NetError::OtherTraining { what: "recipe", .. })));
    }
}
