//! Protocol data units over TCP (PS3.8 section 9.3), with a limit on their length and on silence.
//!
//! A PDU is taken into one buffer that never grows beyond the limit, whatever its header says,
//! and goes out in one write on a socket that does not wait to fill packets.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, PDataValue, PDataValueType, Pdu,
};
use dicom_ul::{read_pdu, write_pdu};

use crate::DicomError;
use crate::command::Command;

/// The longest PDU that we announce and take.
pub(crate) const LONGEST_PDU: u32 = 128 * 1024;
/// How often a silent connection looks whether it should end.
const TICK: Duration = Duration::from_millis(200);
/// A command set has a few UIDs and numbers.
const LONGEST_COMMAND: usize = 16 * 1024;

/// A connection that speaks PDUs.
pub(crate) struct Wire<'a> {
    stream: TcpStream,
    /// Who is at the other end, for messages.
    pub(crate) peer: String,
    silence: Duration,
    over: Option<&'a AtomicBool>,
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl<'a> Wire<'a> {
    /// `silence` is how long a PDU may take to come or go; when `over` turns true, the connection
    /// ends with [`DicomError::Stopped`].
    pub(crate) fn new(
        stream: TcpStream,
        peer: String,
        silence: Duration,
        over: Option<&'a AtomicBool>,
    ) -> Result<Self, DicomError> {
        let wire = Self { stream, peer, silence, over, received: Vec::new(), sent: Vec::new() };
        let set = || {
            wire.stream.set_nodelay(true)?;
            wire.stream.set_read_timeout(Some(TICK))?;
            wire.stream.set_write_timeout(Some(silence))
        };
        set().map_err(|source| wire.failed("set up", source))?;
        Ok(wire)
    }

    /// The next PDU.
    pub(crate) fn receive(&mut self) -> Result<Pdu, DicomError> {
        self.received.resize(6, 0);
        self.fill(0)?;
        let length = u32::from_be_bytes([
            self.received[2],
            self.received[3],
            self.received[4],
            self.received[5],
        ]);
        if length > LONGEST_PDU {
            let peer = self.peer.clone();
            return Err(DicomError::PduLength { peer, length, limit: LONGEST_PDU });
        }
        self.received.resize(6 + length as usize, 0);
        self.fill(6)?;
        match read_pdu(self.received.as_slice(), LONGEST_PDU, true) {
            Ok(Some(pdu)) => Ok(pdu),
            Ok(None) => Err(self.protocol("a PDU shorter than its fields")),
            Err(error) => {
                Err(DicomError::Pdu { peer: self.peer.clone(), source: Box::new(error) })
            }
        }
    }

    /// Sends a PDU in one write.
    pub(crate) fn send(&mut self, pdu: &Pdu) -> Result<(), DicomError> {
        self.sent.clear();
        write_pdu(&mut self.sent, pdu).map_err(|error| DicomError::Pdu {
            peer: self.peer.clone(),
            source: Box::new(error),
        })?;
        self.stream.write_all(&self.sent).map_err(|source| self.failed("write to", source))
    }

    /// Sends a command set in one PDU.
    pub(crate) fn send_command(
        &mut self,
        context: u8,
        command: &Command,
    ) -> Result<(), DicomError> {
        let data = vec![PDataValue {
            presentation_context_id: context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: command.encode(),
        }];
        self.send(&Pdu::PData { data })
    }

    /// Takes a piece of a command set into `so_far`; the command once it is whole.
    pub(crate) fn collect(
        &self,
        so_far: &mut Vec<u8>,
        piece: &PDataValue,
    ) -> Result<Option<Command>, DicomError> {
        if so_far.len() + piece.data.len() > LONGEST_COMMAND {
            return Err(self.protocol("a command set of more than 16 KiB"));
        }
        so_far.extend_from_slice(&piece.data);
        if !piece.is_last {
            return Ok(None);
        }
        let command = Command::parse(so_far);
        so_far.clear();
        command.map(Some).ok_or_else(|| self.protocol("a command set that is none"))
    }

    /// Tells the peer that it is over; whether that arrives does not matter any more.
    pub(crate) fn abort(&mut self, reason: AbortRQServiceProviderReason) {
        let _ = self.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(reason) });
    }

    /// The peer spoke out of turn.
    pub(crate) fn protocol(&self, why: &'static str) -> DicomError {
        DicomError::Protocol { peer: self.peer.clone(), why }
    }

    /// Reads until the buffer is full from byte `from` on.
    fn fill(&mut self, from: usize) -> Result<(), DicomError> {
        let begin = Instant::now();
        let mut at = from;
        while at < self.received.len() {
            match self.stream.read(&mut self.received[at..]) {
                Ok(0) => return Err(DicomError::Closed { peer: self.peer.clone() }),
                Ok(n) => at += n,
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(self.failed("read from", error)),
            }
            if self.over.is_some_and(|over| over.load(Ordering::Relaxed)) {
                return Err(DicomError::Stopped { peer: self.peer.clone() });
            }
            if begin.elapsed() > self.silence && at < self.received.len() {
                let (peer, seconds) = (self.peer.clone(), self.silence.as_secs());
                return Err(DicomError::Silent { peer, seconds });
            }
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> DicomError {
        DicomError::Network { doing, peer: self.peer.clone(), source }
    }
}

fn is_tick(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
