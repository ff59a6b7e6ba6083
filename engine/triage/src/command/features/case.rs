//! One image with its mask, from the files that hold them.

use std::path::Path;

use ichor_core::{Mask, Volume};
use ichor_dicom::Opened;

use crate::scan_file::{Place, ScanFile};
use crate::{TriageError, folder};

/// A volume and what of it is described.
pub(super) struct Case {
    pub(super) volume: Volume,
    pub(super) mask: Mask,
}

impl Case {
    /// Reads `image`, and of `mask` what is `label`, or not 0 where there is none.
    pub(super) fn read(
        image: &Path,
        mask: &Path,
        label: Option<i32>,
    ) -> Result<Self, TriageError> {
        // One after the other: each is larger by far than what is left of it.
        let (volume, place) = if ScanFile::is_named(image) {
            ScanFile::read(image)?.into_volume()?
        } else {
            let volume = from_dicom(image)?;
            let place = Place::of(&volume);
            (volume, place)
        };
        let voxels = ScanFile::read(mask)?.mask_on(&place, label)?;
        let mask = Mask::new(voxels, volume.grid())?;
        Ok(Self { volume, mask })
    }
}

fn from_dicom(folder: &Path) -> Result<Volume, TriageError> {
    let files = folder::files(&[folder.to_owned()])?;
    match ichor_dicom::open_study(&files)? {
        Opened::Volume { volume, .. } => Ok(volume),
        Opened::Withheld { withheld, .. } => {
            Err(TriageError::Input(format!("{}: {withheld}", folder.display())))
        }
    }
}
