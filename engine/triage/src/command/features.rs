//! `features`: describe masked regions by the features of an extractor or of the CNN.

mod case;
mod radiomics;
mod table;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ichor_core::{Features, UnitId};
use ichor_host::SharedVolume;
use ichor_net::Cnn;
use ichor_radiomics::Parameters;
use serde_json::json;

use self::case::Case;
use super::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError, cnn};

/// Describe masked regions by the features of an extractor or of the CNN.
///
/// An image is NIfTI, NRRD or a DICOM folder; a mask is NIfTI or NRRD, and lies on the image voxel
/// by voxel. NIfTI and NRRD images are described as their axes are stored.
///
/// A table is a CSV with the columns `image` and `mask`, and `label` and `id` where wanted; paths
/// are relative to it. Its features go into one CSV with a row a case, each written when it is
/// done: the same command goes on after the rows that are there.
#[derive(Args)]
pub(crate) struct Describe {
    /// Image: .nii, .nii.gz, .nrrd, .nhdr or a DICOM folder
    #[arg(long, value_name = "PATH", required_unless_present = "table", requires = "mask")]
    image: Option<PathBuf>,
    /// Mask: .nii, .nii.gz, .nrrd or .nhdr
    #[arg(long, value_name = "FILE", requires = "image")]
    mask: Option<PathBuf>,
    /// Value of the mask that is inside [default: --radiomics', else all but 0]
    #[arg(long, value_name = "N")]
    label: Option<i32>,
    /// Table of cases instead of one image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "mask"], requires = "out")]
    table: Option<PathBuf>,
    /// The extractor, as it is installed, in its worker
    #[arg(long, value_name = "UNIT", default_value = "org.ichor.radiomics/features")]
    unit: UnitId,
    /// A set of features instead of an extractor's
    #[arg(long, value_enum, conflicts_with = "unit")]
    set: Option<Set>,
    /// Parameters of the radiomics: pyradiomics' parameter file (.yaml) or the plugin's own (.toml)
    #[arg(long, value_name = "FILE", conflicts_with = "unit")]
    radiomics: Option<PathBuf>,
    /// Print the time of every stage of the radiomics instead of the features
    #[arg(long, conflicts_with_all = ["unit", "table", "out"])]
    profile: bool,
    /// Threads of the radiomics; the values do not hang on them [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    threads: Option<u8>,
    /// Where the features go, .csv or .json; stdout (CSV) when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What the engine describes without a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// The 1379 radiomics of Teng et al. 2021
    Teng2021,
    /// Features of the network that `score.cnn` names
    Cnn,
}

impl Describe {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let (mut describer, label) = self.describer(settings)?;
        let label = self.label.or(label);
        match (&self.table, &self.image, &self.mask, &self.out) {
            (Some(table), _, _, Some(out)) => table::run(&mut describer, table, label, out),
            (_, Some(image), Some(mask), out) => {
                let case = Case::read(image, mask, label)?;
                if let (Describer::Radiomics(parameters), true) = (&describer, self.profile) {
                    return print(&radiomics::profile(parameters, &case)?);
                }
                let features = describer.describe(&case)?;
                match out {
                    None => print(csv(&features).trim_end()),
                    Some(path) => {
                        let json = path.extension().is_some_and(|end| end == "json");
                        let text = if json { as_json(&features) } else { csv(&features) };
                        fs::write(path, text)
                            .map_err(|source| TriageError::file("write", path, source))
                    }
                }
            }
            _ => Err(TriageError::Input("an image with its mask, or a table".to_owned())),
        }
    }

    /// What describes, and the label that it asks for.
    fn describer(&self, settings: &Settings) -> Result<(Describer, Option<i32>), TriageError> {
        if self.set == Some(Set::Cnn) {
            return match cnn::load(settings)? {
                Some(cnn) => Ok((Describer::Cnn(Box::new(cnn)), None)),
                None => Err(TriageError::Input(format!(
                    "no network describes: {}; name one of the manifest's in score.cnn",
                    cnn::said(settings)?
                ))),
            };
        }
        if self.set.is_some() || self.radiomics.is_some() || self.profile {
            let cores = || std::thread::available_parallelism().map_or(1, usize::from);
            let threads = self.threads.map_or_else(cores, usize::from);
            let (parameters, label) =
                radiomics::parameters(self.radiomics.as_deref(), threads)?;
            return Ok((Describer::Radiomics(Box::new(parameters)), label));
        }
        let scorers = Box::new(Scorers::describing(settings)?);
        Ok((Describer::Unit(scorers, self.unit.clone()), None))
    }
}

/// What makes features of a case.
enum Describer {
    Unit(Box<Scorers>, UnitId),
    Cnn(Box<Cnn>),
    Radiomics(Box<Parameters>),
}

impl Describer {
    fn describe(&mut self, case: &Case) -> Result<Features, TriageError> {
        match self {
            Self::Unit(scorers, unit) => {
                let shared = SharedVolume::new(&case.volume, &case.mask)?;
                scorers.describe(unit, &shared, &mut |_| ControlFlow::Continue(()))
            }
            Self::Radiomics(parameters) => radiomics::describe(parameters, case),
            Self::Cnn(cnn) => Ok(cnn.features(&case.volume, &case.mask)?),
        }
    }
}

/// One name and value a line; enough digits to read the same number again.
fn csv(features: &Features) -> String {
    let lines = features.names().iter().zip(features.values());
    let lines: Vec<String> = lines.map(|(name, value)| format!("{name},{value:?}\n")).collect();
    format!("feature,value\n{}", lines.concat())
}

fn as_json(features: &Features) -> String {
    let pairs: serde_json::Map<String, serde_json::Value> = features
        .names()
        .iter()
        .zip(features.values())
        .map(|(n, v)| (n.clone(), json!(v)))
        .collect();
    format!("{:#}\n", serde_json::Value::Object(pairs))
}
