//! Masks of the network against masks of reference, from DICOM to the mask as the engine makes it.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use ichor_core::{Head, Mask, Volume};
use ichor_dicom::Opened;
use ichor_study::stats::{self, Interval, Overlap};
use ndarray::{Array3, ArrayView3, Axis};
use serde_json::json;

use super::differences::{Compared, Differences};
use crate::command::progress::Progress;
use crate::command::score::print;
use crate::pipeline::{Imaging, Step};
use crate::{Settings, TriageError, folder};

/// Patients with less than this are listed but not averaged: the scorers get no such case.
const LEAST_ML: f64 = 3.0;

/// Masks of the network against masks of reference, from DICOM.
///
/// IMAGES holds one folder of DICOM files a patient, MASKS a folder of the same name with
/// `00.png`, `01.png`, ... (slices from the lowest; not 0 is hematoma; a missing file is an empty
/// mask). Each patient is printed when it is done.
#[derive(Args)]
pub(crate) struct Segmentation {
    /// Folder with a folder of DICOM files for each patient
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Folder with a folder of mask PNGs for each patient
    #[arg(long, value_name = "DIR")]
    masks: PathBuf,
    /// Folder that gets pictures of the slices where the masks differ most, three a patient
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One patient, measured.
struct Measured {
    patient: String,
    reference_ml: f64,
    found_ml: f64,
    iou: Option<f64>,
    slices: SliceIous,
    /// Called hematoma on slices where the reference has none.
    elsewhere_ml: f64,
}

/// IoU slice by slice.
#[derive(Debug, Clone, Default, PartialEq)]
struct SliceIous {
    /// Of slices that hold hematoma in the mask of reference.
    labelled: Vec<f64>,
    /// Of slices that hold hematoma in either mask: what is called elsewhere counts as 0.
    either: Vec<f64>,
}

impl SliceIous {
    fn of(reference: ArrayView3<'_, bool>, found: ArrayView3<'_, bool>) -> Self {
        let mut ious = Self::default();
        for (reference, found) in reference.axis_iter(Axis(0)).zip(found.axis_iter(Axis(0))) {
            let iou = Overlap::count(reference, found).and_then(Overlap::iou);
            ious.either.extend(iou);
            if reference.iter().any(|&inside| inside) {
                ious.labelled.extend(iou);
            }
        }
        ious
    }
}

impl Segmentation {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let imaging = Imaging::open(settings)?;
        let patients = folder::folders(&self.images)?;
        if patients.is_empty() {
            let path = self.images.display();
            return Err(TriageError::Input(format!("no patient folders in {path}")));
        }
        let pictures = self.pictures.as_deref().map(Differences::open).transpose()?;
        let mut measured = Vec::new();
        let mut progress = Progress::new("patient");
        for (done, patient) in patients.iter().enumerate() {
            progress.at(done, patients.len());
            measured.push(self.measure(&imaging, patient, pictures.as_ref())?);
            if let (Some(last), false) = (measured.last(), self.json) {
                progress.end();
                if done == 0 {
                    print(HEADER)?;
                }
                print(&line(last))?;
            }
        }
        progress.end();
        print(&if self.json { as_json(&measured)? } else { words(&summary(&measured)?) })
    }

    fn measure(
        &self,
        imaging: &Imaging,
        folder: &Path,
        pictures: Option<&Differences>,
    ) -> Result<Measured, TriageError> {
        let patient = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let opened = ichor_dicom::open_study(&folder::files(&[folder.to_owned()])?)?;
        let Opened::Volume { volume, .. } = opened else {
            return Err(TriageError::Input(format!(
                "{patient}: no volume could be made of it"
            )));
        };
        let reference = reference(&self.masks.join(&patient), &volume)?;
        let mut go_on = |_: Step| ControlFlow::Continue(());
        let head = Head::find(&volume);
        let found = imaging.segment(&volume, &head, &mut go_on)?;
        if let Some(pictures) = pictures {
            let (reference, found) = (reference.voxels().view(), found.voxels().view());
            pictures
                .draw(&patient, &Compared { volume: &volume, head: &head, reference, found })?;
        }
        let pairs = || {
            let slices =
                reference.voxels().axis_iter(Axis(0)).zip(found.voxels().axis_iter(Axis(0)));
            slices.enumerate()
        };
        let elsewhere_mm3: f64 = pairs()
            .filter(|(_, (reference, _))| !reference.iter().any(|&inside| inside))
            .map(|(z, (_, found))| {
                found.iter().filter(|&&inside| inside).count() as f64
                    * volume.grid().voxel_mm3(z)
            })
            .sum();
        Ok(Measured {
            patient,
            reference_ml: reference.volume().ml(),
            found_ml: found.volume().ml(),
            iou: Overlap::count(reference.voxels().view(), found.voxels().view())
                .and_then(Overlap::iou),
            slices: SliceIous::of(reference.voxels().view(), found.voxels().view()),
            elsewhere_ml: elsewhere_mm3 / 1000.0,
        })
    }
}

/// The PNGs of one patient on the grid of `volume`.
fn reference(folder: &Path, volume: &Volume) -> Result<Mask, TriageError> {
    let mut voxels = Array3::from_elem(volume.dim(), false);
    for (z, mut slice) in voxels.axis_iter_mut(Axis(0)).enumerate() {
        let path = folder.join(format!("{z:02}.png"));
        if !path.is_file() {
            continue;
        }
        let failed = |error: png::DecodingError| TriageError::file("read", &path, error.into());
        let file =
            File::open(&path).map_err(|source| TriageError::file("read", &path, source))?;
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(failed)?;
        let mut bytes = vec![0; reader.output_buffer_size().unwrap_or_default()];
        let info = reader.next_frame(&mut bytes).map_err(failed)?;
        let (rows, columns) = slice.dim();
        if (info.height as usize, info.width as usize) != (rows, columns) {
            return Err(TriageError::Input(format!(
                "{}: {} x {} pixels for slices of {rows} x {columns}",
                path.display(),
                info.height,
                info.width
            )));
        }
        let samples = info.color_type.samples();
        for ((y, x), inside) in slice.indexed_iter_mut() {
            *inside = bytes[y * info.line_size + x * samples] != 0;
        }
    }
    Ok(Mask::new(voxels, volume.grid())?)
}

/// What is averaged: patients of at least [`LEAST_ML`].
struct Summary {
    n: usize,
    mean: f64,
    interval: Interval,
    median: f64,
    worst: f64,
    slice_mean: f64,
    n_slices: usize,
    either_slice_mean: f64,
    n_either_slices: usize,
    volume_error_median: f64,
    off_label: usize,
    n_patients: usize,
}

fn summary(measured: &[Measured]) -> Result<Summary, TriageError> {
    let large: Vec<&Measured> =
        measured.iter().filter(|m| m.reference_ml >= LEAST_ML).collect();
    let ious: Vec<f64> = large.iter().map(|m| m.iou.unwrap_or(0.0)).collect();
    let all = |of: fn(&SliceIous) -> &Vec<f64>| -> Vec<f64> {
        measured.iter().flat_map(|m| of(&m.slices).iter().copied()).collect()
    };
    let (slices, either) = (all(|ious| &ious.labelled), all(|ious| &ious.either));
    let errors: Vec<f64> =
        large.iter().map(|m| (m.found_ml - m.reference_ml).abs() / m.reference_ml).collect();
    let none = f64::NAN;
    Ok(Summary {
        n: large.len(),
        mean: stats::mean(&ious).unwrap_or(none),
        interval: stats::bootstrap_mean(&ious, 1)?,
        median: stats::median(&ious).unwrap_or(none),
        worst: ious.iter().copied().fold(f64::INFINITY, f64::min),
        slice_mean: stats::mean(&slices).unwrap_or(none),
        n_slices: slices.len(),
        either_slice_mean: stats::mean(&either).unwrap_or(none),
        n_either_slices: either.len(),
        volume_error_median: stats::median(&errors).unwrap_or(none),
        off_label: measured.iter().filter(|m| m.elsewhere_ml > 1.0).count(),
        n_patients: measured.len(),
    })
}

const HEADER: &str = "patient     reference ml   found ml     IoU   off label ml";

fn line(m: &Measured) -> String {
    let iou = m.iou.map_or("-".to_owned(), |iou| format!("{iou:.3}"));
    let small = if m.reference_ml < LEAST_ML { "  (not averaged)" } else { "" };
    format!(
        "{:<12}{:>12.1}{:>11.1}{iou:>8}{:>15.1}{small}",
        m.patient, m.reference_ml, m.found_ml, m.elsewhere_ml
    )
}

fn words(s: &Summary) -> String {
    [
        format!(
            "{} patients with at least {LEAST_ML} ml: IoU mean {:.3} (95 % CI {:.3}-{:.3}, patient bootstrap), median {:.3}, worst {:.3}",
            s.n, s.mean, s.interval.low, s.interval.high, s.median, s.worst
        ),
        format!(
            "{} slices with hematoma in the reference: IoU mean {:.3}; {} with hematoma in either mask: {:.3}",
            s.n_slices, s.slice_mean, s.n_either_slices, s.either_slice_mean
        ),
        format!(
            "volume error median {:.1} %; {} of {} patients with over 1 ml off label",
            s.volume_error_median * 100.0,
            s.off_label,
            s.n_patients
        ),
    ]
    .join("\n")
}

fn as_json(measured: &[Measured]) -> Result<String, TriageError> {
    let s = summary(measured)?;
    let patients: Vec<_> = measured
        .iter()
        .map(|m| {
            json!({
                "patient": m.patient, "reference_ml": m.reference_ml, "found_ml": m.found_ml,
                "iou": m.iou, "off_label_ml": m.elsewhere_ml,
            })
        })
        .collect();
    let value = json!({
        "patients": patients, "least_ml": LEAST_ML, "n": s.n, "iou_mean": s.mean,
        "iou_mean_ci95": [s.interval.low, s.interval.high], "iou_median": s.median, "iou_worst": s.worst,
        "slice_iou_mean": s.slice_mean, "n_slices": s.n_slices,
        "either_slice_iou_mean": s.either_slice_mean, "n_either_slices": s.n_either_slices,
        "volume_error_median": s.volume_error_median, "off_label_over_1_ml": s.off_label,
    });
    Ok(format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_slice_without_a_label_counts_only_where_either_mask_counts() {
        // Both; half of it; called where there is no label; missed; nothing in either.
        let reference = array![
            [[true, true]],
            [[true, true]],
            [[false, false]],
            [[true, false]],
            [[false, false]]
        ];
        let found = array![
            [[true, true]],
            [[true, false]],
            [[true, false]],
            [[false, false]],
            [[false, false]]
        ];
        let ious = SliceIous::of(reference.view(), found.view());
        assert_eq!(ious.labelled, [1.0, 0.5, 0.0]);
        assert_eq!(ious.either, [1.0, 0.5, 0.0, 0.0]);
    }
}
