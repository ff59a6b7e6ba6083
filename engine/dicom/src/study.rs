//! From the files of a study to its volume, in one call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ichor_core::{Volume, Withheld};

use crate::{DicomError, Header, Slice, choose_series, read_header, read_slice, stack};

/// What the files of a study hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// A volume to score.
    Volume {
        /// The voxels on their grid.
        volume: Volume,
        /// `SeriesInstanceUID` of the series that was chosen.
        series_uid: String,
        /// Why that series and not another.
        why: String,
        /// Its files, in slice order.
        files: Vec<PathBuf>,
        /// What is worth knowing about it.
        warnings: Vec<String>,
        /// Header of its lowest slice; where that tells no age, with the age that another image
        /// of the patient tells.
        header: Box<Header>,
    },
    /// Nothing to score, with the reason.
    Withheld {
        /// The reason.
        withheld: Withheld,
        /// The series that was chosen and then failed.
        series_uid: Option<String>,
        /// Why that series, or what is wrong in words.
        why: String,
        /// What is worth knowing about it.
        warnings: Vec<String>,
        /// Header of the first readable file, or of the chosen series, with an age as above.
        header: Box<Header>,
    },
}

/// Reads the headers of `files`, chooses a series, reads and stacks its slices. Files that cannot
/// be parsed become warnings; it fails when none can, or when the disk does.
pub fn open_study(files: &[PathBuf]) -> Result<Opened, DicomError> {
    let (headers, paths, mut warnings) = read_headers(files)?;
    let choice = match choose_series(&headers) {
        Ok(choice) => choice,
        Err(withheld) => {
            let why = withheld.to_string();
            let header = with_age(&headers[0], &headers);
            return Ok(Opened::Withheld { withheld, series_uid: None, why, warnings, header });
        }
    };
    let (series_uid, why) = (choice.series_uid, choice.why);
    let header = &headers[choice.members[0]];
    let members = choice.members.iter();
    let slices = read_slices(members.map(|&member| paths[member].as_path()))?;
    let stacked = one_patient(&headers, &choice.members).and(slices).and_then(stack);
    Ok(match stacked {
        Ok(stacked) => {
            warnings.extend(stacked.warnings);
            let lowest = paths.iter().position(|path| Some(path) == stacked.files.first());
            let header = with_age(lowest.map_or(header, |index| &headers[index]), &headers);
            let (volume, files) = (stacked.volume, stacked.files);
            Opened::Volume { volume, series_uid, why, files, warnings, header }
        }
        Err(withheld) => {
            let header = with_age(header, &headers);
            Opened::Withheld { withheld, series_uid: Some(series_uid), why, warnings, header }
        }
    })
}

/// `header`, with the age of another image of its patient and study where it tells none.
fn with_age(header: &Header, headers: &[Header]) -> Box<Header> {
    let mut of_patient = headers.iter().filter(|other| {
        (&other.patient_id, &other.study_uid) == (&header.patient_id, &header.study_uid)
    });
    let age_years = header.age_years.or_else(|| of_patient.find_map(|other| other.age_years));
    Box::new(Header { age_years, ..header.clone() })
}

/// The headers that can be read, with their paths, and a warning for each that cannot.
#[expect(clippy::type_complexity, reason = "three lists that one caller takes apart at once")]
fn read_headers(
    files: &[PathBuf],
) -> Result<(Vec<Header>, Vec<PathBuf>, Vec<String>), DicomError> {
    let (mut headers, mut paths, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = None;
    for path in files {
        match read_header(path) {
            Ok(header) => {
                headers.push(header);
                paths.push(path.clone());
            }
            Err(error) if error.is_disk() => return Err(error),
            Err(error) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                warnings.push(format!("{name} is left out: {error}"));
                first.get_or_insert(error);
            }
        }
    }
    let n_studies =
        headers.iter().map(|h: &Header| &h.study_uid).collect::<BTreeSet<_>>().len();
    if n_studies > 1 {
        warnings.push(format!("the files belong to {n_studies} studies"));
    }
    match (headers.is_empty(), first) {
        (false, _) => Ok((headers, paths, warnings)),
        (true, None) => Err(DicomError::NoFiles),
        (true, Some(first)) => {
            Err(DicomError::NothingReadable { files: files.len(), first: Box::new(first) })
        }
    }
}

/// A series that mixes patients is nobody's.
fn one_patient(headers: &[Header], members: &[usize]) -> Result<(), Withheld> {
    let ids: BTreeSet<&str> = members.iter().map(|&m| headers[m].patient_id.as_str()).collect();
    match ids.len() {
        0 | 1 => Ok(()),
        n => Err(Withheld::Geometry { why: format!("the series mixes {n} patients") }),
    }
}

/// The slices of the series. Pixels that make no image withhold the study, since they will make
/// none the next time either; a disk that fails is an error and may do better.
fn read_slices<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> Result<Result<Vec<Slice>, Withheld>, DicomError> {
    let mut slices = Vec::new();
    for path in paths {
        match read_slice(path) {
            Ok(slice) => slices.push(slice),
            Err(error) if error.is_disk() => return Err(error),
            Err(DicomError::TransferSyntax { uid }) => {
                return Ok(Err(Withheld::TransferSyntax { uid }));
            }
            Err(other) => return Ok(Err(Withheld::Geometry { why: other.to_string() })),
        }
    }
    Ok(Ok(slices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Folder, files, shared, tags, volume};
    use crate::write_ct_series;

    #[test]
    fn an_unreadable_file_among_good_ones_is_a_warning() {
        let folder = Folder::new();
        let mut paths =
            write_ct_series(&volume(6, 4, 6), &tags("study"), folder.path()).unwrap();
        paths.push(folder.join("notes.txt"));
        std::fs::write(&paths[6], "these are words, not DICOM").unwrap();
        let Opened::Volume { warnings, .. } = open_study(&paths).unwrap() else {
            panic!("withheld")
        };
        assert_eq!(
            warnings,
            ["notes.txt is left out: no DICOM element at byte 0: neither DICM nor a data set \
              begins here"]
        );
        let error = open_study(&paths[6..]).unwrap_err().to_string();
        assert!(error.starts_with("none of 1 files is readable DICOM"), "{error}");
        assert_eq!(open_study(&[]).unwrap_err().to_string(), "no files to read");
    }

    #[test]
    fn an_age_is_taken_from_another_image_of_the_patient() {
        let series = |patient: &str, seed: &str, age: &str| crate::SeriesTags {
            patient_id: patient.to_owned(),
            series_seed: seed.to_owned(),
            birth_date: String::new(),
            age: age.to_owned(),
            ..tags("ages")
        };
        let check = |ages: [&str; 3], expected: Option<f64>| {
            let folder = Folder::new();
            let write = |n_slices, tags, name: &str| {
                write_ct_series(&volume(n_slices, 4, 6), &tags, &folder.join(name)).unwrap()
            };
            let mut paths = write(1, series("PHANTOM-other", "other", ages[0]), "other");
            paths.extend(write(6, series("PHANTOM-one", "head", ages[1]), "head"));
            paths.extend(write(1, series("PHANTOM-one", "scout", ages[2]), "scout"));
            let Opened::Volume { header, .. } = open_study(&paths).unwrap() else {
                panic!("withheld")
            };
            assert_eq!((&header.patient_id[..], header.age_years), ("PHANTOM-one", expected));
        };
        check(["010Y", "064Y", "063Y"], Some(64.0));
        check(["010Y", "", "063Y"], Some(63.0));
        check(["010Y", "", ""], None);
    }

    #[test]
    fn a_series_of_two_patients_is_nobodys() {
        let folder = Folder::new();
        let mut paths =
            write_ct_series(&volume(6, 4, 6), &tags("mixed"), folder.path()).unwrap();
        let other =
            crate::SeriesTags { patient_id: "PHANTOM-other".to_owned(), ..tags("mixed") };
        let others = write_ct_series(&volume(6, 4, 6), &other, &folder.join("b")).unwrap();
        paths[2].clone_from(&others[2]);
        let Opened::Withheld { withheld, .. } = open_study(&paths).unwrap() else {
            panic!("scored")
        };
        assert_eq!(
            withheld,
            Withheld::Geometry { why: "the series mixes 2 patients".to_owned() }
        );
    }

    #[test]
    fn broken_files_make_no_panic_on_their_way_to_a_volume() {
        let folder = Folder::new();
        let paths = write_ct_series(&volume(6, 4, 6), &tags("fuzz"), folder.path()).unwrap();
        let whole = std::fs::read(&paths[3]).unwrap();
        let mut numbers = crate::samples::Numbers(99);
        let mut n_volumes = 0;
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(3) {
                let at = 132 + numbers.below(bytes.len() - 132);
                bytes[at] = numbers.below(256) as u8;
            }
            std::fs::write(&paths[3], &bytes).unwrap();
            n_volumes += i32::from(matches!(open_study(&paths), Ok(Opened::Volume { .. })));
        }
        assert!((1..3000).contains(&n_volumes), "{n_volumes}");
    }

    #[test]
    fn a_real_exam_opens_whole() {
        let Some(folder) = shared("head-ct/philips-phantom") else { return };
        let Opened::Volume { volume, why, warnings, header, .. } =
            open_study(&files(&folder)).unwrap()
        else {
            panic!("withheld")
        };
        println!("{why}\n{warnings:?}\n{} {:?}", volume.grid().tilt_degrees(), volume.dim());
        assert_eq!((volume.dim().1, volume.dim().2), (512, 512));
        assert_eq!(header.series_description, "STD BRAIN 5MM");
    }

    #[test]
    fn a_compressed_study_is_withheld_by_its_syntax() {
        let folder = Folder::new();
        let paths = write_ct_series(&volume(6, 4, 6), &tags("rle"), folder.path()).unwrap();
        for path in &paths {
            let mut bytes = std::fs::read(path).unwrap();
            let at = bytes.windows(19).position(|part| part == b"1.2.840.10008.1.2.1").unwrap();
            bytes[at + 18] = b'5';
            std::fs::write(path, bytes).unwrap();
        }
        let Opened::Withheld { withheld, .. } = open_study(&paths).unwrap() else {
            panic!("scored")
        };
        let uid = "1.2.840.10008.1.2.5".to_owned();
        assert_eq!(withheld, Withheld::TransferSyntax { uid });
    }
}
