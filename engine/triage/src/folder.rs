//! The DICOM files that people point at: folders, files, both.

use std::fs;
use std::path::{Path, PathBuf};

use crate::TriageError;

/// Folders are looked into this deep.
const DEEPEST: usize = 16;

/// All files under `paths`, sorted; at least one.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TriageError> {
    let mut found = Vec::new();
    for path in paths {
        gather(path, DEEPEST, &mut found)?;
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(TriageError::Input(format!("no files in {}", named.join(", "))));
    }
    Ok(found)
}

fn gather(path: &Path, deeper: usize, found: &mut Vec<PathBuf>) -> Result<(), TriageError> {
    let failed = |source| TriageError::file("read", path, source);
    if fs::metadata(path).map_err(failed)?.is_file() {
        found.push(path.to_owned());
        return Ok(());
    }
    if deeper == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name() != "DICOMDIR" && entry.file_name() != "DIRFILE" {
            gather(&entry.path(), deeper - 1, found)?;
        }
    }
    Ok(())
}

/// Folders directly under `path`, sorted by name.
pub(crate) fn folders(path: &Path) -> Result<Vec<PathBuf>, TriageError> {
    let failed = |source| TriageError::file("list", path, source);
    let mut found: Vec<PathBuf> = fs::read_dir(path)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    Ok(found)
}
