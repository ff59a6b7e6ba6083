//! What one step of a training costs, by the trainer's own code on slices that are drawn.

use std::path::Path;
use std::time::Instant;

use ichor_core::HeadBox;
use ndarray::Array2;

use super::course::{Course, State};
use super::examples::{Example, Examples, Origin, Slice};
use super::network::network;
use super::recipe::Recipe;
use super::run::Job;
use super::start::Start;
use super::validate::Validation;
use crate::gpu::train::OnGpu;
use crate::measure::process_cpu_s;
use crate::{Gpus, NetError};

/// A step to be timed: batch, forward, backward, update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingStep {
    /// Channels of the first level; four poolings.
    pub width: usize,
    /// Rows and columns of a slice.
    pub size: usize,
    /// Slices of a batch.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
}

impl TrainingStep {
    /// Wall and CPU seconds of each of `runs` steps, after one that is not timed; on the first of
    /// `gpus` where any are wanted.
    ///
    /// Fails when the network cannot have this width or the slice this size, or when no GPU of
    /// those that are wanted computes.
    pub fn time(&self, runs: usize, gpus: &Gpus) -> Result<Vec<(f64, f64)>, NetError> {
        let recipe = self.recipe()?;
        let examples = Examples::split(vec![self.example(&recipe)?], &recipe)?;
        let no_file = Path::new("");
        let (recipe, examples, threads) = (&recipe, &examples, self.threads);
        let job = Job { recipe, examples, checkpoint: no_file, threads };
        let shape = recipe.shape()?;
        if gpus.wanted() {
            timed(&job, job.in_batches(OnGpu::unet(gpus, shape)?), runs)
        } else {
            timed(&job, job.in_slices(network(shape)), runs)
        }
    }

    fn recipe(&self) -> Result<Recipe, NetError> {
        let (width, batch) = (self.width, self.batch);
        let text = format!("width = {width}\nbatch = {batch}\nmargin = 0\nvalidation = 0.0");
        Recipe::parse(&text, Path::new("of the bench"))
    }

    /// Brain with a bleed, as large as the slice.
    fn example(&self, recipe: &Recipe) -> Result<Example, NetError> {
        let n = self.size;
        let dim = (n, n);
        let bleed = n / 4..n / 2;
        let blood =
            Array2::from_shape_fn(dim, |(y, x)| bleed.contains(&y) && bleed.contains(&x));
        let hu = Array2::from_shape_fn(dim, |at| {
            let (y, x) = at;
            if blood[at] { 65.0 } else { 28.0 + ((x * 7 + y * 13) % 11) as f32 }
        });
        let head = HeadBox { y0: 0, y1: n, x0: 0, x1: n };
        let slice = Slice {
            subject: "bench",
            origin: Origin::Phantom,
            hu: hu.view(),
            blood: blood.view(),
            ivh: None,
            head,
        };
        let cut = Example::cut(&slice, recipe)?.filter(|example| example.dim() == dim);
        let multiple = recipe.shape()?.multiple();
        cut.ok_or(NetError::SliceShape { y: n, x: n, multiple })
    }
}

/// Wall and CPU seconds of `runs` steps of `course`, after one that is not timed.
fn timed(
    job: &Job<'_>,
    mut course: impl Course<Validation = Validation>,
    runs: usize,
) -> Result<Vec<(f64, f64)>, NetError> {
    let in_steps = job.in_steps();
    let mut state = State::new(Start::of(job.recipe)?.parameters);
    in_steps.step(&mut course, &mut state)?;
    let timed = (0..runs).map(|_| {
        let (wall, cpu) = (Instant::now(), process_cpu_s());
        in_steps.step(&mut course, &mut state)?;
        Ok((wall.elapsed().as_secs_f64(), process_cpu_s() - cpu))
    });
    timed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_trainer_is_timed_as_often_as_asked() {
        let step = TrainingStep { width: 2, size: 32, batch: 2, threads: 1 };
        let times = step.time(3, &Gpus::none()).unwrap();
        assert_eq!(times.len(), 3);
        assert!(times.iter().all(|&(wall, cpu)| wall > 0.0 && cpu >= 0.0));
    }

    #[test]
    fn a_slice_that_cannot_be_halved_four_times_is_refused() {
        let step = TrainingStep { width: 2, size: 40, batch: 1, threads: 1 };
        assert_eq!(
            step.time(1, &Gpus::none()).unwrap_err().to_string(),
            "a slice of 40 x 40 pixels: both sides must be multiples of 16"
        );
    }
}
