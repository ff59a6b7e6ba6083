//! The configuration as this process found it, and the folders that follow from it.

use std::fs;
use std::path::{Path, PathBuf};

use ichor_core::{Config, Layout, Places};
use ichor_host::WorkerCommand;

use crate::TriageError;

/// The configuration, where it came from, and where things lie.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What the file says, over the defaults.
    pub(crate) config: Config,
    /// The file; none when only defaults are in force.
    pub(crate) file: Option<PathBuf>,
    /// What lies where under `data_dir`.
    pub(crate) layout: Layout,
    /// Folders beside the executable.
    pub(crate) places: Places,
    /// This program, which workers are started from.
    pub(crate) exe: PathBuf,
}

impl Settings {
    /// Reads the first configuration file there is; a file named by `flag` must exist.
    pub(crate) fn read(flag: Option<&Path>) -> Result<Self, TriageError> {
        let exe = std::env::current_exe().map_err(|source| {
            TriageError::file("find the path of", Path::new("this program"), source)
        })?;
        let candidates = Places::config_files(flag, &|key| std::env::var(key).ok());
        let named = flag.is_some() || std::env::var_os("ICHOR_CONFIG").is_some();
        let file = candidates.into_iter().find(|path| named || path.is_file());
        let text = match &file {
            Some(path) => fs::read_to_string(path)
                .map_err(|source| TriageError::file("read the configuration", path, source))?,
            None => String::new(),
        };
        let config = Config::parse(&text).map_err(|source| TriageError::Config {
            path: file.clone().unwrap_or_default(),
            source,
        })?;
        let layout = Layout::new(&config.data_dir);
        Ok(Self { layout, file, places: Places::beside(&exe), exe, config })
    }

    /// Folders with networks' weights, first come first used.
    pub(crate) fn weights_dirs(&self) -> Vec<PathBuf> {
        self.places.weights(self.config.weights_dir.as_deref())
    }

    /// Folders with installed plugins, first come first used: the configured ones, the site's own,
    /// those beside the executable.
    pub(crate) fn plugin_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = self.config.plugin_dirs.clone();
        dirs.push(self.layout.plugins());
        dirs
    }

    /// How a plugin's worker process is started: this program, with its hidden command.
    pub(crate) fn worker_command(&self) -> WorkerCommand {
        WorkerCommand { exe: self.exe.clone(), args: vec!["plugin-worker".to_owned()] }
    }

    /// Folders with threshold profiles: a site's own before the shipped ones.
    pub(crate) fn profile_dirs(&self) -> Vec<PathBuf> {
        let shipped = self.weights_dirs().into_iter().map(|dir| dir.join("profiles"));
        [self.layout.profiles()].into_iter().chain(shipped).collect()
    }
}
