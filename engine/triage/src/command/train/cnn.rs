//! `train cnn`: the network of the second branch, on phantoms with simulated labels.
//!
//! Two cohorts that share no case with each other or with those of the scorers: a scorer that
//! learned from cases on which the network trained would believe its features too much.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use ichor_core::Millilitres;
use ichor_net::{Bleed, CnnCase, CnnCases, CnnRecipe, Gpus, train_cnn};
use ichor_study::phantom::{Case, Cohort, Scan};
use ichor_study::stats::{self, Auc, Scored};

use super::cnn_card::{Card, Figures};
use super::in_order::in_order;
use super::report::{reported, written};
use super::stop::{asked, threads};
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::{Settings, TriageError};

/// Seed of the development cohort that trains; no other command uses it.
const TRAINING_SEED: u64 = 1200;
/// Seed of the clinical cohort that is reported on; no other command uses it.
const REPORTING_SEED: u64 = 1201;

/// Train the CNN on phantoms, whose labels are simulated. The same command goes on where it was
/// stopped.
///
/// Masks are those that were drawn. The model card and its curves are written beside the weights,
/// the manifest's entry is printed.
#[derive(Args)]
pub(crate) struct Cnn {
    /// Recipe: what differs from the defaults
    #[arg(long, value_name = "FILE", required_unless_present = "defaults")]
    recipe: Option<PathBuf>,
    /// Print every key of a recipe with its default and end
    #[arg(long)]
    defaults: bool,
    /// Cases of the development cohort (seed 1200), held-out ones included
    #[arg(long, value_name = "N", default_value_t = 800)]
    cases: usize,
    /// Cases of the clinical cohort (seed 1201) that the card reports on
    #[arg(long, value_name = "N", default_value_t = 400)]
    reporting: usize,
    /// Safetensors file that gets the weights
    #[arg(long, value_name = "FILE", required_unless_present = "defaults")]
    out: Option<PathBuf>,
    /// Folder that keeps the state of the training
    #[arg(long, value_name = "DIR", default_value = "checkpoints/cnn")]
    checkpoint: PathBuf,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl Cnn {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let (Some(path), Some(out), false) = (&self.recipe, &self.out, self.defaults) else {
            return print(CnnRecipe::DEFAULTS.trim_end());
        };
        let recipe_text = fs::read_to_string(path)
            .map_err(|source| TriageError::file("read", path, source))?;
        let recipe = CnnRecipe::read(path)?;
        let threads = threads(self.threads);
        let least = settings.config.guards.min_volume;
        let development = Cohort::development(self.cases, TRAINING_SEED);
        let (cases, _) = seen(&development, least, threads)?;
        let cases = CnnCases::split(cases, &recipe)?;
        print(&format!(
            "{} phantoms train, {} are held out; labels are simulated",
            cases.training().len(),
            cases.validation().len()
        ))?;

        let none = Gpus::none();
        let gpus = asked(settings, &none);
        let trained = reported(&self.checkpoint, |progress| {
            train_cnn(&recipe, &cases, &self.checkpoint, threads, gpus, progress)
        })?;

        let clinical = Cohort::clinical(self.reporting, REPORTING_SEED);
        let (reported, bayes) = seen(&clinical, least, threads)?;
        let risks = trained.probabilities(&reported, threads)?;
        let reported = Figures::of(&reported, &risks, Some(&bayes))?;
        no_leak(&reported.auc, clinical.bayes_auc())?;
        let learned = trained.probabilities(cases.training(), threads)?;
        let learned = Figures::of(cases.training(), &learned, None)?;
        let saved = trained.save(out)?;
        let card = Card {
            recipe: &recipe,
            recipe_text: &recipe_text,
            cases: &cases,
            curves: &trained.curves,
            saved: &saved,
            learned,
            reported,
        };
        print(&card.said())?;
        let entry = card.write(out)?;
        written(out, &entry)
    }
}

/// The cases of `cohort` that get an answer, with the mask that was drawn, and their Bayes scores.
fn seen(
    cohort: &Cohort,
    least: Millilitres,
    threads: usize,
) -> Result<(Vec<CnnCase>, Vec<f64>), TriageError> {
    let cases: Vec<Case> = cohort.cases().collect();
    let see = |case: &Case| {
        let phantom = case.render(&Scan::of(case))?;
        if phantom.hematoma.volume() < least {
            return Ok(None);
        }
        let bleed = Bleed::cut(&phantom.volume, &phantom.hematoma)?;
        let subject = case.patient_id();
        let bayes = cohort.bayes_score(case);
        Ok(Some((CnnCase { subject, expands: case.expands, bleed }, bayes)))
    };
    let mut progress = Progress::new("phantom");
    let all = in_order(&cases, threads, &mut |done, of| progress.at(done, of), see)?;
    Ok(all.into_iter().flatten().unzip())
}

/// Refuses an area under the curve that is over two standard errors above what can be seen.
fn no_leak(found: &Auc, bayes: f64) -> Result<(), TriageError> {
    let Auc { value: auc, standard_error, .. } = *found;
    if auc > bayes + 2.0 * standard_error {
        return Err(TriageError::Leak { auc, standard_error, bayes });
    }
    Ok(())
}

/// The area under the curve of `scores`, on `cases`.
pub(super) fn auc_of(scores: &[f64], cases: &[CnnCase]) -> Result<Auc, TriageError> {
    let expands: Vec<bool> = cases.iter().map(|case| case.expands).collect();
    Ok(stats::auc(&Scored::new(scores, &expands)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_shipped_network_does_not_beat_what_can_be_seen() {
        let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights");
        let cnn = ichor_net::Cnn::load(&[weights], "cnn-w16", None).unwrap();
        let cohort = Cohort::clinical(72, REPORTING_SEED + 1);
        let cases: Vec<Case> = cohort.cases().collect();
        let risk = |case: &Case| {
            let phantom = case.render(&Scan::of(case))?;
            Ok(cnn.probability(&phantom.volume, &phantom.hematoma)?)
        };
        let risks = in_order(&cases, threads(None), &mut |_, _| (), risk).unwrap();
        let expands: Vec<bool> = cases.iter().map(|case| case.expands).collect();
        let found = stats::auc(&Scored::new(&risks, &expands).unwrap());
        println!("AUC {:.3}, standard error {:.3}", found.value, found.standard_error);
        no_leak(&found, cohort.bayes_auc()).unwrap();
        assert!(found.value > 0.5, "{found:?}");
    }

    #[test]
    fn an_area_far_above_what_can_be_seen_is_refused() {
        let found = |value| Auc { value, standard_error: 0.03, interval: None };
        assert!(no_leak(&found(0.85), 0.80).is_ok());
        let said = no_leak(&found(0.87), 0.80).unwrap_err().to_string();
        assert!(said.starts_with("AUC 0.870 (standard error 0.030) on cases"), "{said}");
    }
}
