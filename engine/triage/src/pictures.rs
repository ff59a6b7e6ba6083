//! Pictures of a study for the console: 16-bit slices, 1-bit masks, an index.
//!
//! Written into a folder beside the final one and renamed, so that a console never reads half of
//! them and a killed engine leaves no half behind.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use ichor_core::{Mask, Pictures, Volume};
use ndarray::{ArrayView2, Axis};

use crate::TriageError;

/// Writes the pictures of `volume`, and of `mask` where there is one, as the folder `to`.
pub(crate) fn write(
    volume: &Volume,
    mask: Option<&Mask>,
    to: &Path,
) -> Result<(), TriageError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TriageError::file("write the pictures", &path, source)
    };
    let half = to.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half).map_err(failed(&half))?;
    }
    fs::create_dir_all(&half).map_err(failed(&half))?;
    for z in 0..volume.dim().0 {
        let path = half.join(Pictures::slice_file(z));
        write_slice(volume.slice(z), &path).map_err(failed(&path))?;
        let mask = mask.map(|mask| mask.voxels().index_axis(Axis(0), z));
        if let Some(mask) = mask.filter(|mask| mask.iter().any(|&inside| inside)) {
            let path = half.join(Pictures::mask_file(z));
            write_mask(mask, &path).map_err(failed(&path))?;
        }
    }
    let index = half.join(Pictures::INDEX);
    let text = serde_json::to_vec_pretty(&index_of(volume, mask)).map_err(std::io::Error::from);
    text.and_then(|text| fs::write(&index, text)).map_err(failed(&index))?;
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed(to))?;
    }
    fs::rename(&half, to).map_err(failed(to))
}

fn index_of(volume: &Volume, mask: Option<&Mask>) -> Pictures {
    let (n_slices, rows, columns) = volume.dim();
    let pixel = volume.grid().pixel();
    let area = |z: usize| {
        let n = mask.map_or(0, |mask| {
            mask.voxels().index_axis(Axis(0), z).iter().filter(|&&inside| inside).count()
        });
        n as f64 * pixel.y * pixel.x
    };
    Pictures {
        rows,
        columns,
        pixel_mm: [pixel.y, pixel.x],
        positions_mm: volume.grid().positions_mm().to_vec(),
        hematoma_mm2: (0..n_slices).map(area).collect(),
        left_on_right: volume.grid().row()[0] > 0.0,
    }
}

fn write_slice(slice: ArrayView2<'_, i16>, path: &Path) -> std::io::Result<()> {
    let bytes: Vec<u8> = slice
        .iter()
        .flat_map(|&hu| {
            let stored = (i32::from(hu) + Pictures::HU_OFFSET).clamp(0, i32::from(u16::MAX));
            (stored as u16).to_be_bytes()
        })
        .collect();
    write_png(slice.dim(), png::BitDepth::Sixteen, &bytes, path)
}

fn write_mask(mask: ArrayView2<'_, bool>, path: &Path) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for row in mask.rows() {
        let pixels = row.to_vec();
        bytes.extend(pixels.chunks(8).map(|eight| {
            eight
                .iter()
                .enumerate()
                .fold(0_u8, |byte, (at, &inside)| byte | (u8::from(inside) << (7 - at)))
        }));
    }
    write_png(mask.dim(), png::BitDepth::One, &bytes, path)
}

fn write_png(
    (rows, columns): (usize, usize),
    depth: png::BitDepth,
    bytes: &[u8],
    path: &Path,
) -> std::io::Result<()> {
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(path)?), columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_core::{Grid, PixelSpacing};
    use ndarray::Array3;

    #[test]
    fn pictures_hold_every_hu_and_the_mask_of_slices_with_hematoma_only() {
        let pixel = PixelSpacing { y: 0.5, x: 0.5 };
        let grid = Grid::axial(2, 5.0, pixel).unwrap();
        let mut hu = Array3::from_elem((2, 3, 10), -1024_i16);
        hu[[1, 2, 9]] = 3071;
        let mut voxels = Array3::from_elem((2, 3, 10), false);
        voxels[[1, 2, 9]] = true;
        let mask = Mask::new(voxels, &grid).unwrap();
        let folder =
            std::env::temp_dir().join(format!("ichor-pictures-{}", std::process::id()));
        write(&Volume::new(hu, grid).unwrap(), Some(&mask), &folder).unwrap();

        let read = |name: String| {
            let file = std::io::BufReader::new(File::open(folder.join(name)).unwrap());
            let mut reader = png::Decoder::new(file).read_info().unwrap();
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut bytes).unwrap();
            bytes
        };
        let slice = read(Pictures::slice_file(1));
        assert_eq!(slice[58..], [(4095_u16 >> 8) as u8, 255]);
        assert_eq!(slice[..2], [0, 0]);
        assert_eq!(read(Pictures::mask_file(1)), [0, 0, 0, 0, 0, 0b0100_0000]);
        assert!(!folder.join(Pictures::mask_file(0)).exists());
        let index = fs::read(folder.join(Pictures::INDEX)).unwrap();
        let index: Pictures = serde_json::from_slice(&index).unwrap();
        assert_eq!((index.best_slice(), index.hematoma_mm2), (1, vec![0.0, 0.25]));
        fs::remove_dir_all(&folder).unwrap();
    }
}
