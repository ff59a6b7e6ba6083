//! Pictures of where a mask departs from its reference: for whoever judges which of the two is right.
//!
//! One PNG a slice, cut to the head: on the left the slice with 0 to 100 HU as black to white, on
//! the right the same with outlines. Green is the mask of reference, red the mask that was found,
//! yellow both.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use ichor_core::{Head, HeadBox, Volume};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis, Zip};

use crate::TriageError;

/// Slices of one case that are drawn, those that differ most first.
const MOST_SLICES: usize = 3;
/// HU that is white; 0 is black.
const WHITE_HU: f32 = 100.0;

const GREEN: [u8; 3] = [0, 200, 60];
const RED: [u8; 3] = [255, 60, 50];
const YELLOW: [u8; 3] = [255, 210, 0];

/// A folder that gets the pictures; it is made where it is missing.
#[derive(Debug)]
pub(super) struct Differences {
    folder: PathBuf,
}

/// What is compared, `(z, y, x)` each.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub(super) volume: &'a Volume,
    pub(super) head: &'a Head,
    pub(super) reference: ArrayView3<'a, bool>,
    pub(super) found: ArrayView3<'a, bool>,
}

impl Differences {
    pub(super) fn open(folder: &Path) -> Result<Self, TriageError> {
        fs::create_dir_all(folder)
            .map_err(|source| TriageError::file("create", folder, source))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Draws the slices of `compared` that differ most, as `NAME-ZZ.png`.
    pub(super) fn draw(&self, name: &str, compared: &Compared<'_>) -> Result<(), TriageError> {
        for z in compared.slices() {
            let path = self.folder.join(format!("{name}-{z:02}.png"));
            let (pixels, dim) = compared.picture(z);
            write(&pixels, dim, &path)
                .map_err(|source| TriageError::file("write", &path, source))?;
        }
        Ok(())
    }
}

impl<'a> Compared<'a> {
    /// Slices with a difference, the largest first.
    fn slices(&self) -> Vec<usize> {
        let pairs = self.reference.axis_iter(Axis(0)).zip(self.found.axis_iter(Axis(0)));
        let mut slices: Vec<(usize, usize)> = pairs
            .map(|(reference, found)| {
                Zip::from(reference)
                    .and(found)
                    .fold(0, |sum, &reference, &found| sum + usize::from(reference != found))
            })
            .enumerate()
            .filter(|&(_, n)| n > 0)
            .collect();
        slices.sort_by_key(|&(z, n)| (std::cmp::Reverse(n), z));
        slices.into_iter().take(MOST_SLICES).map(|(z, _)| z).collect()
    }

    /// RGB of slice `z`, twice side by side, with rows and columns.
    fn picture(&self, z: usize) -> (Vec<u8>, (usize, usize)) {
        let slice = self.volume.slice(z);
        let (y1, x1) = slice.dim();
        let cut = self.head.slice_box(z).unwrap_or(HeadBox { y0: 0, y1, x0: 0, x1 });
        let of = |masks: ArrayView3<'a, bool>| outline(masks.index_axis_move(Axis(0), z));
        let (reference, found) = (of(self.reference), of(self.found));
        let mut pixels = Vec::new();
        for y in cut.y0..cut.y1 {
            let grey = |x: usize| {
                let share = (f32::from(slice[(y, x)]) / WHITE_HU).clamp(0.0, 1.0);
                [(share * 255.0).round() as u8; 3]
            };
            for x in cut.x0..cut.x1 {
                pixels.extend(grey(x));
            }
            for x in cut.x0..cut.x1 {
                pixels.extend(match (reference[(y, x)], found[(y, x)]) {
                    (true, true) => YELLOW,
                    (true, false) => GREEN,
                    (false, true) => RED,
                    (false, false) => grey(x),
                });
            }
        }
        (pixels, (cut.y1 - cut.y0, 2 * (cut.x1 - cut.x0)))
    }
}

/// Pixels of `mask` with a neighbour, by an edge, that is outside of it.
fn outline(mask: ArrayView2<'_, bool>) -> Array2<bool> {
    let at = |y: Option<usize>, x: Option<usize>| {
        y.zip(x).and_then(|at| mask.get(at)).is_some_and(|&inside| inside)
    };
    Array2::from_shape_fn(mask.dim(), |(y, x)| {
        let around = [
            at(y.checked_sub(1), Some(x)),
            at(Some(y + 1), Some(x)),
            at(Some(y), x.checked_sub(1)),
            at(Some(y), Some(x + 1)),
        ];
        mask[(y, x)] && around.contains(&false)
    })
}

fn write(pixels: &[u8], (rows, columns): (usize, usize), path: &Path) -> std::io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_core::{Grid, PixelSpacing};
    use ndarray::{Array3, s};

    #[test]
    fn the_slices_that_differ_most_come_first_and_equal_ones_not_at_all() {
        let grid = Grid::axial(5, 5.0, PixelSpacing { y: 0.5, x: 0.5 }).unwrap();
        let volume = Volume::new(Array3::from_elem((5, 8, 8), 50), grid).unwrap();
        let head = Head::find(&volume);
        let reference = Array3::from_elem((5, 8, 8), false);
        let mut found = reference.clone();
        for (z, n) in [(0, 2), (1, 5), (3, 1), (4, 3)] {
            found.slice_mut(s![z, 1, ..n]).fill(true);
        }
        let compared = Compared {
            volume: &volume,
            head: &head,
            reference: reference.view(),
            found: found.view(),
        };
        assert_eq!(compared.slices(), [1, 4, 0]);

        let folder =
            std::env::temp_dir().join(format!("ichor-differences-{}", std::process::id()));
        let differences = Differences::open(&folder.join("new")).unwrap();
        differences.draw("case", &compared).unwrap();
        let file = File::open(folder.join("new/case-01.png")).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.height, info.width), (8, 16));
        // Row 1: the slice alone, then five red pixels.
        let at = |x: usize| &bytes[(16 + x) * 3..(16 + x) * 3 + 3];
        assert_eq!([at(0), at(8), at(12), at(13)], [&[128; 3], &RED, &RED, &[128; 3]]);
        assert!(!folder.join("new/case-02.png").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_outline_is_what_touches_the_outside() {
        let mask = Array2::from_shape_fn((5, 6), |(y, x)| (1..4).contains(&y) && x < 4);
        let found = outline(mask.view());
        // Column 0 touches the edge of the image, which is outside.
        let inner = [(2, 1), (2, 2)];
        for (at, &inside) in mask.indexed_iter() {
            assert_eq!(found[at], inside && !inner.contains(&at), "{at:?}");
        }
    }
}
