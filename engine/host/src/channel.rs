//! Messages and descriptors over a socket.
//!
//! A message is its length (u32, little endian), then its bytes. Descriptors travel with the
//! first byte of their message. An end that waits sleeps in `recvmsg(2)`.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// The longest message; names of 100,000 features fit.
const LONGEST: usize = 16 << 20;
/// Descriptors that may wait to be taken; three do, at most.
const MOST_DESCRIPTORS: usize = 4;
/// Bytes asked for at a time.
const CHUNK: usize = 64 << 10;

/// What came, or did not.
#[derive(Debug)]
pub(crate) enum Received {
    /// One message.
    Message(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The other end is gone.
    End,
}

/// One end of the socket.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
    chunk: Box<[u8]>,
    bytes: VecDeque<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Channel {
    /// `patience` is how long [`Channel::receive`] waits, and [`Channel::send`] at an end that does
    /// not read; none: for ever.
    pub(crate) fn new(socket: OwnedFd, patience: Option<Duration>) -> Result<Self, Errno> {
        for direction in [Timeout::Recv, Timeout::Send] {
            rustix::net::sockopt::set_socket_timeout(&socket, direction, patience)?;
        }
        let chunk = vec![0; CHUNK].into_boxed_slice();
        Ok(Self { socket, chunk, bytes: VecDeque::new(), descriptors: VecDeque::new() })
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a message, with at most two descriptors.
    pub(crate) fn send(&self, message: &[u8], passed: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        if message.len() > LONGEST {
            return Err(Errno::MSGSIZE);
        }
        let mut framed = Vec::with_capacity(4 + message.len());
        framed.extend((message.len() as u32).to_le_bytes());
        framed.extend(message);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !passed.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(passed));
        }
        let mut sent = 0;
        while sent < framed.len() {
            let rest = [IoSlice::new(&framed[sent..])];
            match rustix::net::sendmsg(&self.socket, &rest, &mut ancillary, SendFlags::NOSIGNAL)
            {
                Ok(n) => {
                    sent += n;
                    ancillary.clear();
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The next message; waits for it, at most for the patience of [`Channel::new`] each time that
    /// the other end falls silent, and not beyond `end` whatever trickles in.
    pub(crate) fn receive(&mut self, end: Option<Instant>) -> Result<Received, Errno> {
        loop {
            if let Some(message) = self.complete()? {
                return Ok(Received::Message(message));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(Received::Nothing);
            }
            match self.fill() {
                Ok(0) | Err(Errno::CONNRESET) => return Ok(Received::End),
                Ok(_) => {}
                Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
                Err(e) => return Err(e),
            }
        }
    }

    /// The descriptor that came with the messages received so far, the oldest first.
    pub(crate) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    /// Takes a message that has arrived in full.
    fn complete(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        if self.bytes.len() < 4 {
            return Ok(None);
        }
        let mut length = [0; 4];
        length.iter_mut().zip(&self.bytes).for_each(|(to, from)| *to = *from);
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(Errno::MSGSIZE);
        }
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        self.bytes.drain(..4);
        Ok(Some(self.bytes.drain(..length).collect()))
    }

    /// Reads what there is; 0 when the other end is gone.
    fn fill(&mut self) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut self.chunk)];
        let read = rustix::net::recvmsg(
            &self.socket,
            &mut into,
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?
        .bytes;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = message {
                self.descriptors.extend(passed);
            }
        }
        // What nobody takes is closed: no end can fill up the other's table of descriptors.
        self.descriptors.truncate(MOST_DESCRIPTORS);
        self.bytes.extend(&self.chunk[..read]);
        Ok(read)
    }
}
