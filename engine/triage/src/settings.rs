//! The configuration as this process found it, and the folders that follow from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ichor_core::{Config, ConfigError, Layout, Places, ScoreConfig};
use ichor_host::WorkerCommand;
use ichor_net::{Devices, GpuPrecision, Gpus, Network};

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
    /// The GPUs that compute the segmentation network, shared by all workers.
    pub(crate) gpus: Arc<Gpus>,
    /// What `--device` names.
    pub(crate) devices: Vec<String>,
    /// What lies where under `data_dir`.
    pub(crate) layout: Layout,
    /// Folders beside the executable.
    pub(crate) places: Places,
    /// This program, which workers are started from.
    pub(crate) exe: PathBuf,
}

impl Settings {
    /// Reads the first configuration file there is; a file named by `flag` must exist. `path` and
    /// `devices` win over the file's; a path alone means the CPU.
    pub(crate) fn read(
        flag: Option<&Path>,
        path: Option<ichor_net::Path>,
        devices: &[String],
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
        let gpus = Arc::new(gpus(&config.score, path, devices, &exe)?);
        let layout = Layout::new(&config.data_dir);
        let (places, devices) = (Places::beside(&exe), devices.to_vec());
        Ok(Self { config, file, instructions, gpus, devices, layout, places, exe })
    }

    /// The GPUs of a training, which is long: none but where the command names them.
    pub(crate) fn training_gpus(&self) -> Arc<Gpus> {
        if self.devices.is_empty() { Arc::new(Gpus::none()) } else { Arc::clone(&self.gpus) }
    }

    /// Loads the network that the configuration names, onto the path that is in force.
    pub(crate) fn network(&self) -> Result<Network, TriageError> {
        let name = &self.config.score.network;
        let path = self.instructions.forced();
        Ok(Network::load_on(&self.weights_dirs(), name, path, &self.gpus)?)
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

/// The GPUs that flag and configuration ask for; nothing is opened yet.
fn gpus(
    score: &ScoreConfig,
    path: Option<ichor_net::Path>,
    flag: &[String],
    exe: &Path,
) -> Result<Gpus, TriageError> {
    let devices = match (flag, path) {
        ([], Some(_)) => Devices::Cpu,
        ([], None) => Devices::of(&score.devices)?,
        (named, _) => Devices::of(named)?,
    };
    let precision: GpuPrecision = score.gpu_precision.parse()?;
    let beside = exe.parent().unwrap_or(Path::new(".")).to_owned();
    let configured = Some(&score.cuda_dir).filter(|folder| !folder.as_os_str().is_empty());
    let folders = configured.map_or_else(|| vec![beside], |folder| vec![folder.clone()]);
    Ok(Gpus::new(devices, precision, folders))
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
