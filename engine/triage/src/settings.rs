//! The configuration as this process found it, and the folders that follow from it.

use std::fs;
use std::path::{Path, PathBuf};

use ichor_core::{Config, ConfigError, Layout, Places};
use ichor_host::WorkerCommand;
use ichor_net::Network;

use crate::TriageError;

/// Which instructions compute the networks, and who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// Nobody: the fastest that this CPU has.
    Fastest,
    /// `score.path` of the configuration.
    Configured(ichor_net::Path),
    /// `--path`.
    Asked(ichor_net::Path),
}

impl Instructions {
    /// The flag wins over the configuration.
    fn of(flag: Option<ichor_net::Path>, configured: &str) -> Result<Self, ConfigError> {
        let configured = match configured {
            "auto" => Self::Fastest,
            name => name.parse().map(Self::Configured).map_err(|_| ConfigError::Range {
                key: "score.path",
                value: format!("{name:?}"),
                must: "auto, amx-bf16, avx512-bf16, avx512-f32, avx2-f32, portable-f32 or candle-f32",
            })?,
        };
        Ok(flag.map_or(configured, Self::Asked))
    }

    /// The path that is forced; none where the fastest is taken.
    pub(crate) fn forced(self) -> Option<ichor_net::Path> {
        match self {
            Self::Fastest => None,
            Self::Configured(path) | Self::Asked(path) => Some(path),
        }
    }

    /// Who chose, in words.
    pub(crate) fn chosen_by(self) -> &'static str {
        match self {
            Self::Fastest => "the fastest here",
            Self::Configured(_) => "forced by score.path",
            Self::Asked(_) => "forced by --path",
        }
    }
}

/// The configuration, where it came from, and where things lie.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What the file says, over the defaults.
    pub(crate) config: Config,
    /// The file; none when only defaults are in force.
    pub(crate) file: Option<PathBuf>,
    /// Which instructions compute the networks.
    pub(crate) instructions: Instructions,
    /// What lies where under `data_dir`.
    pub(crate) layout: Layout,
    /// Folders beside the executable.
    pub(crate) places: Places,
    /// This program, which workers are started from.
    pub(crate) exe: PathBuf,
}

impl Settings {
    /// Reads the first configuration file there is; a file named by `flag` must exist. `path` wins
    /// over the file's.
    pub(crate) fn read(
        flag: Option<&Path>,
        path: Option<ichor_net::Path>,
    ) -> Result<Self, TriageError> {
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
        let in_file =
            |source| TriageError::Config { path: file.clone().unwrap_or_default(), source };
        let config = Config::parse(&text).map_err(in_file)?;
        let instructions = Instructions::of(path, &config.score.path).map_err(in_file)?;
        let layout = Layout::new(&config.data_dir);
        Ok(Self { layout, file, places: Places::beside(&exe), exe, config, instructions })
    }

    /// Loads the network that the configuration names, onto the path that is in force.
    pub(crate) fn network(&self) -> Result<Network, TriageError> {
        let name = &self.config.score.network;
        Ok(Network::load(&self.weights_dirs(), name, self.instructions.forced())?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use ichor_net::Path::{Avx2, Portable};

    #[test]
    fn the_flag_wins_over_the_file_and_the_file_over_the_cpu() {
        let of = |flag, text| Instructions::of(flag, text).unwrap();
        assert_eq!(of(None, "auto").forced(), None);
        assert_eq!(of(None, "avx2-f32"), Instructions::Configured(Avx2));
        assert_eq!(of(Some(Portable), "avx2-f32"), Instructions::Asked(Portable));
        assert_eq!(of(Some(Portable), "auto"), Instructions::Asked(Portable));
    }

    #[test]
    fn a_path_that_nobody_knows_is_an_error_with_its_key() {
        assert_eq!(
            Instructions::of(Some(Portable), "sse9").unwrap_err().to_string(),
            "score.path = \"sse9\": must be auto, amx-bf16, avx512-bf16, avx512-f32, avx2-f32, portable-f32 or candle-f32"
        );
    }
}
