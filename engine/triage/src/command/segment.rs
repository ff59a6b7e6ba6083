//! `segment`: the hematoma of a DICOM folder as a NIfTI mask.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use super::progress::Progress;
use super::score::print;
use crate::pipeline::{Imaging, Step};
use crate::{Settings, TriageError, folder, nifti_file};

/// Write the hematoma of a DICOM folder as a NIfTI mask (RAS, 0 and 1).
#[derive(Args)]
pub(crate) struct Segment {
    /// Folders or files of one study
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Where the mask goes, .nii or .nii.gz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write the image that was segmented, in HU
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

impl Segment {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let files = folder::files(&self.paths)?;
        let imaging = Imaging::open(settings)?;
        let mut progress = Progress::new("segmenting slice");
        let seen = imaging.see(&files, &mut |step| {
            if let Step::Segmenting(done, of) = step {
                progress.at(done, of);
            }
            ControlFlow::Continue(())
        })?;
        progress.end();
        let (Some(volume), Some(mask)) = (&seen.volume, &seen.mask) else {
            let why = seen.withheld.map(|why| why.to_string()).unwrap_or_default();
            return Err(TriageError::Input(format!("nothing to segment: {why}")));
        };
        nifti_file::write_mask(mask, volume.grid(), &self.out)?;
        if let Some(image) = &self.image {
            nifti_file::write_image(volume, image)?;
        }
        print(&format!("{:.1} ml in {}", mask.volume().ml(), self.out.display()))
    }
}
