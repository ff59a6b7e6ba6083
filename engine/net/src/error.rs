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
    /// The network does something else.
    #[error("{name} is a {found}, not a {wanted}: name another network of the manifest")]
    OtherKind {
        /// The network.
        name: String,
        /// What it is.
        found: crate::Kind,
        /// What was needed.
        wanted: crate::Kind,
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
    /// Mask and volume were not made for each other.
    #[error("a mask of {mask:?} voxels for a volume of {volume:?}, both (z, y, x)")]
    MaskShape {
        /// Voxels of the mask.
        mask: [usize; 3],
        /// Voxels of the volume.
        volume: [usize; 3],
    },
    /// There is nothing to describe.
    #[error("the mask marks no voxel: there is no hematoma to describe")]
    NoHematoma,
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
    /// A recipe of a training is not what this version reads.
    #[error("recipe {}: {source}", path.display())]
    Recipe {
        /// The recipe.
        path: PathBuf,
        /// Key and reason.
        source: Box<toml::de::Error>,
    },
    /// A number of a recipe is outside of its range.
    #[error("recipe {}: {key} = {value}, must be {must}", path.display())]
    RecipeRange {
        /// The recipe.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// Weights cannot be widened to the width of a recipe.
    #[error(
        "{} has width {found}, the recipe {wanted}: weights can start a training of their own width, or of 2, 4, 8 ... times that",
        path.display()
    )]
    StartWidth {
        /// The weights.
        path: PathBuf,
        /// Their width.
        found: usize,
        /// The recipe's width.
        wanted: usize,
    },
    /// There is nothing to learn from.
    #[error(
        "{found} of the slices can train a network: give more patients or phantoms, or keep fewer for validation"
    )]
    NoExamples {
        /// Slices that are left after those of the validation.
        found: usize,
    },
    /// There is no hematoma to learn from.
    #[error("no case is left to train on: give more cases, or keep fewer for validation")]
    NoCases,
    /// Masks and slice were not made for each other.
    #[error("{subject}: a mask of {found:?} pixels for a slice of {expected:?}, both (y, x)")]
    ExampleShape {
        /// Patient or phantom.
        subject: String,
        /// Pixels of the mask.
        found: [usize; 2],
        /// Pixels of the slice.
        expected: [usize; 2],
    },
    /// A checkpoint belongs to another training.
    #[error(
        "{} was written by a training with another {what}: give another folder, or remove it to start again",
        path.display()
    )]
    OtherTraining {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A file of a training cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The loss is no number any more.
    #[error("the loss is {loss} at step {step}: lower the rate, or clip the gradient harder")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// The training was told to stop; it goes on from its checkpoint.
    #[error("stopped after {step} of {steps} steps: the same command goes on from there")]
    TrainingStopped {
        /// Steps that were done.
        step: usize,
        /// Steps of the recipe.
        steps: usize,
    },
    /// No device has this name.
    #[error("no device {name:?}: \"auto\" or \"cpu\" alone, or GPUs such as \"cuda:0\"")]
    UnknownDevice {
        /// The name asked for.
        name: String,
    },
    /// A GPU computes in nothing of this name.
    #[error("no precision {name:?}: bf16 or f32")]
    UnknownPrecision {
        /// The name asked for.
        name: String,
    },
    /// A GPU that was asked for by name, and by a work that the CPU does not take over.
    #[error("no GPU: {0}")]
    Gpu(#[from] ichor_cuda::Absent),
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
