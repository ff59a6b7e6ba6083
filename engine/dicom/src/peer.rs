//! The sending side: C-STORE and C-ECHO as a user, for the demo, for load tests and for what
//! Ichor gives back.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::command::{Command, ECHO, SUCCESS};
use crate::link::Link;
use crate::uid::{IMPLICIT_LITTLE, VERIFICATION};
use crate::{DicomError, Header};

/// An application entity that we send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its title.
    pub called: String,
    /// Our title.
    pub calling: String,
}

/// What became of one file.
#[derive(Debug)]
pub struct Sent {
    /// The file.
    pub path: PathBuf,
    /// The peer's status (0 is success, 0xBxxx success with a warning), or why the file was not
    /// offered.
    pub outcome: Result<u16, DicomError>,
}

impl Sent {
    /// Whether the peer has it.
    pub fn is_stored(&self) -> bool {
        matches!(self.outcome, Ok(SUCCESS | 0xb000..=0xbfff))
    }
}

/// What became of all files.
#[derive(Debug, Default)]
pub struct SendReport {
    /// Files that the peer has.
    pub n_stored: usize,
    /// Bytes of their data sets.
    pub bytes: u64,
    /// The files that it has not.
    pub failed: Vec<Sent>,
}

impl Peer {
    /// C-ECHO: whether the peer is there and takes our title.
    pub fn echo(&self) -> Result<(), DicomError> {
        let kind = (VERIFICATION.to_owned(), IMPLICIT_LITTLE.to_owned());
        let mut link = Link::connect(self, &[kind])?;
        let context = link.context(VERIFICATION, IMPLICIT_LITTLE)?;
        let request = Command {
            field: ECHO,
            message: 1,
            sop_class: VERIFICATION.to_owned(),
            ..Command::default()
        };
        link.wire.send_command(context, &request)?;
        let status = link.answer(&request)?;
        link.release()?;
        match status {
            SUCCESS => Ok(()),
            status => Err(DicomError::Status { peer: self.address.to_string(), status }),
        }
    }

    /// C-STORE of `files` in one association, in their order. `progress` sees each file once it
    /// is answered. Files that cannot be read, or that the peer does not take, are told in the
    /// report; it fails when the association does.
    pub fn send(
        &self,
        files: &[PathBuf],
        progress: &mut dyn FnMut(&Sent),
    ) -> Result<SendReport, DicomError> {
        let objects: Vec<(&PathBuf, Result<Header, DicomError>)> =
            files.iter().map(|path| (path, crate::read_header(path))).collect();
        let mut kinds: Vec<(String, String)> = objects
            .iter()
            .filter_map(|(_, header)| header.as_ref().ok())
            .map(|header| (header.sop_class.clone(), header.transfer_syntax.clone()))
            .collect();
        kinds.sort();
        kinds.dedup();
        let mut report = SendReport::default();
        let mut link = if kinds.is_empty() { None } else { Some(Link::connect(self, &kinds)?) };
        for (message, (path, header)) in objects.into_iter().enumerate() {
            let outcome = match (header, &mut link) {
                (Ok(header), Some(link)) => link.store(path, &header, message as u16),
                (Err(error), _) => Err(error),
                (Ok(_), None) => Err(DicomError::NoFiles),
            };
            let bytes = *outcome.as_ref().map_or(&0, |(_, bytes)| bytes);
            let outcome = outcome.map(|(status, _)| status);
            if let Err(error) = outcome {
                if is_fatal(&error) {
                    return Err(error);
                }
                let sent = Sent { path: path.clone(), outcome: Err(error) };
                progress(&sent);
                report.failed.push(sent);
                continue;
            }
            let sent = Sent { path: path.clone(), outcome };
            progress(&sent);
            if sent.is_stored() {
                report.n_stored += 1;
                report.bytes += bytes;
            } else {
                report.failed.push(sent);
            }
        }
        if let Some(link) = link {
            link.release()?;
        }
        Ok(report)
    }
}

/// Whether an error ends the association.
fn is_fatal(error: &DicomError) -> bool {
    !matches!(
        error,
        DicomError::File { .. }
            | DicomError::NotDicom { .. }
            | DicomError::Length { .. }
            | DicomError::Depth { .. }
            | DicomError::Missing { .. }
            | DicomError::Value { .. }
            | DicomError::TransferSyntax { .. }
            | DicomError::NoContext { .. }
    )
}

#[cfg(test)]
impl Peer {
    /// Sends bytes that may be no data set at all, under the name of one that is.
    pub(crate) fn send_raw(&self, header: &Header, bytes: &[u8]) -> Result<u16, DicomError> {
        let kind = (header.sop_class.clone(), header.transfer_syntax.clone());
        let mut link = Link::connect(self, &[kind])?;
        let length = bytes.len() as u64;
        let status =
            link.transfer(header, 1, &mut &*bytes, length, std::path::Path::new("bytes"))?;
        link.release()?;
        Ok(status)
    }
}
