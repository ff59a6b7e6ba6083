//! Why a GPU is not used, each reason in words of its own.

use std::path::PathBuf;

/// Why a GPU is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Absent {
    /// No library of the driver can be opened.
    #[error("no NVIDIA driver: {reason}")]
    NoDriver {
        /// The loader's words.
        reason: String,
    },
    /// The driver answers with an error.
    #[error("the NVIDIA driver answers {call} with error {code}; nvidia-smi may say more")]
    DriverFailed {
        /// What was asked.
        call: &'static str,
        /// A `CUresult`.
        code: i32,
    },
    /// The driver is older than the CUDA that the library is built with.
    #[error(
        "the NVIDIA driver knows CUDA {}.{}, the library wants {}.{} (driver 580 or later)",
        found / 1000, found % 1000 / 10, needed / 1000, needed % 1000 / 10
    )]
    DriverTooOld {
        /// What `cuDriverGetVersion` says.
        found: i32,
        /// What it must say at least.
        needed: i32,
    },
    /// A driver, and nothing to drive.
    #[error("the NVIDIA driver finds no GPU")]
    NoDevice,
    /// A device that is not there.
    #[error("there is no cuda:{index}: the NVIDIA driver finds {n}")]
    NoSuchDevice {
        /// The number asked for.
        index: usize,
        /// How many there are.
        n: usize,
    },
    /// The library is in none of the folders.
    #[error("no {} in {}; docs/cuda.md says how to build it", crate::FILE, listed(folders))]
    NoLibrary {
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// The library, or one that it needs, does not open.
    #[error("{} does not open: {reason}", path.display())]
    DoesNotOpen {
        /// The library.
        path: PathBuf,
        /// The loader's words; they name the file that is missing.
        reason: String,
    },
    /// The library belongs to another engine.
    #[error("{} speaks version {found} of the interface, this engine {wanted}; build both from one source", path.display())]
    OtherVersion {
        /// The library.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// This engine's.
        wanted: u32,
    },
    /// The library has no CUDA in it.
    #[error("{} is built without CUDA; docs/cuda.md says how to build it", path.display())]
    WithoutCuda {
        /// The library.
        path: PathBuf,
    },
    /// A call failed.
    #[error("{what} failed: {reason}")]
    Failed {
        /// What was asked.
        what: &'static str,
        /// The library's words.
        reason: String,
    },
}

fn listed(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    folders.join(", ")
}
