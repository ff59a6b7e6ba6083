//! `bench`: what the network costs on this machine, and whether its paths agree.
//!
//! CPU time is what counts: it holds whatever else the machine does. What this prints is this
//! machine's alone, so the machine is named first.

mod agreement;
mod gpu;
mod heads;
mod json;
mod machine;
mod paths;
mod step;
mod study;
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ichor_net::{Gpus, Path};

use super::score::print;
use crate::settings::Instructions;
use crate::{Settings, TriageError};

/// Measure what the network costs on this machine.
///
/// Every path of this CPU (or that of --path) computes one slice of which nothing can be left
/// out, and the slices of heads, where only what the head needs is computed. core-ms is CPU time;
/// our paths give a slice one thread.
/// GFLOP are those of plain convolutions: a path that multiplies by Winograd's products does fewer
/// and may pass its peak. With --device cuda:0 the heads are timed on that GPU, in wall time, and held
/// against f32 on the CPU; --whole times a study of 30 whole slices there. candle-f32 is slow and measured only when --path names it.
#[derive(Args)]
pub(crate) struct Bench {
    /// The network [default: the configuration's]
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Folder with the weights and their manifest [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
    /// Runs, of which the median is given; heads run at most three times
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Folder with the DICOM files of one study; may be given several times [default: a phantom]
    #[arg(long, value_name = "DIR")]
    images: Vec<PathBuf>,
    /// Measure the whole slice alone and leave the heads out
    #[arg(long, conflicts_with = "images")]
    whole: bool,
    /// Also time every layer of the whole slice
    #[arg(long)]
    layers: bool,
    /// Time this study instead, from its DICOM files to its mask
    #[arg(long, value_name = "DIR", conflicts_with_all = ["images", "whole", "layers", "train"])]
    study: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What of a training is timed.
#[derive(Args)]
struct Training {
    /// Time a step of a training instead: batch, forward, backward, update; always in f32
    #[arg(long, conflicts_with_all = ["images", "whole", "layers", "network", "weights", "instructions"])]
    train: bool,
    /// Channels of the first level of the network that trains
    #[arg(long, value_name = "N", default_value_t = 16, requires = "train")]
    width: usize,
    /// Rows and columns of a slice that trains, a multiple of 16
    #[arg(long, value_name = "N", default_value_t = 256, requires = "train", value_parser = clap::value_parser!(u16).range(16..=512))]
    size: u16,
    /// Slices of a batch
    #[arg(long, value_name = "N", default_value_t = 8, requires = "train", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
}

impl Bench {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let runs = usize::from(self.runs);
        let training = &self.training;
        let text = if training.train {
            let (size, batch) = (usize::from(training.size), usize::from(training.batch));
            let timed =
                step::time(training.width, size, batch, runs, &settings.training_gpus())?;
            if self.json { json::step(&timed) } else { table::step(&timed) }
        } else if let Some(folder) = &self.study {
            let timed = study::time(&self.site(settings), &paths(settings), folder, runs)?;
            if self.json { json::study(&timed) } else { table::study(&timed) }
        } else if !settings.devices.is_empty() && settings.gpus.wanted() {
            let heads = if self.whole {
                vec![heads::whole_study()]
            } else {
                heads::read(&self.images)?
            };
            gpu::time(&self.site(settings), &heads, runs, self.json)?
        } else {
            let site = self.site(settings);
            let heads = if self.whole { Vec::new() } else { heads::read(&self.images)? };
            let measured = paths::measure(&site, &paths(settings), heads, runs, self.layers)?;
            if self.json { json::paths(&measured) } else { table::paths(&measured) }
        };
        print(&text)
    }

    /// The site with the network that is asked for.
    fn site(&self, settings: &Settings) -> Settings {
        let mut site = settings.clone();
        if let Some(name) = &self.network {
            site.config.score.network.clone_from(name);
        }
        if let Some(folder) = &self.weights {
            site.config.weights_dir = Some(folder.clone());
        }
        site
    }
}

/// What is measured: the path of the flag, or all of this CPU but candle's.
fn paths(settings: &Settings) -> Vec<Path> {
    if let Instructions::Asked(path) = settings.instructions {
        return vec![path];
    }
    let here = |path: &Path| path.is_available() && *path != Path::Candle;
    Path::ALL.into_iter().filter(here).collect()
}

/// `site` with its network on `path`.
fn on(site: &Settings, path: Path) -> Settings {
    let gpus = Arc::new(Gpus::none());
    Settings { instructions: Instructions::Asked(path), gpus, ..site.clone() }
}
