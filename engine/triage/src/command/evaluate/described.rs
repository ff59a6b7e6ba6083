//! The described phantom cohort that scorers and signs are measured on.

use std::path::PathBuf;

use clap::Args;
use ichor_study::phantom::Cohort;
use serde_json::{Value, json};

use crate::cohort::{Making, Masks, Table};
use crate::command::progress::Progress;
use crate::{Settings, TriageError};

/// Which cohort, and whose hematomas.
#[derive(Args)]
pub(super) struct Described {
    /// The cohort
    #[arg(long, default_value = "clinical", value_parser = ["clinical", "development"])]
    cohort: String,
    /// Number of cases
    #[arg(long, default_value_t = 615)]
    n: usize,
    /// Seed; training uses 1 and 2, the signs were tuned on 31
    #[arg(long, default_value_t = 3)]
    seed: u64,
    /// Describe the hematoma that was drawn, or the one that the network finds (slow)
    #[arg(long, value_enum, default_value_t = Masks::Truth)]
    masks: Masks,
    /// Folder in which described cases are kept between runs
    #[arg(long, value_name = "DIR", default_value = "checkpoints/cohorts")]
    kept_in: PathBuf,
}

impl Described {
    /// The cohort and its table; what has no row yet is made.
    pub(super) fn table(&self, settings: &Settings) -> Result<(Cohort, Table), TriageError> {
        let Some(cohort) = Cohort::named(&self.cohort, self.n, self.seed) else {
            return Err(TriageError::Input(format!("no cohort is called {}", self.cohort)));
        };
        let making =
            Making { settings, cohort: &cohort, masks: self.masks, kept_in: &self.kept_in };
        let mut progress = Progress::new("case");
        let table = making.table(&mut |done, of| progress.at(done, of))?;
        Ok((cohort, table))
    }

    /// What every table of figures begins with.
    pub(super) fn heading(&self, table: &Table) -> String {
        format!(
            "{} phantoms ({} cohort, seed {}, masks {}), {} of them under the smallest volume",
            self.n,
            self.cohort,
            self.seed,
            self.masks.words(),
            table.withheld
        )
    }

    /// The same for scripts; all of it is simulated.
    pub(super) fn json(&self, table: &Table) -> Value {
        json!({
            "simulated": true, "cohort": self.cohort, "seed": self.seed, "n": self.n,
            "withheld": table.withheld, "masks": self.masks.name(), "made_by": table.made_by,
        })
    }
}
