//! Plugins as they lie installed: a folder each, named by the plugin's id.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use ichor_core::UnitId;
use rustix::fs::{FileType, Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::manifest::FILE_NAME;
use crate::{HostError, Manifest, UnitEntry};

/// An installed plugin whose files were, when it was read, those that were installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    folder: PathBuf,
    manifest: Manifest,
    sha256: String,
}

impl Installed {
    /// Reads and checks the plugin in `folder`: manifest, owners, permissions, hashes.
    pub fn read(folder: &Path) -> Result<Self, HostError> {
        check_folder(folder)?;
        let path = folder.join(FILE_NAME);
        let text = String::from_utf8_lossy(&trusted_bytes(&path)?).into_owned();
        let manifest = Manifest::parse(&text, &path)?;
        let value = |key: &str, value: &str, must| HostError::ManifestValue {
            path: path.clone(),
            key: key.to_owned(),
            value: format!("{value:?}"),
            must,
        };
        if folder.file_name().and_then(|name| name.to_str()) != Some(&manifest.plugin.id) {
            return Err(value("plugin.id", &manifest.plugin.id, "the name of its folder"));
        }
        let there = "there: install the plugin with `ichor plugin install`";
        let Some(sha256) = manifest.plugin.sha256.clone() else {
            return Err(value("plugin.sha256", "", there));
        };
        for file in manifest.other_files() {
            if !manifest.sha256.contains_key(file) {
                return Err(value(&format!("sha256.{file}"), "", there));
            }
        }
        let installed = Self { folder: folder.to_owned(), manifest, sha256 };
        installed.library()?;
        for file in installed.manifest.other_files() {
            installed.bytes(file)?;
        }
        Ok(installed)
    }

    /// The plugin's id.
    pub fn id(&self) -> &str {
        &self.manifest.plugin.id
    }

    /// The plugin's version.
    pub fn version(&self) -> &str {
        &self.manifest.plugin.version
    }

    /// SHA-256 of the library, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its units, in the manifest's order.
    pub fn unit_ids(&self) -> Vec<UnitId> {
        let id =
            |unit: &UnitEntry| UnitId { plugin: self.id().to_owned(), unit: unit.id.clone() };
        self.manifest.units.iter().map(id).collect()
    }

    /// The unit called `unit`.
    pub fn unit(&self, unit: &str) -> Result<&UnitEntry, HostError> {
        self.manifest.units.iter().find(|entry| entry.id == unit).ok_or_else(|| {
            HostError::Unknown {
                id: format!("{}/{unit}", self.id()),
                known: listed(self.unit_ids()),
            }
        })
    }

    /// SHA-256, hex, over all that the unit's results depend on but the library: what
    /// `sha256sum CONFIG FILES… | sha256sum` prints in the plugin's folder, the files in the
    /// manifest's order.
    pub fn weights_sha256(&self, unit: &str) -> Result<String, HostError> {
        let mut list = String::new();
        for file in self.unit(unit)?.own_files() {
            let sha256 = self.manifest.sha256.get(file).map_or("", String::as_str);
            list += &[sha256, "  ", file, "\n"].concat();
        }
        Ok(hex_sha256(list.as_bytes()))
    }

    /// The library's bytes, checked against the manifest.
    pub(crate) fn library(&self) -> Result<Vec<u8>, HostError> {
        self.checked(&self.manifest.plugin.file, &self.sha256)
    }

    /// The bytes of another file, checked against the manifest.
    pub(crate) fn bytes(&self, file: &str) -> Result<Vec<u8>, HostError> {
        self.checked(file, self.manifest.sha256.get(file).map_or("", String::as_str))
    }

    fn checked(&self, file: &str, expected: &str) -> Result<Vec<u8>, HostError> {
        let path = self.folder.join(file);
        let bytes = trusted_bytes(&path)?;
        let found = hex_sha256(&bytes);
        if found != expected {
            return Err(HostError::Changed { path, found, expected: expected.to_owned() });
        }
        Ok(bytes)
    }
}

/// Every plugin installed under `dirs`, in the order of their ids.
///
/// The first folder that has an id wins, even when what lies there cannot be used: a broken
/// plugin of the site must not be replaced by another one in silence. Folders that cannot be
/// listed hold none.
pub fn installed(dirs: &[PathBuf]) -> Vec<Result<Installed, HostError>> {
    let mut folders: BTreeMap<String, PathBuf> = BTreeMap::new();
    for dir in dirs {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(id) = entry.file_name().into_string() else { continue };
            // Ids have a dot and do not begin with one; a checkout's source folders have none.
            let is_id = id.find('.').is_some_and(|at| at > 0);
            if is_id && entry.path().join(FILE_NAME).exists() {
                folders.entry(id).or_insert_with(|| entry.path());
            }
        }
    }
    folders.values().map(|folder| Installed::read(folder)).collect()
}

pub(crate) fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn check_folder(folder: &Path) -> Result<(), HostError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty());
    let opened = opened.map_err(|e| HostError::file("open", folder)(e.into()))?;
    let stat =
        rustix::fs::fstat(&opened).map_err(|e| HostError::file("read", folder)(e.into()))?;
    check_owner(folder, &stat)
}

/// Reads a file that nobody but root and this user can have put there.
fn trusted_bytes(path: &Path) -> Result<Vec<u8>, HostError> {
    // NONBLOCK: opening a pipe that somebody put there must not hang.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => {
            return Err(HostError::Untrusted { path: path.to_owned(), why: "is a link" });
        }
        opened => opened.map_err(|e| HostError::file("open", path)(e.into()))?,
    };
    let stat =
        rustix::fs::fstat(&opened).map_err(|e| HostError::file("read", path)(e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(HostError::Untrusted { path: path.to_owned(), why: "is no regular file" });
    }
    check_owner(path, &stat)?;
    let mut bytes = Vec::new();
    std::fs::File::from(opened)
        .read_to_end(&mut bytes)
        .map_err(HostError::file("read", path))?;
    Ok(bytes)
}

fn check_owner(path: &Path, stat: &rustix::fs::Stat) -> Result<(), HostError> {
    let untrusted = |why| Err(HostError::Untrusted { path: path.to_owned(), why });
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return untrusted("is writable by its group or by all");
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return untrusted("belongs to somebody else");
    }
    Ok(())
}
