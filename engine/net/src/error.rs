//! What can go wrong between a weights folder and a probability map.

use std::path::PathBuf;

/// Why a network cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// No folder has a manifest that names the network.
    #[error(
        "no network {name:?} in {}: found {}; set weights_dir to a folder with a manifest.toml that names it",
        listed(folders.iter().map(|f| f.display().to_string())),
        listed(known.iter().cloned())
    )]
    Unknown {
        /// The network asked for.
        name: String,
        /// Where a manifest was looked for.
        folders: Vec<PathBuf>,
        /// The networks that were found instead.
        known: Vec<String>,
    },
    /// A file of the weights folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The manifest is not what this version reads.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line and reason.
        source: Box<toml::de::Error>,
    },
    /// No path has this name.
    #[error(
        "no path {name:?}: amx-bf16, avx512-bf16, avx512-f32, avx2-f32, portable-f32 or candle-f32"
    )]
    UnknownPath {
        /// The name asked for.
        name: String,
    },
    /// This CPU or its operating system lacks the instructions.
    #[error("this CPU cannot run the path {path}; the fastest it has is {fastest}")]
    NoPath {
        /// The path asked for.
        path: crate::Path,
        /// The best of those it has.
        fastest: crate::Path,
    },
    /// A U-Net of this size does not exist or does not fit the frame.
    #[error(
        "a network of width {width} and depth {depth}: width must be 1 to 256, depth 1 to 6"
    )]
    Size {
        /// Channels of the first level.
        width: usize,
        /// Number of poolings.
        depth: usize,
    },
    /// The manifest contradicts itself.
    #[error("the manifest gives {name} {what} {said}, its width and depth give {found}")]
    Contradiction {
        /// The network.
        name: String,
        /// Which key.
        what: &'static str,
        /// Its value.
        said: String,
        /// What width and depth make of it.
        found: String,
    },
    /// The weights are not the ones that the manifest was written for.
    #[error(
        "{} has sha256 {found}, its manifest says {expected}; fetch the file again",
        path.display()
    )]
    Hash {
        /// The weights.
        path: PathBuf,
        /// SHA-256 in the manifest, hex.
        expected: String,
        /// SHA-256 of the file, hex.
        found: String,
    },
    /// The file is no safetensors file.
    #[error("{}: {source}", path.display())]
    Format {
        /// The weights.
        path: PathBuf,
        /// The reader's reason.
        source: safetensors::SafeTensorError,
    },
    /// A tensor of the network is not in the file.
    #[error("tensor {tensor:?} is missing from {}", path.display())]
    MissingTensor {
        /// The weights.
        path: PathBuf,
        /// Its name.
        tensor: String,
    },
    /// The file holds tensors that the network has no place for.
    #[error(
        "{} holds {tensor:?}, which a network of this width and depth does not have",
        path.display()
    )]
    ExtraTensor {
        /// The weights.
        path: PathBuf,
        /// The first of them.
        tensor: String,
    },
    /// A tensor has another shape than width and depth ask for.
    #[error("tensor {tensor:?} is {found:?}, expected {expected:?}")]
    TensorShape {
        /// Its name.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that width and depth ask for.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a number format that is not read.
    #[error("tensor {tensor:?} is stored as {found}, expected F16, BF16 or F32")]
    TensorType {
        /// Its name.
        tensor: String,
        /// The format in the file.
        found: String,
    },
    /// A slice cannot be halved as often as the network pools.
    #[error("a slice of {y} x {x} pixels: both sides must be multiples of {multiple}")]
    SliceShape {
        /// Rows.
        y: usize,
        /// Columns.
        x: usize,
        /// Two to the depth.
        multiple: usize,
    },
    /// Head and volume were not made for each other.
    #[error("a head of {head:?} voxels for a volume of {volume:?}, both (z, y, x)")]
    HeadShape {
        /// Voxels of the head.
        head: [usize; 3],
        /// Voxels of the volume.
        volume: [usize; 3],
    },
    /// The central frame would cut away a part of the head.
    #[error(
        "{:.0} % of the head lies outside the central {frame} x {frame} pixels of {y} x {x}; \
         reconstruct with a field of view of 200 to 260 mm on a 512 x 512 matrix",
        share * 100.0
    )]
    HeadOutside {
        /// Part of the head's voxels, 0 to 1.
        share: f64,
        /// Side of the frame.
        frame: usize,
        /// Rows of the image.
        y: usize,
        /// Columns of the image.
        x: usize,
    },
    /// The caller asked to stop.
    #[error("stopped after {done} of {total} slices")]
    Cancelled {
        /// Slices that were computed.
        done: usize,
        /// Slices that show a head.
        total: usize,
    },
    /// The arithmetic failed; on the CPU that means memory.
    #[error("the network failed: {0}")]
    Arithmetic(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<candle_core::Error> for NetError {
    fn from(error: candle_core::Error) -> Self {
        Self::Arithmetic(Box::new(error))
    }
}

/// `nothing`, or the items with commas between them.
fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}
