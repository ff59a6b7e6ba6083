//! One association: C-ECHO and C-STORE as a provider (PS3.4 annex B, PS3.7 section 9.3).
//!
//! The data set of a C-STORE goes to disk while it arrives. Success is answered only when the
//! object lies durable in the spool; bytes that are no DICOM are answered with 0xC000 and kept
//! in the quarantine; what the disk refuses, or what is too large, with 0xA700.

use std::sync::mpsc::Sender;

use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJSource, AssociationRQ,
    PDataValue, PDataValueType, Pdu,
};

use crate::DicomError;
use crate::command::{
    CANCEL, CANNOT_UNDERSTAND, Command, ECHO, OUT_OF_RESOURCES, RESPONSE, STORE, SUCCESS,
    UNRECOGNIZED,
};
use crate::encode::file_meta;
use crate::negotiate::{Context, decide};
use crate::receiver::{Received, ReceiverSettings};
use crate::spool::{Draft, Spool, Taken};
use crate::text::clean;
use crate::uid::is_uid;
use crate::wire::Wire;

/// What all associations share.
pub(crate) struct Desk<'a> {
    pub(crate) settings: &'a ReceiverSettings,
    pub(crate) spool: &'a Spool,
    pub(crate) received: Sender<Received>,
}

impl Desk<'_> {
    /// Hands on what was received. Where nobody listens any more nothing is lost: the object
    /// lies in the spool and is found at the next start.
    pub(crate) fn hand_on(&self, received: Received) {
        let _ = self.received.send(received);
    }

    /// Serves one connection to its end and reports how it ended, if it ended badly.
    pub(crate) fn serve(&self, mut wire: Wire, is_crowded: bool) {
        let peer = wire.peer.clone();
        if let Err(error) = self.converse(&mut wire, is_crowded) {
            if let Some(reason) = abort_reason(&error) {
                wire.abort(reason);
            }
            self.hand_on(Received::Failed { source: peer, error });
        }
    }

    fn converse(&self, wire: &mut Wire, is_crowded: bool) -> Result<(), DicomError> {
        let Pdu::AssociationRQ(request) = wire.receive()? else {
            return Err(wire.protocol("the first PDU requests no association"));
        };
        let contexts = self.greet(wire, &request, is_crowded)?;
        let calling = clean(&request.calling_ae_title);
        let source = format!("{calling} @ {}", wire.peer);
        let pieces = Vec::new();
        let mut association =
            Association { desk: self, wire, contexts, calling, source, pieces, message: None };
        while association.step()? {}
        Ok(())
    }

    /// Answers the request; the contexts that were accepted.
    fn greet(
        &self,
        wire: &mut Wire,
        request: &AssociationRQ,
        is_crowded: bool,
    ) -> Result<Vec<Context>, DicomError> {
        let settings = self.settings;
        let decided = if is_crowded {
            Err(crowded())
        } else {
            decide(request, &settings.ae_title, &settings.allow_calling)
        };
        match decided {
            Ok((acceptance, contexts)) => {
                wire.send(&Pdu::AssociationAC(acceptance))?;
                Ok(contexts)
            }
            Err(rejection) => {
                let calling = clean(&request.calling_ae_title);
                let called = clean(&request.called_ae_title);
                let reason =
                    format!("{} (calling {calling:?}, called {called:?})", rejection.source);
                wire.send(&Pdu::AssociationRJ(rejection))?;
                Err(DicomError::Rejected { peer: wire.peer.clone(), reason })
            }
        }
    }
}

/// Come again later.
fn crowded() -> AssociationRJ {
    let reason = AssociationRJServiceProviderPresentationReason::LocalLimitExceeded;
    let source = AssociationRJSource::ServiceProviderPresentation(reason);
    AssociationRJ { result: AssociationRJResult::Transient, source }
}

/// How the peer is told; none where it is gone or has already been told.
fn abort_reason(error: &DicomError) -> Option<AbortRQServiceProviderReason> {
    match error {
        DicomError::Pdu { .. } | DicomError::PduLength { .. } => {
            Some(AbortRQServiceProviderReason::InvalidPduParameter)
        }
        DicomError::Protocol { .. } => Some(AbortRQServiceProviderReason::UnexpectedPdu),
        DicomError::Silent { .. } | DicomError::Stopped { .. } => {
            Some(AbortRQServiceProviderReason::ReasonNotSpecified)
        }
        _ => None,
    }
}

/// An established association.
struct Association<'d, 'w, 'o> {
    desk: &'d Desk<'d>,
    wire: &'w mut Wire<'o>,
    contexts: Vec<Context>,
    calling: String,
    source: String,
    /// A command set that is not yet whole.
    pieces: Vec<u8>,
    message: Option<Message<'d>>,
}

/// A command whose data set is arriving.
struct Message<'d> {
    context: u8,
    command: Command,
    object: Object<'d>,
}

/// Where a data set goes.
enum Object<'d> {
    /// To disk.
    Kept(Draft<'d>),
    /// Nowhere: this will be answered when its end is reached.
    Dropped { status: u16, comment: String, bytes: u64 },
}

impl<'d> Association<'d, '_, '_> {
    /// Takes one PDU; false when the association was released.
    fn step(&mut self) -> Result<bool, DicomError> {
        match self.wire.receive()? {
            Pdu::PData { data } => {
                for piece in data {
                    self.take(&piece)?;
                }
                Ok(true)
            }
            Pdu::ReleaseRQ => self.wire.send(&Pdu::ReleaseRP).map(|()| false),
            Pdu::AbortRQ { .. } => Err(DicomError::Aborted { peer: self.source.clone() }),
            _ => Err(self.wire.protocol("a PDU that has no place in an association")),
        }
    }

    fn take(&mut self, piece: &PDataValue) -> Result<(), DicomError> {
        match (&piece.value_type, self.message.take()) {
            (PDataValueType::Command, None) => {
                match self.wire.collect(&mut self.pieces, piece)? {
                    Some(command) => self.begin(piece.presentation_context_id, command),
                    None => Ok(()),
                }
            }
            (PDataValueType::Data, Some(message)) => self.add(message, piece),
            (PDataValueType::Data, None) => Err(self.wire.protocol("data without a command")),
            (PDataValueType::Command, Some(_)) => {
                Err(self.wire.protocol("a command within a data set"))
            }
        }
    }

    fn begin(&mut self, id: u8, command: Command) -> Result<(), DicomError> {
        let Some(context) = self.contexts.iter().find(|context| context.id == id) else {
            return Err(self.wire.protocol("a presentation context that was not accepted"));
        };
        if command.field & RESPONSE != 0 {
            return Err(self.wire.protocol("a response that nobody asked for"));
        }
        let dropped = |status, comment: &str| {
            let comment = comment.to_owned();
            Object::Dropped { status, comment, bytes: 0 }
        };
        let object = match command.field {
            CANCEL => return Ok(()),
            ECHO => dropped(SUCCESS, ""),
            STORE if command.has_data => match self.draft(&command, &context.transfer_syntax) {
                Ok(draft) => Object::Kept(draft),
                Err(error) => dropped(OUT_OF_RESOURCES, &self.report(error)),
            },
            STORE => dropped(CANNOT_UNDERSTAND, "no data set"),
            _ => dropped(UNRECOGNIZED, "only C-ECHO and C-STORE"),
        };
        let message = Message { context: id, command, object };
        if message.command.has_data {
            self.message = Some(message);
            return Ok(());
        }
        self.end(message)
    }

    /// A file that begins as PS3.10 wants it, with what the command says.
    fn draft(&self, command: &Command, transfer_syntax: &str) -> Result<Draft<'d>, DicomError> {
        let plain = |uid: &str| if is_uid(uid) { uid.to_owned() } else { String::new() };
        let (class, uid) = (plain(&command.sop_class), plain(&command.sop_uid));
        let mut draft = self.desk.spool.begin((self.desk.settings.clock)())?;
        draft.write(&file_meta(&class, &uid, transfer_syntax, Some(&self.calling)))?;
        Ok(draft)
    }

    fn add(&mut self, mut message: Message<'d>, piece: &PDataValue) -> Result<(), DicomError> {
        if piece.presentation_context_id != message.context {
            return Err(self.wire.protocol("a data set in another presentation context"));
        }
        let limit = self.desk.settings.max_object_bytes;
        let failed = match &mut message.object {
            Object::Kept(draft) if draft.len() + piece.data.len() as u64 > limit => {
                Some(format!("object of more than {limit} bytes"))
            }
            Object::Kept(draft) => match draft.write(&piece.data) {
                Ok(()) => None,
                Err(error) => Some(self.report(error)),
            },
            Object::Dropped { bytes, .. } => {
                *bytes += piece.data.len() as u64;
                if *bytes > limit {
                    return Err(self.wire.protocol("a refused data set without end"));
                }
                None
            }
        };
        if let Some(comment) = failed {
            message.object = Object::Dropped { status: OUT_OF_RESOURCES, comment, bytes: 0 };
        }
        if piece.is_last {
            return self.end(message);
        }
        self.message = Some(message);
        Ok(())
    }

    /// The data set is whole: keep it, then answer.
    fn end(&mut self, message: Message<'d>) -> Result<(), DicomError> {
        let (status, comment) = match message.object {
            Object::Dropped { status, comment, .. } => (status, comment),
            Object::Kept(draft) => match draft.finish(&self.source) {
                Ok(taken) => self.taken(taken, &message.command),
                Err(error) => (OUT_OF_RESOURCES, self.report(error)),
            },
        };
        self.wire.send_command(message.context, &message.command.answer(status, &comment))
    }

    /// The answer for what was taken.
    fn taken(&self, mut taken: Taken, command: &Command) -> (u16, String) {
        let answer = match &mut taken {
            Taken::Arrived(arrival) => {
                if arrival.header.sop_uid != command.sop_uid {
                    arrival.warnings.push(format!(
                        "sent as {:?}, but the object is {}",
                        command.sop_uid, arrival.header.sop_uid
                    ));
                }
                (SUCCESS, String::new())
            }
            Taken::Quarantined(quarantined) => (CANNOT_UNDERSTAND, quarantined.why.clone()),
        };
        self.desk.hand_on(Received::Taken(taken));
        answer
    }

    /// Tells our own side of an error, and makes the comment for the other side, which need not
    /// know our paths.
    fn report(&self, error: DicomError) -> String {
        let source = self.source.clone();
        self.desk.hand_on(Received::Failed { source, error });
        "cannot store".to_owned()
    }
}
