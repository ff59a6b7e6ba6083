//! `evaluate`: accuracy on data that training never saw, by patient.

mod described;
mod differences;
mod phantoms;
mod risk;
mod segmentation;
mod signs;

use clap::{Args, Subcommand};

use crate::{Settings, TriageError};

/// Measure accuracy on data that training never saw, by patient.
#[derive(Args)]
pub(crate) struct Evaluate {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Segmentation(segmentation::Segmentation),
    Phantoms(phantoms::Phantoms),
    /// Scorers on a phantom cohort (simulated labels)
    Risk(risk::Risk),
    Signs(signs::Signs),
}

impl Evaluate {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        match &self.what {
            What::Segmentation(segmentation) => segmentation.run(settings),
            What::Phantoms(phantoms) => phantoms.run(settings),
            What::Risk(risk) => risk.run(settings),
            What::Signs(signs) => signs.run(settings),
        }
    }
}
