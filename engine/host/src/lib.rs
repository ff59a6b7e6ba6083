//! Plugins from the host's side, and the threshold profiles of their scorers.
//!
//! A plugin's manifest and files are checked before anything of it is opened. Its library is
//! opened in a worker process only, from the very bytes that were hashed; a panic, abort, fault,
//! hang or allocation storm there costs one call and never the caller. Volumes go to the worker
//! as sealed memory, the numbers of a call through shared pages, everything else over a socket.

mod blocked;
mod caller;
mod channel;
mod child;
mod confine;
mod description;
mod error;
mod image;
mod install;
mod installed;
mod library;
mod manifest;
mod memory;
mod message;
mod pages;
mod process;
mod profiles;
mod score;
mod shared;
mod syscalls;
mod wire;
mod worker;
mod workers;

pub use blocked::{blocked, unblock};
pub use child::worker_main;
pub use confine::Confinement;
pub use description::UnitDescription;
pub use error::HostError;
pub use install::{find_library, install, library_folders, roll_back};
pub use installed::{Installed, installed};
pub use manifest::{IntendedUse, Limits, Manifest, PluginEntry, RunMode, UnitEntry, UnitKind};
pub use process::WorkerCommand;
pub use profiles::{profile, profiles};
pub use score::Scored;
pub use shared::SharedVolume;
pub use worker::Worker;
pub use workers::Workers;
