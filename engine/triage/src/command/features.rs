//! `features`: describe a masked region by the features of an extractor or of the CNN.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ichor_core::{Features, Mask, UnitId, Volume};
use ichor_dicom::Opened;
use serde_json::json;

use super::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError, cnn, folder, nifti_file};

/// Describe a masked region by the features of an extractor or of the CNN.
///
/// The image is NIfTI or a DICOM folder, the mask NIfTI on the same grid (not 0 is inside).
#[derive(Args)]
pub(crate) struct Describe {
    /// Image: .nii, .nii.gz or a DICOM folder
    #[arg(long, value_name = "PATH")]
    image: PathBuf,
    /// Mask: .nii or .nii.gz
    #[arg(long, value_name = "FILE")]
    mask: PathBuf,
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
        let volume = image(&self.image)?;
        let mask = nifti_file::read_mask(&self.mask, &volume)?;
        let features = match self.set {
            Some(Set::Cnn) => cnn_features(settings, &volume, &mask)?,
            None => Scorers::describing(settings)?.describe(
                &self.unit,
                &volume,
                &mask,
                &mut |_| ControlFlow::Continue(()),
            )?,
        };
        match &self.out {
            None => print(csv(&features).trim_end()),
            Some(path) => {
                let json = path.extension().is_some_and(|extension| extension == "json");
                let text = if json { as_json(&features) } else { csv(&features) };
                fs::write(path, text).map_err(|source| TriageError::file("write", path, source))
            }
        }
    }
}

fn cnn_features(
    settings: &Settings,
    volume: &Volume,
    mask: &Mask,
) -> Result<Features, TriageError> {
    match cnn::load(settings)? {
        Some(cnn) => Ok(cnn.features(volume, mask)?),
        None => Err(TriageError::Input(format!(
            "no network describes: {}; name one of the manifest's in score.cnn",
            cnn::said(settings)?
        ))),
    }
}

fn image(path: &Path) -> Result<Volume, TriageError> {
    if path.is_file() {
        return nifti_file::read_image(path);
    }
    match ichor_dicom::open_study(&folder::files(&[path.to_owned()])?)? {
        Opened::Volume { volume, .. } => Ok(volume),
        Opened::Withheld { withheld, .. } => {
            Err(TriageError::Input(format!("{}: {withheld}", path.display())))
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
