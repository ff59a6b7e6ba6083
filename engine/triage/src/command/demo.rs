//! `demo`: a dozen phantom studies, sent over DICOM one by one while the console is open.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use ichor_core::Layout;
use ichor_dicom::Peer;
use ichor_store::{Store, StudyState};
use ichor_study::phantom::{Case, Cohort, Scan, water_cylinder};
use serde_json::json;

use super::plugin;
use super::score::print;
use crate::phantom_files;
use crate::{Settings, TriageError, clock};

/// How long the engine may take to open its port.
const START_UP: Duration = Duration::from_mins(1);
/// Seed of the cohort that is sent.
const SEED: u64 = 7;

/// Send a dozen phantom studies through everything and watch them in the console.
///
/// An engine is started on a scratch folder and a free loopback port. The phantoms are simulated:
/// one has under 3 ml, one moved, one has no bleed, one is not a head. Without a terminal the
/// worklist is printed when all have a verdict.
#[derive(Args)]
pub(crate) struct Demo {
    /// Studies to send
    #[arg(long, default_value_t = 12, value_name = "N")]
    studies: usize,
    /// Keep everything in this folder instead of a scratch one that is removed
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Do not open the console: wait for the verdicts and print the worklist
    #[arg(long)]
    no_console: bool,
}

impl Demo {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), TriageError> {
        let scratch = Scratch::make(self.keep.as_deref())?;
        let config = scratch.configure(settings)?;
        let inner = Settings::read(Some(&config), None, &settings.devices)?;
        for source in plugin::shipped(settings)? {
            plugin::install(&inner, &source, None)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop)).map_err(
            |source| TriageError::file("listen for signals in", &scratch.folder, source),
        )?;
        let mut engine = Running::start(&inner, &config, &scratch.folder)?;
        let address = engine.address(&inner.layout)?;
        let console = std::io::stdout().is_terminal() && !self.no_console;
        let sender = {
            let (stop, folder, n) = (Arc::clone(&stop), scratch.folder.clone(), self.studies);
            thread::spawn(move || send(n, address, &folder, console, &stop))
        };
        let shown = if console {
            open_console(&inner, &config)
        } else {
            wait(&inner, self.studies, &stop).and_then(|()| list(&inner, &config))
        };
        stop.store(true, Ordering::Relaxed);
        let sent = sender
            .join()
            .unwrap_or_else(|_| Err(TriageError::Input("the sender panicked".to_owned())));
        engine.end();
        if self.keep.is_some() {
            print(&format!(
                "kept in {}: ichor --config {}",
                scratch.folder.display(),
                config.display()
            ))?;
        }
        shown.and(sent)
    }
}

/// The folder of a demo, removed at its end unless it is kept.
struct Scratch {
    folder: PathBuf,
    kept: bool,
}

impl Scratch {
    fn make(keep: Option<&Path>) -> Result<Self, TriageError> {
        let kept = keep.is_some();
        let folder = keep.map_or_else(
            || std::env::temp_dir().join(format!("ichor-demo-{}", std::process::id())),
            Path::to_owned,
        );
        fs::create_dir_all(&folder)
            .and_then(|()| fs::canonicalize(&folder))
            .map(|folder| Self { folder, kept })
            .map_err(|source| TriageError::file("make", &folder, source))
    }

    /// Writes a configuration on which a demo's engine and console agree.
    fn configure(&self, settings: &Settings) -> Result<PathBuf, TriageError> {
        let score = &settings.config.score;
        let cpu = ["cpu".to_owned()];
        // A JSON string is a TOML string.
        let text = format!(
            "data_dir = {}\nweights_dir = {}\n\n[dicom]\nlisten = \"127.0.0.1:0\"\n\n[engine]\nquiet_s = 2\n\n[score]\nnetwork = {}\npath = {}\ndevices = {}\ngpu_precision = {}\ncuda_dir = {}\ncnn = {}\n",
            json!(self.folder.join("data")),
            json!(settings.config.weights_dir.clone().unwrap_or_default()),
            json!(score.network),
            json!(settings.instructions.forced().map_or("auto", ichor_net::Path::name)),
            json!(if settings.gpus.wanted() { &score.devices[..] } else { &cpu[..] }),
            json!(score.gpu_precision),
            json!(score.cuda_dir),
            json!(score.cnn),
        );
        let path = self.folder.join("ichor.toml");
        fs::write(&path, text).map_err(|source| TriageError::file("write", &path, source))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // A scratch folder that cannot be removed is the system's to clear.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The engine of the demo.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(settings: &Settings, config: &Path, folder: &Path) -> Result<Self, TriageError> {
        let log = folder.join("engine.log");
        let out =
            File::create(&log).map_err(|source| TriageError::file("write", &log, source))?;
        let child = Command::new(&settings.exe)
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .map_err(|source| TriageError::file("start", &settings.exe, source))?;
        Ok(Self { child, log })
    }

    /// Waits until the engine says where it listens.
    fn address(&mut self, layout: &Layout) -> Result<SocketAddr, TriageError> {
        let start = Instant::now();
        while start.elapsed() < START_UP {
            let status = Store::open_existing(&layout.database())
                .and_then(|store| store.engine_status())
                .ok()
                .flatten()
                .filter(|status| status.pid == self.child.id());
            let listen = status.and_then(|status| status.listen);
            if let Some(address) = listen.and_then(|listen| listen.parse().ok()) {
                return Ok(address);
            }
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Err(TriageError::Input(format!("the engine did not start:\n{log}")))
    }

    /// Asks the engine to stop and waits for it; one that does not is killed.
    fn end(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Renders and sends one study after the other.
fn send(
    n: usize,
    address: SocketAddr,
    folder: &Path,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<(), TriageError> {
    let cohort = Cohort::clinical(n, SEED);
    let peer = Peer { address, called: "ICHOR".to_owned(), calling: "PHANTOM".to_owned() };
    for case in cohort.cases() {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let outgoing = folder.join("outgoing").join(case.index.to_string());
        // Scans of the last hours, as if the night had begun already.
        let scan = clock::now().plus_s(-(300.0 + 1020.0 * case.index as f64));
        let files = write_study(&case, scan, &outgoing)?;
        let report = peer.send(&files, &mut |_| {})?;
        if let Some(failed) = report.failed.first() {
            let path = failed.path.display();
            return Err(TriageError::Input(format!(
                "{path} was not taken: {:?}",
                failed.outcome
            )));
        }
        fs::remove_dir_all(&outgoing)
            .map_err(|source| TriageError::file("remove", &outgoing, source))?;
        if !quiet {
            eprintln!("sent {} ({} images)", case.patient_id(), files.len());
        }
    }
    Ok(())
}

/// Four of each dozen are there to be declined.
fn write_study(
    case: &Case,
    scan: ichor_core::UnixMs,
    folder: &Path,
) -> Result<Vec<PathBuf>, TriageError> {
    let still = Scan::of(case);
    let volume = match case.index % 12 {
        2 => {
            // Blood in the ventricles counts as hematoma where the network finds it.
            let mut small = case.with_volume(1.8);
            small.latents.ivh = false;
            small.render(&still)?.volume
        }
        5 => case.render(&Scan { motion_mm: 4.0, ..still })?.volume,
        7 => case.without_bleed().render(&still)?.volume,
        9 => water_cylinder(&still, case.seed)?,
        _ => case.render(&still)?.volume,
    };
    phantom_files::write_dicom(case, &volume, scan, folder)
}

fn open_console(settings: &Settings, config: &Path) -> Result<(), TriageError> {
    let console = sibling(settings)?;
    let status = Command::new(&console)
        .arg("--wait")
        .arg("--config")
        .arg(config)
        .status()
        .map_err(|source| TriageError::file("start", &console, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(TriageError::Input(format!("the console ended with {status}")))
    }
}

fn list(settings: &Settings, config: &Path) -> Result<(), TriageError> {
    let console = sibling(settings)?;
    Command::new(&console)
        .arg("--config")
        .arg(config)
        .arg("list")
        .status()
        .map(drop)
        .map_err(|source| TriageError::file("start", &console, source))
}

/// The console's program, beside this one.
fn sibling(settings: &Settings) -> Result<PathBuf, TriageError> {
    let path = settings.exe.with_file_name("ichor");
    if path.is_file() { Ok(path) } else { Err(TriageError::NoSibling { path }) }
}

/// Waits until every study has its verdict.
fn wait(settings: &Settings, n: usize, stop: &AtomicBool) -> Result<(), TriageError> {
    let store = Store::open_existing(&settings.layout.database())?;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(TriageError::Stopped);
        }
        let rows = store.worklist()?;
        let ended = |state| matches!(state, StudyState::Done | StudyState::Failed);
        if rows.iter().filter(|row| ended(row.state)).count() >= n {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
}
