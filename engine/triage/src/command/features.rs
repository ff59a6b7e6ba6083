//! `features`: describe masked regions by the features of an extractor or of the CNN.

mod case;
mod table;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ichor_core::{Features, UnitId};
use ichor_net::Cnn;
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
    /// Value of the mask that is inside [default: all but 0]
    #[arg(long, value_name = "N")]
    label: Option<i32>,
    /// Table of cases instead of one image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "mask"], requires = "out")]
    table: Option<PathBuf>,
    /// The extractor
    #[arg(long, value_name = "UNIT", default_value = "org.ichor.radiomics/features")]
    unit: UnitId,
    /// A set of the engine's own instead of an extractor's
    #[arg(long, value_enum, conflicts_with = "unit")]
    set: Option<Set>,
    /// Where the features go, .csv or .json; stdout (CSV) when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What the engine describes without a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Features of the network that `score.cnn` names
    Cnn,
}

impl Describe {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let mut describer = self.describer(settings)?;
        match (&self.table, &self.image, &self.mask, &self.out) {
            (Some(table), _, _, Some(out)) => {
                table::run(&mut describer, table, self.label, out)
            }
            (_, Some(image), Some(mask), out) => {
                let features = describer.describe(&Case::read(image, mask, self.label)?)?;
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

    fn describer(&self, settings: &Settings) -> Result<Describer, TriageError> {
        if self.set == Some(Set::Cnn) {
            return match cnn::load(settings)? {
                Some(cnn) => Ok(Describer::Cnn(Box::new(cnn))),
                None => Err(TriageError::Input(format!(
                    "no network describes: {}; name one of the manifest's in score.cnn",
                    cnn::said(settings)?
                ))),
            };
        }
        Ok(Describer::Unit(Box::new(Scorers::describing(settings)?), self.unit.clone()))
    }
}

/// What makes features of a case.
enum Describer {
    Unit(Box<Scorers>, UnitId),
    Cnn(Box<Cnn>),
}

impl Describer {
    fn describe(&mut self, case: &Case) -> Result<Features, TriageError> {
        match self {
            Self::Unit(scorers, unit) => {
                scorers.describe(unit, &case.volume, &case.mask, &mut |_| {
                    ControlFlow::Continue(())
                })
            }
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
