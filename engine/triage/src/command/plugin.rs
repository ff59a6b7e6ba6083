//! `plugin`: start one, install, list, check.

mod check;
mod new;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ichor_host::{HostError, Installed, Manifest, Worker};
use serde_json::json;

use super::score::print;
use crate::scorers::Scorers;
use crate::{Settings, TriageError};

/// Start, install, list and check plugins.
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
    /// beside this program. A plugin whose units do not open is not installed.
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
    ///
    /// With SOURCE a built plugin is tried out before it is installed: the same bits twice and in
    /// another process, missing and far-out inputs, masks that no hematoma has, contributions that
    /// add up, stopping when asked, time, memory and threads over 10,000 calls (20 s at most).
    Check {
        /// A folder that holds a plugin.toml; the library there or in its target/release
        #[arg(value_name = "SOURCE")]
        source: Option<PathBuf>,
        /// The library, where it lies elsewhere
        #[arg(long, value_name = "FILE", requires = "source")]
        library: Option<PathBuf>,
        /// Print JSON
        #[arg(long, requires = "source")]
        json: bool,
    },
    New(new::New),
    /// Put back the version that the last installation replaced; a second time undoes it
    ///
    /// A running engine moves over between two studies, as it does after an installation.
    Rollback {
        /// Its id, such as org.example.mine
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let a plugin run again that was blocked because it crashed call after call
    Unblock {
        /// Its id, such as org.example.mine
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl Plugin {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        match &self.action {
            Action::Install { sources, library } => {
                let sources =
                    if sources.is_empty() { shipped(settings)? } else { sources.clone() };
                for source in &sources {
                    opens(settings, source, library.as_ref())?;
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
            Action::Check { source: None, .. } => check_installed(settings),
            Action::Check { source: Some(source), library, json } => {
                check::run(settings, source, library.as_ref(), *json)
            }
            Action::New(new) => new.run(),
            Action::Rollback { id } => {
                let back = ichor_host::roll_back(&settings.layout.plugins(), id)?;
                print(&format!("{id} {} {} is back", back.version(), &back.sha256()[..12]))
            }
            Action::Unblock { id } => unblock(settings, id),
        }
    }
}

/// Installs the plugin whose source manifest lies in `source` into the site's plugin folder.
pub(crate) fn install(
    settings: &Settings,
    source: &Path,
    library: Option<&PathBuf>,
) -> Result<Installed, TriageError> {
    install_into(settings, source, library, &settings.layout.plugins())
}

/// Opens every unit of the plugin of `source` from a folder of its own, as an engine would.
fn opens(
    settings: &Settings,
    source: &Path,
    library: Option<&PathBuf>,
) -> Result<(), TriageError> {
    aside(settings, source, library, |installed| {
        let open = || {
            let worker = Worker::spawn(&installed, &settings.worker_command())?;
            installed
                .manifest()
                .units
                .iter()
                .try_for_each(|unit| worker.describe(&unit.id).map(drop))
        };
        open().map_err(|why: HostError| {
            TriageError::Input(format!(
                "{why}; the plugin of {} is not installed",
                source.display()
            ))
        })
    })
}

/// Does `work` with the plugin of `source`, installed for that long in a folder that no engine reads.
fn aside<T>(
    settings: &Settings,
    source: &Path,
    library: Option<&PathBuf>,
    work: impl FnOnce(Installed) -> Result<T, TriageError>,
) -> Result<T, TriageError> {
    let place = std::env::temp_dir().join(format!("ichor-aside-{}", std::process::id()));
    // Ours alone from the first moment: what is checked here is what is opened here.
    let made = std::fs::DirBuilder::new().mode(0o700).create(&place);
    made.map_err(|error| TriageError::file("make", &place, error))?;
    let done = install_into(settings, source, library, &place).and_then(work);
    std::fs::remove_dir_all(&place)
        .map_err(|error| TriageError::file("remove", &place, error))?;
    done
}

fn install_into(
    settings: &Settings,
    source: &Path,
    library: Option<&PathBuf>,
    plugins: &Path,
) -> Result<Installed, TriageError> {
    let library = if let Some(path) = library {
        path.clone()
    } else {
        let path = source.join("plugin.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| TriageError::file("read", &path, error))?;
        let manifest = Manifest::parse(&text, &path)?;
        let built = ["target/release", "target/debug"].map(|at| source.join(at));
        let mut folders: Vec<PathBuf> = [source.to_owned()].into_iter().chain(built).collect();
        folders.extend(ichor_host::library_folders(&settings.exe));
        ichor_host::find_library(&manifest.plugin.file, &folders)?
    };
    Ok(ichor_host::install(source, &library, plugins)?)
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

fn unblock(settings: &Settings, id: &str) -> Result<(), TriageError> {
    let found = ichor_host::installed(&settings.plugin_dirs());
    let Some(plugin) = found.into_iter().flatten().find(|plugin| plugin.id() == id) else {
        return Err(TriageError::Input(format!(
            "{id} is not installed: `ichor plugin list` shows what is"
        )));
    };
    let was = ichor_host::unblock(&settings.layout.plugins(), plugin.sha256())?;
    print(&format!("{id} {}", if was { "may run again" } else { "was not blocked" }))
}

fn list(settings: &Settings, as_json: bool) -> Result<(), TriageError> {
    let blocked =
        |plugin: &Installed| ichor_host::blocked(&settings.layout.plugins(), plugin.sha256());
    let found = ichor_host::installed(&settings.plugin_dirs());
    if as_json {
        let rows: Vec<_> = found
            .iter()
            .map(|found| match found {
                Ok(plugin) => json!({
                    "id": plugin.id(), "version": plugin.version(), "sha256": plugin.sha256(),
                    "folder": plugin.folder(), "units": units(plugin), "blocked": blocked(plugin),
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
                "{} {}  {}  {}{}",
                plugin.id(),
                plugin.version(),
                &plugin.sha256()[..12],
                units(&plugin).join(", "),
                blocked(&plugin).map_or_else(String::new, |why| format!("  BLOCKED: {why}"))
            ))?,
            Err(error) => print(&format!("refused: {error}"))?,
        }
    }
    Ok(())
}

fn units(plugin: &Installed) -> Vec<String> {
    plugin.unit_ids().iter().map(ToString::to_string).collect()
}

fn check_installed(settings: &Settings) -> Result<(), TriageError> {
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
