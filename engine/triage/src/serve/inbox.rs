//! A watched folder: files that have stopped growing are taken in and removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ichor_dicom::{Spool, Taken};

use crate::{TriageError, clock};

/// Folders below the inbox are looked into this deep.
const DEEPEST: usize = 8;

/// What a file looked like: size and time of its last change.
type Look = (u64, Option<SystemTime>);

/// The watched folder and what was seen in it the last time.
pub(super) struct Inbox {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Look>,
}

impl Inbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, seen: BTreeMap::new() }
    }

    /// Takes every file that has not changed since the last look into the spool (durably) or the
    /// quarantine, and removes it from the inbox.
    pub(super) fn empty_into(&mut self, spool: &Spool) -> Result<Vec<Taken>, TriageError> {
        let mut now = BTreeMap::new();
        walk(&self.folder, DEEPEST, &mut now)
            .map_err(|source| TriageError::file("list the inbox", &self.folder, source))?;
        let mut taken = Vec::new();
        for (path, look) in &now {
            if self.seen.get(path) == Some(look) {
                taken.push(spool.take(path, "inbox", clock::now())?);
                fs::remove_file(path)
                    .map_err(|source| TriageError::file("remove", path, source))?;
            }
        }
        self.seen = now;
        Ok(taken)
    }
}

fn walk(
    folder: &Path,
    deeper: usize,
    found: &mut BTreeMap<PathBuf, Look>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && deeper > 0 {
            walk(&entry.path(), deeper - 1, found)?;
        } else if kind.is_file() {
            let meta = entry.metadata()?;
            found.insert(entry.path(), (meta.len(), meta.modified().ok()));
        }
    }
    Ok(())
}
