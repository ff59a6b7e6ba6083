//! Commands that the engine runs: `ichor X` becomes `ichor-engine X`, so people learn one name.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{arguments::ENGINE_COMMANDS, error::Error};

/// True for a command that the engine runs.
pub(crate) fn runs(command: &OsStr) -> bool {
    ENGINE_COMMANDS.iter().any(|(name, _)| command == *name)
}

/// Becomes the engine beside `exe` with all of `arguments`; comes back only with an error.
pub(crate) fn become_engine(exe: &Path, command: &OsStr, arguments: &[OsString]) -> Error {
    let path: PathBuf = exe.with_file_name("ichor-engine");
    if !path.is_file() {
        return Error::EngineMissing { command: command.to_string_lossy().into_owned(), path };
    }
    let source = Command::new(&path).args(arguments).exec();
    Error::EngineStart { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_engine_is_named() {
        let error = become_engine(Path::new("/nowhere/ichor"), OsStr::new("serve"), &[]);
        assert_eq!(
            error.to_string(),
            "`ichor serve` is run by the engine, and /nowhere/ichor-engine is not there"
        );
    }
}
