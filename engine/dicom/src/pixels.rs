//! How the pixels of an object are to be read, as its header says.

use dicom_dictionary_std::tags;

use crate::elements::Elements;

/// Shape and encoding of the pixels (PS3.3 C.7.6.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelFormat {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// Samples a pixel: 1 for grey values.
    pub samples: u16,
    /// Bits that a pixel takes.
    pub bits_allocated: u16,
    /// Bits that count.
    pub bits_stored: u16,
    /// The highest of them.
    pub high_bit: u16,
    /// Whether values are two's complement.
    pub signed: bool,
}

/// From stored values to Hounsfield units; values as they stand, checked by the slice reader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rescale {
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
    pub(crate) padding: Option<(u16, u16)>,
}

impl PixelFormat {
    /// None for objects without an image.
    pub(crate) fn of(elements: &Elements) -> Option<Self> {
        let bits_allocated = elements.word(tags::BITS_ALLOCATED)?;
        let bits_stored = elements.word(tags::BITS_STORED).unwrap_or(bits_allocated);
        Some(Self {
            rows: elements.word(tags::ROWS)?,
            columns: elements.word(tags::COLUMNS)?,
            samples: elements.word(tags::SAMPLES_PER_PIXEL).unwrap_or(1),
            bits_allocated,
            bits_stored,
            high_bit: elements.word(tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
            signed: elements.word(tags::PIXEL_REPRESENTATION) == Some(1),
        })
    }
}

impl Rescale {
    /// Slope 1 and intercept 0 where the header names none.
    pub(crate) fn of(elements: &Elements) -> Self {
        let first = |tag| elements.decimals(tag).and_then(|values| values.first().copied());
        let padding = elements.word(tags::PIXEL_PADDING_VALUE).map(|value| {
            (value, elements.word(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value))
        });
        Self {
            slope: first(tags::RESCALE_SLOPE).unwrap_or(1.0),
            intercept: first(tags::RESCALE_INTERCEPT).unwrap_or(0.0),
            padding,
        }
    }
}
