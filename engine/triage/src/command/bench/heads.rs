//! The heads that a bench runs on: studies from DICOM files, or one phantom.

use std::path::PathBuf;

use ichor_core::{Head, Volume};
use ichor_dicom::Opened;
use ichor_net::Bench;
use ichor_study::phantom::{Cohort, Scan};

use crate::{TriageError, folder};

/// Seed of the cohort whose first case is taken.
const SEED: u64 = 7;
/// Volume of the phantom's hematoma.
const VOLUME_ML: f64 = 20.0;

/// Slices of a study of which nothing can be left out.
const WHOLE_SLICES: usize = 30;

/// One head, ready to be run.
pub(super) struct Subject {
    /// Folder, or the phantom's id.
    pub(super) name: String,
    /// Whether it is a phantom.
    pub(super) simulated: bool,
    pub(super) slices: Bench,
}

/// The study of each folder; without any, the phantom.
pub(super) fn read(folders: &[PathBuf]) -> Result<Vec<Subject>, TriageError> {
    if folders.is_empty() {
        return Ok(vec![phantom()?]);
    }
    folders
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let volume =
                match ichor_dicom::open_study(&folder::files(std::slice::from_ref(path))?)? {
                    Opened::Volume { volume, .. } => volume,
                    Opened::Withheld { withheld, .. } => {
                        return Err(TriageError::Input(format!("{name}: {withheld}")));
                    }
                };
            subject(name, false, &volume)
        })
        .collect()
}

/// A study of whole slices, of which no head leaves anything out.
pub(super) fn whole_study() -> Subject {
    let slices = Bench::whole_slices(WHOLE_SLICES);
    Subject { name: format!("{WHOLE_SLICES} whole slices"), simulated: true, slices }
}

fn phantom() -> Result<Subject, TriageError> {
    let case = Cohort::clinical(1, SEED).case(0).with_volume(VOLUME_ML);
    let volume = case.render(&Scan::default())?.volume;
    subject(case.patient_id(), true, &volume)
}

fn subject(name: String, simulated: bool, volume: &Volume) -> Result<Subject, TriageError> {
    let slices = Bench::head(volume, &Head::find(volume));
    if slices.n_slices() == 0 {
        return Err(TriageError::Input(format!("{name}: no slice shows a head")));
    }
    Ok(Subject { name, simulated, slices })
}
