//! A watched folder: files that have stopped growing are taken in and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ichor_dicom::{Spool, Taken};

use crate::{TriageError, clock};

/// Folders below the inbox are looked into this deep.
const DEEPEST: usize = 8;
/// What is added to the name of a file that is being taken.
const CLAIMED: &str = "taken";

/// What a file looked like: size and time of its last change.
type Look = (u64, Option<SystemTime>);

/// The watched folder and what was seen in it the last time.
pub(super) struct Inbox {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Look>,
    said: BTreeSet<String>,
}

impl Inbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, seen: BTreeMap::new(), said: BTreeSet::new() }
    }

    /// Takes every file that has not changed since the last look into the spool (durably) or the
    /// quarantine, and removes it from the inbox.
    ///
    /// A file or folder that cannot be read or removed is told once and left where it is: it
    /// must not hold up the others.
    pub(super) fn empty_into(&mut self, spool: &Spool) -> Vec<Taken> {
        let mut now = BTreeMap::new();
        if let Err(source) = walk(&self.folder, DEEPEST, &mut now) {
            self.say(&TriageError::file("list the inbox", &self.folder, source));
        }
        let before = std::mem::replace(&mut self.seen, now);
        let mut taken = Vec::new();
        for path in still(&before, &self.seen) {
            match take(&path, spool) {
                Ok(item) => taken.push(item),
                Err(error) => self.say(&error),
            }
        }
        taken
    }

    fn say(&mut self, error: &TriageError) {
        let words = error.to_string();
        if self.said.insert(words.clone()) {
            tracing::warn!("{words}");
        }
    }
}

/// Files that looked the same both times.
fn still(before: &BTreeMap<PathBuf, Look>, now: &BTreeMap<PathBuf, Look>) -> Vec<PathBuf> {
    let same = now.iter().filter(|(path, look)| before.get(*path) == Some(*look));
    same.map(|(path, _)| path.clone()).collect()
}

/// A file that cannot be removed is not taken at all, or it would be taken again and again. One
/// that was renamed and then could not be read keeps its new name.
fn take(path: &Path, spool: &Spool) -> Result<Taken, TriageError> {
    let claimed = match path.extension() {
        Some(extension) if extension == CLAIMED => path.to_owned(),
        _ => path.with_added_extension(CLAIMED),
    };
    fs::rename(path, &claimed).map_err(|source| TriageError::file("move", path, source))?;
    let taken = spool.take(&claimed, "inbox", clock::now())?;
    fs::remove_file(&claimed)
        .map_err(|source| TriageError::file("remove", &claimed, source))?;
    Ok(taken)
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
