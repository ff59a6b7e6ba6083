//! The plugin that does wrong on demand, compiled and installed; the worker is the running program.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use ichor_core::{Features, Grid, Mask, PixelSpacing, UnitId, Volume};
use ichor_host::{HostError, Installed, Worker, WorkerCommand, install};
use ndarray::Array3;

/// What this program is started with to be a worker.
pub(crate) const WORKER: &str = "--worker";

/// A unit of the rogue.
pub(crate) fn unit(unit: &str) -> UnitId {
    UnitId { plugin: "org.example.rogue".to_owned(), unit: unit.to_owned() }
}

pub(crate) fn command() -> WorkerCommand {
    WorkerCommand { exe: std::env::current_exe().unwrap(), args: vec![WORKER.to_owned()] }
}

/// A folder with the compiled rogue.
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    pub(crate) library: PathBuf,
}

impl Bench {
    pub(crate) fn new() -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rogue");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let bench = Self { library: folder.join("librogue.so"), folder };
        Bench::compile(&bench.library, &header(), &[]).then_some(bench)
    }

    /// Compiles the rogue against `header`; false when there is no compiler.
    pub(crate) fn compile(library: &Path, header: &str, options: &[&str]) -> bool {
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
    pub(crate) fn source(&self, name: &str, scorer: &str, extractor: &str) -> PathBuf {
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

    pub(crate) fn installed(&self, scorer: &str, extractor: &str) -> Installed {
        let name = format!("{scorer}, {extractor}").replace(' ', "-");
        let source = self.source(&name, scorer, extractor);
        install(&source, &self.library, &self.folder.join(name).join("plugins")).unwrap()
    }

    pub(crate) fn worker(&self, scorer: &str, extractor: &str) -> Worker {
        Worker::spawn(&self.installed(scorer, extractor), &command()).unwrap()
    }

    /// The error of one score by a scorer that does as `scorer` says.
    pub(crate) fn score_error(&self, scorer: &str) -> (HostError, Worker) {
        let mut worker = self.worker(scorer, "");
        (worker.score("scorer", &features(20.0, 1.0)).unwrap_err(), worker)
    }
}

/// The header as it is.
pub(crate) fn header() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/sdk/include/ichor_plugin.h");
    fs::read_to_string(path).unwrap()
}

pub(crate) fn features(volume_ml: f64, onset_to_ct_h: f64) -> Features {
    let names = ["clinical.onset_to_ct_h", "unused", "hematoma.volume_ml"];
    let names = names.map(str::to_owned).to_vec();
    Features::new(names, vec![onset_to_ct_h, 0.0, volume_ml]).unwrap()
}

pub(crate) fn go_on(_: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Three slices of four rows and five columns at uneven steps; three voxels are hematoma.
pub(crate) fn volume() -> (Volume, Mask) {
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
