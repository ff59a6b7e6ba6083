//! Why a plugin did not do what it was asked for.

use crate::abi;

/// What the person who reads a refusal can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedKind {
    /// Mend the configuration text or a file of the plugin's folder.
    Config,
    /// This volume, mask or these inputs cannot be worked on; others can.
    Input,
    /// The plugin does not do this.
    Unsupported,
    /// The host asked to stop.
    Cancelled,
    /// A fault of the plugin's own.
    Internal,
    /// The plugin panicked; only the SDK says so.
    Panic,
}

impl RefusedKind {
    /// The number that crosses the boundary.
    pub const fn status(self) -> abi::Status {
        match self {
            Self::Config => 1,
            Self::Input => 2,
            Self::Unsupported => 3,
            Self::Cancelled => 4,
            Self::Internal => 5,
            Self::Panic => 6,
        }
    }

    /// What `status` stands for; a number that this version does not know is a fault of the
    /// plugin's own.
    pub const fn from_status(status: abi::Status) -> Self {
        match status {
            1 => Self::Config,
            2 => Self::Input,
            3 => Self::Unsupported,
            4 => Self::Cancelled,
            6 => Self::Panic,
            _ => Self::Internal,
        }
    }
}

/// A refusal in the plugin's own words: cause, value, what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What can be done about it.
    pub kind: RefusedKind,
    /// The reason.
    pub text: String,
}

impl Refused {
    /// The configuration or a file of the plugin's folder is not usable.
    pub fn config(text: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Config, text: text.into() }
    }

    /// This volume, mask or these inputs cannot be worked on.
    pub fn input(text: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Input, text: text.into() }
    }

    /// The plugin does not do this.
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Unsupported, text: text.into() }
    }

    /// A fault of the plugin's own.
    pub fn internal(text: impl Into<String>) -> Self {
        Self { kind: RefusedKind::Internal, text: text.into() }
    }

    /// The host asked to stop.
    pub fn cancelled() -> Self {
        Self { kind: RefusedKind::Cancelled, text: "cancelled".to_owned() }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}
