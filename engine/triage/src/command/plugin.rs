//! `plugin`: install, list, check.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ichor_host::{Installed, Manifest};
use serde_json::json;

use super::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError};

/// Install, list and check plugins.
#[derive(Args)]
pub(crate) struct Plugin {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Copy a plugin into the site's plugin folder, hash it and write its installed manifest
    ///
    /// Without SOURCE the shipped plugins are installed. The library is looked for in SOURCE and
    /// beside this program.
    Install {
        /// Folders that hold a plugin.toml
        #[arg(value_name = "SOURCE")]
        sources: Vec<PathBuf>,
        /// The library, where it lies elsewhere
        #[arg(long, value_name = "FILE")]
        library: Option<PathBuf>,
    },
    /// Show what is installed
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Start every installed plugin in its worker and ask what it needs and gives
    Check,
}

impl Plugin {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        match &self.action {
            Action::Install { sources, library } => {
                let sources =
                    if sources.is_empty() { shipped(settings)? } else { sources.clone() };
                for source in &sources {
                    let installed = install(settings, source, library.as_ref())?;
                    print(&format!(
                        "{} {} installed in {}",
                        installed.id(),
                        installed.version(),
                        installed.folder().display()
                    ))?;
                }
                Ok(())
            }
            Action::List { json } => list(settings, *json),
            Action::Check => check(settings),
        }
    }
}

/// Installs the plugin whose source manifest lies in `source` into the site's plugin folder.
pub(crate) fn install(
    settings: &Settings,
    source: &std::path::Path,
    library: Option<&PathBuf>,
) -> Result<Installed, TriageError> {
    let library = if let Some(path) = library {
        path.clone()
    } else {
        let path = source.join("plugin.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| TriageError::file("read", &path, error))?;
        let manifest = Manifest::parse(&text, &path)?;
        let mut folders = vec![source.to_owned()];
        folders.extend(ichor_host::library_folders(&settings.exe));
        ichor_host::find_library(&manifest.plugin.file, &folders)?
    };
    Ok(ichor_host::install(source, &library, &settings.layout.plugins())?)
}

/// Folders of the plugins that ship with Ichor.
pub(crate) fn shipped(settings: &Settings) -> Result<Vec<PathBuf>, TriageError> {
    let candidates = settings.places.plugins(&[]);
    for folder in &candidates {
        let found: Vec<PathBuf> = ["radiomics", "signs", "boosting"]
            .iter()
            .map(|name| folder.join(name))
            .filter(|source| source.join("plugin.toml").is_file())
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let looked: Vec<String> = candidates.iter().map(|f| f.display().to_string()).collect();
    Err(TriageError::Input(format!(
        "no shipped plugins in {}: name the folder that holds plugin.toml",
        looked.join(", ")
    )))
}

fn list(settings: &Settings, as_json: bool) -> Result<(), TriageError> {
    let found = ichor_host::installed(&settings.plugin_dirs());
    if as_json {
        let rows: Vec<_> = found
            .iter()
            .map(|found| match found {
                Ok(plugin) => json!({
                    "id": plugin.id(), "version": plugin.version(), "sha256": plugin.sha256(),
                    "folder": plugin.folder(), "units": units(plugin),
                }),
                Err(error) => json!({ "error": error.to_string() }),
            })
            .collect();
        return print(&format!("{:#}", serde_json::Value::Array(rows)));
    }
    if found.is_empty() {
        return print("no plugin is installed: run `ichor plugin install`");
    }
    for found in found {
        match found {
            Ok(plugin) => print(&format!(
                "{} {}  {}  {}",
                plugin.id(),
                plugin.version(),
                &plugin.sha256()[..12],
                units(&plugin).join(", ")
            ))?,
            Err(error) => print(&format!("refused: {error}"))?,
        }
    }
    Ok(())
}

fn units(plugin: &Installed) -> Vec<String> {
    plugin.unit_ids().iter().map(ToString::to_string).collect()
}

fn check(settings: &Settings) -> Result<(), TriageError> {
    let mut scorers = Scorers::open(settings)?;
    let mut failed = 0;
    for unit in scorers.units().cloned().collect::<Vec<_>>() {
        match scorers.describe_unit(&unit) {
            Ok((inputs, outputs)) => {
                print(&format!("{unit}: {inputs} inputs, {outputs} outputs"))?;
            }
            Err(error) => {
                failed += 1;
                print(&format!("{unit}: {error}"))?;
            }
        }
    }
    if failed > 0 {
        return Err(TriageError::Input(format!("{failed} units do not work")));
    }
    Ok(())
}
