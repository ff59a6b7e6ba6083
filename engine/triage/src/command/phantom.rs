//! `phantom`: a cohort of simulated scans with simulated labels, as files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ichor_core::UnixMs;
use ichor_study::phantom::{Case, Cohort, Phantom, Scan};

use super::progress::Progress;
use super::score::print;
use crate::phantom_files;
use crate::{TriageError, nifti_file};

/// Day of the first scans: 2026-01-01 00:00 UTC. Phantoms are the same whenever they are made.
const DAY_ZERO: UnixMs = UnixMs(1_767_225_600_000);

/// Write a cohort of phantoms: simulated scans with simulated labels.
///
/// Each case gets a folder with its baseline and its 24 h follow-up scan and `case.json` with what
/// was drawn; `cohort.csv` lists all. Every file says PHANTOM.
#[derive(Args)]
pub(crate) struct Make {
    /// Share of expanding cases: clinical 23.7 %, development 47.1 %
    #[arg(long, default_value = "clinical", value_parser = ["clinical", "development"])]
    cohort: String,
    /// Number of cases
    #[arg(long, default_value_t = 118)]
    n: usize,
    /// The same seed gives the same cohort
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Kind of file
    #[arg(long, value_enum, default_value_t = Format::Dicom)]
    format: Format,
    /// Leave the follow-up scans out
    #[arg(long)]
    baseline_only: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One CT series a scan
    Dicom,
    /// image.nii.gz and mask.nii.gz a scan
    Nifti,
}

impl Make {
    pub(crate) fn run(&self) -> Result<(), TriageError> {
        let Some(cohort) = Cohort::named(&self.cohort, self.n, self.seed) else {
            return Err(TriageError::Input(format!("no cohort is called {}", self.cohort)));
        };
        let mut lines = vec![
            "case,patient_id,volume_ml,onset_to_ct_h,expands_simulated,growth_ml,location"
                .to_owned(),
        ];
        let mut progress = Progress::new("phantom");
        for case in cohort.cases() {
            progress.at(case.index, cohort.len());
            self.write(&case)?;
            let location = serde_json::to_value(case.latents.location).unwrap_or_default();
            lines.push(format!(
                "{},{},{:.2},{:.2},{},{:.2},{}",
                case.index,
                case.patient_id(),
                case.latents.volume_ml,
                case.latents.onset_h,
                u8::from(case.expands),
                case.growth_ml,
                location.as_str().unwrap_or_default()
            ));
        }
        progress.end();
        let path = self.out.join("cohort.csv");
        fs::write(&path, lines.join("\n") + "\n")
            .map_err(|source| TriageError::file("write", &path, source))?;
        print(&format!("{} phantoms in {}", cohort.len(), self.out.display()))
    }

    fn write(&self, case: &Case) -> Result<(), TriageError> {
        let folder = self.out.join(format!("case-{:04}", case.index));
        let scan = DAY_ZERO.plus_s(3600.0 * case.index as f64);
        self.write_scan(case, scan, &folder.join("baseline"))?;
        if !self.baseline_only {
            self.write_scan(
                &case.follow_up(),
                scan.plus_s(86_400.0),
                &folder.join("follow-up"),
            )?;
        }
        let path = folder.join("case.json");
        let text = serde_json::json!({
            "simulated": true, "patient_id": case.patient_id(), "latents": case.latents,
            "expands": case.expands, "growth_ml": case.growth_ml,
        });
        fs::write(&path, format!("{text:#}\n"))
            .map_err(|source| TriageError::file("write", &path, source))
    }

    fn write_scan(&self, case: &Case, scan: UnixMs, folder: &Path) -> Result<(), TriageError> {
        let Phantom { volume, hematoma, .. } = case.render(&Scan::of(case))?;
        match self.format {
            Format::Dicom => {
                phantom_files::write_dicom(case, &volume, scan, folder)?;
            }
            Format::Nifti => {
                fs::create_dir_all(folder)
                    .map_err(|source| TriageError::file("make", folder, source))?;
                nifti_file::write_image(&volume, &folder.join("image.nii.gz"))?;
                nifti_file::write_mask(&hematoma, volume.grid(), &folder.join("mask.nii.gz"))?;
            }
        }
        Ok(())
    }
}
