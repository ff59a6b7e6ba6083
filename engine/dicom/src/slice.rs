//! Stored pixels to Hounsfield units (PS3.3 C.7.6.3, C.8.2.1 and C.11.1).
//!
//! Of every word only the stored bits count, sign-extended from the highest; the slice's own
//! slope and intercept follow. Padding becomes air. `MONOCHROME1` says how to show an image, not
//! what its values mean, so it changes nothing.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use ndarray::Array2;

use crate::header::header_of;
use crate::pixels::{PixelFormat, Rescale};
use crate::uid::{EXPLICIT_BIG, is_uncompressed};
use crate::{DicomError, Header};

/// What padding becomes: air.
const PADDING_HU: i16 = -1024;

/// One slice in Hounsfield units.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Where it was read.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Hounsfield units, `(y, x)`.
    pub hu: Array2<i16>,
}

/// Reads a slice. Fails on compressed pixels, on more than one frame or sample, and when the
/// pixels do not fill the image.
pub fn read_slice(path: &Path) -> Result<Slice, DicomError> {
    let mut file = File::open(path).map_err(DicomError::file("open", path))?;
    let header = header_of(&file, path)?;
    if !is_uncompressed(&header.transfer_syntax) {
        return Err(DicomError::TransferSyntax { uid: header.transfer_syntax });
    }
    let format = checked_format(&header)?;
    let bytes = pixel_bytes(&mut file, path, &header, &format)?;
    let words = words(&bytes, format.bits_allocated, header.transfer_syntax == EXPLICIT_BIG);
    let to_hu = ToHu::new(&format, &header.rescale)?;
    let hu: Vec<i16> = words.map(|word| to_hu.of(word)).collect();
    let have = hu.len() as u64;
    let shape = (usize::from(format.rows), usize::from(format.columns));
    let hu = Array2::from_shape_vec(shape, hu).map_err(|_| short(&format, have))?;
    Ok(Slice { path: path.to_owned(), header, hu })
}

/// The pixel format, if it is one grey image of 8 or 16 bits a pixel.
fn checked_format(header: &Header) -> Result<PixelFormat, DicomError> {
    let format =
        header.pixels.clone().ok_or(DicomError::Missing { tag: tags::ROWS, name: "Rows" })?;
    let wrong = |tag: Tag, name, value: u32, must| {
        Err(DicomError::Value { tag, name, value: value.to_string(), must })
    };
    if header.frames != 1 {
        return wrong(tags::NUMBER_OF_FRAMES, "NumberOfFrames", header.frames, "1");
    }
    if format.samples != 1 {
        return wrong(tags::SAMPLES_PER_PIXEL, "SamplesPerPixel", format.samples.into(), "1");
    }
    if ![8, 16].contains(&format.bits_allocated) {
        let bits = format.bits_allocated.into();
        return wrong(tags::BITS_ALLOCATED, "BitsAllocated", bits, "8 or 16");
    }
    if !(1..=format.bits_allocated).contains(&format.bits_stored) {
        let bits = format.bits_stored.into();
        return wrong(tags::BITS_STORED, "BitsStored", bits, "1 to BitsAllocated");
    }
    if !(format.bits_stored - 1..format.bits_allocated).contains(&format.high_bit) {
        let bit = format.high_bit.into();
        return wrong(tags::HIGH_BIT, "HighBit", bit, "BitsStored - 1 to BitsAllocated - 1");
    }
    if format.rows == 0 || format.columns == 0 {
        let n = format.rows.min(format.columns).into();
        return wrong(tags::ROWS, "Rows or Columns", n, "1 or more");
    }
    Ok(format)
}

/// The bytes of exactly one image; what the value holds beyond is padding.
fn pixel_bytes(
    file: &mut File,
    path: &Path,
    header: &Header,
    format: &PixelFormat,
) -> Result<Vec<u8>, DicomError> {
    let missing = DicomError::Missing { tag: tags::PIXEL_DATA, name: "PixelData" };
    let value = header.pixel_bytes.ok_or(missing)?;
    let need = need(format);
    let have = value.length.unwrap_or(0);
    if have < need {
        return Err(short(format, have));
    }
    file.seek(SeekFrom::Start(value.at)).map_err(DicomError::file("read", path))?;
    let mut bytes = vec![0; need as usize];
    file.read_exact(&mut bytes).map_err(DicomError::file("read", path))?;
    Ok(bytes)
}

fn need(format: &PixelFormat) -> u64 {
    u64::from(format.rows) * u64::from(format.columns) * u64::from(format.bits_allocated / 8)
}

fn short(format: &PixelFormat, have: u64) -> DicomError {
    let (rows, columns) = (format.rows, format.columns);
    DicomError::Pixels { have, need: need(format), rows, columns }
}

/// The words of the image as they stand, unsigned.
fn words(bytes: &[u8], bits: u16, big_endian: bool) -> impl Iterator<Item = u16> + '_ {
    let size = usize::from(bits / 8);
    bytes.chunks_exact(size).map(move |chunk| match (chunk, big_endian) {
        ([a, b], false) => u16::from_le_bytes([*a, *b]),
        ([a, b], true) => u16::from_be_bytes([*a, *b]),
        (rest, _) => rest.first().copied().unwrap_or_default().into(),
    })
}

/// From the word of one pixel to Hounsfield units.
struct ToHu {
    shift: u32,
    mask: u32,
    sign: u32,
    word_sign: u32,
    slope: f64,
    intercept: f64,
    padding: Option<(i32, i32)>,
}

impl ToHu {
    fn new(format: &PixelFormat, rescale: &Rescale) -> Result<Self, DicomError> {
        if rescale.slope == 0.0 {
            let (tag, value) = (tags::RESCALE_SLOPE, "0".to_owned());
            return Err(DicomError::Value { tag, name: "RescaleSlope", value, must: "not 0" });
        }
        let stored = u32::from(format.bits_stored);
        let sign = |bits: u32| if format.signed { 1 << (bits - 1) } else { 0 };
        let mut this = Self {
            shift: u32::from(format.high_bit) + 1 - stored,
            mask: (1 << stored) - 1,
            sign: sign(stored),
            word_sign: sign(format.bits_allocated.into()),
            slope: rescale.slope,
            intercept: rescale.intercept,
            padding: None,
        };
        this.padding = rescale.padding.map(|(value, limit)| {
            let (a, b) = (this.word(value), this.word(limit));
            (a.min(b), a.max(b))
        });
        Ok(this)
    }

    /// The whole word as a number: padding is written over all its bits.
    fn word(&self, word: u16) -> i32 {
        extended(word.into(), self.word_sign)
    }

    fn of(&self, word: u16) -> i16 {
        let value = extended((u32::from(word) >> self.shift) & self.mask, self.sign);
        let is_padding = self.padding.is_some_and(|(low, high)| {
            (low..=high).contains(&value) || (low..=high).contains(&self.word(word))
        });
        if is_padding {
            return PADDING_HU;
        }
        // A float turns into the nearest integer of the type.
        (f64::from(value) * self.slope + self.intercept).round() as i16
    }
}

/// `value` as two's complement whose highest bit is `sign`; unsigned where that is 0.
fn extended(value: u32, sign: u32) -> i32 {
    (value ^ sign).wrapping_sub(sign).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(stored: u16, high: u16, signed: bool) -> PixelFormat {
        PixelFormat {
            rows: 1,
            columns: 1,
            samples: 1,
            bits_allocated: 16,
            bits_stored: stored,
            high_bit: high,
            signed,
        }
    }

    fn check(
        format: &PixelFormat,
        rescale: (f64, f64, Option<(u16, u16)>),
        word: u16,
        hu: i16,
    ) {
        let (slope, intercept, padding) = rescale;
        let rescale = Rescale { slope, intercept, padding };
        assert_eq!(ToHu::new(format, &rescale).unwrap().of(word), hu, "{word:#06x}");
    }

    #[test]
    fn only_stored_bits_count_and_the_highest_is_the_sign() {
        let plain = (1.0, 0.0, None);
        check(&format(12, 11, true), plain, 0x0fff, -1);
        check(&format(12, 11, true), plain, 0xa7ff, 2047);
        check(&format(12, 11, false), plain, 0xf028, 40);
        check(&format(12, 15, true), plain, 0xfff0, -1);
        check(&format(12, 15, false), plain, 0x028f, 40);
        check(&format(16, 15, true), plain, 0xfc18, -1000);
        check(&format(16, 15, false), plain, 0xfc18, i16::MAX);
    }

    #[test]
    fn slope_and_intercept_are_applied_rounded_and_held_in_range() {
        let unsigned = format(12, 11, false);
        check(&unsigned, (1.0, -1024.0, None), 1064, 40);
        check(&unsigned, (0.5, -1024.0, None), 2127, 40);
        check(&unsigned, (-1.0, 100.0, None), 60, 40);
        check(&format(16, 15, false), (10.0, 0.0, None), 60_000, i16::MAX);
        check(&format(16, 15, true), (10.0, 0.0, None), 0x8000, i16::MIN);
    }

    #[test]
    fn padding_becomes_air_and_its_look_alike_does_not() {
        let pad = |value: i16, limit: i16| Some((value.cast_unsigned(), limit.cast_unsigned()));
        let ge = (1.0, 0.0, pad(-1500, -1500));
        check(&format(16, 15, true), ge, (-1500_i16).cast_unsigned(), -1024);
        check(&format(16, 15, true), ge, (-1499_i16).cast_unsigned(), -1499);
        // 63536 lies outside of twelve bits; 2096 has the same lower twelve and is bone.
        let wide = (1.0, -1024.0, Some((63_536, 63_536)));
        check(&format(12, 11, false), wide, 63_536, -1024);
        check(&format(12, 11, false), wide, 2096, 1072);
        check(
            &format(16, 15, true),
            (1.0, 0.0, pad(-2000, -1900)),
            (-1950_i16).cast_unsigned(),
            -1024,
        );
        check(
            &format(16, 15, true),
            (1.0, 0.0, pad(-1900, -2000)),
            (-1950_i16).cast_unsigned(),
            -1024,
        );
    }
    #[test]
    fn one_image_in_three_encodings_has_the_same_values() {
        let Some(folder) = crate::samples::shared("dicom-syntaxes/cornerstone_ts") else {
            return;
        };
        let read =
            |ending: &str| read_slice(&folder.join(format!("testImages__CTImage.dcm{ending}")));
        let plain = read("").unwrap().hu;
        assert_eq!(
            (plain.dim(), plain.iter().min(), plain.iter().max()),
            ((512, 512), Some(&-3024), Some(&1378))
        );
        for ending in [
            "_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm",
            "_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm",
            "_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
        ] {
            assert_eq!(read(ending).unwrap().hu, plain, "{ending}");
        }
        let uid = "1.2.840.10008.1.2.4.80";
        let packed = read("_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm");
        assert!(
            matches!(packed, Err(DicomError::TransferSyntax { uid: found }) if found == uid)
        );
    }

    #[test]
    fn pixels_that_do_not_fill_the_image_are_refused() {
        let folder = crate::samples::Folder::new();
        let series = crate::samples::tags("short");
        let volume = crate::samples::volume(1, 4, 6);
        let files = crate::write_ct_series(&volume, &series, folder.path()).unwrap();
        let mut bytes = std::fs::read(&files[0]).unwrap();
        let at = bytes.len() - 48 - 4;
        bytes[at] = 46;
        bytes.truncate(bytes.len() - 2);
        std::fs::write(&files[0], &bytes).unwrap();
        let error = read_slice(&files[0]).unwrap_err().to_string();
        assert_eq!(error, "46 bytes of pixels for 4 x 6 pixels, which need 48");
        std::fs::write(&files[0], &bytes[..bytes.len() - 1]).unwrap();
        let error = read_slice(&files[0]).unwrap_err().to_string();
        assert_eq!(error, "element (7FE0,0010) claims 46 bytes, 45 are left");
    }
}
