//! What the header of one object says: who, when, which series, where the slice lies.

use std::fs::File;
use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use ichor_core::{PixelSpacing, UnixMs};
use jiff::tz::TimeZone;

use crate::elements::{Elements, PixelBytes, read_elements};
use crate::pixels::{PixelFormat, Rescale};
use crate::text::{Charset, person};
use crate::uid::is_uid;
use crate::{DicomError, when};

/// The header of one object, read up to its pixels.
///
/// Texts are decoded, without padding and control characters, and empty where the attribute is
/// absent; UIDs can stand as file names.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// `StudyInstanceUID`.
    pub study_uid: String,
    /// `SeriesInstanceUID`; the study's where the object names none.
    pub series_uid: String,
    /// `SOPInstanceUID`.
    pub sop_uid: String,
    /// `SOPClassUID`.
    pub sop_class: String,
    /// `TransferSyntaxUID` of the file.
    pub transfer_syntax: String,
    /// `Modality`.
    pub modality: String,
    /// `PatientID`.
    pub patient_id: String,
    /// `PatientName` as people read it: family name first.
    pub patient_name: String,
    /// `PatientBirthDate`, `YYYY-MM-DD`.
    pub birth_date: Option<String>,
    /// Age at the scan in years, from `PatientAge` or from birth and scan.
    pub age_years: Option<f64>,
    /// `PatientSex`: `F`, `M`, `O`.
    pub sex: Option<String>,
    /// `AccessionNumber`.
    pub accession: String,
    /// `StudyDescription`.
    pub study_description: String,
    /// `SeriesDescription`.
    pub series_description: String,
    /// `BodyPartExamined`.
    pub body_part: String,
    /// When the image was acquired: acquisition, else content, series, study date and time.
    pub scan: Option<UnixMs>,
    /// The values of `ImageType`.
    pub image_type: Vec<String>,
    /// `ContrastBolusAgent` as it stands.
    pub contrast_agent: String,
    /// `ConvolutionKernel`.
    pub kernel: String,
    /// `SeriesNumber`.
    pub series_number: Option<i64>,
    /// `AcquisitionNumber`.
    pub acquisition_number: Option<i64>,
    /// `InstanceNumber`.
    pub instance_number: Option<i64>,
    /// `NumberOfFrames`; 1 where absent.
    pub frames: u32,
    /// Shape and encoding of the pixels; none for objects without an image.
    pub pixels: Option<PixelFormat>,
    /// `PixelSpacing`.
    pub spacing: Option<PixelSpacing>,
    /// `ImagePositionPatient`: centre of the first voxel, LPS, millimetres.
    pub position: Option<[f64; 3]>,
    /// `ImageOrientationPatient`: unit vectors of rising `x` and rising `y`.
    pub orientation: Option<[[f64; 3]; 2]>,
    /// `SliceThickness` in millimetres.
    pub thickness_mm: Option<f64>,
    /// `Manufacturer`.
    pub manufacturer: String,
    /// Who sent the object to us: `SourceApplicationEntityTitle` of the file.
    pub sender: String,
    /// Whether manufacturer, patient or comment say PHANTOM, as our own writer writes them.
    pub phantom: bool,
    pub(crate) pixel_bytes: Option<PixelBytes>,
    pub(crate) rescale: Rescale,
}

/// Reads the header of a DICOM file, with preamble or without.
///
/// Fails when the bytes are not DICOM, when an element claims more bytes than there are (the
/// pixels too), or when `StudyInstanceUID` or `SOPInstanceUID` is missing or could not stand as
/// a file name.
pub fn read_header(path: &Path) -> Result<Header, DicomError> {
    let file = File::open(path).map_err(DicomError::file("open", path))?;
    header_of(&file, path)
}

/// See [`read_header`]; `path` is for messages.
pub(crate) fn header_of(file: &File, path: &Path) -> Result<Header, DicomError> {
    let meta = file.metadata().map_err(DicomError::file("read", path))?;
    if !meta.is_file() {
        let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(DicomError::file("read", path)(source));
    }
    header_from(&read_elements(file, meta.len(), &WANTED)?)
}

/// The header that these elements make.
pub(crate) fn header_from(elements: &Elements) -> Result<Header, DicomError> {
    let charset = Charset::new(&elements.ascii(tags::SPECIFIC_CHARACTER_SET));
    let text =
        |tag| elements.bytes(tag).map_or_else(String::new, |bytes| charset.decode(bytes));
    let study_uid = uid(elements, tags::STUDY_INSTANCE_UID, "StudyInstanceUID")?;
    let series_uid = match uid(elements, tags::SERIES_INSTANCE_UID, "SeriesInstanceUID") {
        Err(DicomError::Missing { .. }) => study_uid.clone(),
        other => other?,
    };
    let manufacturer = text(tags::MANUFACTURER);
    let patient_id = text(tags::PATIENT_ID);
    let comments = text(tags::IMAGE_COMMENTS);
    let phantom = [&manufacturer, &patient_id, &comments].iter().any(|t| says_phantom(t));
    let birth = when::date(&text(tags::PATIENT_BIRTH_DATE));
    Ok(Header {
        study_uid,
        series_uid,
        sop_uid: uid(elements, tags::SOP_INSTANCE_UID, "SOPInstanceUID")?,
        sop_class: text(tags::SOP_CLASS_UID),
        transfer_syntax: elements.transfer_syntax.clone(),
        modality: text(tags::MODALITY),
        patient_id,
        patient_name: person(&text(tags::PATIENT_NAME)),
        birth_date: birth.map(|date| date.to_string()),
        age_years: age(elements, birth),
        sex: Some(text(tags::PATIENT_SEX)).filter(|s| matches!(s.as_str(), "F" | "M" | "O")),
        accession: text(tags::ACCESSION_NUMBER),
        study_description: text(tags::STUDY_DESCRIPTION),
        series_description: text(tags::SERIES_DESCRIPTION),
        body_part: text(tags::BODY_PART_EXAMINED),
        scan: scan(elements),
        image_type: text(tags::IMAGE_TYPE).split('\\').map(|v| v.trim().to_owned()).collect(),
        contrast_agent: text(tags::CONTRAST_BOLUS_AGENT),
        kernel: text(tags::CONVOLUTION_KERNEL),
        series_number: integer(elements, tags::SERIES_NUMBER),
        acquisition_number: integer(elements, tags::ACQUISITION_NUMBER),
        instance_number: integer(elements, tags::INSTANCE_NUMBER),
        frames: integer(elements, tags::NUMBER_OF_FRAMES)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1),
        pixels: PixelFormat::of(elements),
        spacing: spacing(elements),
        position: vector(elements, tags::IMAGE_POSITION_PATIENT),
        orientation: orientation(elements),
        thickness_mm: positive(elements, tags::SLICE_THICKNESS),
        manufacturer,
        sender: text(tags::SOURCE_APPLICATION_ENTITY_TITLE),
        phantom,
        pixel_bytes: elements.pixels,
        rescale: Rescale::of(elements),
    })
}

/// All that a header is made of.
pub(crate) const WANTED: [Tag; 52] = [
    tags::TRANSFER_SYNTAX_UID,
    tags::SOURCE_APPLICATION_ENTITY_TITLE,
    tags::SPECIFIC_CHARACTER_SET,
    tags::IMAGE_TYPE,
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::SERIES_DATE,
    tags::ACQUISITION_DATE,
    tags::CONTENT_DATE,
    tags::ACQUISITION_DATE_TIME,
    tags::STUDY_TIME,
    tags::SERIES_TIME,
    tags::ACQUISITION_TIME,
    tags::CONTENT_TIME,
    tags::ACCESSION_NUMBER,
    tags::MODALITY,
    tags::MANUFACTURER,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::STUDY_DESCRIPTION,
    tags::SERIES_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::CONTRAST_BOLUS_AGENT,
    tags::BODY_PART_EXAMINED,
    tags::SLICE_THICKNESS,
    tags::CONVOLUTION_KERNEL,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::SERIES_NUMBER,
    tags::ACQUISITION_NUMBER,
    tags::INSTANCE_NUMBER,
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::IMAGE_COMMENTS,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::NUMBER_OF_FRAMES,
    tags::ROWS,
    tags::COLUMNS,
    tags::PIXEL_SPACING,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::PIXEL_PADDING_VALUE,
    tags::PIXEL_PADDING_RANGE_LIMIT,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_SLOPE,
];

fn says_phantom(text: &str) -> bool {
    text.to_ascii_uppercase().contains("PHANTOM")
}

fn uid(elements: &Elements, tag: Tag, name: &'static str) -> Result<String, DicomError> {
    let value = elements.ascii(tag);
    if value.is_empty() {
        return Err(DicomError::Missing { tag, name });
    }
    if !is_uid(&value) {
        let value = format!("{value:?}");
        return Err(DicomError::Value {
            tag,
            name,
            value,
            must: "digits and dots, at most 64",
        });
    }
    Ok(value)
}

fn integer(elements: &Elements, tag: Tag) -> Option<i64> {
    elements.ascii(tag).split('\\').next()?.trim().parse().ok()
}

fn positive(elements: &Elements, tag: Tag) -> Option<f64> {
    elements.decimals(tag)?.first().copied().filter(|&value| value > 0.0)
}

fn vector(elements: &Elements, tag: Tag) -> Option<[f64; 3]> {
    elements.decimals(tag)?.try_into().ok()
}

fn orientation(elements: &Elements) -> Option<[[f64; 3]; 2]> {
    let [a, b, c, d, e, f]: [f64; 6] =
        elements.decimals(tags::IMAGE_ORIENTATION_PATIENT)?.try_into().ok()?;
    Some([[a, b, c], [d, e, f]])
}

fn spacing(elements: &Elements) -> Option<PixelSpacing> {
    let [y, x]: [f64; 2] = elements.decimals(tags::PIXEL_SPACING)?.try_into().ok()?;
    (y > 0.0 && x > 0.0).then_some(PixelSpacing { y, x })
}

/// The first date and time that are both there.
fn scan(elements: &Elements) -> Option<UnixMs> {
    let zone = when::offset(&elements.ascii(tags::TIMEZONE_OFFSET_FROM_UTC))
        .unwrap_or_else(TimeZone::system);
    let pairs = [
        (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
        (tags::CONTENT_DATE, tags::CONTENT_TIME),
        (tags::SERIES_DATE, tags::SERIES_TIME),
        (tags::STUDY_DATE, tags::STUDY_TIME),
    ];
    let paired = || {
        pairs.into_iter().find_map(|(date, time)| {
            let (date, time) = (elements.ascii(date), elements.ascii(time));
            when::moment(when::date(&date)?, when::time(&time)?, &zone)
        })
    };
    when::date_time(&elements.ascii(tags::ACQUISITION_DATE_TIME), &zone).or_else(paired)
}

fn age(elements: &Elements, birth: Option<jiff::civil::Date>) -> Option<f64> {
    let from_birth = || {
        let days = [
            tags::ACQUISITION_DATE,
            tags::ACQUISITION_DATE_TIME,
            tags::CONTENT_DATE,
            tags::SERIES_DATE,
            tags::STUDY_DATE,
        ];
        // A date-time begins with its date.
        let date = |text: String| when::date(&text).or_else(|| when::date(text.get(..8)?));
        let day = days.into_iter().find_map(|tag| date(elements.ascii(tag)))?;
        when::years_between(birth?, day)
    };
    when::age(&elements.ascii(tags::PATIENT_AGE)).or_else(from_birth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Explicit, file_meta};
    use crate::samples::{Folder, header, shared};

    /// A file with these elements, in order, behind study and object UID.
    fn read(elements: &[(Tag, &[u8; 2], &[u8])]) -> Result<Header, DicomError> {
        let mut out = Explicit::default();
        for (tag, vr, value) in elements {
            out.put(*tag, **vr, value);
        }
        let folder = Folder::new();
        let path = folder.join("one.dcm");
        let meta = file_meta("1.2", "1.3", "1.2.840.10008.1.2.1", None);
        std::fs::write(&path, [meta, out.into_bytes()].concat()).unwrap();
        read_header(&path)
    }

    const SOP: (Tag, &[u8; 2], &[u8]) = (tags::SOP_INSTANCE_UID, b"UI", b"1.3");
    const STUDY: (Tag, &[u8; 2], &[u8]) = (tags::STUDY_INSTANCE_UID, b"UI", b"1.2");

    #[test]
    fn an_object_without_study_or_own_uid_is_refused() {
        let check = |elements: &[_], why: &str| {
            assert_eq!(read(elements).unwrap_err().to_string(), why);
        };
        check(&[SOP], "StudyInstanceUID (0020,000D) is missing");
        check(&[STUDY], "SOPInstanceUID (0008,0018) is missing");
        let traversal = (tags::STUDY_INSTANCE_UID, b"UI", b"../../etc".as_slice());
        let why = "StudyInstanceUID (0020,000D) is \"../../etc\": must be digits and dots, at most 64";
        check(&[SOP, traversal], why);
    }

    #[test]
    fn an_object_without_series_stands_in_one_of_its_own() {
        assert_eq!(read(&[SOP, STUDY]).unwrap().series_uid, "1.2");
    }

    #[test]
    fn a_phantom_is_known_by_any_of_three_attributes() {
        let check = |tag, vr: &[u8; 2], text: &[u8], phantom: bool| {
            let mut elements = [SOP, (tag, vr, text), STUDY];
            elements.sort_by_key(|(tag, _, _)| *tag);
            assert_eq!(read(&elements).unwrap().phantom, phantom, "{tag}");
        };
        check(tags::MANUFACTURER, b"LO", b"PHANTOM", true);
        check(tags::PATIENT_ID, b"LO", b"PHANTOM-clinical-7-3", true);
        check(tags::IMAGE_COMMENTS, b"LT", b"simulated phantom", true);
        check(tags::MANUFACTURER, b"LO", b"Philips", false);
    }

    #[test]
    fn numbers_that_are_none_are_absent() {
        let elements = [
            SOP,
            (tags::SLICE_THICKNESS, b"DS", b"inf".as_slice()),
            STUDY,
            (tags::IMAGE_POSITION_PATIENT, b"DS", b"1\\2".as_slice()),
            (tags::PIXEL_SPACING, b"DS", b"0.5\\nan".as_slice()),
        ];
        let header = read(&elements).unwrap();
        assert_eq!((header.thickness_mm, header.position), (None, None));
        assert_eq!(header.spacing, None);
    }

    #[test]
    fn the_age_is_that_of_the_scan() {
        let check = |known: &[(Tag, &[u8; 2], &[u8])], expected: Option<f64>| {
            let mut elements = [known, &[SOP, STUDY]].concat();
            elements.sort_by_key(|(tag, _, _)| *tag);
            assert_eq!(read(&elements).unwrap().age_years, expected);
        };
        let born = (tags::PATIENT_BIRTH_DATE, b"DA", b"19500206".as_slice());
        let age = |text: &'static str| (tags::PATIENT_AGE, b"AS", text.as_bytes());
        let studied = (tags::STUDY_DATE, b"DA", b"20150206".as_slice());
        let acquired = (tags::ACQUISITION_DATE_TIME, b"DT", b"20150205235959".as_slice());
        check(&[born], None);
        check(&[born, studied], Some(65.0));
        check(&[born, studied, acquired], Some(64.0));
        check(&[born, studied, age("018M")], Some(1.5));
        check(&[born, studied, age("old")], Some(65.0));
        check(&[born, (tags::STUDY_DATE, b"DA", b"1950.02.07".as_slice())], Some(0.0));
        check(&[studied], None);
    }

    #[test]
    fn our_own_header_reads_as_written() {
        let header = header();
        assert_eq!(header.patient_name, "PHANTOM Jörg");
        assert_eq!(header.birth_date.as_deref(), Some("1950-02-06"));
        assert_eq!(header.age_years, Some(65.0));
        assert_eq!(header.sex.as_deref(), Some("F"));
        assert_eq!(header.scan, Some(UnixMs(1_423_214_924_000)));
        assert_eq!(header.image_type, ["DERIVED", "PRIMARY", "AXIAL"]);
        assert_eq!(header.spacing, Some(PixelSpacing { y: 0.45, x: 0.4 }));
        assert!(header.phantom);
    }

    #[test]
    fn a_real_localizer_says_so() {
        let Some(folder) = shared("head-ct/philips-phantom") else { return };
        let header = read_header(&folder.join("S1000/I10")).unwrap();
        assert_eq!(header.image_type, ["ORIGINAL", "PRIMARY", "LOCALIZER"]);
        assert_eq!((header.patient_name.as_str(), header.sex.as_deref()), ("HEAD", Some("M")));
        assert_eq!(header.study_description, "1A TRAUMA/PLAIN HEAD DM");
        assert_eq!(header.sender, "RA_CT_04WK");
        assert!(!header.phantom, "a plastic head is no simulation");
    }
}
