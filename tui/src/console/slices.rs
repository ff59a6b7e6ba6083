//! The pictures of a study, read from the files that the engine left.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use ichor_core::Pictures;
use png::{BitDepth, ColorType, Decoder, Limits};

use crate::error::Error;

/// The largest picture taken, rows or columns.
const LARGEST: usize = 4096;
/// Memory that one picture may take while it is decoded.
const DECODE_BYTES: usize = 64 << 20;

/// One slice in Hounsfield units, rows first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Rows.
    pub(crate) rows: usize,
    /// Columns.
    pub(crate) columns: usize,
    /// `rows * columns` values.
    pub(crate) hu: Vec<i16>,
    /// Where hematoma is; none on slices without.
    pub(crate) mask: Option<Vec<bool>>,
}

/// Reads what the pictures in `folder` show.
pub(crate) fn index(folder: &Path) -> Result<Pictures, Error> {
    let path = folder.join(Pictures::INDEX);
    let text = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let index: Pictures = serde_json::from_slice(&text)
        .map_err(|source| Error::PictureIndex { path: path.clone(), source })?;
    let n_slices = index.positions_mm.len();
    let sound = (1..=LARGEST).contains(&index.rows)
        && (1..=LARGEST).contains(&index.columns)
        && index.pixel_mm.iter().all(|mm| mm.is_finite() && *mm > 0.0)
        && n_slices > 0
        && index.hematoma_mm2.len() == n_slices;
    if sound {
        return Ok(index);
    }
    Err(Error::Picture {
        path,
        found: format!("{} slices of {} x {} pixels", n_slices, index.rows, index.columns),
        expected: format!("at least one, up to {LARGEST} x {LARGEST}, with spacing and areas"),
    })
}

/// Reads slice `z` and its mask.
pub(crate) fn slice(folder: &Path, index: &Pictures, z: usize) -> Result<Slice, Error> {
    let grey = decode(&folder.join(Pictures::slice_file(z)), index, BitDepth::Sixteen)?;
    let hu = grey
        .chunks_exact(2)
        .map(|two| {
            let stored = i32::from(u16::from_be_bytes([two[0], two[1]]));
            (stored - Pictures::HU_OFFSET).clamp(i16::MIN.into(), i16::MAX.into()) as i16
        })
        .collect();
    let path = folder.join(Pictures::mask_file(z));
    let mask = if path.exists() {
        let bytes = decode(&path, index, BitDepth::One)?;
        let stride = index.columns.div_ceil(8);
        let bits = bytes
            .chunks_exact(stride)
            .flat_map(|row| (0..index.columns).map(|x| row[x / 8] & (0x80 >> (x % 8)) != 0));
        Some(bits.collect())
    } else {
        None
    };
    Ok(Slice { rows: index.rows, columns: index.columns, hu, mask })
}

/// The bytes of a grey PNG of `depth`, as stored.
fn decode(path: &Path, index: &Pictures, depth: BitDepth) -> Result<Vec<u8>, Error> {
    let file =
        File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let wrong = |source| Error::Png { path: path.to_owned(), source };
    let limits = Limits { bytes: DECODE_BYTES };
    let mut reader =
        Decoder::new_with_limits(BufReader::new(file), limits).read_info().map_err(wrong)?;
    let info = reader.info();
    let found = (info.height as usize, info.width as usize, info.bit_depth, info.color_type);
    let expected = (index.rows, index.columns, depth, ColorType::Grayscale);
    if found != expected {
        return Err(Error::Picture {
            path: path.to_owned(),
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        });
    }
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or(0)];
    reader.next_frame(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::phantom;

    #[test]
    fn a_slice_comes_back_as_it_was_written() {
        let folder = phantom::folder("slices");
        let index = index(&folder).unwrap();
        let slice = slice(&folder, &index, phantom::BLEED).unwrap();
        let at = |y: usize, x: usize| slice.hu[y * slice.columns + x];
        assert_eq!((at(0, 0), at(90, 60), at(50, 65)), (-1000, 34, 68));
        let mask = slice.mask.unwrap();
        assert!(mask[50 * slice.columns + 65] && !mask[90 * slice.columns + 60]);
    }

    #[test]
    fn a_slice_without_hematoma_has_no_mask() {
        let folder = phantom::folder("slices-none");
        let index = index(&folder).unwrap();
        assert_eq!(slice(&folder, &index, 0).unwrap().mask, None);
    }

    #[test]
    fn a_picture_of_another_size_is_refused_with_both_sizes() {
        let folder = phantom::folder("slices-size");
        let mut index = index(&folder).unwrap();
        index.rows -= 1;
        let error = slice(&folder, &index, 0).unwrap_err().to_string();
        assert!(error.contains("(128, 96") && error.contains("(127, 96"), "{error}");
    }

    #[test]
    fn missing_pictures_are_an_error_that_names_the_file() {
        let error = index(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/pictures.json: "), "{error}");
    }
}
