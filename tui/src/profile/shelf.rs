//! Where the threshold profiles lie, and how each of them stands.
//!
//! One file each, `FOLDER/<plugin id>/<unit>/<name>.toml`; a site's own come before those that
//! were shipped and hide them by name. Which are void only the engine knows: it says so in the
//! store.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use ichor_core::{Places, Profile, UnitId};
use ichor_store::Store;
use serde::Serialize;

use crate::{error::Error, settings::Settings, text::clean, words};

/// A profile that may be chosen, or why not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Choice {
    /// Its name.
    pub(crate) name: String,
    /// Whether its scorer is judged by it.
    pub(crate) in_use: bool,
    /// Why nothing may be judged by it, as the engine last saw it.
    pub(crate) void: Option<String>,
    /// Where it lies.
    pub(crate) file: PathBuf,
    /// What it says.
    #[serde(flatten)]
    pub(crate) profile: Profile,
}

/// All folders of a site that hold profiles.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folders: Vec<PathBuf>,
    /// The name that holds for scorers for which none was chosen.
    otherwise: String,
    /// The scorers that run, the active one first.
    pub(crate) running: Vec<UnitId>,
}

impl Choice {
    /// Threshold, sensitivity and specificity with their intervals.
    pub(crate) fn figures(&self) -> String {
        let share = |share: &ichor_core::Proportion| {
            let [value, low, high] = [share.value, share.low, share.high].map(|v| v * 100.0);
            format!("{value:.0} % ({low:.0} to {high:.0}, n {})", share.n)
        };
        format!(
            "{:>5}  sensitivity {}  specificity {}",
            words::threshold(Some(self.profile.threshold)),
            share(&self.profile.sensitivity),
            share(&self.profile.specificity)
        )
    }

    /// On what it was tuned, and whether that was simulated.
    pub(crate) fn tuned_on(&self) -> String {
        let profile = &self.profile;
        let apparent = if profile.apparent { " (apparent)" } else { "" };
        let said = clean(&profile.tuned_on);
        let simulated = if profile.simulated_labels && !said.contains("simulated") {
            ", simulated labels"
        } else {
            ""
        };
        format!("{}; {said}{apparent}{simulated}", clean(&profile.criterion))
    }
}

impl Shelf {
    /// The folders of the site of `settings`.
    pub(crate) fn of(settings: &Settings) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let shipped = Places::beside(&exe).weights(settings.config.weights_dir.as_deref());
        let mut folders = vec![settings.layout.profiles()];
        folders.extend(shipped.into_iter().map(|weights| weights.join("profiles")));
        let score = &settings.config.score;
        Self {
            folders,
            otherwise: score.profile.clone(),
            running: std::iter::once(&score.scorer).chain(&score.shadow).cloned().collect(),
        }
    }

    /// Every profile, by scorer and name, and what could not be read.
    pub(crate) fn choices(
        &self,
        store: Option<&Store>,
    ) -> Result<(Vec<Choice>, Vec<Error>), Error> {
        let void = store.map_or(Ok(vec![]), Store::void_profiles)?;
        let (found, unreadable) = self.found()?;
        let mut choices = vec![];
        for ((scorer, name), (file, profile)) in found {
            let chosen = store.map_or(Ok(None), |store| store.active_profile(&scorer))?;
            let in_use = name == chosen.unwrap_or_else(|| self.otherwise.clone());
            let void = void.iter().find(|void| void.scorer == scorer && void.profile == name);
            let void = void.map(|void| void.why.clone());
            choices.push(Choice { name, in_use, void, file, profile });
        }
        Ok((choices, unreadable))
    }

    /// Every profile by scorer and name; the first found of a name holds.
    #[expect(clippy::type_complexity, reason = "taken apart by its one caller")]
    fn found(
        &self,
    ) -> Result<(BTreeMap<(UnitId, String), (PathBuf, Profile)>, Vec<Error>), Error> {
        let mut profiles = BTreeMap::new();
        let mut unreadable = vec![];
        for folder in &self.folders {
            for plugin in inside(folder)? {
                for unit in inside(&plugin)? {
                    for file in inside(&unit)? {
                        if file.extension().is_some_and(|extension| extension == "toml") {
                            match read(&file) {
                                Ok(profile) => {
                                    let key = (profile.scorer.clone(), profile.name.clone());
                                    profiles.entry(key).or_insert((file, profile));
                                }
                                Err(why) => unreadable.push(why),
                            }
                        }
                    }
                }
            }
        }
        Ok((profiles, unreadable))
    }
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
