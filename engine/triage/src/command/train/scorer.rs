//! The shipped scorers, trained on phantoms, with their threshold profiles.
//!
//! Three cohorts that share no case: one trains, one chooses the thresholds, one is reported on.
//! The first two are enriched like the paper's development cohort, the third is like its clinical
//! one. All labels are simulated.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use ichor_core::UnitId;
use ichor_study::phantom::Cohort;
use ichor_study::stats::{self, Scored};

use super::profiles::{Cohorts, log_loss, prevalence, said_of};
use crate::cohort::Table;
use crate::command::plugin;
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::{Settings, TriageError};

/// Features, model, threshold profiles. The labels are simulated.
#[derive(Args)]
pub(crate) struct Scorer {
    /// Cases of the development cohort (seed 1) that train
    #[arg(long, default_value_t = 1899)]
    n: usize,
    /// Source folder of the plugin, which gets the model [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    plugin: Option<PathBuf>,
    /// Trees of the boosting
    #[arg(long, value_name = "N", default_value_t = 300)]
    trees: usize,
    /// Splits from root to leaf of the boosting
    #[arg(long, value_name = "N", default_value_t = 1)]
    depth: usize,
    /// Share of each tree that is added
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    rate: f64,
    /// Share of the inputs that each tree may use
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    column_share: f64,
    /// Share of the cases that each tree may use
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    row_share: f64,
    /// Least certainty `p (1 - p)` summed over the cases of a leaf; 10 is 40 cases or more
    #[arg(long, value_name = "SUM", default_value_t = 10.0)]
    least_hessian: f64,
    /// Penalty on the square of a leaf
    #[arg(long, value_name = "PENALTY", default_value_t = 10.0)]
    l2: f64,
    /// Penalty on the size of each weight of the signature; the more, the fewer features
    #[arg(long, value_name = "PENALTY", default_value_t = 0.003)]
    l1: f64,
    /// How the names of the inputs begin [default: original_; boosting adds hematoma., clinical.]
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    inputs: Option<Vec<String>>,
    /// Only cross-validate these settings on the cases that train, in so many folds; nothing is written
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100))]
    folds: Option<u32>,
    #[command(flatten)]
    cohorts: Cohorts,
}

/// Which of the shipped scorers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boosting,
    Signature,
}

impl Kind {
    /// Plugin folder, plugin id, unit.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Boosting => ("boosting", "org.ichor.boosting", "boosting"),
            Self::Signature => ("radiomics", "org.ichor.radiomics", "signature"),
        }
    }

    /// How the names of the inputs begin. On phantoms more inputs did not score better in
    /// cross-validation; the models' cards have the figures.
    fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Boosting => &["original_", "hematoma.", "clinical."],
            Self::Signature => &["original_"],
        }
    }

    /// The model's file in the plugin folder.
    fn file(self) -> &'static str {
        match self {
            Self::Boosting => "boosting.ubj",
            Self::Signature => "signature.model",
        }
    }
}

impl Scorer {
    pub(crate) fn run(&self, kind: Kind, settings: &Settings) -> Result<(), TriageError> {
        let (folder, plugin_id, unit) = kind.names();
        let mut train = self.cohorts.table(settings, &Cohort::development(self.n, 1))?;
        self.keep(kind, &mut train);
        if let Some(folds) = self.folds {
            return self.cross_validate(kind, settings, &train, folds as usize);
        }
        let source = match &self.plugin {
            Some(folder) => folder.clone(),
            None => shipped_source(settings, folder)?,
        };
        let model = self.model(kind, &train)?;
        let path = source.join(kind.file());
        fs::write(&path, model.bytes()?)
            .map_err(|source| TriageError::file("write", &path, source))?;
        print(&format!("{} cases trained {}", train.rows.len(), path.display()))?;

        let scorer = UnitId { plugin: plugin_id.to_owned(), unit: unit.to_owned() };
        let installed = plugin::install(settings, &source, None)?;
        print(&said_of("trained on", &model.risks(&train), &train)?)?;
        let folder = self.cohorts.folder(&shipped_profiles(settings)?);
        self.cohorts.profiles(settings, &installed, &scorer, &folder, &mut |table| {
            let mut own = table.cases(|_| true);
            self.keep(kind, &mut own);
            Ok(model.risks(&own))
        })
    }

    /// Keeps the columns that train.
    fn keep(&self, kind: Kind, table: &mut Table) {
        table.keep(|name| match &self.inputs {
            Some(wanted) => wanted.iter().any(|start| name.starts_with(start.as_str())),
            None => kind.inputs().iter().any(|start| name.starts_with(start)),
        });
    }

    /// Case k is scored by the model of the folds without k.
    fn cross_validate(
        &self,
        kind: Kind,
        settings: &Settings,
        table: &Table,
        folds: usize,
    ) -> Result<(), TriageError> {
        let mut risks = vec![f64::NAN; table.rows.len()];
        for fold in 0..folds {
            let [others, own] =
                [false, true].map(|own| table.cases(|k| (k % folds == fold) == own));
            let of_fold = self.model(kind, &others)?.risks(&own);
            risks.iter_mut().skip(fold).step_by(folds).zip(of_fold).for_each(|(to, r)| *to = r);
        }
        let auc = stats::auc(&Scored::new(&risks, &table.expands)?);
        let rate = prevalence(table);
        print(&format!(
            "{folds} folds of {} phantoms (development cohort, seed 1), {}, {} inputs, simulated labels: AUC {:.4} (SE {:.4}), log-loss {:.4} ({:.4} without a model)",
            risks.len(),
            self.cohorts.masks_in_words(settings),
            table.names.len(),
            auc.value,
            auc.standard_error,
            log_loss(&risks, &table.expands),
            log_loss(&vec![rate; risks.len()], &table.expands)
        ))
    }

    fn model(&self, kind: Kind, table: &Table) -> Result<Model, TriageError> {
        let failed = |words: String| TriageError::Input(format!("training: {words}"));
        let Table { names, rows, expands, .. } = table;
        if kind == Kind::Signature {
            let settings = ichor_radiomics::TrainSettings { l1: self.l1 };
            return ichor_radiomics::train_signature(names, rows, expands, settings)
                .map(Model::Signature)
                .map_err(|error| failed(error.to_string()));
        }
        let settings = ichor_boosting::TrainSettings {
            trees: self.trees,
            depth: self.depth,
            rate: self.rate,
            row_share: self.row_share,
            column_share: self.column_share,
            l2: self.l2,
            least_hessian: self.least_hessian,
            ..ichor_boosting::TrainSettings::default()
        };
        let mut progress = Progress::new("tree");
        let mut shown = |done, _loss| {
            progress.at(done, settings.trees);
            ControlFlow::Continue(())
        };
        ichor_boosting::train(names, rows, expands, &settings, &mut shown)
            .map(|model| Model::Boosting(Box::new(model)))
            .map_err(|error| failed(error.to_string()))
    }
}

/// Where shipped profiles lie.
fn shipped_profiles(settings: &Settings) -> Result<PathBuf, TriageError> {
    let weights = settings.weights_dirs().into_iter().find(|dir| dir.is_dir());
    weights.map(|dir| dir.join("profiles")).ok_or_else(|| {
        TriageError::Input("no weights folder beside this program: name --profiles".to_owned())
    })
}

fn shipped_source(settings: &Settings, folder: &str) -> Result<PathBuf, TriageError> {
    let shipped = plugin::shipped(settings)?;
    shipped.into_iter().find(|path| path.ends_with(folder)).ok_or_else(|| {
        TriageError::Input(format!(
            "the plugin {folder} is not beside this program: name --plugin"
        ))
    })
}

/// A trained scorer.
enum Model {
    Boosting(Box<ichor_boosting::Model>),
    Signature(ichor_radiomics::Signature),
}

impl Model {
    fn bytes(&self) -> Result<Vec<u8>, TriageError> {
        match self {
            Self::Boosting(model) => {
                model.to_ubj().map_err(|error| TriageError::Input(error.to_string()))
            }
            Self::Signature(model) => Ok(model.to_text().into_bytes()),
        }
    }

    /// The risk of every row of `table`, whose columns are those it was trained on.
    fn risks(&self, table: &Table) -> Vec<f64> {
        let logit = |row: &Vec<f64>| match self {
            Self::Boosting(model) => model.log_odds(row),
            Self::Signature(model) => {
                // A name whose value never changed has no term.
                let inputs: Vec<f64> = model
                    .terms()
                    .iter()
                    .map(|term| {
                        let at = table.names.iter().position(|name| *name == term.name);
                        at.map_or(f64::NAN, |at| row[at])
                    })
                    .collect();
                model.log_odds(&inputs, &mut vec![0.0; inputs.len()])
            }
        };
        table.rows.iter().map(|row| 1.0 / (1.0 + (-logit(row)).exp())).collect()
    }
}
