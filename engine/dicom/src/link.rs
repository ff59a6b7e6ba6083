//! An association that we ask for (PS3.8 section 9.3, PS3.7 section 9.3).

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use dicom_ul::pdu::{
    AssociationRQ, PDataValue, PDataValueType, Pdu, PresentationContextProposed,
    PresentationContextResultReason, UserVariableItem,
};

use crate::command::{Command, RESPONSE, STORE};
use crate::elements::data_set_start;
use crate::negotiate::{APPLICATION_CONTEXT, checked_title, user_variables};
use crate::wire::{LONGEST_PDU, Wire};
use crate::{DicomError, Header, Peer};

/// How long a peer may take to connect and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// PS3.8 section 9.3.2.2: contexts have odd numbers of one byte.
const MOST_CONTEXTS: usize = 128;
/// What an acceptor that names no length takes at least.
const PLAIN_PDU: u32 = 16 * 1024;

/// An established association that we asked for.
pub(crate) struct Link {
    pub(crate) wire: Wire<'static>,
    contexts: Vec<PresentationContextProposed>,
    longest: u32,
}

impl Link {
    /// Connects to `peer`, offering these SOP classes, each with one transfer syntax.
    pub(crate) fn connect(to: &Peer, kinds: &[(String, String)]) -> Result<Self, DicomError> {
        checked_title(&to.called)?;
        checked_title(&to.calling)?;
        if kinds.len() > MOST_CONTEXTS {
            return Err(DicomError::TooManyKinds { kinds: kinds.len() });
        }
        let peer = to.address.to_string();
        let stream = TcpStream::connect_timeout(&to.address, PATIENCE).map_err(|source| {
            DicomError::Network { doing: "connect to", peer: peer.clone(), source }
        })?;
        let mut wire = Wire::new(stream, peer.clone(), PATIENCE, None)?;
        let proposed = proposed(kinds);
        wire.send(&Pdu::AssociationRQ(AssociationRQ {
            protocol_version: 1,
            calling_ae_title: to.calling.clone(),
            called_ae_title: to.called.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: proposed.clone(),
            user_variables: user_variables(),
        }))?;
        let acceptance = match wire.receive()? {
            Pdu::AssociationAC(acceptance) => acceptance,
            Pdu::AssociationRJ(rejection) => {
                let reason = rejection.source.to_string();
                return Err(DicomError::Refused { peer, reason });
            }
            Pdu::AbortRQ { .. } => return Err(DicomError::Aborted { peer }),
            _ => return Err(wire.protocol("it does not answer the request")),
        };
        let accepted = |id: u8| {
            acceptance.presentation_contexts.iter().any(|result| {
                result.id == id && result.reason == PresentationContextResultReason::Acceptance
            })
        };
        let contexts = proposed.into_iter().filter(|context| accepted(context.id)).collect();
        let longest = acceptance.user_variables.iter().find_map(|item| match item {
            UserVariableItem::MaxLength(length) => Some(*length),
            _ => None,
        });
        // 0 means that any length is taken.
        let longest = match longest {
            None => PLAIN_PDU,
            Some(0) => LONGEST_PDU,
            Some(length) => length.clamp(1024, LONGEST_PDU),
        };
        Ok(Self { wire, contexts, longest })
    }

    /// The context that was accepted for this kind of object.
    pub(crate) fn context(
        &self,
        sop_class: &str,
        transfer_syntax: &str,
    ) -> Result<u8, DicomError> {
        let fits = |context: &&PresentationContextProposed| {
            context.abstract_syntax == sop_class
                && context.transfer_syntaxes.iter().any(|uid| uid == transfer_syntax)
        };
        let found = self.contexts.iter().find(fits).map(|context| context.id);
        found.ok_or_else(|| DicomError::NoContext {
            sop_class: sop_class.to_owned(),
            transfer_syntax: transfer_syntax.to_owned(),
        })
    }

    /// Sends one file; the peer's status and the bytes of the data set.
    pub(crate) fn store(
        &mut self,
        path: &Path,
        header: &Header,
        message: u16,
    ) -> Result<(u16, u64), DicomError> {
        let mut file = File::open(path).map_err(DicomError::file("open", path))?;
        let size = file.metadata().map_err(DicomError::file("read", path))?.len();
        let start = data_set_start(&file, size)?;
        file.seek(SeekFrom::Start(start)).map_err(DicomError::file("read", path))?;
        let status = self.transfer(header, message, &mut file, size - start, path)?;
        Ok((status, size - start))
    }

    /// Sends `length` bytes of data set; the peer's status. `path` is for messages.
    pub(crate) fn transfer(
        &mut self,
        header: &Header,
        message: u16,
        data_set: &mut dyn Read,
        length: u64,
        path: &Path,
    ) -> Result<u16, DicomError> {
        let context = self.context(&header.sop_class, &header.transfer_syntax)?;
        let request = Command {
            field: STORE,
            message,
            has_data: true,
            sop_class: header.sop_class.clone(),
            sop_uid: header.sop_uid.clone(),
            ..Command::default()
        };
        self.wire.send_command(context, &request)?;
        let mut left = length;
        // The header of the value takes six bytes of the PDU.
        let most = u64::from(self.longest - 6);
        while left > 0 {
            let mut data = vec![0; left.min(most) as usize];
            data_set.read_exact(&mut data).map_err(DicomError::file("read", path))?;
            left -= data.len() as u64;
            let data = vec![PDataValue {
                presentation_context_id: context,
                value_type: PDataValueType::Data,
                is_last: left == 0,
                data,
            }];
            self.wire.send(&Pdu::PData { data })?;
        }
        self.answer(&request)
    }

    /// Waits for the answer to `request`.
    pub(crate) fn answer(&mut self, request: &Command) -> Result<u16, DicomError> {
        let mut pieces = Vec::new();
        loop {
            let data = match self.wire.receive()? {
                Pdu::PData { data } => data,
                Pdu::AbortRQ { .. } => {
                    return Err(DicomError::Aborted { peer: self.wire.peer.clone() });
                }
                _ => return Err(self.wire.protocol("it does not answer the command")),
            };
            for piece in data {
                let Some(answer) = self.wire.collect(&mut pieces, &piece)? else { continue };
                if answer.field != request.field | RESPONSE || answer.message != request.message
                {
                    return Err(self.wire.protocol("it answers what was not asked"));
                }
                return Ok(answer.status);
            }
        }
    }

    /// Ends the association in peace.
    pub(crate) fn release(mut self) -> Result<(), DicomError> {
        self.wire.send(&Pdu::ReleaseRQ)?;
        match self.wire.receive()? {
            Pdu::ReleaseRP => Ok(()),
            _ => Err(self.wire.protocol("it does not release the association")),
        }
    }
}

fn proposed(kinds: &[(String, String)]) -> Vec<PresentationContextProposed> {
    kinds
        .iter()
        .zip((1_u8..).step_by(2))
        .map(|((abstract_syntax, transfer_syntax), id)| PresentationContextProposed {
            id,
            abstract_syntax: abstract_syntax.clone(),
            transfer_syntaxes: vec![transfer_syntax.clone()],
        })
        .collect()
}
