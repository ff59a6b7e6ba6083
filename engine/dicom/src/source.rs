//! Bytes of a file, with a count of what is left.

use std::io::{self, BufReader, Read, Seek};

use dicom_core::Tag;

use crate::DicomError;
use crate::encode::is_long;
use crate::uid::{EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE};

/// How the elements at hand are encoded.
#[derive(Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) explicit: bool,
    pub(crate) big: bool,
}

/// What stands before a value; no length means that a delimiter ends it.
pub(crate) struct ElementHead {
    pub(crate) tag: Tag,
    pub(crate) vr: Option<[u8; 2]>,
    pub(crate) length: Option<u64>,
}

/// A reader that knows where it is and how much there is.
pub(crate) struct Source<R> {
    reader: BufReader<R>,
    at: u64,
    size: u64,
}

impl<R: Read + Seek> Source<R> {
    /// `size` is how many bytes `reader` holds.
    pub(crate) fn new(reader: R, size: u64) -> Self {
        Self { reader: BufReader::with_capacity(16 * 1024, reader), at: 0, size }
    }

    /// The byte that comes next.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The value of `tag`.
    pub(crate) fn bytes(&mut self, tag: Tag, length: u64) -> Result<Vec<u8>, DicomError> {
        self.check(tag, length)?;
        let mut value = vec![0; length as usize];
        self.reader.read_exact(&mut value).map_err(|error| self.failed(error))?;
        self.at += length;
        Ok(value)
    }

    fn check(&self, tag: Tag, claimed: u64) -> Result<(), DicomError> {
        let left = self.left();
        if claimed > left { Err(DicomError::Length { tag, claimed, left }) } else { Ok(()) }
    }

    pub(crate) fn left(&self) -> u64 {
        self.size.saturating_sub(self.at)
    }

    pub(crate) fn broken(&self, why: &'static str) -> DicomError {
        DicomError::NotDicom { at: self.at, why }
    }

    fn failed(&self, source: io::Error) -> DicomError {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return self.broken("the bytes end");
        }
        DicomError::Disk { at: self.at, source }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DicomError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| self.failed(error))?;
        self.at += N as u64;
        Ok(bytes)
    }

    pub(crate) fn peek<const N: usize>(&mut self) -> Result<[u8; N], DicomError> {
        let bytes = self.take()?;
        self.step(-(N as u64).cast_signed())?;
        Ok(bytes)
    }

    /// Moves by less than the file is long.
    fn step(&mut self, by: i64) -> Result<(), DicomError> {
        self.reader.seek_relative(by).map_err(|error| self.failed(error))?;
        self.at = self.at.saturating_add_signed(by);
        Ok(())
    }

    pub(crate) fn skip(&mut self, tag: Tag, length: u64) -> Result<(), DicomError> {
        self.check(tag, length)?;
        self.step(length.cast_signed())
    }

    /// 128 bytes and `DICM`; files without exist and are taken.
    pub(crate) fn skip_preamble(&mut self) -> Result<(), DicomError> {
        if self.left() < 132 {
            return Ok(());
        }
        let start: [u8; 132] = self.peek()?;
        if start.ends_with(b"DICM") { self.step(132) } else { Ok(()) }
    }

    /// What a data set without file meta information shows by its first element.
    pub(crate) fn guess_syntax(&mut self) -> Result<&'static str, DicomError> {
        let start: [u8; 6] = self.peek()?;
        let group = u16::from_le_bytes([start[0], start[1]]);
        let has_vr = start[4..].iter().all(u8::is_ascii_uppercase);
        match (group, has_vr) {
            (0x0008..=0x0020, true) => Ok(EXPLICIT_LITTLE),
            (0x0008..=0x0020, false) => Ok(IMPLICIT_LITTLE),
            (0x0800 | 0x1000, true) => Ok(EXPLICIT_BIG),
            _ => Err(self.broken("neither DICM nor a data set begins here")),
        }
    }

    /// Whether nothing but padding with zeros is left.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, DicomError> {
        match self.left() {
            // Less than an element.
            0..8 => Ok(true),
            _ => Ok(self.peek::<8>()? == [0; 8]),
        }
    }

    pub(crate) fn head(&mut self, syntax: Syntax) -> Result<ElementHead, DicomError> {
        if self.left() < 8 {
            return Err(self.broken("the bytes end"));
        }
        let word =
            |b: [u8; 2]| if syntax.big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let long =
            |b: [u8; 4]| if syntax.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
        let tag = Tag(word(self.take()?), word(self.take()?));
        let (vr, length) = if tag.group() == 0xfffe || !syntax.explicit {
            (None, long(self.take()?))
        } else {
            let vr: [u8; 2] = self.take()?;
            if !vr.iter().all(u8::is_ascii_uppercase) {
                return Err(self.broken("an element without value representation"));
            }
            let short: [u8; 2] = self.take()?;
            let length = if is_long(vr) { long(self.take()?) } else { word(short).into() };
            (Some(vr), length)
        };
        Ok(ElementHead { tag, vr, length: (length != u32::MAX).then_some(length.into()) })
    }
}
