//! Where everything is put together: the order of the steps, the daemon, the heavy commands.
//!
//! This crate knows all others and none knows it. What always holds: a study that arrived becomes
//! a row, with its verdict or its error, and no study can stop the queue.

mod clock;
mod cnn;
mod cohort;
mod command;
mod error;
mod folder;
mod nifti_file;
mod phantom_files;
mod pictures;
mod pipeline;
mod report;
mod scan_file;
mod scorers;
mod serve;
mod settings;

pub use command::main;
pub(crate) use error::TriageError;
pub(crate) use settings::Settings;
