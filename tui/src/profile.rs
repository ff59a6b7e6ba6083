//! `ichor profile`: the threshold profiles of every scorer, and which one is in use.
//!
//! One file each, `FOLDER/<plugin id>/<unit>/<name>.toml`; a site's own come before those that
//! were shipped and hide them by name.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ichor_core::{Places, Profile, UnitId};
use ichor_store::{RequestKind, Store};
use serde::Serialize;

use crate::{clock, error::Error, settings::Settings, text::clean, words};

/// A profile with where it was found.
#[derive(Serialize)]
struct Found {
    name: String,
    in_use: bool,
    file: PathBuf,
    #[serde(flatten)]
    profile: Profile,
}

/// Prints every profile; `*` marks those in use.
pub(crate) fn list(settings: &Settings, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let store = Store::open_existing(&settings.layout.database()).ok();
    let mut all = vec![];
    for ((scorer, name), (file, profile)) in found(settings)? {
        let chosen = match &store {
            Some(store) => store.active_profile(&scorer)?,
            None => None,
        };
        let in_use = name == chosen.unwrap_or_else(|| settings.config.score.profile.clone());
        all.push(Found { name, in_use, file, profile });
    }
    if json {
        serde_json::to_writer_pretty(&mut *out, &all)?;
        writeln!(out)?;
        return Ok(());
    }
    let mut last = None;
    for entry in &all {
        let scorer = &entry.profile.scorer;
        if last != Some(scorer) {
            writeln!(out, "{scorer}")?;
            last = Some(scorer);
        }
        writeln!(out, "{}", line(entry))?;
    }
    Ok(())
}

fn line(entry: &Found) -> String {
    let profile = &entry.profile;
    let share = |share: &ichor_core::Proportion| {
        let [value, low, high] = [share.value, share.low, share.high].map(|v| v * 100.0);
        format!("{value:.0} % ({low:.0} to {high:.0}, n {})", share.n)
    };
    format!(
        "{} {:<12} {:>5}  sensitivity {}  specificity {}  {}; {}{}",
        if entry.in_use { "*" } else { " " },
        clean(&entry.name),
        words::threshold(Some(profile.threshold)),
        share(&profile.sensitivity),
        share(&profile.specificity),
        clean(&profile.criterion),
        clean(&profile.tuned_on),
        if profile.apparent { " (apparent)" } else { "" },
    )
}

/// Asks the engine to judge `scorer` by the profile `name` from now on.
pub(crate) fn switch(
    settings: &Settings,
    scorer: &str,
    name: &str,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let profiles = found(settings)?;
    let scorer = meant(scorer, profiles.keys().map(|(scorer, _)| scorer))?;
    if !profiles.contains_key(&(scorer.clone(), name.to_owned())) {
        let known = profiles.keys().filter(|(known, _)| *known == scorer);
        return Err(Error::NoProfile {
            name: name.to_owned(),
            known: known.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", "),
            scorer,
        });
    }
    let mut store = Store::open_existing(&settings.layout.database())?;
    let kind = RequestKind::UseProfile { scorer: scorer.clone(), profile: name.to_owned() };
    let request = store.request(&kind, &settings.user(), clock::now())?;
    writeln!(out, "request {request}: the engine will judge {scorer} by {name} from now on")?;
    Ok(())
}

/// The scorer that `text` names in full or by its unit alone.
fn meant<'a>(text: &str, known: impl Iterator<Item = &'a UnitId>) -> Result<UnitId, Error> {
    let mut known: Vec<&UnitId> = known.collect();
    known.dedup();
    let fits = |id: &&&UnitId| id.to_string() == text || id.unit == text;
    match known.iter().filter(fits).collect::<Vec<_>>()[..] {
        [scorer] => Ok((*scorer).clone()),
        _ => Err(Error::NoScorer {
            scorer: text.to_owned(),
            known: known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

type Profiles = BTreeMap<(UnitId, String), (PathBuf, Profile)>;

/// Every profile by scorer and name; the first found of a name holds.
fn found(settings: &Settings) -> Result<Profiles, Error> {
    let exe = std::env::current_exe().unwrap_or_default();
    let shipped = Places::beside(&exe).weights(settings.config.weights_dir.as_deref());
    let mut folders = vec![settings.layout.profiles()];
    folders.extend(shipped.into_iter().map(|weights| weights.join("profiles")));
    let mut profiles = Profiles::new();
    for folder in folders {
        for plugin in inside(&folder)? {
            for unit in inside(&plugin)? {
                for file in inside(&unit)? {
                    if file.extension().is_some_and(|extension| extension == "toml") {
                        let profile = read(&file)?;
                        let key = (profile.scorer.clone(), profile.name.clone());
                        profiles.entry(key).or_insert((file, profile));
                    }
                }
            }
        }
    }
    Ok(profiles)
}

/// What lies in `folder`, sorted; nothing where there is no such folder.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why)
            if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(vec![]);
        }
        Err(source) => return Err(unreadable(source)),
    };
    let paths: io::Result<Vec<PathBuf>> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Profile, Error> {
    let text = fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Profile::parse(&name, &text)
        .map_err(|source| Error::Profile { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorer_may_be_named_by_its_unit_alone() {
        let known: Vec<UnitId> =
            ["a.b/signature", "org.x/boosting"].map(|id| id.parse().unwrap()).to_vec();
        assert_eq!(meant("boosting", known.iter()).unwrap(), known[1]);
        assert_eq!(meant("a.b/signature", known.iter()).unwrap(), known[0]);
        assert_eq!(
            meant("volume", known.iter()).unwrap_err().to_string(),
            "no profile belongs to scorer volume; there are profiles for: a.b/signature, \
             org.x/boosting"
        );
    }
}
