//! `train unet`: the segmentation network, on real slices and on phantoms.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use ichor_net::{Example, Examples, Gpus, Recipe, Start, train_unet};

use super::card::{Card, counted};
use super::report::{reported, written};
use super::stop::{asked, threads};
use super::{phantoms, real};
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::{Settings, TriageError};

/// Train the segmentation network. The same command goes on where it was stopped.
///
/// DIR is laid out like PHE-SICH-CT-IDS: `patients.csv`, `images/PATIENT/NN.webp`,
/// `hematoma/PATIENT/NN.png`. Its fold 3 is the test and is never opened. The model card and its
/// curves are written beside the weights, the manifest's entry is printed.
#[derive(Args)]
pub(crate) struct Unet {
    /// Recipe: what differs from the defaults
    #[arg(long, value_name = "FILE", required_unless_present = "defaults")]
    recipe: Option<PathBuf>,
    /// Print every key of a recipe with its default and end
    #[arg(long)]
    defaults: bool,
    /// Folder with real slices
    #[arg(long, value_name = "DIR")]
    real: Option<PathBuf>,
    /// Phantoms of the development cohort (seed 1100)
    #[arg(long, value_name = "N", default_value_t = 0)]
    phantoms: usize,
    /// Safetensors file that gets the weights
    #[arg(long, value_name = "FILE", required_unless_present = "defaults")]
    out: Option<PathBuf>,
    /// Folder that keeps the state of the training
    #[arg(long, value_name = "DIR", default_value = "checkpoints/unet")]
    checkpoint: PathBuf,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl Unet {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let (Some(path), Some(out), false) = (&self.recipe, &self.out, self.defaults) else {
            return print(Recipe::DEFAULTS.trim_end());
        };
        let recipe_text = fs::read_to_string(path)
            .map_err(|source| TriageError::file("read", path, source))?;
        let recipe = Recipe::read(path)?;
        let start = Start::of(&recipe)?;
        let examples = Examples::split(self.examples(&recipe)?, &recipe)?;
        print(&format!("training: {}", counted(examples.training())))?;
        print(&format!("held out: {}", counted(examples.validation())))?;
        print(&format!("start: {}", start.words))?;
        print(&format!("pixels of a slice: {:.0} on average", mean_pixels(&examples)))?;

        let words = start.words.clone();
        let none = Gpus::none();
        let gpus = asked(settings, &none);
        let threads = threads(self.threads);
        let trained = reported(&self.checkpoint, |progress| {
            train_unet(&recipe, &examples, start, &self.checkpoint, threads, gpus, progress)
        })?;

        let saved = trained.save(out)?;
        let card = Card {
            recipe_text: &recipe_text,
            size: (recipe.width, recipe.depth),
            start: &words,
            examples: &examples,
            curves: &trained.curves,
            saved: &saved,
        };
        let entry = card.write(out)?;
        written(out, &entry)
    }

    fn examples(&self, recipe: &Recipe) -> Result<Vec<Example>, TriageError> {
        let threads = threads(self.threads);
        let mut all = Vec::new();
        if let Some(folder) = &self.real {
            let mut progress = Progress::new("patient");
            let patients = real::patients(folder)?;
            let mut at = |done, of| progress.at(done, of);
            all.extend(real::examples(folder, &patients, recipe, threads, &mut at)?);
        }
        let mut progress = Progress::new("phantom");
        let mut at = |done, of| progress.at(done, of);
        all.extend(phantoms::examples(self.phantoms, recipe, threads, &mut at)?);
        Ok(all)
    }
}

/// What a slice costs, against 262,144 pixels of the whole frame.
fn mean_pixels(examples: &Examples) -> f64 {
    let slices = examples.training();
    let n_pixels: usize = slices.iter().map(|slice| slice.dim().0 * slice.dim().1).sum();
    n_pixels as f64 / slices.len().max(1) as f64
}
