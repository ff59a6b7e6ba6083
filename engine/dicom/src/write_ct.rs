//! A volume to a CT series: one `CT Image Storage` object a slice (PS3.3 A.3), explicit VR little
//! endian, Hounsfield units as they are (slope 1, intercept 0).
//!
//! All UIDs follow from the seeds in the tags, so the same volume makes the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use ichor_core::{Grid, UnixMs, Volume};

use crate::encode::{Explicit, file_meta};
use crate::uid::{CT_IMAGE, EXPLICIT_LITTLE, derive_uid};
use crate::{DicomError, when};

/// What a written series says about itself. Empty texts are written as empty attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesTags {
    /// Series with the same seed lie in one study.
    pub study_seed: String,
    /// Makes the series' UID, together with the study's seed.
    pub series_seed: String,
    /// `PatientName` as DICOM writes it, family and given name apart by `^`.
    pub patient_name: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `PatientBirthDate`, `YYYYMMDD`.
    pub birth_date: String,
    /// `PatientSex`: `F`, `M`, `O`.
    pub sex: String,
    /// `PatientAge`, such as `067Y`.
    pub age: String,
    /// When the scan was made; written in UTC with its offset.
    pub scan: UnixMs,
    /// `AccessionNumber`.
    pub accession: String,
    /// `StudyID`.
    pub study_id: String,
    /// `StudyDescription`.
    pub study_description: String,
    /// `SeriesDescription`.
    pub series_description: String,
    /// `SeriesNumber`.
    pub series_number: u32,
    /// `Manufacturer`.
    pub manufacturer: String,
    /// `ManufacturerModelName`.
    pub model: String,
    /// `BodyPartExamined`.
    pub body_part: String,
    /// `ConvolutionKernel`.
    pub kernel: String,
    /// `KVP` in kilovolts.
    pub kvp: f64,
    /// `ImageComments`.
    pub comments: String,
    /// `ContrastBolusAgent`; empty: the attribute is left out.
    pub contrast_agent: String,
    /// A private text, left out where none is given.
    pub private: Option<PrivateText>,
}

/// A text in a private block of group 0029.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateText {
    /// The private creator, such as `HE_PHANTOM`.
    pub creator: String,
    /// The text, such as JSON; element (0029,xx01), UT.
    pub text: String,
}

/// Writes the volume as `IM0001.dcm`, `IM0002.dcm`, … into `folder`, which is made if it is not
/// there. Returns the files in slice order.
pub fn write_ct_series(
    volume: &Volume,
    series: &SeriesTags,
    folder: &Path,
) -> Result<Vec<PathBuf>, DicomError> {
    let (_, rows, columns) = volume.dim();
    if rows.max(columns) > usize::from(u16::MAX) {
        let (tag, value) = (tags::ROWS, rows.max(columns).to_string());
        return Err(DicomError::Value {
            tag,
            name: "Rows or Columns",
            value,
            must: "under 65536",
        });
    }
    fs::create_dir_all(folder).map_err(DicomError::file("create", folder))?;
    let mut files = Vec::with_capacity(volume.grid().n_slices());
    for z in 0..volume.grid().n_slices() {
        let path = folder.join(format!("IM{:04}.dcm", z + 1));
        let bytes = slice_bytes(volume, series, z)?;
        fs::write(&path, bytes).map_err(DicomError::file("write", &path))?;
        files.push(path);
    }
    Ok(files)
}

/// One file: meta information, header, pixels.
fn slice_bytes(volume: &Volume, series: &SeriesTags, z: usize) -> Result<Vec<u8>, DicomError> {
    let sop_uid = derive_uid(&format!("{}/{}/{z}", series.study_seed, series.series_seed));
    let mut out = Explicit::default();
    let (day, clock) = when::utc(series.scan)?;
    put_identity(&mut out, series, &sop_uid, (&day, &clock));
    put_patient(&mut out, series);
    put_scan(&mut out, series, volume.grid());
    put_place(&mut out, series, volume.grid(), z);
    put_pixels(&mut out, volume, series, z);
    let mut file = file_meta(CT_IMAGE, &sop_uid, EXPLICIT_LITTLE, None);
    file.extend_from_slice(&out.into_bytes());
    Ok(file)
}

/// Group 0008: what, when, who made it.
fn put_identity(out: &mut Explicit, series: &SeriesTags, sop_uid: &str, at: (&str, &str)) {
    let (day, clock) = at;
    out.text(tags::SPECIFIC_CHARACTER_SET, *b"CS", "ISO_IR 192");
    out.text(tags::IMAGE_TYPE, *b"CS", "DERIVED\\PRIMARY\\AXIAL");
    out.text(tags::SOP_CLASS_UID, *b"UI", CT_IMAGE);
    out.text(tags::SOP_INSTANCE_UID, *b"UI", sop_uid);
    for date in
        [tags::STUDY_DATE, tags::SERIES_DATE, tags::ACQUISITION_DATE, tags::CONTENT_DATE]
    {
        out.text(date, *b"DA", day);
    }
    for time in
        [tags::STUDY_TIME, tags::SERIES_TIME, tags::ACQUISITION_TIME, tags::CONTENT_TIME]
    {
        out.text(time, *b"TM", clock);
    }
    out.text(tags::ACCESSION_NUMBER, *b"SH", &series.accession);
    out.text(tags::MODALITY, *b"CS", "CT");
    out.text(tags::MANUFACTURER, *b"LO", &series.manufacturer);
    out.text(tags::REFERRING_PHYSICIAN_NAME, *b"PN", "");
    out.text(tags::TIMEZONE_OFFSET_FROM_UTC, *b"SH", "+0000");
    out.text(tags::STUDY_DESCRIPTION, *b"LO", &series.study_description);
    out.text(tags::SERIES_DESCRIPTION, *b"LO", &series.series_description);
    out.text(tags::MANUFACTURER_MODEL_NAME, *b"LO", &series.model);
}

/// Group 0010.
fn put_patient(out: &mut Explicit, series: &SeriesTags) {
    out.text(tags::PATIENT_NAME, *b"PN", &series.patient_name);
    out.text(tags::PATIENT_ID, *b"LO", &series.patient_id);
    out.text(tags::PATIENT_BIRTH_DATE, *b"DA", &series.birth_date);
    out.text(tags::PATIENT_SEX, *b"CS", &series.sex);
    out.text(tags::PATIENT_AGE, *b"AS", &series.age);
}

/// Group 0018: how it was scanned.
fn put_scan(out: &mut Explicit, series: &SeriesTags, grid: &Grid) {
    if !series.contrast_agent.is_empty() {
        out.text(tags::CONTRAST_BOLUS_AGENT, *b"LO", &series.contrast_agent);
    }
    out.text(tags::BODY_PART_EXAMINED, *b"CS", &series.body_part);
    out.decimals(tags::SLICE_THICKNESS, &[grid.thickness_mm()]);
    out.decimals(tags::KVP, &[series.kvp]);
    out.decimals(tags::GANTRY_DETECTOR_TILT, &[grid.tilt_degrees()]);
    out.text(tags::CONVOLUTION_KERNEL, *b"SH", &series.kernel);
    out.text(tags::PATIENT_POSITION, *b"CS", "HFS");
}

/// Group 0020: which series, where the slice lies.
fn put_place(out: &mut Explicit, series: &SeriesTags, grid: &Grid, z: usize) {
    let study = &series.study_seed;
    out.text(tags::STUDY_INSTANCE_UID, *b"UI", &derive_uid(study));
    let uid = derive_uid(&format!("{study}/{}", series.series_seed));
    out.text(tags::SERIES_INSTANCE_UID, *b"UI", &uid);
    out.text(tags::STUDY_ID, *b"SH", &series.study_id);
    out.text(tags::SERIES_NUMBER, *b"IS", &series.series_number.to_string());
    out.text(tags::ACQUISITION_NUMBER, *b"IS", "1");
    out.text(tags::INSTANCE_NUMBER, *b"IS", &(z + 1).to_string());
    out.decimals(tags::IMAGE_POSITION_PATIENT, &grid.origins()[z]);
    let orientation = [grid.row(), grid.column()].concat();
    out.decimals(tags::IMAGE_ORIENTATION_PATIENT, &orientation);
    let frame = derive_uid(&format!("{study}/frame of reference"));
    out.text(tags::FRAME_OF_REFERENCE_UID, *b"UI", &frame);
    out.text(tags::POSITION_REFERENCE_INDICATOR, *b"LO", "");
    out.decimals(tags::SLICE_LOCATION, &[grid.positions_mm()[z]]);
    out.text(tags::IMAGE_COMMENTS, *b"LT", &series.comments);
}

/// Groups 0028 and 7FE0, and the private block between them.
fn put_pixels(out: &mut Explicit, volume: &Volume, series: &SeriesTags, z: usize) {
    let (_, rows, columns) = volume.dim();
    let spacing = volume.grid().pixel();
    out.number(tags::SAMPLES_PER_PIXEL, 1);
    out.text(tags::PHOTOMETRIC_INTERPRETATION, *b"CS", "MONOCHROME2");
    out.number(tags::ROWS, rows as u16);
    out.number(tags::COLUMNS, columns as u16);
    out.decimals(tags::PIXEL_SPACING, &[spacing.y, spacing.x]);
    out.number(tags::BITS_ALLOCATED, 16);
    out.number(tags::BITS_STORED, 16);
    out.number(tags::HIGH_BIT, 15);
    out.number(tags::PIXEL_REPRESENTATION, 1);
    out.decimals(tags::WINDOW_CENTER, &[40.0]);
    out.decimals(tags::WINDOW_WIDTH, &[100.0]);
    out.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
    out.decimals(tags::RESCALE_SLOPE, &[1.0]);
    out.text(tags::RESCALE_TYPE, *b"LO", "HU");
    if let Some(private) = &series.private {
        // PS3.5 section 7.8.1: the creator reserves the block whose elements begin with 10.
        out.text(Tag(0x0029, 0x0010), *b"LO", &private.creator);
        out.text(Tag(0x0029, 0x1001), *b"UT", &private.text);
    }
    let bytes: Vec<u8> = volume.slice(z).iter().flat_map(|hu| hu.to_le_bytes()).collect();
    out.put(tags::PIXEL_DATA, *b"OW", &bytes);
}

#[cfg(test)]
mod tests {
    use dicom_object::open_file;

    use super::*;
    use crate::samples::{Folder, tags as series_tags, volume};
    use crate::{Opened, open_study};

    #[test]
    fn what_is_written_is_read_back_equal() {
        let folder = Folder::new();
        let angle = 18.5_f64.to_radians();
        let column = [0.0, angle.cos(), -angle.sin()];
        let origins: Vec<[f64; 3]> =
            (0..7).map(|z| [-90.0, -91.5, 4.22 * f64::from(z)]).collect();
        let pixel = ichor_core::PixelSpacing { y: 1.0 / 3.0, x: 0.45 };
        let grid = Grid::new(pixel, [1.0, 0.0, 0.0], column, origins, 4.0).unwrap();
        let hu = volume(7, 8, 10).hu().clone();
        let written = Volume::new(hu, grid).unwrap();
        let files =
            write_ct_series(&written, &series_tags("round trip"), folder.path()).unwrap();
        let Opened::Volume { volume: read, files: read_files, header, why, .. } =
            open_study(&files).unwrap()
        else {
            panic!("withheld")
        };
        assert_eq!(read.hu(), written.hu());
        let (a, b) = (read.grid(), written.grid());
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(a.positions_mm(), b.positions_mm()) && close(&a.column(), &b.column()));
        assert!((a.tilt_degrees() - 18.5).abs() < 1e-6 && close(&[a.pixel().y], &[1.0 / 3.0]));
        assert_eq!((read_files, header.instance_number), (files, Some(1)));
        assert!(why.starts_with("series 2 'HEAD 5.0': 7 axial slices of 4.0 mm over 24 mm"));
    }

    #[test]
    fn another_reader_agrees() {
        let folder = Folder::new();
        let files =
            write_ct_series(&volume(2, 4, 6), &series_tags("peer"), folder.path()).unwrap();
        let object = open_file(&files[1]).unwrap();
        let text = |tag: Tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
        assert_eq!(text(tags::PATIENT_NAME), "PHANTOM^Jörg");
        assert_eq!(text(tags::IMAGE_POSITION_PATIENT), "0\\0\\5");
        assert_eq!(text(Tag(0x0029, 0x1001)), "{\"volume_ml\":21.5}");
        assert_eq!(object.meta().transfer_syntax(), EXPLICIT_LITTLE);
        assert_eq!(
            object.meta().media_storage_sop_instance_uid(),
            text(tags::SOP_INSTANCE_UID)
        );
        let pixels = object.element(tags::PIXEL_DATA).unwrap().to_multi_int::<u16>().unwrap();
        let hu: Vec<i16> = pixels.into_iter().map(u16::cast_signed).collect();
        assert_eq!(hu, volume(2, 4, 6).slice(1).iter().copied().collect::<Vec<_>>());
    }

    #[test]
    fn the_same_seeds_make_the_same_bytes() {
        let (one, two) = (Folder::new(), Folder::new());
        let bytes = |folder: &Folder| {
            let tags = series_tags("again");
            let files = write_ct_series(&volume(3, 4, 6), &tags, folder.path()).unwrap();
            files.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(&one), bytes(&two));
    }
}
