//! One image with its mask, from the files that hold them.

use std::path::Path;

use ichor_core::{Mask, Volume};
use ichor_dicom::Opened;

use crate::scan_file::ScanFile;
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
        let mask_file = ScanFile::read(mask)?;
        let (volume, voxels) = if ScanFile::is_named(image) {
            let image = ScanFile::read(image)?;
            (image.volume()?, mask_file.mask_on(&image, label)?)
        } else {
            let volume = from_dicom(image)?;
            let voxels = mask_file.mask_on_grid(volume.grid(), volume.dim(), label)?;
            (volume, voxels)
        };
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
