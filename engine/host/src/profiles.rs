//! Threshold profiles: `<dir>/<plugin id>/<unit>/<name>.toml`, a site's own folder first.
//!
//! A probability becomes a decision by a profile and only by one that was tuned for exactly the
//! scorer that is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ichor_core::{Profile, UnitId};

use crate::installed::listed;
use crate::{HostError, Installed};

/// The profile called `name` of the scorer `unit`, from the first of `dirs` that has it.
///
/// Fails when it was tuned for another version or other weights than those `installed`.
pub fn profile(
    dirs: &[PathBuf],
    installed: &Installed,
    unit: &UnitId,
    name: &str,
) -> Result<Profile, HostError> {
    let found = files(dirs, unit);
    let Some(path) = found.get(name) else {
        return Err(HostError::NoProfile {
            unit: unit.to_string(),
            name: name.to_owned(),
            known: listed(found.keys()),
        });
    };
    read(path, installed, unit, name)
}

/// Every profile of the scorer `unit` under its name, in order; the first of `dirs` that has a name
/// wins. One that cannot be read or is void says why.
pub fn profiles(
    dirs: &[PathBuf],
    installed: &Installed,
    unit: &UnitId,
) -> Vec<(String, Result<Profile, HostError>)> {
    let read_one = |(name, path): (String, PathBuf)| {
        let found = read(&path, installed, unit, &name);
        (name, found)
    };
    files(dirs, unit).into_iter().map(read_one).collect()
}

fn files(dirs: &[PathBuf], unit: &UnitId) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for dir in dirs {
        let folder = dir.join(&unit.plugin).join(&unit.unit);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(stem), Some("toml")) =
                (stem, path.extension().and_then(|e| e.to_str()))
            {
                found.entry(stem.to_owned()).or_insert(path);
            }
        }
    }
    found
}

fn read(
    path: &Path,
    installed: &Installed,
    unit: &UnitId,
    name: &str,
) -> Result<Profile, HostError> {
    let wrong = |source| HostError::Profile { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(HostError::file("read", path))?;
    let profile = Profile::parse(name, &text).map_err(wrong)?;
    let weights = installed.weights_sha256(&unit.unit)?;
    let files: Vec<&str> = installed.unit(&unit.unit)?.own_files().collect();
    profile.fits(unit, installed.version(), &weights, &files).map_err(wrong)?;
    Ok(profile)
}
