//! Threshold profiles of a scorer: chosen on one phantom cohort, reported on another.
//!
//! The first is enriched like the paper's development cohort, the second is like its clinical one; they
//! share no case with each other nor with the one that trains. All labels are simulated.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ichor_core::{Features, Profile, Threshold, UnitId};
use ichor_host::Installed;
use ichor_study::phantom::Cohort;
use ichor_study::stats::{self, Confusion, Criterion, Scored};

use crate::cohort::{Making, Masks, Table};
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError, clock};

/// Threshold profiles of an installed scorer, on phantoms with simulated labels.
///
/// Writes youden, rule-out (sensitivity of .95) and rule-in (specificity of .90) for exactly the
/// version and the weights that are installed. Without one that fits no scorer becomes active.
#[derive(Args)]
pub(crate) struct Profiles {
    /// The scorer, such as org.example.mine/mine
    scorer: UnitId,
    #[command(flatten)]
    cohorts: Cohorts,
}

impl Profiles {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let mut scorers = Scorers::gathering(settings)?;
        let installed = scorers.installed(&self.scorer)?.clone();
        let folder = self.cohorts.folder(&settings.layout.profiles());
        self.cohorts.profiles(settings, &installed, &self.scorer, &folder, &mut |table| {
            let risk = |row: &Vec<f64>| {
                let inputs = Features::new(table.names.clone(), row.clone())?;
                Ok(scorers.risk(&self.scorer, &inputs)?.probability())
            };
            table.rows.iter().map(risk).collect()
        })
    }
}

/// The cohorts that profiles are made of.
#[derive(Args)]
pub(super) struct Cohorts {
    /// Cases of the development cohort (seed 2) that choose the thresholds
    #[arg(long, default_value_t = 615)]
    choosing: usize,
    /// Cases of the clinical cohort (seed 3) that the profiles report on
    #[arg(long, default_value_t = 615)]
    reporting: usize,
    /// Describe the hematomas that were drawn, or those that the network finds, as in service (slow)
    #[arg(long, value_enum, default_value_t = Masks::Network)]
    masks: Masks,
    /// Folder that gets the threshold profiles [default: where they are looked for]
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Folder in which described cases are kept between runs
    #[arg(long, value_name = "DIR", default_value = "checkpoints/cohorts")]
    kept_in: PathBuf,
}

impl Cohorts {
    pub(super) fn table(
        &self,
        settings: &Settings,
        cohort: &Cohort,
    ) -> Result<Table, TriageError> {
        let making = Making { settings, cohort, masks: self.masks, kept_in: &self.kept_in };
        let mut progress = Progress::new("case");
        making.table(&mut |done, of| progress.at(done, of))
    }

    pub(super) fn masks_in_words(&self, settings: &Settings) -> String {
        match self.masks {
            Masks::Truth => "masks as drawn".to_owned(),
            Masks::Network => format!("masks of {}", settings.config.score.network),
        }
    }

    /// The folder that was named, or `default`.
    pub(super) fn folder(&self, default: &Path) -> PathBuf {
        self.profiles.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Writes the profiles of `scorer`, which gives `risks`, into `folder`, and says how it did.
    pub(super) fn profiles(
        &self,
        settings: &Settings,
        installed: &Installed,
        scorer: &UnitId,
        folder: &Path,
        risks: &mut dyn FnMut(&Table) -> Result<Vec<f64>, TriageError>,
    ) -> Result<(), TriageError> {
        let choose = self.table(settings, &Cohort::development(self.choosing, 2))?;
        let report = self.table(settings, &Cohort::clinical(self.reporting, 3))?;
        let (chosen_on, reported_on) = (risks(&choose)?, risks(&report)?);
        let stamp = Stamp {
            scorer,
            version: installed.version().to_owned(),
            weights_sha256: installed.weights_sha256(&scorer.unit)?,
            tuned_on: format!(
                "phantom development cohort, seed 2, n {}, HE {:.1} %, {}, simulated labels; reported on the phantom clinical cohort, seed 3",
                choose.rows.len(),
                prevalence(&choose) * 100.0,
                self.masks_in_words(settings)
            ),
        };
        let folder = folder.join(&scorer.plugin).join(&scorer.unit);
        for (name, criterion, threshold) in thresholds(&chosen_on, &choose.expands)? {
            let profile = stamp.profile(name, criterion, threshold, &reported_on, &report)?;
            write_profile(&profile, &folder)?;
        }
        print(&said_of("thresholds chosen on", &chosen_on, &choose)?)?;
        print(&said_of("reported on", &reported_on, &report)?)
    }
}

/// A line about `risks` on `table`.
pub(super) fn said_of(what: &str, risks: &[f64], table: &Table) -> Result<String, TriageError> {
    let auc = stats::auc(&Scored::new(risks, &table.expands)?);
    let bayes = stats::auc(&Scored::new(&table.bayes, &table.expands)?);
    let sure = auc.interval.map(|i| format!("({:.3}-{:.3})", i.low, i.high));
    Ok(format!(
        "{what:<21} n {:>5}  AUC {:.3} {}  log-loss {:.4}  Bayes {:.3}",
        risks.len(),
        auc.value,
        sure.unwrap_or_default(),
        log_loss(risks, &table.expands),
        bayes.value
    ))
}

/// Mean over the cases of minus the log of the probability given to what came.
pub(super) fn log_loss(risks: &[f64], expands: &[bool]) -> f64 {
    let of_case =
        |(&risk, &grew): (&f64, &bool)| if grew { -risk.ln() } else { -(-risk).ln_1p() };
    risks.iter().zip(expands).map(of_case).sum::<f64>() / risks.len() as f64
}

pub(super) fn prevalence(table: &Table) -> f64 {
    let n_expands = table.expands.iter().filter(|&&expands| expands).count();
    n_expands as f64 / table.expands.len() as f64
}

/// Name, criterion and threshold of the profiles.
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

/// What all profiles of one run share.
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
