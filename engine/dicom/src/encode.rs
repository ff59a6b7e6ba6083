//! Elements to bytes (PS3.5 section 7.1): what we write ourselves is little endian.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::uid::IMPLEMENTATION;

/// Elements in explicit VR little endian, appended in the order in which they must stand.
#[derive(Default)]
pub(crate) struct Explicit {
    bytes: Vec<u8>,
}

impl Explicit {
    /// Text or bytes; padded to an even length as its value representation wants it.
    pub(crate) fn put(&mut self, tag: Tag, vr: [u8; 2], value: &[u8]) {
        let padding = value.len() % 2;
        self.head(tag, vr, (value.len() + padding) as u32);
        self.bytes.extend_from_slice(value);
        if padding == 1 {
            self.bytes.push(if [*b"UI", *b"OB", *b"UN"].contains(&vr) { 0 } else { b' ' });
        }
    }

    /// Text; see [`Self::put`].
    pub(crate) fn text(&mut self, tag: Tag, vr: [u8; 2], value: &str) {
        self.put(tag, vr, value.as_bytes());
    }

    /// One unsigned number of 16 bits.
    pub(crate) fn number(&mut self, tag: Tag, value: u16) {
        self.put(tag, *b"US", &value.to_le_bytes());
    }

    /// Decimal strings, at most 16 characters each (PS3.5 section 6.2, DS).
    pub(crate) fn decimals(&mut self, tag: Tag, values: &[f64]) {
        let texts: Vec<String> = values.iter().map(|&value| decimal(value)).collect();
        self.text(tag, *b"DS", &texts.join("\\"));
    }

    /// The bytes written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn head(&mut self, tag: Tag, vr: [u8; 2], length: u32) {
        self.bytes.extend_from_slice(&tag.group().to_le_bytes());
        self.bytes.extend_from_slice(&tag.element().to_le_bytes());
        self.bytes.extend_from_slice(&vr);
        if is_long(vr) {
            self.bytes.extend_from_slice(&[0, 0]);
            self.bytes.extend_from_slice(&length.to_le_bytes());
        } else {
            self.bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }
}

/// Whether the length of this value representation has 32 bits. PS3.5 section 7.1.2: those that
/// are not known to have 16 have 32.
pub(crate) fn is_long(vr: [u8; 2]) -> bool {
    const SHORT: [&[u8; 2]; 21] = [
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT",
        b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
    ];
    !SHORT.contains(&&vr)
}

/// The number with as many digits as fit into 16 characters.
pub(crate) fn decimal(value: f64) -> String {
    let plain = format!("{value}");
    if plain.len() <= 16 {
        return plain;
    }
    let fixed = (0..=14).rev().map(|digits| format!("{value:.digits$}"));
    fixed
        .chain((0..=10).rev().map(|digits| format!("{value:.digits$e}")))
        .find(|text| {
            text.len() <= 16 && text.parse::<f64>().is_ok_and(|back| close(back, value))
        })
        .unwrap_or_else(|| format!("{value:.9e}"))
}

/// Whether a rounded number still says what it said, to nine digits.
fn close(back: f64, value: f64) -> bool {
    (back - value).abs() <= value.abs() * 1e-9 || (back - value).abs() < 1e-12
}

/// Preamble, prefix and file meta information (PS3.10 section 7.1).
pub(crate) fn file_meta(
    sop_class: &str,
    sop_uid: &str,
    transfer_syntax: &str,
    source: Option<&str>,
) -> Vec<u8> {
    let mut meta = Explicit::default();
    meta.put(tags::FILE_META_INFORMATION_VERSION, *b"OB", &[0, 1]);
    meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID, *b"UI", sop_class);
    meta.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, *b"UI", sop_uid);
    meta.text(tags::TRANSFER_SYNTAX_UID, *b"UI", transfer_syntax);
    meta.text(tags::IMPLEMENTATION_CLASS_UID, *b"UI", IMPLEMENTATION);
    meta.text(tags::IMPLEMENTATION_VERSION_NAME, *b"SH", VERSION_NAME);
    if let Some(title) = source {
        meta.text(tags::SOURCE_APPLICATION_ENTITY_TITLE, *b"AE", title);
    }
    let group = meta.into_bytes();
    let mut length = Explicit::default();
    let n_bytes = (group.len() as u32).to_le_bytes();
    length.put(tags::FILE_META_INFORMATION_GROUP_LENGTH, *b"UL", &n_bytes);
    [&[0; 128][..], b"DICM", &length.into_bytes(), &group].concat()
}

/// At most 16 characters.
pub(crate) const VERSION_NAME: &str = concat!("ICHOR_", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_sixteen_characters() {
        let check = |value: f64, text: &str| assert_eq!(decimal(value), text);
        check(0.5, "0.5");
        check(-123.540_456_9, "-123.5404569");
        check(1.0 / 3.0, "0.33333333333333");
        check(-0.948_323_655_206_199_3, "-0.9483236552062");
        check(1.234_567_890_123e-9, "0.00000000123457");
    }

    #[test]
    fn an_element_is_even_and_as_the_standard_draws_it() {
        let mut out = Explicit::default();
        out.text(tags::MODALITY, *b"CS", "CT");
        out.text(tags::SOP_CLASS_UID, *b"UI", "1.2");
        out.put(tags::PIXEL_DATA, *b"OW", &[1, 2]);
        assert_eq!(
            out.into_bytes(),
            b"\x08\0\x60\0CS\x02\0CT\x08\0\x16\0UI\x04\x001.2\0\xe0\x7f\x10\0OW\0\0\x02\0\0\0\x01\x02"
        );
    }
}
