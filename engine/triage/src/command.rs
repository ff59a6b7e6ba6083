//! The command line of the engine. Exit codes: 0 done, 1 the work failed (a reason on stderr),
//! 2 wrong usage.

mod bench;
mod demo;
mod doctor;
mod evaluate;
mod features;
mod import;
mod phantom;
mod plugin;
mod progress;
mod score;
mod segment;
mod serve;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Settings, TriageError};

/// The engine of Ichor: receives head CTs, finds the hematoma, says how likely it is to grow.
///
/// Research use only: the risk scorers that ship with Ichor were tested on simulated labels, not
/// on patients.
#[derive(Parser)]
#[command(name = "ichor-engine", version, propagate_version = true)]
struct Line {
    /// Configuration file [default: `$ICHOR_CONFIG`, the user's, then /etc/ichor/ichor.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Instructions that compute the network, such as avx512-f32 [default: the configuration's,
    /// else the fastest here]
    #[arg(long = "path", id = "instructions", global = true, value_name = "NAME", value_parser = instructions)]
    path: Option<ichor_net::Path>,
    /// Where the segmentation network runs: auto, cpu, or GPUs such as cuda:0; may be given several
    /// times [default: the configuration's, and the CPU beside --path]
    #[arg(long = "device", global = true, value_name = "NAME")]
    devices: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive, score and write, until SIGTERM
    Serve(serve::Serve),
    /// Take a folder of DICOM files to a verdict, without a database
    Score(score::Score),
    /// Write the hematoma of a DICOM folder as a NIfTI mask
    Segment(segment::Segment),
    /// Describe a masked region by the features of an extractor or the CNN
    Features(features::Describe),
    /// Write a cohort of phantoms (simulated scans with simulated labels)
    Phantom(phantom::Make),
    /// Send phantoms through everything and open the console on them
    Demo(demo::Demo),
    /// Hand DICOM files to the engine
    Import(import::Import),
    /// Check configuration, weights, plugins, profiles, database and port
    Doctor(doctor::Doctor),
    /// Install, list and check plugins
    Plugin(plugin::Plugin),
    /// Train a scorer on phantoms, or the network on slices
    Train(train::Train),
    /// Measure accuracy on data that training never saw
    Evaluate(evaluate::Evaluate),
    Bench(bench::Bench),
    /// Run one plugin in this process (started by the engine itself)
    #[command(hide = true)]
    PluginWorker,
}

/// A path by its name; one that this CPU lacks is refused when a network is loaded onto it.
fn instructions(text: &str) -> Result<ichor_net::Path, ichor_net::NetError> {
    text.parse()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let line = Line::parse();
    if matches!(line.command, Command::PluginWorker) {
        return ExitCode::from(ichor_host::worker_main().clamp(0, 255) as u8);
    }
    let done = Settings::read(line.config.as_deref(), line.path, &line.devices)
        .and_then(|settings| run(line.command, &settings));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ichor-engine: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, settings: &Settings) -> Result<(), TriageError> {
    match command {
        Command::Serve(serve) => serve.run(settings),
        Command::Score(score) => score.run(settings),
        Command::Segment(segment) => segment.run(settings),
        Command::Features(describe) => describe.run(settings),
        Command::Phantom(make) => make.run(),
        Command::Demo(demo) => demo.run(settings),
        Command::Import(import) => import.run(settings),
        Command::Doctor(doctor) => doctor.run(settings),
        Command::Plugin(plugin) => plugin.run(settings),
        Command::Train(train) => train.run(settings),
        Command::Evaluate(evaluate) => evaluate.run(settings),
        Command::Bench(bench) => bench.run(settings),
        // Taken care of before the configuration is read.
        Command::PluginWorker => Ok(()),
    }
}
