//! DICOM bytes to slices to a volume, and the network that brings them.
//!
//! What always holds here: no length that a file or a peer claims is believed before it is held
//! against the bytes at hand; nothing is acknowledged before it lies on disk; no text leaves
//! without its control characters removed; a UID that leaves is safe as a file name. DICOM PS3
//! is cited by part and section.

mod candidates;
mod choose;
mod command;
mod elements;
mod encode;
mod error;
mod gaps;
mod hash;
mod header;
mod kernel;
mod link;
mod negotiate;
mod peer;
mod pixels;
mod receiver;
#[cfg(test)]
mod samples;
mod slice;
mod source;
mod spool;
mod stack;
mod store_scp;
mod study;
mod text;
mod uid;
mod when;
mod wire;
mod write_ct;

pub use choose::{Choice, choose_series};
pub use error::DicomError;
pub use hash::{sha256, sha256_of};
pub use header::{Header, read_header};
pub use peer::{Peer, SendReport, Sent};
pub use pixels::PixelFormat;
pub use receiver::{Received, Receiver, ReceiverSettings};
pub use slice::{Slice, read_slice};
pub use spool::{Arrival, Quarantined, Spool, Taken};
pub use stack::{Stacked, stack};
pub use study::{Opened, open_study};
pub use uid::derive_uid;
pub use write_ct::{PrivateText, SeriesTags, write_ct_series};
