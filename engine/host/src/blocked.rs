//! Libraries that end their worker call after call, kept from being started until someone says so.
//!
//! One crash costs one call; a library that crashes every time would cost a start of a process for
//! every study of the night. What is blocked is the library's sha256, so that a mended one runs at
//! once and the same one does not come back under another name.
//!
//! One study that is tried again and again blocks nothing: only different inputs count. Neither
//! does a call that takes too long, which a machine without air may do to any library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::HostError;

/// Different inputs in a row, without an answer between them, at which a library that ended its worker
/// is blocked.
const IN_A_ROW: usize = 5;
/// The folder beside the plugins that holds a file for each blocked library.
const FOLDER: &str = ".blocked";

/// Blocked libraries of a site, and the crashes of this process's workers.
#[derive(Debug)]
pub(crate) struct Blocked {
    folder: PathBuf,
    /// Inputs that ended a worker since the last answer, by sha256.
    in_a_row: BTreeMap<String, BTreeSet<u64>>,
}

impl Blocked {
    /// The list beside the plugins of the folder `plugins`.
    pub(crate) fn beside(plugins: &Path) -> Self {
        Self { folder: plugins.join(FOLDER), in_a_row: BTreeMap::new() }
    }

    /// Fails when the library is blocked.
    pub(crate) fn check(&self, plugin: &str, sha256: &str) -> Result<(), HostError> {
        match fs::read_to_string(self.folder.join(sha256)) {
            Err(_) => Ok(()),
            Ok(why) => Err(HostError::Blocked {
                plugin: plugin.to_owned(),
                why: why.trim().to_owned(),
            }),
        }
    }

    /// Takes note of how the library took `input`, which stands for all that one call was given.
    pub(crate) fn note<T>(&mut self, sha256: &str, input: u64, answer: &Result<T, HostError>) {
        let error = match answer {
            Err(error @ HostError::Died { .. }) => error,
            // Nothing is known of the library by then.
            Err(HostError::Deadline { .. } | HostError::Blocked { .. }) => return,
            _ => {
                self.in_a_row.remove(sha256);
                return;
            }
        };
        let inputs = self.in_a_row.entry(sha256.to_owned()).or_default();
        inputs.insert(input);
        if inputs.len() >= IN_A_ROW {
            self.in_a_row.remove(sha256);
            let why = format!("on {IN_A_ROW} inputs in a row, at last: {error}\n");
            // A folder that cannot be written costs a process a study, and no study.
            let _ = fs::create_dir_all(&self.folder)
                .and_then(|()| fs::write(self.folder.join(sha256), why));
        }
    }
}

/// Why the library of this sha256 is blocked at the site whose plugins lie in `plugins`, if it is.
pub fn blocked(plugins: &Path, sha256: &str) -> Option<String> {
    let why = fs::read_to_string(plugins.join(FOLDER).join(sha256)).ok()?;
    Some(why.trim().to_owned())
}

/// Lets the library of this sha256 be started again; whether it was blocked.
pub fn unblock(plugins: &Path, sha256: &str) -> Result<bool, HostError> {
    let path = plugins.join(FOLDER).join(sha256);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(HostError::file("remove", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn died() -> Result<(), HostError> {
        Err(HostError::Died {
            unit: "org.example.x/y".to_owned(),
            how: "signal: 11".to_owned(),
            memory_mib: Some(64),
        })
    }

    #[test]
    fn five_inputs_in_a_row_block_and_an_answer_between_or_a_retry_does_not() {
        let folder = std::env::temp_dir().join(format!("ichor-blocked-{}", std::process::id()));
        let mut list = Blocked::beside(&folder);
        let sha256 = "ab".repeat(32);
        // Every fiftieth, or every second: never.
        for input in 0..20 {
            list.note(&sha256, input, &died());
            list.note(&sha256, input, &Ok(()));
        }
        // One study over and over, or calls that take too long: never.
        let late = || -> Result<(), HostError> {
            Err(HostError::Deadline { unit: "org.example.x/y".to_owned(), deadline_ms: 1 })
        };
        for input in 0..20 {
            list.note(&sha256, 0, &died());
            list.note(&sha256, input, &late());
        }
        for input in 1..4 {
            list.note(&sha256, input, &died());
            assert!(list.check("x", &sha256).is_ok());
        }
        list.note(&sha256, 4, &died());
        let said = list.check("x", &sha256).unwrap_err().to_string();
        assert!(
            said.contains("on 5 inputs in a row, at last: the worker of org.example"),
            "{said}"
        );
        assert!(list.check("x", &"cd".repeat(32)).is_ok());
        assert!(Blocked::beside(&folder).check("x", &sha256).is_err(), "a new process knows");
        assert!(blocked(&folder, &sha256).unwrap().starts_with("on 5 inputs"));
        assert!(unblock(&folder, &sha256).unwrap() && !unblock(&folder, &sha256).unwrap());
        assert!(list.check("x", &sha256).is_ok());
        fs::remove_dir_all(&folder).unwrap();
    }
}
