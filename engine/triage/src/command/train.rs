//! `train`: what ships is made here, the scorers and the network.

mod card;
mod chart;
pub(super) mod in_order;
mod phantoms;
mod real;
mod report;
mod scorer;
mod unet;

use clap::{Args, Subcommand};

use crate::{Settings, TriageError};

/// Train a scorer on phantoms, whose labels are simulated, or the network on slices.
#[derive(Args)]
pub(crate) struct Train {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Gradient boosting, org.ichor.boosting/boosting, on simulated labels
    Boosting(scorer::Scorer),
    /// Logistic regression on radiomics, org.ichor.radiomics/signature, on simulated labels
    Signature(scorer::Scorer),
    Unet(unet::Unet),
}

impl Train {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        match &self.what {
            What::Boosting(scorer) => scorer.run(scorer::Kind::Boosting, settings),
            What::Signature(scorer) => scorer.run(scorer::Kind::Signature, settings),
            What::Unet(unet) => unet.run(),
        }
    }
}
