//! What can go wrong with DICOM bytes and with the network.

use std::io;
use std::path::PathBuf;

use dicom_core::Tag;

/// Why bytes are not read, not kept or not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DicomError {
    /// The disk does not do what is asked.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was tried: `open`, `read`, `write`, `rename`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk fails in the middle of a file.
    #[error("cannot read byte {at}: {source}")]
    Disk {
        /// Where.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes end, or are not DICOM.
    #[error("no DICOM element at byte {at}: {why}")]
    NotDicom {
        /// Where reading stopped.
        at: u64,
        /// What is wrong there.
        why: &'static str,
    },
    /// An element claims more bytes than there are.
    #[error("element {tag} claims {claimed} bytes, {left} are left")]
    Length {
        /// The element.
        tag: Tag,
        /// What it claims.
        claimed: u64,
        /// What the file still holds.
        left: u64,
    },
    /// Sequences lie deeper in each other than any scanner writes.
    #[error("sequences are nested deeper than {limit} levels at {tag}")]
    Depth {
        /// The element that goes too deep.
        tag: Tag,
        /// The limit.
        limit: usize,
    },
    /// An attribute that nothing goes without is absent or empty.
    #[error("{name} {tag} is missing")]
    Missing {
        /// Its tag.
        tag: Tag,
        /// Its keyword.
        name: &'static str,
    },
    /// An attribute holds what it must not.
    #[error("{name} {tag} is {value}: must be {must}")]
    Value {
        /// Its tag.
        tag: Tag,
        /// Its keyword.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What would be taken.
        must: &'static str,
    },
    /// The pixels are compressed, or the data set is encoded in a way that is not read.
    #[error("transfer syntax {uid} is not decoded")]
    TransferSyntax {
        /// Its UID.
        uid: String,
    },
    /// The pixels do not fill the image.
    #[error("{have} bytes of pixels for {rows} x {columns} pixels, which need {need}")]
    Pixels {
        /// Bytes at hand.
        have: u64,
        /// Bytes that the image needs.
        need: u64,
        /// Rows of the image.
        rows: u16,
        /// Columns of the image.
        columns: u16,
    },
    /// None of the files is readable DICOM; the first one's reason is told.
    #[error("none of {files} files is readable DICOM; the first: {first}")]
    NothingReadable {
        /// How many were tried.
        files: usize,
        /// What the first one said.
        first: Box<DicomError>,
    },
    /// No file was given.
    #[error("no files to read")]
    NoFiles,
    /// A time that DICOM cannot write.
    #[error("{0} ms since 1970 is no time that DICOM can write")]
    Time(i64),
    /// An application entity title has 1 to 16 characters of printable ASCII without backslash.
    #[error("{title:?} is no application entity title: 1 to 16 printable ASCII characters")]
    Title {
        /// The text found.
        title: String,
    },
    /// The network does not do what is asked.
    #[error("cannot {doing} {peer}: {source}")]
    Network {
        /// What was tried: `connect to`, `listen at`, `read from`, `write to`.
        doing: &'static str,
        /// The address.
        peer: String,
        /// What the system says.
        source: io::Error,
    },
    /// The peer said nothing for too long, or not enough.
    #[error("{peer} was silent for {seconds} s")]
    Silent {
        /// The address.
        peer: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The peer closed the connection in the middle.
    #[error("{peer} closed the connection")]
    Closed {
        /// The address.
        peer: String,
    },
    /// We are asked to stop, and the time to finish is over.
    #[error("stopped while {peer} was still connected")]
    Stopped {
        /// The address.
        peer: String,
    },
    /// A protocol data unit that cannot be read.
    #[error("{peer} sent a PDU that is not one: {source}")]
    Pdu {
        /// The address.
        peer: String,
        /// What the reader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A protocol data unit longer than the length that was agreed.
    #[error("{peer} sent a PDU of {length} bytes, more than {limit}")]
    PduLength {
        /// The address.
        peer: String,
        /// The claimed length.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// The peer speaks out of turn.
    #[error("{peer} broke the protocol: {why}")]
    Protocol {
        /// The address.
        peer: String,
        /// What it did.
        why: &'static str,
    },
    /// We rejected an association.
    #[error("{peer} was rejected: {reason}")]
    Rejected {
        /// The address.
        peer: String,
        /// Why, with the titles it used.
        reason: String,
    },
    /// The peer refused the association.
    #[error("{peer} refused the association: {reason}")]
    Refused {
        /// The address.
        peer: String,
        /// What it answered.
        reason: String,
    },
    /// The association was aborted.
    #[error("{peer} aborted the association")]
    Aborted {
        /// The address.
        peer: String,
    },
    /// The peer takes no object of this kind in this encoding.
    #[error("the peer takes no {sop_class} in transfer syntax {transfer_syntax}")]
    NoContext {
        /// SOP class of the object.
        sop_class: String,
        /// Its transfer syntax.
        transfer_syntax: String,
    },
    /// More kinds of object than one association has presentation contexts for (128).
    #[error("{kinds} kinds of object in one association, at most 128 fit: send in parts")]
    TooManyKinds {
        /// How many there are.
        kinds: usize,
    },
    /// The peer answered with a failure.
    #[error("{peer} answered with status {status:#06x}")]
    Status {
        /// The address.
        peer: String,
        /// The status (PS3.7 annex C).
        status: u16,
    },
}

impl DicomError {
    /// Whether the disk is to blame and not the bytes: trying again may help.
    pub(crate) fn is_disk(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Disk { .. })
    }

    /// Ties what the system says to the file.
    pub(crate) fn file(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
