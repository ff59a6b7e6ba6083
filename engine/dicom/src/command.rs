//! The command set of a DIMSE message (PS3.7 section 6.3 and annex E).
//!
//! Always implicit VR little endian, and short. Lengths are held against the bytes at hand.

use crate::text::clean;

/// C-STORE request.
pub(crate) const STORE: u16 = 0x0001;
/// C-ECHO request.
pub(crate) const ECHO: u16 = 0x0030;
/// C-CANCEL request, which has no response.
pub(crate) const CANCEL: u16 = 0x0fff;
/// Set in the command field of every response.
pub(crate) const RESPONSE: u16 = 0x8000;

/// Done.
pub(crate) const SUCCESS: u16 = 0x0000;
/// Refused: out of resources.
pub(crate) const OUT_OF_RESOURCES: u16 = 0xa700;
/// Error: cannot understand.
pub(crate) const CANNOT_UNDERSTAND: u16 = 0xc000;
/// The operation is none of those negotiated.
pub(crate) const UNRECOGNIZED: u16 = 0x0211;
/// `CommandDataSetType` of a message without data set.
const NO_DATA: u16 = 0x0101;

/// A command set, as far as C-ECHO and C-STORE need it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Command {
    /// `CommandField`.
    pub(crate) field: u16,
    /// `MessageID`, or in a response the message that it answers.
    pub(crate) message: u16,
    /// `Status` of a response.
    pub(crate) status: u16,
    /// Whether a data set follows.
    pub(crate) has_data: bool,
    /// `AffectedSOPClassUID`.
    pub(crate) sop_class: String,
    /// `AffectedSOPInstanceUID`.
    pub(crate) sop_uid: String,
    /// `ErrorComment` of a response.
    pub(crate) comment: String,
}

impl Command {
    /// None where the bytes are no command set.
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut command = Self { has_data: true, ..Self::default() };
        let mut has_field = false;
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at_checked(8)?;
            let length = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
            let (value, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            if head[..2] != [0, 0] {
                return None;
            }
            let number = || Some(u16::from_le_bytes(value.get(..2)?.try_into().ok()?));
            let text = || clean(&String::from_utf8_lossy(value));
            match u16::from_le_bytes([head[2], head[3]]) {
                0x0002 => command.sop_class = text(),
                0x0100 => (command.field, has_field) = (number()?, true),
                0x0110 | 0x0120 => command.message = number()?,
                0x0800 => command.has_data = number()? != NO_DATA,
                0x0900 => command.status = number()?,
                0x0902 => command.comment = text(),
                0x1000 => command.sop_uid = text(),
                _ => {}
            }
        }
        has_field.then_some(command)
    }

    /// The answer to this request.
    pub(crate) fn answer(&self, status: u16, comment: &str) -> Self {
        // ErrorComment is an LO: 64 characters, no backslash.
        let comment = comment.chars().filter(|c| c.is_ascii() && *c != '\\').take(64).collect();
        let field = self.field | RESPONSE;
        Self { field, status, has_data: false, comment, ..self.clone() }
    }

    /// The bytes, with the group's length first.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let is_response = self.field & RESPONSE != 0;
        let mut out = Vec::new();
        put_text(&mut out, 0x0002, &self.sop_class, 0);
        put(&mut out, 0x0100, &self.field.to_le_bytes());
        put(&mut out, if is_response { 0x0120 } else { 0x0110 }, &self.message.to_le_bytes());
        if self.field == STORE {
            // Priority: medium.
            put(&mut out, 0x0700, &[0, 0]);
        }
        let data_set: u16 = if self.has_data { 0x0001 } else { NO_DATA };
        put(&mut out, 0x0800, &data_set.to_le_bytes());
        if is_response {
            put(&mut out, 0x0900, &self.status.to_le_bytes());
            put_text(&mut out, 0x0902, &self.comment, b' ');
        }
        put_text(&mut out, 0x1000, &self.sop_uid, 0);
        let mut whole = Vec::with_capacity(out.len() + 12);
        put(&mut whole, 0x0000, &(out.len() as u32).to_le_bytes());
        whole.extend_from_slice(&out);
        whole
    }
}

fn put(out: &mut Vec<u8>, element: u16, value: &[u8]) {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

/// Padded to an even length; left out where it is empty.
fn put_text(out: &mut Vec<u8>, element: u16, value: &str, padding: u8) {
    if value.is_empty() {
        return;
    }
    let mut bytes = value.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(padding);
    }
    put(out, element, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_its_answer_read_back() {
        let request = Command {
            field: STORE,
            message: 7,
            has_data: true,
            sop_class: "1.2.840.10008.5.1.4.1.1.2".to_owned(),
            sop_uid: "1.2.3".to_owned(),
            ..Command::default()
        };
        assert_eq!(Command::parse(&request.encode()), Some(request.clone()));
        let answer = request.answer(CANNOT_UNDERSTAND, "no DICOM\\element");
        assert_eq!(answer.comment, "no DICOMelement");
        assert_eq!(answer.field, 0x8001);
        assert_eq!(Command::parse(&answer.encode()), Some(answer));
    }

    #[test]
    fn a_length_beyond_the_end_is_no_command() {
        let mut bytes = Command { field: ECHO, ..Command::default() }.encode();
        bytes.extend_from_slice(&[0, 0, 0, 0x10, 0xfe, 0xff, 0xff, 0xff, 1]);
        assert_eq!(Command::parse(&bytes), None);
        assert_eq!(Command::parse(&[]), None);
        assert_eq!(Command::parse(&[8, 0, 0x16, 0, 0, 0, 0, 0]), None);
    }
}
