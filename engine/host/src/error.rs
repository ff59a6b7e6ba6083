//! Why the host did not do what it was asked for.

use std::path::PathBuf;

use ichor_core::{FeatureError, ProfileError, UnitError};
use ichor_plugin::RefusedKind;

/// One variant for each thing that a person could do something about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The file system said no.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// `read`, `write`, …
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A manifest that is not TOML, lacks a key or has an unknown one.
    #[error("{path}: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A manifest with a value that is not taken.
    #[error("{path}: {key} = {value}: must be {must}")]
    ManifestValue {
        /// The manifest.
        path: PathBuf,
        /// The key as it stands there.
        key: String,
        /// Its value.
        value: String,
        /// What would be taken.
        must: &'static str,
    },
    /// A file of a plugin that somebody else could have put or changed there.
    #[error(
        "{path} {why}: only plain files of root or of this user, writable by nobody else, are opened"
    )]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of a plugin is not the one that was installed.
    #[error("{path} has sha256 {found}, installed was {expected}: install the plugin again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its hash now.
        found: String,
        /// Its hash in the manifest.
        expected: String,
    },
    /// No folder holds the library.
    #[error("{file} is in none of {folders}: build it with `cargo build --workspace`")]
    NoLibrary {
        /// The library's file name.
        file: String,
        /// The folders looked through.
        folders: String,
    },
    /// No such plugin or unit is installed.
    #[error("{id} is not installed; there are {known}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// An extractor was asked to score, or a scorer to extract.
    #[error("{id} is no {wanted}")]
    WrongKind {
        /// The unit.
        id: String,
        /// What it was asked to be.
        wanted: &'static str,
    },
    /// The worker process could not be started or spoken to.
    #[error("the worker of {plugin} cannot be started: {source}")]
    Start {
        /// The plugin.
        plugin: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There was no memory for a volume.
    #[error("the volume cannot be handed to a worker: {0}")]
    Share(#[source] std::io::Error),
    /// The library is not the plugin that its manifest describes.
    #[error("{plugin} cannot be loaded: {why}")]
    Load {
        /// The plugin.
        plugin: String,
        /// What does not fit, in the loader's words.
        why: String,
    },
    /// The plugin refused, in its own words.
    #[error("{unit}: {text}")]
    Refused {
        /// The unit.
        unit: String,
        /// What can be done about it.
        kind: RefusedKind,
        /// Its own words.
        text: String,
    },
    /// The caller's progress function asked to stop.
    #[error("{unit} was stopped")]
    Cancelled {
        /// The unit.
        unit: String,
    },
    /// The worker was killed for taking too long.
    #[error("{unit} took longer than its {deadline_ms} ms and was ended")]
    Deadline {
        /// The unit, or the plugin while it was loaded.
        unit: String,
        /// `limits.deadline_ms` of its manifest.
        deadline_ms: u64,
    },
    /// The worker ended in the middle of a call.
    #[error("the worker of {unit} died ({how}){}", limit(*.memory_mib))]
    Died {
        /// The unit, or the plugin while it was loaded.
        unit: String,
        /// Signal or exit code.
        how: String,
        /// `limits.memory_mib` of its manifest, where a signal ended it: the storm of allocations
        /// that it stops ends in one.
        memory_mib: Option<u64>,
    },
    /// The library is blocked at this site.
    #[error(
        "{plugin} is blocked: it ended its worker {why}; `ichor plugin unblock {plugin}` lets it run again, a mended version runs at once"
    )]
    Blocked {
        /// The plugin.
        plugin: String,
        /// How it came to that.
        why: String,
    },
    /// The worker sent what no worker sends.
    #[error("the worker of {plugin} sent {what}")]
    Garbled {
        /// The plugin.
        plugin: String,
        /// What came.
        what: String,
    },
    /// A result that is not finite where it must be.
    #[error("{unit} gave {value} for {name}")]
    NotFinite {
        /// The unit.
        unit: String,
        /// The feature, input or number in question.
        name: String,
        /// What it gave.
        value: f64,
    },
    /// An input that is neither a number nor missing.
    #[error("the input {name} of {unit} is {value}: it must be a number, or missing")]
    Input {
        /// The unit.
        unit: String,
        /// The input.
        name: String,
        /// What it was given.
        value: f64,
    },
    /// A probability out of its range.
    #[error("{unit}: {source}")]
    Risk {
        /// The scorer.
        unit: String,
        /// What is wrong with it.
        source: UnitError,
    },
    /// Contributions that do not explain the risk.
    #[error(
        "{unit}: base and contributions add up to {sum:.9} log-odds, the risk stands at {log_odds:.9}"
    )]
    NotAdditive {
        /// The scorer.
        unit: String,
        /// Base and contributions.
        sum: f64,
        /// The logit of the risk.
        log_odds: f64,
    },
    /// Features that cannot be told apart.
    #[error("{unit}: {source}")]
    Features {
        /// The extractor.
        unit: String,
        /// What is wrong with them.
        source: FeatureError,
    },
    /// A mask that is not of the volume's shape.
    #[error("a mask of {mask:?} voxels for a volume of {volume:?}")]
    Shape {
        /// Slices, rows and columns of the mask.
        mask: (usize, usize, usize),
        /// Those of the volume.
        volume: (usize, usize, usize),
    },
    /// No profile of that name.
    #[error("{unit} has no threshold profile {name}; there are {known}")]
    NoProfile {
        /// The scorer.
        unit: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A profile that cannot be read or was tuned for something else.
    #[error("{path}: {source}")]
    Profile {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: ProfileError,
    },
}

impl HostError {
    /// Gives a failed file operation its path.
    pub(crate) fn file<'a>(
        doing: &'static str,
        path: &'a std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}

fn limit(memory_mib: Option<u64>) -> String {
    memory_mib.map_or_else(String::new, |mib| format!("; its memory limit is {mib} MiB"))
}
