//! The one way in: objects become durable files here, for the network, the inbox and imports.
//!
//! Bytes go to `*.part`, their header is read, then fsync, rename, fsync of the folder. Whoever
//! is told that an object was taken finds it after a power cut. What cannot be parsed goes the
//! same way into the quarantine, with a text that says why. Names are made of a checked UID and
//! a number that no other writer uses, so no object replaces another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use ichor_core::UnixMs;
use sha2::{Digest, Sha256};

use crate::hash::hex;
use crate::header::header_of;
use crate::{DicomError, Header};

/// An unfinished file that nobody has written to for so long belongs to a process that is gone.
const ABANDONED_S: f64 = 3600.0;

/// An object that lies durable in the spool folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Where.
    pub path: PathBuf,
    /// What its header says.
    pub header: Header,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Who sent it: calling AE title and address, or `inbox`, or `import`.
    pub source: String,
    /// When it was received.
    pub received: UnixMs,
    /// What is odd about it, but no reason to refuse it.
    pub warnings: Vec<String>,
}

/// Bytes that could not be parsed; beside them lies a `.txt` that says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where they lie.
    pub path: PathBuf,
    /// Why.
    pub why: String,
    /// Who sent them.
    pub source: String,
    /// When.
    pub at: UnixMs,
}

impl Quarantined {
    fn write_note(&self) -> Result<(), DicomError> {
        let Self { path, why, source, at } = self;
        let note = path.with_extension("txt");
        let text =
            format!("why: {why}\nfrom: {source}\nreceived (ms since 1970, UTC): {}\n", at.0);
        write_durably(&note, text.as_bytes()).map_err(DicomError::file("write", &note))
    }
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It lies in the spool.
    Arrived(Box<Arrival>),
    /// It lies in the quarantine.
    Quarantined(Quarantined),
}

/// The spool folder and its quarantine. One for each process; several processes may share the
/// folders.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    quarantine: PathBuf,
    next: AtomicU64,
}

impl Spool {
    /// Both folders, which must lie in one file system, are made if they are not there.
    pub fn open(spool: &Path, quarantine: &Path) -> Result<Self, DicomError> {
        for folder in [spool, quarantine] {
            fs::create_dir_all(folder).map_err(DicomError::file("create", folder))?;
        }
        let (folder, quarantine) = (spool.to_owned(), quarantine.to_owned());
        Ok(Self { folder, quarantine, next: AtomicU64::new(0) })
    }

    /// Copies a file into the spool, durably, or into the quarantine if it cannot be parsed. The
    /// original stays; its owner may remove it afterwards.
    pub fn take(
        &self,
        path: &Path,
        source: &str,
        received: UnixMs,
    ) -> Result<Taken, DicomError> {
        let mut from = File::open(path).map_err(DicomError::file("open", path))?;
        let mut draft = self.begin(received)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match from.read(&mut buffer).map_err(DicomError::file("read", path))? {
                0 => break,
                n => draft.write(&buffer[..n])?,
            }
        }
        draft.finish(source)
    }

    /// Objects that lie in the spool, by name: what a process that died has left to be known.
    pub fn pending(&self) -> Result<Vec<PathBuf>, DicomError> {
        let mut found = self.files_named(".dcm")?;
        found.sort();
        Ok(found)
    }

    /// Reads an object of [`Self::pending`] as if it had just come; what cannot be parsed goes to
    /// the quarantine. None when it is gone, having been taken out meanwhile.
    pub fn announce(
        &self,
        path: &Path,
        source: &str,
        received: UnixMs,
    ) -> Result<Option<Taken>, DicomError> {
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(DicomError::file("open", path))?.len(),
        };
        let header = match crate::read_header(path) {
            Ok(header) => header,
            Err(error) if error.is_disk() => return Err(error),
            Err(error) => {
                let aside = self.put_aside(path, &error.to_string(), source, received)?;
                return Ok(Some(Taken::Quarantined(aside)));
            }
        };
        Ok(Some(Taken::Arrived(Box::new(Arrival {
            path: path.to_owned(),
            header,
            sha256: crate::sha256(path)?,
            bytes,
            source: source.to_owned(),
            received,
            warnings: Vec::new(),
        }))))
    }

    /// Moves an object of the spool to the quarantine, with the reason beside it.
    pub fn put_aside(
        &self,
        path: &Path,
        why: &str,
        source: &str,
        at: UnixMs,
    ) -> Result<Quarantined, DicomError> {
        let name = path.file_name().unwrap_or_default();
        let item = Quarantined {
            path: self.quarantine.join(name),
            why: why.to_owned(),
            source: source.to_owned(),
            at,
        };
        item.write_note()?;
        fs::rename(path, &item.path).map_err(DicomError::file("rename", path))?;
        sync_folder(&self.quarantine).map_err(DicomError::file("sync", &self.quarantine))?;
        Ok(item)
    }

    /// Removes unfinished files that nobody has written to for an hour; says how many.
    pub fn sweep(&self, now: UnixMs) -> Result<usize, DicomError> {
        let mut removed = 0;
        for path in self.files_named(".part")? {
            let modified = fs::metadata(&path).and_then(|meta| meta.modified());
            let since_epoch =
                modified.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let Some(age) = since_epoch else { continue };
            if now.seconds_since(UnixMs(age.as_millis() as i64)) > ABANDONED_S {
                fs::remove_file(&path).map_err(DicomError::file("remove", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Begins an object that arrives piece by piece.
    pub(crate) fn begin(&self, received: UnixMs) -> Result<Draft<'_>, DicomError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{:x}-{:x}-{number:x}", received.0, std::process::id());
        let path = self.folder.join(format!("{unique}.part"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(DicomError::file("create", &path))?;
        let file = BufWriter::with_capacity(256 * 1024, file);
        let (hash, bytes, is_kept) = (Sha256::new(), 0, false);
        Ok(Draft { spool: self, file, path, unique, hash, bytes, received, is_kept })
    }

    fn files_named(&self, ending: &str) -> Result<Vec<PathBuf>, DicomError> {
        let failed = |error| DicomError::file("read", &self.folder)(error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

/// An object on its way; removed unless it is finished.
pub(crate) struct Draft<'a> {
    spool: &'a Spool,
    file: BufWriter<File>,
    path: PathBuf,
    unique: String,
    hash: Sha256,
    bytes: u64,
    received: UnixMs,
    is_kept: bool,
}

impl Draft<'_> {
    /// Adds bytes at the end.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DicomError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(DicomError::file("write", &self.path))
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.bytes
    }

    /// Makes the object durable under its name, or quarantines it.
    pub(crate) fn finish(mut self, source: &str) -> Result<Taken, DicomError> {
        let failed = |doing| DicomError::file(doing, &self.path);
        self.file.flush().map_err(failed("write"))?;
        self.file.get_mut().rewind().map_err(failed("read"))?;
        let header = match header_of(self.file.get_ref(), &self.path) {
            Ok(header) => header,
            Err(error) if error.is_disk() => return Err(error),
            Err(error) => return self.quarantine(source, &error),
        };
        let name = format!("{}-{}.dcm", header.sop_uid, self.unique);
        let path = self.spool.folder.join(name);
        self.settle(&path)?;
        Ok(Taken::Arrived(Box::new(Arrival {
            path,
            header,
            sha256: hex(&std::mem::take(&mut self.hash).finalize()),
            bytes: self.bytes,
            source: source.to_owned(),
            received: self.received,
            warnings: Vec::new(),
        })))
    }

    fn quarantine(mut self, source: &str, error: &DicomError) -> Result<Taken, DicomError> {
        let item = Quarantined {
            path: self.spool.quarantine.join(format!("{}.dcm", self.unique)),
            why: error.to_string(),
            source: source.to_owned(),
            at: self.received,
        };
        item.write_note()?;
        self.settle(&item.path)?;
        Ok(Taken::Quarantined(item))
    }

    /// fsync, rename, fsync of the folder.
    fn settle(&mut self, to: &Path) -> Result<(), DicomError> {
        self.file.get_ref().sync_all().map_err(DicomError::file("sync", &self.path))?;
        fs::rename(&self.path, to).map_err(DicomError::file("rename", &self.path))?;
        self.is_kept = true;
        let folder = to.parent().unwrap_or(Path::new("."));
        sync_folder(folder).map_err(DicomError::file("sync", folder))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // Best effort: `sweep` finds what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Folder, tags, volume};
    use crate::{sha256, write_ct_series};

    fn spool(folder: &Folder) -> Spool {
        Spool::open(&folder.join("spool"), &folder.join("quarantine")).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut found: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        found
    }

    #[test]
    fn an_object_lies_in_the_spool_under_its_uid_with_its_hash() {
        let folder = Folder::new();
        let spool = spool(&folder);
        let tags = tags("spool");
        let files = write_ct_series(&volume(1, 4, 6), &tags, &folder.join("in")).unwrap();
        let Taken::Arrived(arrival) = spool.take(&files[0], "import", UnixMs(5)).unwrap()
        else {
            panic!("quarantined")
        };
        assert_eq!(fs::read(&arrival.path).unwrap(), fs::read(&files[0]).unwrap());
        assert_eq!(arrival.sha256, sha256(&files[0]).unwrap());
        assert_eq!(arrival.bytes, fs::metadata(&files[0]).unwrap().len());
        let name = arrival.path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(&arrival.header.sop_uid), "{name}");
        // The same object again lies beside the first.
        spool.take(&files[0], "import", UnixMs(5)).unwrap();
        assert_eq!(spool.pending().unwrap().len(), 2);
        assert_eq!(names(&folder.join("quarantine")), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_parsed_is_kept_with_the_reason() {
        let folder = Folder::new();
        let spool = spool(&folder);
        let path = folder.join("words.txt");
        fs::write(&path, "no DICOM at all, just words").unwrap();
        let Taken::Quarantined(kept) = spool.take(&path, "inbox", UnixMs(9)).unwrap() else {
            panic!("taken")
        };
        assert_eq!(fs::read(&kept.path).unwrap(), b"no DICOM at all, just words");
        let note = fs::read_to_string(kept.path.with_extension("txt")).unwrap();
        assert_eq!(
            note,
            "why: no DICOM element at byte 0: neither DICM nor a data set begins here\n\
             from: inbox\nreceived (ms since 1970, UTC): 9\n"
        );
        assert_eq!(names(&folder.join("spool")), Vec::<String>::new());
    }

    #[test]
    fn unfinished_files_vanish_with_their_writer_or_after_an_hour() {
        let folder = Folder::new();
        let spool = spool(&folder);
        drop(spool.begin(UnixMs(1)).unwrap());
        assert_eq!(names(&folder.join("spool")), Vec::<String>::new());
        let left = folder.join("spool/1-2-3.part");
        fs::write(&left, "half").unwrap();
        let modified = fs::metadata(&left).unwrap().modified().unwrap();
        let at = UnixMs(modified.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64);
        assert_eq!(spool.sweep(at.plus_s(3000.0)).unwrap(), 0);
        assert_eq!(spool.sweep(at.plus_s(4000.0)).unwrap(), 1);
    }
}
