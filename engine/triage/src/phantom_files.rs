//! Phantoms as DICOM: the one place where the cohort and the DICOM writer meet.
//!
//! Every object says PHANTOM in `Manufacturer`, `PatientID` and `ImageComments`; what was drawn, the
//! label with it, lies in a private element that Ichor itself never reads.

use std::path::{Path, PathBuf};

use ichor_core::{UnixMs, Volume};
use ichor_dicom::{PrivateText, SeriesTags, write_ct_series};
use ichor_study::phantom::Case;
use serde_json::json;

use crate::TriageError;

/// Writes one scan of `case` as a CT series into `folder`.
///
/// `volume` is the scan, which need not be the case's own rendering; `scan` is when it was made.
pub(crate) fn write_dicom(
    case: &Case,
    volume: &Volume,
    scan: UnixMs,
    folder: &Path,
) -> Result<Vec<PathBuf>, TriageError> {
    Ok(write_ct_series(volume, &tags(case, scan), folder)?)
}

fn tags(case: &Case, scan: UnixMs) -> SeriesTags {
    let id = case.patient_id();
    let latents = json!({
        "simulated": true, "latents": case.latents, "expands": case.expands,
        "growth_ml": case.growth_ml,
    });
    SeriesTags {
        study_seed: format!("{id} {}", scan.0),
        series_seed: "head".to_owned(),
        patient_name: format!("PHANTOM^{}", id.trim_start_matches("PHANTOM-")),
        patient_id: id,
        birth_date: String::new(),
        sex: "O".to_owned(),
        age: format!("{:03.0}Y", case.latents.age_years),
        scan,
        accession: String::new(),
        study_id: case.index.to_string(),
        study_description: "PHANTOM head without contrast".to_owned(),
        series_description: "PHANTOM head 5.0".to_owned(),
        series_number: 2,
        manufacturer: "PHANTOM".to_owned(),
        model: "Ichor phantom cohort".to_owned(),
        body_part: "HEAD".to_owned(),
        kernel: "PHANTOM".to_owned(),
        kvp: 120.0,
        comments: "PHANTOM: simulated scan with a simulated label, not a patient".to_owned(),
        contrast_agent: String::new(),
        private: Some(PrivateText {
            creator: "HE_PHANTOM".to_owned(),
            text: latents.to_string(),
        }),
    }
}
