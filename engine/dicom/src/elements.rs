//! The elements of a DICOM file, read within bounds.
//!
//! PS3.5 section 7 (explicit and implicit VR, both byte orders) and PS3.10 section 7.1. Every
//! length is held against the bytes that are left before anything is allocated or skipped; only
//! the values asked for are read, at most [`LONGEST_VALUE`] bytes each; nesting is counted, not
//! recursed. Memory is bounded whatever the file says.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::DicomError;
use crate::source::{ElementHead, Source, Syntax};
use crate::uid::{DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE};

/// Sequences in sequences; scanners write four at most.
const DEEPEST: usize = 32;
/// No attribute that is asked for is longer.
const LONGEST_VALUE: u64 = 64 * 1024;
const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);

/// Where the pixels lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelBytes {
    /// Byte of the file at which the value begins.
    pub(crate) at: u64,
    /// Its length; none for fragments of a compressed image.
    pub(crate) length: Option<u64>,
}

/// The values asked for, of the outermost level, as they stand.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    values: BTreeMap<Tag, Vec<u8>>,
    /// `TransferSyntaxUID` of the file, or the one that a bare data set shows.
    pub(crate) transfer_syntax: String,
    /// Where the pixels lie, if there are any.
    pub(crate) pixels: Option<PixelBytes>,
    big_endian: bool,
}

impl Elements {
    /// The bytes of a value; none where it is absent or empty.
    pub(crate) fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        self.values.get(&tag).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    /// A value of ASCII text, padding removed; empty where it is absent.
    pub(crate) fn ascii(&self, tag: Tag) -> String {
        let bytes = self.bytes(tag).unwrap_or_default();
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
    }

    /// A number of 16 bits (US, SS): the raw word.
    pub(crate) fn word(&self, tag: Tag) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes(tag)?.get(..2)?.try_into().ok()?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    /// Decimal or integer strings (DS, IS), all finite; none if one of them is not a number.
    pub(crate) fn decimals(&self, tag: Tag) -> Option<Vec<f64>> {
        let text = self.ascii(tag);
        let numbers = text
            .split('\\')
            .map(|part| part.trim().parse::<f64>().ok().filter(|number| number.is_finite()));
        numbers.collect()
    }
}

/// Reads the file meta information and, of the data set, the values of `wanted` up to the pixels.
pub(crate) fn read_elements<R: Read + Seek>(
    reader: R,
    size: u64,
    wanted: &[Tag],
) -> Result<Elements, DicomError> {
    let mut source = Source::new(reader, size);
    let mut elements = Elements::default();
    source.skip_preamble()?;
    read_meta(&mut source, &mut elements, wanted)?;
    let named = elements.ascii(tags::TRANSFER_SYNTAX_UID);
    let named = if named.is_empty() { source.guess_syntax()?.to_owned() } else { named };
    let syntax = match named.as_str() {
        DEFLATED => return Err(DicomError::TransferSyntax { uid: named }),
        IMPLICIT_LITTLE => Syntax { explicit: false, big: false },
        EXPLICIT_BIG => Syntax { explicit: true, big: true },
        // PS3.5 annex A.4: all compressed pixels lie in explicit VR little endian.
        _ => Syntax { explicit: true, big: false },
    };
    elements.transfer_syntax = named;
    elements.big_endian = syntax.big;
    read_data_set(&mut source, syntax, &mut elements, wanted)?;
    Ok(elements)
}

/// The byte at which the data set begins, behind preamble and file meta information.
pub(crate) fn data_set_start<R: Read + Seek>(reader: R, size: u64) -> Result<u64, DicomError> {
    let mut source = Source::new(reader, size);
    source.skip_preamble()?;
    read_meta(&mut source, &mut Elements::default(), &[])?;
    Ok(source.at())
}

/// A sequence or an item that was opened without a length and not yet closed.
#[derive(Clone, Copy)]
struct Open {
    is_item: bool,
    syntax: Syntax,
}

/// The group 0002, whatever length it claims to have (PS3.10: always explicit little endian).
fn read_meta<R: Read + Seek>(
    source: &mut Source<R>,
    elements: &mut Elements,
    wanted: &[Tag],
) -> Result<(), DicomError> {
    while source.left() >= 8 && source.peek::<2>()? == [2, 0] {
        let head = source.head(Syntax { explicit: true, big: false })?;
        take_value(source, &head, elements, wanted)?;
    }
    Ok(())
}

/// Walks the data set up to the pixels or its end.
fn read_data_set<R: Read + Seek>(
    source: &mut Source<R>,
    outer: Syntax,
    elements: &mut Elements,
    wanted: &[Tag],
) -> Result<(), DicomError> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        if open.is_empty() && (elements.pixels.is_some() || source.is_at_end()?) {
            return Ok(());
        }
        let syntax = open.last().map_or(outer, |frame| frame.syntax);
        let head = source.head(syntax)?;
        match (head.tag, open.last().map(|frame| frame.is_item)) {
            (ITEM_END, Some(true)) | (SEQUENCE_END, Some(false)) => drop(open.pop()),
            (ITEM, Some(false)) => match head.length {
                Some(length) => source.skip(head.tag, length)?,
                None => push(&mut open, head.tag, Open { is_item: true, syntax })?,
            },
            (ITEM | ITEM_END | SEQUENCE_END, _) | (_, Some(false)) => {
                return Err(source.broken("delimiters of sequences do not match"));
            }
            (tag, level) => {
                if tag == tags::PIXEL_DATA && level.is_none() {
                    elements.pixels = Some(PixelBytes { at: source.at(), length: head.length });
                }
                match (head.length, level) {
                    (None, _) => {
                        let syntax = inner_syntax(&head, syntax);
                        push(&mut open, tag, Open { is_item: false, syntax })?;
                    }
                    (Some(_), None) => take_value(source, &head, elements, wanted)?,
                    (Some(length), Some(_)) => source.skip(tag, length)?,
                }
            }
        }
    }
}

/// A UN of undefined length holds a sequence in implicit VR (PS3.5 section 6.2.2, note 4).
fn inner_syntax(head: &ElementHead, outer: Syntax) -> Syntax {
    if head.vr == Some(*b"UN") { Syntax { explicit: false, big: false } } else { outer }
}

fn push(open: &mut Vec<Open>, tag: Tag, frame: Open) -> Result<(), DicomError> {
    // A level of nesting opens a sequence and an item.
    if open.len() >= 2 * DEEPEST {
        return Err(DicomError::Depth { tag, limit: DEEPEST });
    }
    open.push(frame);
    Ok(())
}

/// Keeps the value if it is asked for, else goes past it.
fn take_value<R: Read + Seek>(
    source: &mut Source<R>,
    head: &ElementHead,
    elements: &mut Elements,
    wanted: &[Tag],
) -> Result<(), DicomError> {
    let length = head.length.ok_or_else(|| source.broken("meta information without end"))?;
    if !wanted.contains(&head.tag) || length > LONGEST_VALUE {
        return source.skip(head.tag, length);
    }
    let value = source.bytes(head.tag, length)?;
    elements.values.entry(head.tag).or_insert(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::encode::{Explicit, file_meta, is_long};
    use crate::samples::{Numbers, tags as series_tags, volume};
    use crate::uid::EXPLICIT_LITTLE;

    const WANTED: [Tag; 3] = [tags::TRANSFER_SYNTAX_UID, tags::PATIENT_NAME, tags::ROWS];

    fn read(bytes: &[u8]) -> Result<Elements, DicomError> {
        read_elements(Cursor::new(bytes), bytes.len() as u64, &WANTED)
    }

    /// A data set in the given syntax: a name, a sequence of undefined length, rows, pixels.
    fn data_set(syntax: Syntax) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |tag: Tag, vr: [u8; 2], length: u32, value: &[u8]| {
            let word = |v: u16| if syntax.big { v.to_be_bytes() } else { v.to_le_bytes() };
            let long = |v: u32| if syntax.big { v.to_be_bytes() } else { v.to_le_bytes() };
            out.extend_from_slice(&word(tag.group()));
            out.extend_from_slice(&word(tag.element()));
            if tag.group() == 0xfffe || !syntax.explicit {
                out.extend_from_slice(&long(length));
            } else if is_long(vr) {
                out.extend_from_slice(&vr);
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&long(length));
            } else {
                out.extend_from_slice(&vr);
                out.extend_from_slice(&word(length as u16));
            }
            out.extend_from_slice(value);
        };
        put(tags::REFERENCED_IMAGE_SEQUENCE, *b"SQ", u32::MAX, &[]);
        put(ITEM, *b"  ", u32::MAX, &[]);
        put(tags::PATIENT_NAME, *b"PN", 4, b"Not^");
        put(ITEM_END, *b"  ", 0, &[]);
        put(ITEM, *b"  ", 8, &[0xff; 8]);
        put(SEQUENCE_END, *b"  ", 0, &[]);
        put(tags::PATIENT_NAME, *b"PN", 6, b"Doe^J ");
        let rows: [u8; 2] = if syntax.big { [1, 2] } else { [2, 1] };
        put(tags::ROWS, *b"US", 2, &rows);
        put(tags::PIXEL_DATA, *b"OW", 4, &[1, 2, 3, 4]);
        out
    }

    fn check(bytes: &[u8], transfer_syntax: &str) {
        let elements = read(bytes).unwrap();
        assert_eq!(elements.transfer_syntax, transfer_syntax);
        assert_eq!(elements.ascii(tags::PATIENT_NAME), "Doe^J");
        assert_eq!(elements.word(tags::ROWS), Some(0x0102));
        let at = bytes.len() as u64 - 4;
        assert_eq!(elements.pixels, Some(PixelBytes { at, length: Some(4) }));
    }

    #[test]
    fn files_are_read_with_and_without_preamble_and_meta_information() {
        for (syntax, uid) in [
            (Syntax { explicit: true, big: false }, EXPLICIT_LITTLE),
            (Syntax { explicit: false, big: false }, IMPLICIT_LITTLE),
            (Syntax { explicit: true, big: true }, EXPLICIT_BIG),
        ] {
            let data = data_set(syntax);
            let whole = [file_meta("1.2", "1.3", uid, None), data.clone()].concat();
            check(&whole, uid);
            check(&whole[132..], uid);
            check(&data, uid);
        }
    }

    #[test]
    fn a_wrong_group_length_and_trailing_zeros_do_no_harm() {
        let data = data_set(Syntax { explicit: true, big: false });
        let mut whole = [file_meta("1.2", "1.3", EXPLICIT_LITTLE, None), data].concat();
        whole[140] = 0xff;
        check(&whole, EXPLICIT_LITTLE);
        let mut out = Explicit::default();
        out.text(tags::PATIENT_NAME, *b"PN", "Doe^J");
        let padded = [out.into_bytes(), vec![0; 1000]].concat();
        assert_eq!(read(&padded).unwrap().ascii(tags::PATIENT_NAME), "Doe^J");
    }

    #[test]
    fn a_length_beyond_the_end_is_told_and_not_allocated() {
        let mut out = Explicit::default();
        out.text(tags::PATIENT_NAME, *b"UT", "Doe^J");
        let mut bytes = out.into_bytes();
        bytes[8..12].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
        assert_eq!(
            read(&bytes).unwrap_err().to_string(),
            "element (0010,0010) claims 4294967280 bytes, 6 are left"
        );
    }

    #[test]
    fn nesting_is_counted_and_not_recursed() {
        let level = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff";
        let deep = |n: usize| read(&level.repeat(n)).unwrap_err().to_string();
        assert!(deep(200_000).starts_with("sequences are nested deeper than 32 levels"));
        assert!(deep(32).starts_with("no DICOM element"), "{}", deep(32));
    }

    /// A slice of 4 x 6 pixels as our writer makes it.
    fn small_file() -> Vec<u8> {
        let folder = crate::samples::Folder::new();
        let files =
            crate::write_ct_series(&volume(1, 4, 6), &series_tags("fuzz"), folder.path())
                .unwrap();
        std::fs::read(&files[0]).unwrap()
    }

    #[test]
    fn thousands_of_broken_headers_neither_panic_nor_read_beyond_the_end() {
        let whole = small_file();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let (mut read_well, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(bytes.len());
                match numbers.below(5) {
                    0 => bytes[at] = numbers.below(256) as u8,
                    1 => bytes[at] = 0xff,
                    2 => bytes.truncate(at.max(1)),
                    3 => drop(bytes.splice(at..at, [0xff; 4])),
                    _ if bytes.len() > 1 => {
                        bytes.remove(at);
                    }
                    _ => {}
                }
            }
            let size = bytes.len() as u64;
            match read_elements(Cursor::new(&bytes), size, &crate::header::WANTED) {
                Ok(elements) => {
                    read_well += 1;
                    if let Some(PixelBytes { at, length: Some(length) }) = elements.pixels {
                        assert!(at + length <= size);
                    }
                    let _ = crate::header::header_from(&elements);
                }
                Err(_) => refused += 1,
            }
        }
        assert!(read_well > 1000 && refused > 1000, "{read_well} read, {refused} refused");
    }
}
