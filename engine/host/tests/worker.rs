//! Plugins that do wrong, in workers: each costs its own call and nothing else.
//!
//! The plugin is C, compiled here; the worker is this very program, started again. That is why
//! it has its own `main` and no test harness. An argument that is not a flag selects tests whose
//! name contains it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use ichor_core::{Features, Grid, Mask, PixelSpacing, UnitId, Volume};
use ichor_host::{
    Confinement, HostError, Installed, Worker, WorkerCommand, Workers, blocked, install,
    installed, profile, profiles, roll_back, unblock, worker_main,
};
use ichor_plugin::{RefusedKind, abi};
use libloading::Library;
use ndarray::Array3;

/// What this program is started with to be a worker.
const WORKER: &str = "--worker";

macro_rules! tests {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

/// A claim and what proves it.
type Test = (&'static str, fn(&Bench));

const TESTS: &[Test] = tests![
    a_score_comes_back_with_its_explanation,
    a_crash_costs_one_call,
    a_plugin_that_crashes_every_time_is_blocked,
    a_hang_is_ended_at_its_deadline,
    an_allocation_storm_ends_its_worker,
    a_refusal_comes_back_in_the_plugins_words,
    a_score_that_cannot_be_believed_is_refused,
    a_unit_that_cannot_be_opened_leaves_the_others,
    an_extractor_sees_the_volume_as_it_is,
    writing_to_the_volume_ends_the_worker_and_leaves_the_data,
    a_plugin_that_is_asked_to_stop_stops,
    a_worker_reads_its_folder_only,
    a_worker_stays_alone,
    a_worker_ends_with_its_host,
    a_worker_without_a_host_says_so,
    a_plugin_written_with_the_sdk_survives_its_panics,
    what_was_changed_after_installing_is_not_opened,
    what_others_could_change_is_not_opened,
    a_library_that_is_not_what_the_manifest_says_is_not_loaded,
    the_first_folder_wins_and_a_newer_install_replaces,
    a_profile_holds_for_the_weights_it_was_tuned_for,
    a_call_through_the_worker_takes_under_a_millisecond,
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
        let library = folder.join("librogue.so");
        let root = env!("CARGO_MANIFEST_DIR");
        let status = Command::new("cc")
            .args(["-std=gnu99", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-I"])
            .arg(format!("{root}/../../plugins/sdk/include"))
            .args([&format!("{root}/tests/rogue.c"), "-lm", "-o"])
            .arg(&library)
            .status()
            .ok()?;
        assert!(status.success());
        Some(Self { folder, library })
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

fn a_score_comes_back_with_its_explanation(bench: &Bench) {
    for how in ["", "print", "read standard input", "look around"] {
        let mut worker = bench.worker(how, "");
        let description = worker.describe("scorer").unwrap();
        assert_eq!(description.inputs, ["hematoma.volume_ml", "clinical.onset_to_ct_h"]);
        assert!(description.deterministic);
        let scored = worker.score("scorer", &features(60.0, f64::NAN)).unwrap();
        assert!((scored.risk.probability() - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-12);
        let explained = [scored.base, scored.contributions[0].log_odds];
        assert!(
            explained.iter().zip([-1.0, 2.0]).all(|(is, should)| (is - should).abs() < 1e-12)
        );
        assert_eq!(scored.contributions[1].value, None);
        assert_eq!(scored.missing, ["clinical.onset_to_ct_h"]);
        // Other names in another order are bound anew.
        let names = vec!["hematoma.volume_ml".to_owned()];
        let alone = Features::new(names, vec![60.0]).unwrap();
        assert_eq!(worker.score("scorer", &alone).unwrap(), scored);
    }
}

fn a_crash_costs_one_call(bench: &Bench) {
    let check = |how: &str, words: &str| {
        let (error, mut worker) = bench.score_error(how);
        assert!(matches!(error, HostError::Died { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!worker.is_alive());
    };
    check("abort", "SIGABRT");
    check("fault", "SIGSEGV");
    check("exit", "exit status: 3");

    let plugin = bench.installed("abort while opening", "");
    let error = Worker::spawn(&plugin, &command()).unwrap_err();
    assert!(matches!(error, HostError::Died { .. }), "{error}");

    let mut workers =
        Workers::new(command(), vec![bench.installed("abort", "")], &bench.folder);
    let unit =
        |unit: &str| UnitId { plugin: "org.example.rogue".to_owned(), unit: unit.to_owned() };
    assert!(workers.score(&unit("scorer"), &features(1.0, 1.0)).is_err());
    let (volume, mask) = volume();
    let next =
        workers.extract(&unit("extractor"), &volume, &mask, &Features::default(), &mut go_on);
    assert_eq!(next.unwrap().get("voxels"), Some(3.0));
    let error = workers.score(&unit("other"), &features(1.0, 1.0)).unwrap_err().to_string();
    assert!(
        error.starts_with("org.example.rogue/other is not installed; there are"),
        "{error}"
    );
}

fn a_plugin_that_crashes_every_time_is_blocked(bench: &Bench) {
    let site = bench.folder.join("crash-loop");
    let plugin = bench.installed("exit", "");
    let sha256 = plugin.sha256().to_owned();
    let unit = UnitId { plugin: "org.example.rogue".to_owned(), unit: "scorer".to_owned() };
    let mut workers = Workers::new(command(), vec![plugin.clone()], &site);
    // One study that is tried again and again is no reason.
    for ml in [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0] {
        let error = workers.score(&unit, &features(ml, 1.0)).unwrap_err();
        assert!(matches!(error, HostError::Died { .. }), "{error}");
    }
    // Another process of the same site finds it blocked, too.
    let other = Workers::new(command(), vec![plugin], &site);
    for mut workers in [workers, other] {
        let error = workers.score(&unit, &features(1.0, 1.0)).unwrap_err();
        assert!(matches!(error, HostError::Blocked { .. }), "{error}");
    }
    assert!(blocked(&site, &sha256).unwrap().contains("exit status: 3"));
    assert!(unblock(&site, &sha256).unwrap());
}

fn a_hang_is_ended_at_its_deadline(bench: &Bench) {
    let began = Instant::now();
    let (error, mut worker) = bench.score_error("hang");
    assert!(matches!(error, HostError::Deadline { deadline_ms: 400, .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!worker.is_alive());
}

fn an_allocation_storm_ends_its_worker(bench: &Bench) {
    let (error, _) = bench.score_error("take memory");
    let words = "its memory limit is 64 MiB";
    assert!(matches!(error, HostError::Died { .. }), "{error}");
    assert!(error.to_string().ends_with(words), "{error}");
}

fn a_refusal_comes_back_in_the_plugins_words(bench: &Bench) {
    let (error, mut worker) = bench.score_error("refuse");
    let HostError::Refused { kind, text, .. } = &error else { panic!("{error}") };
    assert_eq!(*kind, RefusedKind::Input);
    assert_eq!(text, "a hematoma of 20 ml is not mine");
    assert!(worker.is_alive());
    let (error, _) = bench.score_error("say nothing");
    assert!(error.to_string().ends_with("refused without a word (status 5)"), "{error}");
    let (error, _) = bench.score_error("claim a long reason");
    assert!(matches!(error, HostError::Refused { kind: RefusedKind::Internal, .. }), "{error}");
}

fn a_score_that_cannot_be_believed_is_refused(bench: &Bench) {
    let error = bench.score_error("answer NaN").0;
    assert_eq!(error.to_string(), "org.example.rogue/scorer gave NaN for the risk");
    let error = bench.score_error("answer two").0;
    assert!(matches!(error, HostError::Risk { .. }), "{error}");
    let error = bench.score_error("explain badly").0;
    assert!(matches!(error, HostError::NotAdditive { .. }), "{error}");
    let error =
        bench.worker("", "").score("scorer", &features(f64::INFINITY, 0.0)).unwrap_err();
    assert!(matches!(error, HostError::Input { .. }), "{error}");
    let error = bench.worker("", "").score("extractor", &features(1.0, 0.0)).unwrap_err();
    assert_eq!(error.to_string(), "org.example.rogue/extractor is no scorer");
}

fn a_unit_that_cannot_be_opened_leaves_the_others(bench: &Bench) {
    let mut worker = bench.worker("refuse to open", "");
    let error = worker.score("scorer", &features(1.0, 1.0)).unwrap_err();
    assert_eq!(error.to_string(), "org.example.rogue/scorer: trees = 0: must be at least 1");
    let (volume, mask) = volume();
    assert!(
        worker.extract("extractor", &volume, &mask, &Features::default(), &mut go_on).is_ok()
    );
    let twice = Worker::spawn(&bench.installed("name an input twice", ""), &command());
    let error = twice.unwrap_err().to_string();
    assert!(error.contains("\"a\" twice"), "{error}");
}

fn an_extractor_sees_the_volume_as_it_is(bench: &Bench) {
    let (volume, mask) = volume();
    let none = Features::default();
    let mut worker = bench.worker("", "");
    for _ in 0..3 {
        let found = worker.extract("extractor", &volume, &mask, &none, &mut go_on).unwrap();
        assert_eq!(found.names(), ["sum_hu", "voxels", "missing"]);
        assert_eq!(found.get("sum_hu"), Some(-50.0 + 73.0 + 184.0));
        assert_eq!(found.get("voxels"), Some(3.0));
        assert!(found.get("missing").is_some_and(f64::is_nan));
    }
    let mut worker = bench.worker("", "tell geometry");
    let found = worker.extract("extractor", &volume, &mask, &none, &mut go_on).unwrap();
    assert_eq!(found.values(), [12.0 * 1000.0 + 3.0, 6.0 * 100.0 + 5.0 + 0.4, 1.0 + 2.0 + 4.0]);
    let small = Mask::new(Array3::from_elem((3, 4, 4), true), volume.grid()).unwrap();
    let error = worker.extract("extractor", &volume, &small, &none, &mut go_on).unwrap_err();
    assert_eq!(error.to_string(), "a mask of (3, 4, 4) voxels for a volume of (3, 4, 5)");
    let mut worker = bench.worker("", "answer infinity");
    let error = worker.extract("extractor", &volume, &mask, &none, &mut go_on).unwrap_err();
    assert_eq!(error.to_string(), "org.example.rogue/extractor gave inf for sum_hu");
}

fn writing_to_the_volume_ends_the_worker_and_leaves_the_data(bench: &Bench) {
    let (volume, mask) = volume();
    let before = volume.clone();
    let mut worker = bench.worker("", "write to the volume");
    let none = Features::default();
    let error = worker.extract("extractor", &volume, &mask, &none, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("SIGSEGV"), "{error}");
    assert_eq!(volume, before);
}

fn a_plugin_that_is_asked_to_stop_stops(bench: &Bench) {
    let (volume, mask) = volume();
    for (how, alive) in [("stop when asked", true), ("go on for ever", false)] {
        let mut worker = bench.worker("", how);
        let mut seen = 0.0;
        let mut stop = |share: f32| {
            seen = share;
            if share > 0.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let none = Features::default();
        let error = worker.extract("extractor", &volume, &mask, &none, &mut stop).unwrap_err();
        assert!(matches!(error, HostError::Cancelled { .. }), "{error}");
        assert_eq!((worker.is_alive(), seen), (alive, 0.5));
        if alive {
            // The cancelled job leaves nothing behind that a later one would trip over.
            assert!(worker.score("scorer", &features(20.0, 1.0)).is_ok());
        }
    }
}

fn a_worker_reads_its_folder_only(bench: &Bench) {
    let mut worker = bench.worker("write a file", "");
    if worker.confinement() == Confinement::None {
        println!("skipped: this kernel confines nobody");
        return;
    }
    println!("confinement: {:?}", worker.confinement());
    assert!(worker.score("scorer", &features(20.0, 1.0)).is_ok());
    assert!(bench.worker("read a secret", "").score("scorer", &features(20.0, 1.0)).is_ok());
}

fn a_worker_stays_alone(bench: &Bench) {
    // Each would answer with a refusal, or not at all, had it got its way.
    for how in ["fork", "open a socket", "start a program", "signal its host"] {
        let mut worker = bench.worker(how, "");
        if worker.confinement() == Confinement::None {
            println!("skipped: this kernel confines nobody");
            return;
        }
        let answer = worker.score("scorer", &features(20.0, 1.0));
        assert!(answer.is_ok(), "{how}: {answer:?}");
    }
}

fn a_worker_ends_with_its_host(bench: &Bench) {
    let plugin = bench.installed("hang", "");
    let mut host = Command::new(std::env::current_exe().unwrap())
        .arg(HOST)
        .arg(plugin.folder())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(host.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "started\n");
    let list = format!("/proc/{0}/task/{0}/children", host.id());
    let workers = fs::read_to_string(list).unwrap();
    let worker = Path::new("/proc").join(workers.trim());
    assert!(worker.join("stat").exists(), "{workers:?}");
    host.kill().unwrap();
    host.wait().unwrap();
    let ended = || {
        // A zombie whose new parent does not reap it has ended, too.
        fs::read_to_string(worker.join("stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    let until = Instant::now() + Duration::from_secs(2);
    while !ended() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ended());
}

fn a_worker_without_a_host_says_so(_: &Bench) {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(WORKER)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.ends_with("this command is run by the engine only\n"), "{words}");
}

fn a_plugin_written_with_the_sdk_survives_its_panics(bench: &Bench) {
    let folder = bench.folder.join("careless");
    fs::create_dir_all(&folder).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let sdk = format!("{root}/../../plugins/sdk/src/lib.rs");
    let plugin = format!("{root}/tests/rust_plugin/lib.rs");
    let sdk = ["--crate-name=ichor_plugin", "--crate-type=rlib", &sdk].map(str::to_owned);
    let library = [
        "--crate-name=careless",
        "--crate-type=cdylib",
        "-L.",
        "--extern=ichor_plugin",
        &plugin,
    ];
    for arguments in [sdk.to_vec(), library.map(str::to_owned).to_vec()] {
        let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let status = Command::new(compiler)
            .args(["--edition=2024", "-O"])
            .args(arguments)
            .env("CARGO_CRATE_NAME", "careless")
            .current_dir(&folder)
            .status();
        assert!(status.unwrap().success());
    }
    let manifest = r#"
[plugin]
id = "org.example.careless"
version = "2.0"
abi = "1.0"
file = "libcareless.so"
licence = "MIT"
intended_use = "research"
limits = { memory_mib = 64, deadline_ms = 400, threads = 1 }
[[unit]]
id = "careless"
kind = "scorer"
files = ["name"]
"#;
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("name"), "hematoma.volume_ml").unwrap();
    let library = folder.join("libcareless.so");
    let plugin = install(&folder, &library, &folder.join("plugins")).unwrap();
    let mut worker = Worker::spawn(&plugin, &command()).unwrap();
    for volume_ml in [-1.0, 20.0] {
        match worker.score("careless", &features(volume_ml, 0.0)) {
            Ok(scored) => {
                assert!((scored.risk.probability() - 0.5).abs() < 1e-12);
                assert_eq!(scored.missing, [""; 0]);
            }
            Err(error) => assert_eq!(
                error.to_string(),
                "org.example.careless/careless: panicked: a hematoma of -1 ml"
            ),
        }
        assert!(worker.is_alive());
    }
}

fn what_was_changed_after_installing_is_not_opened(bench: &Bench) {
    let plugin = bench.installed("", "changed");
    for file in ["librogue.so", "scorer.txt", "weights"] {
        let path = plugin.folder().join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, [&before[..], b"x"].concat()).unwrap();
        let error = Worker::spawn(&plugin, &command()).unwrap_err();
        assert!(matches!(error, HostError::Changed { .. }), "{error}");
        assert!(Installed::read(plugin.folder()).is_err());
        fs::write(&path, before).unwrap();
    }
    assert!(Worker::spawn(&plugin, &command()).is_ok());
    let source = bench.source("not-installed", "", "");
    let place = bench.folder.join("bare").join("org.example.rogue");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(source, &place).unwrap();
    let error = Installed::read(&place).unwrap_err().to_string();
    assert!(error.contains("`ichor plugin install`"), "{error}");
}

fn what_others_could_change_is_not_opened(bench: &Bench) {
    let plugin = bench.installed("", "writable");
    let weights = plugin.folder().join("weights");
    let check = |words: &str| {
        let error = Installed::read(plugin.folder()).unwrap_err();
        assert!(matches!(error, HostError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o664)).unwrap();
    check("is writable by its group");
    fs::rename(&weights, bench.folder.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bench.folder.join("elsewhere"), &weights).unwrap();
    check("is a link");
    fs::remove_file(&weights).unwrap();
    fs::create_dir(&weights).unwrap();
    check("is no regular file");
    fs::set_permissions(plugin.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    check("is writable by its group or by all");
}

fn a_library_that_is_not_what_the_manifest_says_is_not_loaded(bench: &Bench) {
    let check = |from: &str, to: &str, library: &Path, words: &str| {
        let source = bench.source("other", "", "");
        let path = source.join("plugin.toml");
        let text = fs::read_to_string(&path).unwrap().replacen(from, to, 1);
        fs::write(&path, text).unwrap();
        let plugin = install(&source, library, &bench.folder.join("others")).unwrap();
        let error = Worker::spawn(&plugin, &command()).unwrap_err();
        assert!(matches!(error, HostError::Load { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let library = &bench.library;
    check("org.example.rogue", "org.example.other", library, "its id is \"org.example.rogue\"");
    check("version = \"1.0\"", "version = \"1.1\"", library, "its version is \"1.0\"");
    check("id = \"scorer\"", "id = \"risk\"", library, "it has no unit risk");
    check("kind = \"scorer\"", "kind = \"extractor\"", library, "is of another kind");
    let text = bench.folder.join("text");
    fs::write(&text, "no library").unwrap();
    check("1.0", "1.0", &text, "org.example.rogue cannot be loaded");
}

fn the_first_folder_wins_and_a_newer_install_replaces(bench: &Bench) {
    let [site, shipped] = ["site", "shipped"].map(|name| bench.folder.join(name));
    let source = bench.source("first", "one", "");
    install(&source, &bench.library, &shipped).unwrap();
    let first = install(&source, &bench.library, &site).unwrap();
    fs::write(source.join("scorer.txt"), "another").unwrap();
    let newer = install(&source, &bench.library, &site).unwrap();
    assert_ne!(
        first.weights_sha256("scorer").unwrap(),
        newer.weights_sha256("scorer").unwrap()
    );
    // The plugin, and the folder of those that were replaced.
    assert_eq!(fs::read_dir(&site).unwrap().count(), 2, "something was left behind");
    let back = roll_back(&site, newer.id()).unwrap();
    assert_eq!(back, first);
    assert_eq!(roll_back(&site, newer.id()).unwrap(), newer, "a second one undoes the first");
    assert!(roll_back(&site, "org.example.other").is_err());
    let dirs = [bench.folder.join("absent"), site.clone(), shipped];
    let found: Vec<Installed> = installed(&dirs).into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [newer]);
    // A broken plugin of the site is said, not replaced by the shipped one.
    fs::remove_file(site.join("org.example.rogue").join("weights")).unwrap();
    assert!(installed(&dirs)[0].is_err());
}

fn a_profile_holds_for_the_weights_it_was_tuned_for(bench: &Bench) {
    let plugin = bench.installed("", "profiles");
    let unit = plugin.unit_ids().remove(0);
    let sums = Command::new("sh")
        .args(["-c", "sha256sum scorer.txt weights | sha256sum | cut -d' ' -f1"])
        .current_dir(plugin.folder())
        .output()
        .unwrap();
    let weights_sha256 = plugin.weights_sha256("scorer").unwrap();
    assert_eq!(String::from_utf8(sums.stdout).unwrap().trim(), weights_sha256);
    let write = |dir: &str, name: &str, threshold: f64, weights: &str| {
        let folder = bench.folder.join(dir).join(&unit.plugin).join(&unit.unit);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "scorer = \"{unit}\"\nplugin_version = \"1.0\"\nweights_sha256 = \"{weights}\"\n\
             threshold = {threshold}\ncriterion = \"youden\"\ntuned_on = \"nothing\"\n\
             apparent = true\nprevalence = 0.2\ndate = \"2026-01-01\"\n\
             sensitivity = {{ value = 0.5, low = 0.4, high = 0.6, n = 9 }}\n\
             specificity = {{ value = 0.5, low = 0.4, high = 0.6, n = 9 }}\n"
        );
        fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    };
    write("profiles-site", "youden", 0.3, &weights_sha256);
    write("profiles-shipped", "youden", 0.4, &weights_sha256);
    write("profiles-shipped", "rule-out", 0.1, "ab");
    let dirs = ["profiles-site", "profiles-shipped"].map(|dir| bench.folder.join(dir));
    let youden = profile(&dirs, &plugin, &unit, "youden").unwrap();
    assert_eq!((youden.name.as_str(), youden.threshold.probability()), ("youden", 0.3));
    let void = profile(&dirs, &plugin, &unit, "rule-out").unwrap_err().to_string();
    assert!(void.contains("profile rule-out is void: tuned for weights ab"), "{void}");
    let missing = profile(&dirs, &plugin, &unit, "rule-in").unwrap_err().to_string();
    assert!(
        missing.ends_with("no threshold profile rule-in; there are rule-out, youden"),
        "{missing}"
    );
    assert_eq!(profiles(&dirs, &plugin, &unit).iter().filter(|p| p.is_ok()).count(), 1);
}

fn a_call_through_the_worker_takes_under_a_millisecond(bench: &Bench) {
    let median = |mut times: Vec<Duration>| {
        times.sort();
        (times[0], times[times.len() / 2])
    };
    let plugin = bench.installed("", "");
    let spawns = (0..9).map(|_| {
        let began = Instant::now();
        let worker = Worker::spawn(&plugin, &command()).unwrap();
        let took = began.elapsed();
        drop(worker);
        took
    });
    println!("spawn, check, load, open (least, median): {:?}", median(spawns.collect()));
    let mut worker = Worker::spawn(&plugin, &command()).unwrap();
    let inputs = features(20.0, 1.0);
    let calls = (0..5000).map(|_| {
        let began = Instant::now();
        worker.score("scorer", &inputs).unwrap();
        began.elapsed()
    });
    let (least, middle) = median(calls.collect());
    println!("one score through the worker (least, median): {least:?}, {middle:?}");
    println!("one score in this process (mean): {:?}", in_process(&bench.library));
    let grid = Grid::axial(30, 5.0, PixelSpacing { y: 0.45, x: 0.45 }).unwrap();
    let mask = Mask::new(Array3::from_elem((30, 512, 512), false), &grid).unwrap();
    let volume = Volume::new(Array3::zeros((30, 512, 512)), grid).unwrap();
    let none = Features::default();
    let extracts = (0..9).map(|_| {
        let began = Instant::now();
        worker.extract("extractor", &volume, &mask, &none, &mut go_on).unwrap();
        began.elapsed()
    });
    println!("30 slices through the worker (least, median): {:?}", median(extracts.collect()));
    assert!(middle < Duration::from_millis(1), "{middle:?}");
}

/// What one score takes when the library is opened in this process, without any check.
#[expect(unsafe_code, reason = "the C table is called as a host without workers would")]
fn in_process(library: &Path) -> Duration {
    const CALLS: u32 = 100_000;
    let inputs = [20.0, 1.0];
    let (mut risk, mut contributions) = (0.0, [0.0; 2]);
    let request = abi::Request {
        struct_size: size_of::<abi::Request>() as u32,
        n_in: 2,
        job: 1,
        volume: null(),
        input: inputs.as_ptr(),
    };
    let mut response = abi::Response {
        struct_size: size_of::<abi::Response>() as u32,
        n_out: 1,
        out: &raw mut risk,
        n_contributions: 2,
        reserved: 0,
        contributions: contributions.as_mut_ptr(),
        base: 0.0,
    };
    let mut instance = null_mut();
    // SAFETY: the table is that of `rogue.c`; all buffers have the sizes they carry, and the
    // library stays open.
    unsafe {
        let library = std::mem::ManuallyDrop::new(Library::new(library).unwrap());
        let table = **library.get::<*const abi::Plugin>(b"ichor_plugin_v1\0").unwrap();
        let unit = *table.units;
        let (create, run) = (unit.create.unwrap(), unit.run.unwrap());
        let nothing = abi::Str::new("");
        assert_eq!(create(null(), nothing, nothing, &raw mut instance, null_mut()), abi::OK);
        let began = Instant::now();
        for _ in 0..CALLS {
            let status = run(instance, &raw const request, &raw mut response, null_mut());
            assert_eq!(status, abi::OK);
        }
        began.elapsed() / CALLS
    }
}
