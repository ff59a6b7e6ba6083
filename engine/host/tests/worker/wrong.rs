//! Plugins that crash, hang or answer nonsense: each costs its own call.

use super::{
    Bench, Command, Duration, Features, HostError, Instant, RefusedKind, SharedVolume, UnitId,
    Worker, Workers, blocked, command, features, fs, go_on, install, unblock, volume,
};

pub(crate) fn a_score_comes_back_with_its_explanation(bench: &Bench) {
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

pub(crate) fn a_crash_costs_one_call(bench: &Bench) {
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
    let next = workers.extract(
        &unit("extractor"),
        &SharedVolume::new(&volume, &mask).unwrap(),
        &Features::default(),
        &mut go_on,
    );
    assert_eq!(next.unwrap().get("voxels"), Some(3.0));
    let error = workers.score(&unit("other"), &features(1.0, 1.0)).unwrap_err().to_string();
    assert!(
        error.starts_with("org.example.rogue/other is not installed; there are"),
        "{error}"
    );
}

pub(crate) fn a_plugin_that_crashes_every_time_is_blocked(bench: &Bench) {
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

pub(crate) fn a_hang_is_ended_at_its_deadline(bench: &Bench) {
    let began = Instant::now();
    let (error, mut worker) = bench.score_error("hang");
    assert!(matches!(error, HostError::Deadline { deadline_ms: 400, .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!worker.is_alive());
}

pub(crate) fn an_allocation_storm_ends_its_worker(bench: &Bench) {
    let (error, _) = bench.score_error("take memory");
    let words = "its memory limit is 64 MiB";
    assert!(matches!(error, HostError::Died { .. }), "{error}");
    assert!(error.to_string().ends_with(words), "{error}");
}

pub(crate) fn a_refusal_comes_back_in_the_plugins_words(bench: &Bench) {
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

pub(crate) fn a_score_that_cannot_be_believed_is_refused(bench: &Bench) {
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

pub(crate) fn a_unit_that_cannot_be_opened_leaves_the_others(bench: &Bench) {
    let mut worker = bench.worker("refuse to open", "");
    let error = worker.score("scorer", &features(1.0, 1.0)).unwrap_err();
    assert_eq!(error.to_string(), "org.example.rogue/scorer: trees = 0: must be at least 1");
    let (volume, mask) = volume();
    assert!(
        worker
            .extract(
                "extractor",
                &SharedVolume::new(&volume, &mask).unwrap(),
                &Features::default(),
                &mut go_on
            )
            .is_ok()
    );
    let twice = Worker::spawn(&bench.installed("name an input twice", ""), &command());
    let error = twice.unwrap_err().to_string();
    assert!(error.contains("\"a\" twice"), "{error}");
}

pub(crate) fn a_plugin_written_with_the_sdk_survives_its_panics(bench: &Bench) {
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

/// A plugin shares the pages of its calls and its worker's descriptors: whatever it writes there, the
/// host answers in time, with an error or with a score that was checked.
pub(crate) fn a_plugin_that_scribbles_over_the_call_harms_itself_only(bench: &Bench) {
    let mut seen = [0; 2];
    for seed in 0..64 {
        let mut worker = bench.worker(&format!("scribble {seed}"), "");
        for _ in 0..3 {
            let began = Instant::now();
            let answer = worker.score("scorer", &features(20.0, 1.0));
            assert!(began.elapsed() < Duration::from_secs(3), "seed {seed}: {answer:?}");
            seen[usize::from(answer.is_err())] += 1;
        }
    }
    println!("scribbled: {} scores, {} errors", seen[0], seen[1]);
    assert!(seen[1] > 0, "nothing was hit");
}
