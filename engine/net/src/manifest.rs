//! `manifest.toml`: what lies in a weights folder and what is known about it.
//!
//! Unknown keys are errors, so that a misspelt hash is never a missing one.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::NetError;

/// The file that a weights folder must have.
const MANIFEST: &str = "manifest.toml";

/// What a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Slice in, probability of blood for every pixel out.
    Unet,
    /// Slices around a hematoma in, features and a probability of expansion out.
    Cnn,
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Unet => "unet",
            Self::Cnn => "cnn",
        })
    }
}

/// One network of the manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is asked for by, such as `unet-w16`.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// The safetensors file beside the manifest.
    pub file: PathBuf,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Channels of the first level.
    pub width: usize,
    /// Number of poolings.
    pub depth: usize,
    /// Shape of one input, `(batch, channel, y, x)`.
    pub input: [usize; 4],
    /// Number of weights and biases.
    pub parameters: usize,
    /// What it was trained on, and what was kept out.
    pub training_set: String,
    /// Under which terms the weights may be used.
    pub licence: String,
    /// The model card beside the manifest.
    pub card: PathBuf,
    /// Figures by name; the card says how each was measured.
    pub metrics: BTreeMap<String, f64>,
}

impl Entry {
    /// Refuses a network of another kind.
    pub(crate) fn must_be(&self, wanted: Kind) -> Result<(), NetError> {
        if self.kind == wanted {
            return Ok(());
        }
        Err(NetError::OtherKind { name: self.name.clone(), found: self.kind, wanted })
    }

    /// Refuses figures that are not those of its width and depth.
    pub(crate) fn must_have(
        &self,
        parameters: usize,
        input: [usize; 4],
    ) -> Result<(), NetError> {
        let contradiction = |what, said, found| {
            Err(NetError::Contradiction { name: self.name.clone(), what, said, found })
        };
        if self.parameters != parameters {
            let said = self.parameters.to_string();
            return contradiction("parameters", said, parameters.to_string());
        }
        if self.input != input {
            return contradiction("input", format!("{:?}", self.input), format!("{input:?}"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    network: Vec<Entry>,
}

/// The first network called `name` in `folders`, with the folder it lies in.
pub(crate) fn find(folders: &[PathBuf], name: &str) -> Result<(PathBuf, Entry), NetError> {
    let mut known = Vec::new();
    for folder in folders {
        for entry in read(&folder.join(MANIFEST))? {
            if entry.name == name {
                return Ok((folder.clone(), entry));
            }
            known.push(entry.name);
        }
    }
    Err(NetError::Unknown { name: name.to_owned(), folders: folders.to_vec(), known })
}

/// The networks of a manifest; none where there is no manifest.
fn read(path: &Path) -> Result<Vec<Entry>, NetError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(NetError::Read { path: path.to_owned(), source }),
    };
    let manifest: Manifest = toml::from_str(&text).map_err(|source| NetError::Manifest {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok(manifest.network)
}
