//! Installing a plugin: copy, hash, write the manifest, put it in place in one step.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::installed::{hex_sha256, listed};
use crate::manifest::FILE_NAME;
use crate::{HostError, Installed, Manifest};

/// The folder beside the plugins that holds those that were replaced.
const KEPT: &str = ".replaced";

/// Folders in which libraries are looked for by a program at `exe`: its own, the one above (the
/// build folder of a test program), and `lib/ichor` of an installation.
pub fn library_folders(exe: &Path) -> Vec<PathBuf> {
    let folder = exe.parent().unwrap_or(Path::new("."));
    let mut folders = vec![folder.to_owned()];
    if let Some(above) = folder.parent() {
        folders.extend([above.to_owned(), above.join("lib").join("ichor")]);
    }
    folders
}

/// The first of `folders` that holds the library `file`.
pub fn find_library(file: &str, folders: &[PathBuf]) -> Result<PathBuf, HostError> {
    folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file()).ok_or_else(
        || HostError::NoLibrary {
            file: file.to_owned(),
            folders: listed(folders.iter().map(|folder| folder.display())),
        },
    )
}

/// Copies the plugin described by `source/plugin.toml` with its built `library` to a folder
/// named by its id in `plugins`, hashes what it copied and writes that into the manifest there.
///
/// A plugin of the same id is replaced in one step and kept for [`roll_back`]; workers that run it
/// keep what they opened.
pub fn install(source: &Path, library: &Path, plugins: &Path) -> Result<Installed, HostError> {
    let path = source.join(FILE_NAME);
    let text = fs::read_to_string(&path).map_err(HostError::file("read", &path))?;
    let manifest = Manifest::parse(&text, &path)?;
    fs::create_dir_all(plugins).map_err(HostError::file("create", plugins))?;
    let id = manifest.plugin.id.clone();
    let staged = plugins.join(format!(".{id}.{}", std::process::id()));
    let place = plugins.join(&id);
    let there = place.exists();
    let done = stage(source, library, manifest, &staged).and_then(|()| swap(&staged, &place));
    // After an exchange what was replaced is kept, after a failure what was staged goes.
    if staged.exists() && there && done.is_ok() {
        keep(&staged, &kept(plugins, &id))?;
    } else if staged.exists() {
        fs::remove_dir_all(&staged).map_err(HostError::file("remove", &staged))?;
    }
    done?;
    Installed::read(&place)
}

/// Where the plugin lies that the last installation of `id` replaced.
fn kept(plugins: &Path, id: &str) -> PathBuf {
    plugins.join(KEPT).join(id)
}

/// Moves `replaced` to `kept`, over what is there.
fn keep(replaced: &Path, kept: &Path) -> Result<(), HostError> {
    if kept.exists() {
        fs::remove_dir_all(kept).map_err(HostError::file("remove", kept))?;
    }
    let above = kept.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(above).map_err(HostError::file("create", above))?;
    fs::rename(replaced, kept).map_err(HostError::file("keep", kept))
}

/// The very plugin that was read as `installed`, where the next installation has kept it.
pub(crate) fn replaced(installed: &Installed) -> Option<Installed> {
    let plugins = installed.folder().parent()?;
    let old = Installed::read(&kept(plugins, installed.id())).ok()?;
    (old.manifest() == installed.manifest()).then_some(old)
}

/// Puts the plugin back that the last installation of `id` replaced; that one is kept in its place,
/// so that a second roll-back undoes the first.
pub fn roll_back(plugins: &Path, id: &str) -> Result<Installed, HostError> {
    let (place, kept) = (plugins.join(id), kept(plugins, id));
    // Whole, and as it was installed: else nothing is moved.
    Installed::read(&kept)?;
    swap(&kept, &place)?;
    Installed::read(&place)
}

/// Writes the complete plugin to the folder `staged`.
fn stage(
    source: &Path,
    library: &Path,
    mut manifest: Manifest,
    staged: &Path,
) -> Result<(), HostError> {
    if staged.exists() {
        fs::remove_dir_all(staged).map_err(HostError::file("remove", staged))?;
    }
    fs::create_dir(staged).map_err(HostError::file("create", staged))?;
    let mode = |mode| Permissions::from_mode(mode);
    fs::set_permissions(staged, mode(0o755)).map_err(HostError::file("open up", staged))?;
    let copy = |from: &Path, name: &str| -> Result<String, HostError> {
        let bytes = fs::read(from).map_err(HostError::file("read", from))?;
        write(&staged.join(name), &bytes)?;
        Ok(hex_sha256(&bytes))
    };
    manifest.plugin.sha256 = Some(copy(library, &manifest.plugin.file)?);
    let mut hashes = BTreeMap::new();
    for file in manifest.other_files() {
        hashes.insert(file.to_owned(), copy(&source.join(file), file)?);
    }
    manifest.sha256 = hashes;
    let path = staged.join(FILE_NAME);
    let text = toml::to_string(&manifest)
        .map_err(|e| HostError::file("write", &path)(std::io::Error::other(e)))?;
    write(&path, text.as_bytes())
}

/// Writes a file that only its owner may change, and makes it durable.
fn write(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let written = File::create_new(path).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(HostError::file("write", path))
}

/// Puts `staged` at `place`; what was there is then at `staged`.
fn swap(staged: &Path, place: &Path) -> Result<(), HostError> {
    let in_place = || HostError::file("put in place", place);
    if !place.exists() {
        return fs::rename(staged, place).map_err(in_place());
    }
    match rustix::fs::renameat_with(CWD, staged, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // A file system that cannot exchange two folders: there is none for a moment.
        Err(Errno::INVAL | Errno::NOSYS | Errno::XDEV) => {
            fs::remove_dir_all(place).map_err(HostError::file("remove", place))?;
            fs::rename(staged, place).map_err(in_place())
        }
        Err(e) => Err(in_place()(e.into())),
    }
}
