//! What can go wrong when everything is put together.

use std::path::{Path, PathBuf};

use ichor_core::ConfigError;

/// Why a command or a step of the daemon failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TriageError {
    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was to be done, as in "cannot … PATH".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration is not valid.
    #[error("configuration {}: {source}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong in it.
        source: ConfigError,
    },
    /// A second engine on one data folder.
    #[error("another engine is running on {}: stop it first, or give this one another data_dir", path.display())]
    Running {
        /// The data folder.
        path: PathBuf,
    },
    /// The work was told to stop.
    #[error("stopped before it was done")]
    Stopped,
    /// DICOM.
    #[error(transparent)]
    Dicom(#[from] ichor_dicom::DicomError),
    /// The network or its weights.
    #[error(transparent)]
    Net(#[from] ichor_net::NetError),
    /// A plugin or a profile.
    #[error(transparent)]
    Host(#[from] ichor_host::HostError),
    /// The database.
    #[error(transparent)]
    Store(#[from] ichor_store::StoreError),
    /// A profile does not fit the scorer.
    #[error(transparent)]
    Profile(#[from] ichor_core::ProfileError),
    /// Two extractors give one name.
    #[error(transparent)]
    Features(#[from] ichor_core::FeatureError),
    /// Figures that cannot be computed.
    #[error(transparent)]
    Stats(#[from] ichor_study::stats::StatsError),
    /// A phantom that cannot be drawn.
    #[error(transparent)]
    Phantom(#[from] ichor_study::phantom::PhantomError),
    /// A mask that is on another grid.
    #[error(transparent)]
    Mask(#[from] ichor_core::MaskError),
    /// NIfTI.
    #[error("{}: {source}", path.display())]
    Nifti {
        /// The file.
        path: PathBuf,
        /// What the library says.
        source: nifti::NiftiError,
    },
    /// A plugin that the configuration names is not installed.
    #[error(
        "plugin {plugin} is not installed: run `ichor plugin install`, or change {key} in the configuration"
    )]
    NotInstalled {
        /// The plugin's id.
        plugin: String,
        /// The key of the configuration that names it.
        key: &'static str,
    },
    /// The program that a command needs is not beside this one.
    #[error("{} is not there: build or install it beside this program", path.display())]
    NoSibling {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A training knows more than can be seen.
    #[error(
        "AUC {auc:.3} (standard error {standard_error:.3}) on cases that never trained, where the most that can be seen is {bayes:.3}: the training has seen the label; look for what tells it"
    )]
    Leak {
        /// Area under the curve.
        auc: f64,
        /// Its standard error.
        standard_error: f64,
        /// Area under the curve of the Bayes score.
        bayes: f64,
    },
    /// The input of a command cannot be used.
    #[error("{0}")]
    Input(String),
}

impl TriageError {
    /// For `map_err` at a file operation.
    pub(crate) fn file(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }
}
