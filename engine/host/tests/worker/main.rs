//! Plugins that do wrong, in workers: each costs its own call and nothing else.
//!
//! The plugin is C, compiled here; the worker is this very program, started again. That is why
//! it has its own `main` and no test harness. An argument that is not a flag selects tests whose
//! name contains it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

mod abi_versions;
mod confinement;
mod files;
mod refused;
mod speed;
mod volumes;
mod wrong;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use ichor_core::{Features, Grid, Mask, PixelSpacing, UnitId, Volume};
use ichor_host::{
    Confinement, HostError, Installed, SharedVolume, Worker, WorkerCommand, Workers, blocked,
    install, installed, profile, profiles, roll_back, unblock, worker_main,
};
use ichor_plugin::{RefusedKind, abi};
use libloading::Library;
use ndarray::Array3;

/// What this program is started with to be a worker.
const WORKER: &str = "--worker";

macro_rules! tests {
    ($($file:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $file::$name)),*] };
}

/// A claim and what proves it.
type Test = (&'static str, fn(&Bench));

const TESTS: &[Test] = tests![
    wrong::a_score_comes_back_with_its_explanation,
    wrong::a_crash_costs_one_call,
    wrong::a_plugin_that_crashes_every_time_is_blocked,
    wrong::a_hang_is_ended_at_its_deadline,
    wrong::an_allocation_storm_ends_its_worker,
    wrong::a_refusal_comes_back_in_the_plugins_words,
    wrong::a_score_that_cannot_be_believed_is_refused,
    wrong::a_plugin_that_scribbles_over_the_call_harms_itself_only,
    wrong::a_unit_that_cannot_be_opened_leaves_the_others,
    volumes::an_extractor_sees_the_volume_as_it_is,
    volumes::writing_to_the_volume_ends_the_worker_and_leaves_the_data,
    volumes::a_plugin_that_is_asked_to_stop_stops,
    confinement::a_worker_reads_its_folder_only,
    confinement::a_worker_stays_alone,
    confinement::a_worker_ends_with_its_host,
    confinement::a_worker_without_a_host_says_so,
    wrong::a_plugin_written_with_the_sdk_survives_its_panics,
    files::what_was_changed_after_installing_is_not_opened,
    files::what_others_could_change_is_not_opened,
    files::a_library_that_is_not_what_the_manifest_says_is_not_loaded,
    refused::what_is_no_plugin_is_refused_before_any_of_its_code_runs,
    abi_versions::plugins_of_an_older_and_of_a_newer_minor_load_and_score,
    files::the_first_folder_wins_and_a_newer_install_replaces,
    files::a_profile_holds_for_the_weights_it_was_tuned_for,
    speed::a_call_through_the_worker_takes_under_a_millisecond,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == WORKER) {
        std::process::exit(worker_main());
    }
    if arguments.first().is_some_and(|argument| argument == HOST) {
        let folder = Path::new(&arguments[1]);
        let mut worker = Worker::spawn(&Installed::read(folder).unwrap(), &command()).unwrap();
        println!("started");
        let _ = worker.score("scorer", &features(20.0, 1.0));
        return;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return;
    }
    let Some(bench) = Bench::new() else {
        println!("skipped: no C compiler");
        return;
    };
    let wanted = |name: &str| {
        let mut filters =
            arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        let passed = std::panic::catch_unwind(|| test(&bench)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    std::process::exit(failed.min(1) * 101);
}

/// What this program is started with to be a host that is killed.
const HOST: &str = "--host";

fn command() -> WorkerCommand {
    WorkerCommand { exe: std::env::current_exe().unwrap(), args: vec![WORKER.to_owned()] }
}

/// A folder with the compiled rogue.
struct Bench {
    folder: PathBuf,
    library: PathBuf,
}

impl Bench {
    fn new() -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rogue");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let bench = Self { library: folder.join("librogue.so"), folder };
        bench.compile(&bench.library, &header(), &[]).then_some(bench)
    }

    /// Compiles the rogue against `header`; false when there is no compiler.
    fn compile(&self, library: &Path, header: &str, options: &[&str]) -> bool {
        let include = library.with_extension("include");
        fs::create_dir_all(&include).unwrap();
        fs::write(include.join("ichor_plugin.h"), header).unwrap();
        let status = Command::new("cc")
            .args(["-std=gnu99", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-I"])
            .arg(&include)
            .args(options)
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rogue.c"), "-lm", "-o"])
            .arg(library)
            .status();
        status.is_ok_and(|status| {
            assert!(status.success());
            true
        })
    }

    /// The source folder of a rogue whose units do as the texts say.
    fn source(&self, name: &str, scorer: &str, extractor: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let manifest = r#"
[plugin]
id = "org.example.rogue"
version = "1.0"
abi = "1.0"
file = "librogue.so"
licence = "MIT"
intended_use = "research"
limits = { memory_mib = 64, deadline_ms = 400, threads = 1 }
[[unit]]
id = "scorer"
kind = "scorer"
config = "scorer.txt"
files = ["weights"]
[[unit]]
id = "extractor"
kind = "extractor"
config = "extractor.txt"
"#;
        fs::write(folder.join("plugin.toml"), manifest).unwrap();
        fs::write(folder.join("scorer.txt"), scorer).unwrap();
        fs::write(folder.join("extractor.txt"), extractor).unwrap();
        fs::write(folder.join("weights"), "1 2 3").unwrap();
        folder
    }

    fn installed(&self, scorer: &str, extractor: &str) -> Installed {
        let name = format!("{scorer}, {extractor}").replace(' ', "-");
        let source = self.source(&name, scorer, extractor);
        install(&source, &self.library, &self.folder.join(name).join("plugins")).unwrap()
    }

    fn worker(&self, scorer: &str, extractor: &str) -> Worker {
        Worker::spawn(&self.installed(scorer, extractor), &command()).unwrap()
    }

    /// The error of one score by a scorer that does as `scorer` says.
    fn score_error(&self, scorer: &str) -> (HostError, Worker) {
        let mut worker = self.worker(scorer, "");
        (worker.score("scorer", &features(20.0, 1.0)).unwrap_err(), worker)
    }
}

/// The header as it is.
fn header() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/sdk/include/ichor_plugin.h");
    fs::read_to_string(path).unwrap()
}

fn features(volume_ml: f64, onset_to_ct_h: f64) -> Features {
    let names = ["clinical.onset_to_ct_h", "unused", "hematoma.volume_ml"];
    let names = names.map(str::to_owned).to_vec();
    Features::new(names, vec![onset_to_ct_h, 0.0, volume_ml]).unwrap()
}

fn go_on(_: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Three slices of four rows and five columns at uneven steps; three voxels are hematoma.
fn volume() -> (Volume, Mask) {
    let origins = vec![[0.0, 1.0, 0.0], [0.0, 2.0, 5.0], [0.0, 3.0, 12.0]];
    let pixel = PixelSpacing { y: 0.5, x: 0.4 };
    let grid = Grid::new(pixel, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins, 5.0).unwrap();
    let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| {
        (100 * z + 10 * y + x).cast_signed() as i16 - 50
    });
    let mut voxels = Array3::from_elem((3, 4, 5), false);
    for at in [[0, 0, 0], [1, 2, 3], [2, 3, 4]] {
        voxels[at] = true;
    }
    let mask = Mask::new(voxels, &grid).unwrap();
    (Volume::new(hu, grid).unwrap(), mask)
}
