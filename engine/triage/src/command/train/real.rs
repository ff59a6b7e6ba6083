//! Real slices for the network: a folder laid out like PHE-SICH-CT-IDS.
//!
//! `patients.csv` (`patient,fold,hu_low,hu_width` among its columns), `images/PATIENT/NN.webp`
//! with `HU = grey / 255 * hu_width + hu_low`, `hematoma/PATIENT/NN.png` (not 0 is hematoma; a
//! missing file is an empty mask). Fold 3 is the test: its files are never opened here.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use ichor_core::{Grid, Head, PixelSpacing, Volume};
use ichor_net::{Example, Origin, Recipe, Slice};
use ndarray::{Array2, Array3, Axis};

use super::in_order::in_order;
use crate::TriageError;

/// The folds that may train.
const FOLDS: std::ops::RangeInclusive<u8> = 0..=2;
/// Nominal spacing in millimetres, which decides what is too small to be a head.
const PIXEL_MM: f64 = 0.507_812_5;
const STEP_MM: f64 = 5.0;
/// The least that the images store is air or fat, whatever its nominal HU.
const AIR_HU: i16 = -1000;

/// A patient of a fold that may train; there is no other way to get one than [`patients`].
pub(super) struct Patient {
    name: String,
    hu_low: f32,
    hu_width: f32,
}

/// The patients in `folder` that may train, in the order of the table.
pub(super) fn patients(folder: &Path) -> Result<Vec<Patient>, TriageError> {
    let path = folder.join("patients.csv");
    let text =
        fs::read_to_string(&path).map_err(|source| TriageError::file("read", &path, source))?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut patients = Vec::new();
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let cell = |name: &str| {
            let column = header.iter().position(|&column| column.trim() == name);
            column.and_then(|column| cells.get(column).copied())
        };
        let wrong = |name: &str| {
            let (path, line) = (path.display(), at + 2);
            TriageError::Input(format!("{path}: line {line} has no {name} that can be read"))
        };
        let fold: u8 =
            cell("fold").and_then(|v| v.parse().ok()).ok_or_else(|| wrong("fold"))?;
        if !FOLDS.contains(&fold) {
            continue;
        }
        let number = |name| {
            let value: Option<f32> = cell(name).and_then(|value| value.parse().ok());
            value.filter(|value| value.is_finite()).ok_or_else(|| wrong(name))
        };
        let name = cell("patient").filter(|name| !name.is_empty());
        patients.push(Patient {
            name: name.ok_or_else(|| wrong("patient"))?.to_owned(),
            hu_low: number("hu_low")?,
            hu_width: number("hu_width")?,
        });
    }
    Ok(patients)
}

/// The slices of `patients` that show a head.
pub(super) fn examples(
    folder: &Path,
    patients: &[Patient],
    recipe: &Recipe,
    threads: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Example>, TriageError> {
    let of = |patient: &Patient| patient.examples(folder, recipe);
    Ok(in_order(patients, threads, progress, of)?.into_iter().flatten().collect())
}

impl Patient {
    fn examples(&self, folder: &Path, recipe: &Recipe) -> Result<Vec<Example>, TriageError> {
        let mut greys = Vec::new();
        let mut masks = Vec::new();
        for path in images(&folder.join("images").join(&self.name))? {
            let grey = read_webp(&path)?;
            let mask = folder.join("hematoma").join(&self.name);
            let mask = mask.join(path.with_extension("png").file_name().unwrap_or_default());
            masks.push(read_mask(&mask, grey.dim())?);
            greys.push(grey);
        }
        let head = self.head(&greys)?;
        let mut examples = Vec::new();
        for (z, (grey, blood)) in greys.iter().zip(&masks).enumerate() {
            let Some(head) = head.slice_box(z) else { continue };
            let hu = grey.mapv(|grey| self.hu(grey));
            let slice = Slice {
                subject: &self.name,
                origin: Origin::Real,
                hu: hu.view(),
                blood: blood.view(),
                ivh: None,
                head,
            };
            examples.extend(Example::cut(&slice, recipe)?);
        }
        Ok(examples)
    }

    fn hu(&self, grey: u8) -> f32 {
        f32::from(grey) / 255.0 * self.hu_width + self.hu_low
    }

    /// Where the head is; grey 0 counts as air, for the images hold nothing lower.
    fn head(&self, greys: &[Array2<u8>]) -> Result<Head, TriageError> {
        let wrong = |words: String| TriageError::Input(format!("{}: {words}", self.name));
        let dim = greys.first().map_or((0, 0), Array2::dim);
        let mut hu = Array3::zeros((greys.len(), dim.0, dim.1));
        for (mut slice, grey) in hu.axis_iter_mut(Axis(0)).zip(greys) {
            if grey.dim() != dim {
                return Err(wrong("slices of different size".to_owned()));
            }
            let whole = |grey| if grey == 0 { AIR_HU } else { self.hu(grey).round() as i16 };
            slice.assign(&grey.mapv(whole));
        }
        let pixel = PixelSpacing { y: PIXEL_MM, x: PIXEL_MM };
        let grid = Grid::axial(greys.len(), STEP_MM, pixel);
        let grid = grid.map_err(|error| wrong(error.to_string()))?;
        let volume = Volume::new(hu, grid).map_err(|error| wrong(error.to_string()))?;
        Ok(Head::find(&volume))
    }
}

/// The slices of a patient, sorted by name.
fn images(folder: &Path) -> Result<Vec<PathBuf>, TriageError> {
    let failed = |source| TriageError::file("list", folder, source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "webp") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Grey values; of a coloured image, the first channel.
fn read_webp(path: &Path) -> Result<Array2<u8>, TriageError> {
    let wrong = |words: String| TriageError::Input(format!("{}: {words}", path.display()));
    let file = File::open(path).map_err(|source| TriageError::file("read", path, source))?;
    let mut decoder = image_webp::WebPDecoder::new(BufReader::new(file))
        .map_err(|error| wrong(error.to_string()))?;
    let (columns, rows) = decoder.dimensions();
    let n_channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut bytes = vec![0; decoder.output_buffer_size().unwrap_or_default()];
    decoder.read_image(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    let grey = bytes.into_iter().step_by(n_channels).collect();
    Array2::from_shape_vec((rows as usize, columns as usize), grey)
        .map_err(|error| wrong(error.to_string()))
}

/// A mask of `dim` pixels; empty where there is no file.
fn read_mask(path: &Path, dim: (usize, usize)) -> Result<Array2<bool>, TriageError> {
    if !path.is_file() {
        return Ok(Array2::from_elem(dim, false));
    }
    let failed = |error: png::DecodingError| TriageError::file("read", path, error.into());
    let file = File::open(path).map_err(|source| TriageError::file("read", path, source))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(failed)?;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or_default()];
    let info = reader.next_frame(&mut bytes).map_err(failed)?;
    let found = (info.height as usize, info.width as usize);
    if found != dim {
        return Err(TriageError::Input(format!(
            "{}: {} x {} pixels for a slice of {} x {}",
            path.display(),
            found.0,
            found.1,
            dim.0,
            dim.1
        )));
    }
    let samples = info.color_type.samples();
    Ok(Array2::from_shape_fn(dim, |(y, x)| bytes[y * info.line_size + x * samples] != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head of grey 120 in black, 40 pixels wide.
    fn write_slice(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixels: Vec<u8> = (0..64 * 64)
            .flat_map(|at| {
                let inside = |at: usize| (12..52).contains(&at);
                [if inside(at / 64) && inside(at % 64) { 120 } else { 0 }; 3]
            })
            .collect();
        let encoder = image_webp::WebPEncoder::new(File::create(path).unwrap());
        encoder.encode(&pixels, 64, 64, image_webp::ColorType::Rgb8).unwrap();
    }

    #[test]
    fn fold_3_is_never_opened() {
        let folder = std::env::temp_dir().join(format!("ichor-real-{}", std::process::id()));
        write_slice(&folder.join("images/0001/00.webp"));
        // Patient 0002 is of the test fold and has no files: opening them would fail.
        let table = "patient,fold,slices,hu_low,hu_width\n0001,2,1,-20,120\n0002,3,1,-20,120\n";
        fs::write(folder.join("patients.csv"), table).unwrap();
        let patients = patients(&folder).unwrap();
        let names: Vec<&str> = patients.iter().map(|patient| patient.name.as_str()).collect();
        assert_eq!(names, ["0001"]);
        let recipe = folder.join("recipe.toml");
        fs::write(&recipe, "margin = 0").unwrap();
        let recipe = Recipe::read(&recipe).unwrap();
        let found = examples(&folder, &patients, &recipe, 2, &mut |_, _| ()).unwrap();
        assert_eq!((found.len(), found[0].bleeds()), (1, false));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_table_that_cannot_be_read_is_refused_with_its_line() {
        let folder = std::env::temp_dir().join(format!("ichor-table-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("patients.csv"), "patient,fold\n0001,0\n").unwrap();
        let said = patients(&folder).err().unwrap().to_string();
        assert!(said.ends_with("line 2 has no hu_low that can be read"), "{said}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
