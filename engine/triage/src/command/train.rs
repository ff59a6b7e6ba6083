//! `train`: what ships is made here, the scorers and the networks.

mod card;
mod chart;
mod cnn;
mod cnn_card;
pub(super) mod in_order;
mod phantoms;
mod profiles;
mod real;
mod report;
mod scorer;
mod stop;
mod unet;

use clap::{Args, Subcommand};

use crate::{Settings, TriageError};

/// Train a scorer on phantoms, whose labels are simulated, or a network.
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
    Profiles(profiles::Profiles),
    Unet(unet::Unet),
    Cnn(cnn::Cnn),
}

impl Train {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        match &self.what {
            What::Boosting(scorer) => scorer.run(scorer::Kind::Boosting, settings),
            What::Signature(scorer) => scorer.run(scorer::Kind::Signature, settings),
            What::Profiles(profiles) => profiles.run(settings),
            What::Unet(unet) => unet.run(settings),
            What::Cnn(cnn) => cnn.run(settings),
        }
    }
}
