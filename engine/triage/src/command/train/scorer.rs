//! The shipped scorers, trained on phantoms, with their threshold profiles.
//!
//! Three cohorts that share no case: one trains, one chooses the thresholds, one is reported on.
//! The first two are enriched like the paper's development cohort, the third is like its clinical
//! one. All labels are simulated.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use ichor_core::{Profile, Threshold, UnitId};
use ichor_study::phantom::Cohort;
use ichor_study::stats::{self, Confusion, Criterion, Scored};

use crate::cohort::{Making, Masks, Table};
use crate::command::plugin;
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::{Settings, TriageError, clock};

/// Features, model, threshold profiles. The labels are simulated.
#[derive(Args)]
pub(crate) struct Scorer {
    /// Cases of the development cohort (seed 1) that train
    #[arg(long, default_value_t = 1899)]
    n: usize,
    /// Further cases of the development cohort (seed 2) that choose the thresholds
    #[arg(long, default_value_t = 615)]
    choosing: usize,
    /// Cases of the clinical cohort (seed 3) that the profiles report on
    #[arg(long, default_value_t = 615)]
    reporting: usize,
    /// Describe the hematomas that were drawn, or those that the network finds, as in service (slow)
    #[arg(long, value_enum, default_value_t = Masks::Network)]
    masks: Masks,
    /// Source folder of the plugin, which gets the model [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    plugin: Option<PathBuf>,
    /// Folder that gets the threshold profiles [default: profiles beside the weights]
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
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
    /// Folder in which described cases are kept between runs
    #[arg(long, value_name = "DIR", default_value = "checkpoints/cohorts")]
    kept_in: PathBuf,
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
        let table = |cohort: &Cohort| self.table(kind, settings, cohort);
        let train = table(&Cohort::development(self.n, 1))?;
        if let Some(folds) = self.folds {
            return self.cross_validate(kind, settings, &train, folds as usize);
        }
        let source = match &self.plugin {
            Some(folder) => folder.clone(),
            None => shipped_source(settings, folder)?,
        };
        let choose = table(&Cohort::development(self.choosing, 2))?;
        let report = table(&Cohort::clinical(self.reporting, 3))?;
        let model = self.model(kind, &train)?;
        let path = source.join(kind.file());
        fs::write(&path, model.bytes()?)
            .map_err(|source| TriageError::file("write", &path, source))?;
        print(&format!("{} cases trained {}", train.rows.len(), path.display()))?;

        let scorer = UnitId { plugin: plugin_id.to_owned(), unit: unit.to_owned() };
        let installed = plugin::install(settings, &source, None)?;
        let (chosen_on, reported_on) = (model.risks(&choose), model.risks(&report));
        let stamp = Stamp {
            scorer: &scorer,
            version: installed.version().to_owned(),
            weights_sha256: installed.weights_sha256(unit)?,
            tuned_on: format!(
                "phantom development cohort, seed 2, n {}, HE {:.1} %, {}, simulated labels; reported on the phantom clinical cohort, seed 3",
                choose.rows.len(),
                prevalence(&choose) * 100.0,
                self.masks_in_words(settings)
            ),
        };
        let folder = self.profiles_folder(settings)?.join(plugin_id).join(unit);
        for (name, criterion, threshold) in thresholds(&chosen_on, &choose.expands)? {
            let profile = stamp.profile(name, criterion, threshold, &reported_on, &report)?;
            write_profile(&profile, &folder)?;
        }
        for (name, risks, table) in [
            ("trained on", model.risks(&train), &train),
            ("thresholds chosen on", chosen_on, &choose),
            ("reported on", reported_on, &report),
        ] {
            let auc = stats::auc(&Scored::new(&risks, &table.expands)?);
            let bayes = stats::auc(&Scored::new(&table.bayes, &table.expands)?);
            let sure = auc.interval.map(|i| format!("({:.3}-{:.3})", i.low, i.high));
            print(&format!(
                "{name:<21} n {:>5}  AUC {:.3} {}  log-loss {:.4}  Bayes {:.3}",
                risks.len(),
                auc.value,
                sure.unwrap_or_default(),
                log_loss(&risks, &table.expands),
                bayes.value
            ))?;
        }
        Ok(())
    }

    fn masks_in_words(&self, settings: &Settings) -> String {
        match self.masks {
            Masks::Truth => "masks as drawn".to_owned(),
            Masks::Network => format!("masks of {}", settings.config.score.network),
        }
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
            self.masks_in_words(settings),
            table.names.len(),
            auc.value,
            auc.standard_error,
            log_loss(&risks, &table.expands),
            log_loss(&vec![rate; risks.len()], &table.expands)
        ))
    }

    fn table(
        &self,
        kind: Kind,
        settings: &Settings,
        cohort: &Cohort,
    ) -> Result<Table, TriageError> {
        let making = Making { settings, cohort, masks: self.masks, kept_in: &self.kept_in };
        let mut progress = Progress::new("case");
        let mut table = making.table(&mut |done, of| progress.at(done, of))?;
        table.keep(|name| match &self.inputs {
            Some(wanted) => wanted.iter().any(|start| name.starts_with(start.as_str())),
            None => kind.inputs().iter().any(|start| name.starts_with(start)),
        });
        Ok(table)
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

    fn profiles_folder(&self, settings: &Settings) -> Result<PathBuf, TriageError> {
        if let Some(folder) = &self.profiles {
            return Ok(folder.clone());
        }
        let weights = settings.weights_dirs().into_iter().find(|dir| dir.is_dir());
        weights.map(|dir| dir.join("profiles")).ok_or_else(|| {
            TriageError::Input(
                "no weights folder beside this program: name --profiles".to_owned(),
            )
        })
    }
}

fn shipped_source(settings: &Settings, folder: &str) -> Result<PathBuf, TriageError> {
    let shipped = plugin::shipped(settings)?;
    shipped.into_iter().find(|path| path.ends_with(folder)).ok_or_else(|| {
        TriageError::Input(format!(
            "the plugin {folder} is not beside this program: name --plugin"
        ))
    })
}

/// Mean over the cases of minus the log of the probability given to what came.
fn log_loss(risks: &[f64], expands: &[bool]) -> f64 {
    let of_case =
        |(&risk, &grew): (&f64, &bool)| if grew { -risk.ln() } else { -(-risk).ln_1p() };
    risks.iter().zip(expands).map(of_case).sum::<f64>() / risks.len() as f64
}

fn prevalence(table: &Table) -> f64 {
    let n_expands = table.expands.iter().filter(|&&expands| expands).count();
    n_expands as f64 / table.expands.len() as f64
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

/// Name, criterion and threshold of the shipped profiles.
fn thresholds(
    risks: &[f64],
    expands: &[bool],
) -> Result<Vec<(&'static str, Criterion, f64)>, TriageError> {
    let scored = Scored::new(risks, expands)?;
    let profiles = [
        ("youden", Criterion::Youden),
        ("rule-out", Criterion::Sensitivity(0.95)),
        ("rule-in", Criterion::Specificity(0.90)),
    ];
    profiles
        .into_iter()
        .map(|(name, criterion)| {
            Ok((name, criterion, stats::choose_threshold(&scored, criterion)?))
        })
        .collect()
}

/// What all profiles of one training share.
struct Stamp<'a> {
    scorer: &'a UnitId,
    version: String,
    weights_sha256: String,
    tuned_on: String,
}

impl Stamp<'_> {
    fn profile(
        &self,
        name: &str,
        criterion: Criterion,
        threshold: f64,
        risks: &[f64],
        report: &Table,
    ) -> Result<Profile, TriageError> {
        let at = Confusion::at(&Scored::new(risks, &report.expands)?, threshold);
        let threshold = Threshold::new(threshold)
            .map_err(|error| TriageError::Input(format!("profile {name}: {error}")))?;
        Ok(Profile {
            name: name.to_owned(),
            scorer: self.scorer.clone(),
            plugin_version: self.version.clone(),
            weights_sha256: self.weights_sha256.clone(),
            threshold,
            criterion: criterion.to_string(),
            tuned_on: self.tuned_on.clone(),
            simulated_labels: true,
            apparent: false,
            prevalence: prevalence(report),
            sensitivity: at.sensitivity(),
            specificity: at.specificity(),
            date: jiff::Timestamp::from_millisecond(clock::now().0)
                .map(|now| now.strftime("%Y-%m-%d").to_string())
                .unwrap_or_default(),
        })
    }
}

fn write_profile(profile: &Profile, folder: &Path) -> Result<(), TriageError> {
    let path = folder.join(format!("{}.toml", profile.name));
    let text = profile.to_toml().map_err(|error| TriageError::Input(error.to_string()))?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|source| TriageError::file("write", &path, source))?;
    print(&format!(
        "{:<9} threshold {:.3}, sensitivity {:.3}, specificity {:.3}: {}",
        profile.name,
        profile.threshold.probability(),
        profile.sensitivity.value,
        profile.specificity.value,
        path.display()
    ))
}
