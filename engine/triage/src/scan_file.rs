//! Images and masks as research tools store them: NIfTI and NRRD, told apart by their names.
//!
//! An image is used as it is stored, axis by axis, as pyradiomics does; how it lies in the patient
//! serves to hold a mask against it. Coordinates are LPS, in millimetres.

mod nifti;
mod nrrd;

use std::path::Path;

use ichor_core::{Grid, PixelSpacing, Volume};
use ndarray::{Array3, ArrayView3, Axis};

use crate::TriageError;

/// Share of a voxel by which a mask may lie beside its image.
const SHIFT: f64 = 0.5;
/// Largest difference of two unit vectors, and of two steps as a share, that count as equal.
const EQUAL: f64 = 1e-3;

/// How the voxels of a file lie.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    /// From a voxel to the next of x, of y and of z.
    steps: [[f64; 3]; 3],
    /// Middle of the first voxel.
    origin: [f64; 3],
    /// Whether the file says so; else the axes are those of its array.
    placed: bool,
}

impl Frame {
    /// Axes as they are stored, with steps in millimetres along x, y and z.
    fn unplaced(step_mm: [f64; 3]) -> Self {
        let [x, y, z] = step_mm;
        let steps = [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]];
        Self { steps, origin: [0.0; 3], placed: false }
    }

    /// The frame of `grid`, by its first slice and its mean step.
    fn of(grid: &Grid) -> Self {
        let (pixel, origins) = (grid.pixel(), grid.origins());
        let n = origins.len();
        let step = if n > 1 {
            [0, 1, 2].map(|axis| (origins[n - 1][axis] - origins[0][axis]) / (n - 1) as f64)
        } else {
            grid.normal().map(|c| c * grid.thickness_mm())
        };
        let (x, y) = (grid.row().map(|c| c * pixel.x), grid.column().map(|c| c * pixel.y));
        Self { steps: [x, y, step], origin: origins[0], placed: true }
    }
}

/// The voxels that a mask must lie on.
pub(crate) struct Place {
    frame: Frame,
    /// `(z, y, x)`.
    dim: (usize, usize, usize),
}

impl Place {
    /// That of a volume whose grid is the patient's.
    pub(crate) fn of(volume: &Volume) -> Self {
        Self { frame: Frame::of(volume.grid()), dim: volume.dim() }
    }
}

/// What a reader of a format hands over.
struct Raw {
    /// `(z, y, x)`, as stored; HU and labels are whole numbers that a float holds.
    values: Array3<f32>,
    frame: Frame,
}

impl Raw {
    /// `numbers` in the order of the file, x fastest, of sizes x, y and z.
    fn new(numbers: Vec<f32>, [x, y, z]: [usize; 3], frame: Frame) -> Result<Self, String> {
        let steps = frame.steps.map(length);
        if !steps.iter().all(|step| step.is_finite() && *step > 0.0) {
            return Err(format!("steps of {steps:?} mm between voxels cannot be"));
        }
        let values = Array3::from_shape_vec((z, y, x), numbers);
        Ok(Self { values: values.map_err(|error| error.to_string())?, frame })
    }
}

/// How a file is written.
#[derive(Clone, Copy)]
enum Format {
    Nifti,
    Nrrd,
}

impl Format {
    /// By the name of the file.
    fn of(path: &Path) -> Option<Self> {
        let end = |path: &Path| Some(path.extension()?.to_str()?.to_lowercase());
        match end(path)?.as_str() {
            "nii" => Some(Self::Nifti),
            "gz" if end(Path::new(path.file_stem()?)).as_deref() == Some("nii") => {
                Some(Self::Nifti)
            }
            "nrrd" | "nhdr" => Some(Self::Nrrd),
            _ => None,
        }
    }
}

/// An image or a mask of a file.
#[derive(Debug, Clone)]
pub(crate) struct ScanFile {
    name: String,
    /// `(z, y, x)`, as stored; HU and labels are whole numbers that a float holds.
    values: Array3<f32>,
    frame: Frame,
}

impl ScanFile {
    /// Whether `path` is named like a file that is read here.
    pub(crate) fn is_named(path: &Path) -> bool {
        Format::of(path).is_some()
    }

    /// Reads a .nii, .nii.gz, .nrrd or .nhdr.
    pub(crate) fn read(path: &Path) -> Result<Self, TriageError> {
        std::fs::metadata(path).map_err(|source| TriageError::file("read", path, source))?;
        let name = path.display().to_string();
        let raw = match Format::of(path) {
            Some(Format::Nifti) => nifti::read(path),
            Some(Format::Nrrd) => nrrd::read(path),
            None => Err("not named .nii, .nii.gz, .nrrd or .nhdr".to_owned()),
        };
        match raw {
            Ok(Raw { values, frame }) => Ok(Self { name, values, frame }),
            Err(why) => Err(TriageError::Input(format!("{name}: {why}"))),
        }
    }

    /// The image in HU, slices, rows and columns as stored, its frame that of the array; and where it
    /// lies, for its mask.
    pub(crate) fn into_volume(self) -> Result<(Volume, Place), TriageError> {
        let unusable = |why: String| TriageError::Input(format!("{}: {why}", self.name));
        let range = f32::from(i16::MIN)..=f32::from(i16::MAX);
        if let Some(odd) = self.values.iter().find(|value| !range.contains(&value.round())) {
            return Err(unusable(format!("a voxel of {odd} HU is outside of 16 bits")));
        }
        let [x, y, z] = self.frame.steps.map(length);
        let dim = self.values.dim();
        let grid = Grid::axial(dim.0, z, PixelSpacing { y, x });
        let grid = grid.map_err(|error| unusable(error.to_string()))?;
        let hu = self.values.map(|value| value.round() as i16);
        let volume = Volume::new(hu, grid).map_err(|error| unusable(error.to_string()))?;
        Ok((volume, Place { frame: self.frame, dim }))
    }

    /// Voxels that are `label`, or not 0 where there is none, on those of `place`.
    ///
    /// Axes that run the other way are turned; fails where the mask lies elsewhere.
    pub(crate) fn mask_on(
        &self,
        place: &Place,
        label: Option<i32>,
    ) -> Result<Array3<bool>, TriageError> {
        let turned = self.turned(place);
        let values = turned.map_err(|why| {
            TriageError::Input(format!(
                "{}: the mask does not lie on the image: {why}",
                self.name
            ))
        })?;
        let inside = |value: f32| match label {
            // Labels are whole numbers, as floats in some files.
            Some(label) => (f64::from(value) - f64::from(label)).abs() < 1e-3,
            None => value != 0.0,
        };
        Ok(values.map(|&value| inside(value)))
    }

    /// The values with the axes of `place`, which they must fill voxel by voxel.
    fn turned(&self, place: &Place) -> Result<ArrayView3<'_, f32>, String> {
        let Place { frame, dim } = place;
        let mut values = self.values.view();
        if values.dim() != *dim {
            return Err(format!("{:?} voxels (z, y, x) for an image of {dim:?}", values.dim()));
        }
        if !(self.frame.placed && frame.placed) {
            return Ok(values);
        }
        let mut origin = self.frame.origin;
        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            let (own, other) = (self.frame.steps[axis], frame.steps[axis]);
            let (own_mm, other_mm) = (length(own), length(other));
            if (own_mm / other_mm - 1.0).abs() > EQUAL {
                return Err(format!("steps of {own_mm} mm along {name}, not {other_mm}"));
            }
            let apart = |sign: f64| {
                length([0, 1, 2].map(|at| own[at] / own_mm - sign * other[at] / other_mm))
            };
            if apart(-1.0) <= EQUAL {
                let last = values.len_of(Axis(2 - axis)) as f64 - 1.0;
                origin = [0, 1, 2].map(|at| origin[at] + last * own[at]);
                values.invert_axis(Axis(2 - axis));
            } else if apart(1.0) > EQUAL {
                return Err(format!("its {name} runs along {own:?}, not along {other:?}"));
            }
        }
        let shift = [0, 1, 2].map(|at| origin[at] - frame.origin[at]);
        let smallest = frame.steps.map(length).into_iter().fold(f64::INFINITY, f64::min);
        if length(shift) > SHIFT * smallest {
            return Err(format!("it is {:.2} mm beside it", length(shift)));
        }
        Ok(values)
    }
}

fn length(v: [f64; 3]) -> f64 {
    v.iter().map(|c| c * c).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nifti_file;
    use ichor_core::Mask;
    use std::path::PathBuf;

    fn write(name: &str, bytes: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ichor-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Voxels `value(z, y, x)` of 2 x 3 x 4 as a .nrrd whose header has `fields`.
    fn nrrd(name: &str, fields: &str, value: impl Fn(usize, usize, usize) -> i16) -> PathBuf {
        let header = format!(
            "NRRD0004\n# a comment\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: big\nencoding: raw\nkey:=value\n{fields}\n\n"
        );
        let mut bytes = header.into_bytes();
        for (z, y, x) in ndarray::indices((2, 3, 4)) {
            bytes.extend(value(z, y, x).to_be_bytes());
        }
        write(name, &bytes)
    }

    const PLACED: &str = "space: left-posterior-superior\nspace directions: (0.5,0,0) (0,-0.5,0) (0,0,5)\nspace origin: (-1,2,-3)";

    fn number(z: usize, y: usize, x: usize) -> i16 {
        i16::try_from(100 * z + 10 * y + x).unwrap() - 50
    }

    #[test]
    fn an_image_is_used_as_it_is_stored() {
        let path = nrrd("stored.nrrd", PLACED, number);
        let (volume, _) = ScanFile::read(&path).unwrap().into_volume().unwrap();
        assert_eq!(volume.dim(), (2, 3, 4));
        assert!(volume.hu().indexed_iter().all(|((z, y, x), &hu)| hu == number(z, y, x)));
        let (pixel, grid) = (volume.grid().pixel(), volume.grid());
        assert_eq!((pixel.y, pixel.x, grid.positions_mm()[1]), (0.5, 0.5, 5.0));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_mask_is_turned_to_the_axes_of_its_image() {
        let image = ScanFile::read(&nrrd("image.nrrd", PLACED, number)).unwrap();
        let (_, image) = image.into_volume().unwrap();
        let marked = |z: usize, y: usize, x: usize| i16::from((z, y, x) == (0, 0, 1)) * 3;
        let same = ScanFile::read(&nrrd("same.nrrd", PLACED, marked)).unwrap();
        let expected = Array3::from_shape_fn((2, 3, 4), |at| at == (0, 0, 1));
        assert_eq!(same.mask_on(&image, Some(3)).unwrap(), expected);
        assert_eq!(same.mask_on(&image, None).unwrap(), expected);
        assert!(same.mask_on(&image, Some(1)).unwrap().iter().all(|&inside| !inside));

        // The same voxels stored from the other end of y and of z, in RAS.
        let turned = "space: RAS\nspace directions: (-0.5,0,0) (0,-0.5,0) (0,0,-5)\nspace origin: (1,-1,2)";
        let marked = |z: usize, y: usize, x: usize| i16::from((z, y, x) == (1, 2, 1));
        let turned = ScanFile::read(&nrrd("turned.nrrd", turned, marked)).unwrap();
        assert_eq!(turned.mask_on(&image, None).unwrap(), expected);
    }

    #[test]
    fn a_mask_that_lies_elsewhere_is_refused_with_what_differs() {
        let image = ScanFile::read(&nrrd("here.nrrd", PLACED, number)).unwrap();
        let (_, image) = image.into_volume().unwrap();
        let refused = |name: &str, from: &str, to: &str| {
            let mask = ScanFile::read(&nrrd(name, &PLACED.replace(from, to), number)).unwrap();
            mask.mask_on(&image, None).unwrap_err().to_string()
        };
        let beside = refused("beside.nrrd", "-1,2,-3", "-1,2.6,-3");
        assert!(beside.contains("it is 0.60 mm beside it"), "{beside}");
        let step = refused("step.nrrd", "(0,0,5)", "(0,0,4)");
        assert!(step.contains("steps of 4 mm along z, not 5"), "{step}");
        let axis = refused("axis.nrrd", "(0.5,0,0) (0,-0.5,0)", "(0,-0.5,0) (0.5,0,0)");
        assert!(axis.contains("its x runs along [0.0, -0.5, 0.0]"), "{axis}");
    }

    #[test]
    fn what_ichor_writes_as_nifti_lies_where_it_lay() {
        let pixel = PixelSpacing { y: 0.5, x: 0.4 };
        let origins = (0..3).map(|z| [-100.0, -90.0, 5.0 * f64::from(z) - 20.0]).collect();
        let grid = Grid::new(pixel, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, 5.0).unwrap();
        let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| number(z, y, x));
        let volume = Volume::new(hu, grid).unwrap();
        let path = write("written.nii.gz", &[]);
        nifti_file::write_image(&volume, &path).unwrap();
        let read = ScanFile::read(&path).unwrap();
        assert_eq!(read.clone().into_volume().unwrap().0.hu(), volume.hu());
        let own = Frame::of(volume.grid());
        let pairs = read.frame.steps.iter().zip(own.steps).map(|(a, b)| (*a, b));
        for (a, b) in pairs.chain([(read.frame.origin, own.origin)]) {
            assert!(length([0, 1, 2].map(|at| a[at] - b[at])) < 1e-5, "{a:?} {b:?}");
        }
        let mask = Mask::new(volume.hu().map(|&hu| hu > 60), volume.grid()).unwrap();
        nifti_file::write_mask(&mask, volume.grid(), &path).unwrap();
        let found = ScanFile::read(&path).unwrap();
        let found = found.mask_on(&Place::of(&volume), Some(1)).unwrap();
        assert_eq!(found, mask.voxels());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let said = |name: &str, bytes: &[u8]| {
            let path = write(name, bytes);
            let said = ScanFile::read(&path).unwrap_err().to_string();
            std::fs::remove_file(path).unwrap();
            said
        };
        let head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\n";
        let check = |name: &str, text: &str, words: &str| {
            let said = said(name, text.as_bytes());
            assert!(said.contains(words), "{said}");
        };
        check("a.nrrd", "P5 2 2", "this is no NRRD file");
        check("b.nrrd", head, "the header has no end");
        check(
            "c.nrrd",
            &format!("{head}encoding: raw\n\n1234567"),
            "7 bytes of numbers, 8 were",
        );
        check(
            "d.nrrd",
            &format!("{head}encoding: bzip2\n\n"),
            "encoding \"bzip2\" is not read",
        );
        check("e.nrrd", &format!("{head}encoding: text\n\n1 2 3 4 5 6 7"), "7 numbers, 8 were");
        let flat = head.replace("2 2 2", "2 2");
        check("f.nrrd", &format!("{flat}\n"), "not 3 of sizes 2 2");
        let huge = head.replace("2 2 2", "9999999999 9999999999 9999999999");
        check("g.nrrd", &format!("{huge}encoding: raw\n\n"), "are of no image");
        check(
            "h.nrrd",
            &format!("{head}encoding: raw\nspacings: 0 1 1\n\n12345678"),
            "cannot be",
        );
        check("i.nii", "nothing", "i.nii: ");
    }
}
