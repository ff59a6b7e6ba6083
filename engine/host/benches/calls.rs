//! What a plugin costs, in this process and in its worker, paired in one run; then 10,000 calls to a
//! plugin that crashes on every fiftieth.
//!
//! `cargo bench -p ichor-host`. Times are wall time, least and median.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up fails")]
#![expect(unsafe_code, reason = "the C table is called as a host without workers would")]

#[path = "../tests/worker/endurance.rs"]
mod endurance;
#[expect(dead_code, reason = "what only the tests use")]
#[path = "../tests/worker/rogue.rs"]
mod rogue;

use std::ffi::c_void;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::Instant;

use ichor_core::{Features, Grid, Mask, PixelSpacing, Volume};
use ichor_host::{SharedVolume, Worker, worker_main};
use ichor_plugin::abi;
use libloading::Library;
use ndarray::Array3;
use rogue::{Bench, WORKER, command, features, go_on};

fn main() {
    if std::env::args().any(|argument| argument == WORKER) {
        std::process::exit(worker_main());
    }
    let Some(bench) = Bench::new() else {
        println!("skipped: no C compiler");
        return;
    };
    println!("load: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    println!("| operation | least us | median us |\n|---|---|---|");
    calls(&bench);
    volumes(&bench);
    println!("\n| calls | crashes | RSS KiB | descriptors | workers |\n|---|---|---|---|---|");
    endurance::endure(&bench, 10_000, 1000, &mut |calls, crashes, held| {
        let endurance::Held { rss_kib, descriptors, children } = held;
        println!("| {calls} | {crashes} | {rss_kib} | {descriptors} | {children} |");
    });
    println!("load: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

/// Takes `work` turn by turn `n` times and prints least and median of each.
fn paired(n: usize, work: &mut [(&str, &mut dyn FnMut())]) {
    let mut times = vec![Vec::with_capacity(n); work.len()];
    for _ in 0..n {
        for (times, (_, work)) in times.iter_mut().zip(work.iter_mut()) {
            let began = Instant::now();
            work();
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    for (mut times, (name, _)) in times.into_iter().zip(work) {
        times.sort_by(f64::total_cmp);
        println!("| {name} | {:.2} | {:.2} |", times[0], times[n / 2]);
    }
}

fn calls(bench: &Bench) {
    let mut here = InProcess::open(&bench.library);
    let mut worker = bench.worker("", "");
    let mut wide = bench.worker("take 1379", "");
    let inputs = features(20.0, 1.0);
    let names: Vec<String> = (0..1379).map(|at| format!("feature_{at}")).collect();
    let many = Features::new(names, vec![1.0; 1379]).unwrap();
    paired(
        20_000,
        &mut [
            ("scorer, in this process", &mut || here.score()),
            ("scorer, in its worker", &mut || drop(worker.score("scorer", &inputs).unwrap())),
            ("scorer of 1379 features, in its worker", &mut || {
                drop(wide.score("scorer", &many).unwrap());
            }),
        ],
    );
}

fn volumes(bench: &Bench) {
    let grid = Grid::axial(30, 5.0, PixelSpacing { y: 0.45, x: 0.45 }).unwrap();
    let inside = |(z, y, x): (usize, usize, usize)| z > 9 && z < 20 && (y + x) % 97 == 0;
    let mask = Mask::new(Array3::from_shape_fn((30, 512, 512), inside), &grid).unwrap();
    let volume = Volume::new(Array3::from_elem((30, 512, 512), 40), grid).unwrap();
    let shared = SharedVolume::new(&volume, &mask).unwrap();
    let none = Features::default();
    let mut here = InProcess::open(&bench.library);
    let mut worker = bench.worker("", "");
    let plugin = bench.installed("", "spawned");
    paired(
        15,
        &mut [
            ("extractor over 30 slices, in this process", &mut || here.extract(&volume, &mask)),
            ("the same in its worker, the volume there", &mut || {
                drop(worker.extract("extractor", &shared, &none, &mut go_on).unwrap());
            }),
            ("a volume of 23.6 MB copied for workers", &mut || {
                drop(SharedVolume::new(&volume, &mask).unwrap());
            }),
            ("worker spawned, plugin checked and open", &mut || {
                drop(Worker::spawn(&plugin, &command()).unwrap());
            }),
        ],
    );
}

/// The rogue's units, open in this process without any check.
struct InProcess {
    scorer: abi::Unit,
    extractor: abi::Unit,
    instances: [*mut c_void; 2],
}

impl InProcess {
    fn open(library: &Path) -> Self {
        let nothing = abi::Str::new("");
        let mut instances = [null_mut(); 2];
        // SAFETY: the table is that of `rogue.c`, and the library stays open.
        unsafe {
            let library = std::mem::ManuallyDrop::new(Library::new(library).unwrap());
            let table = **library.get::<*const abi::Plugin>("ichor_plugin_v1").unwrap();
            let [scorer, extractor] = [*table.units, *table.units.add(1)];
            for (unit, instance) in [scorer, extractor].iter().zip(&mut instances) {
                let create = unit.create.unwrap();
                assert_eq!(create(null(), nothing, nothing, instance, null_mut()), abi::OK);
            }
            Self { scorer, extractor, instances }
        }
    }

    fn score(&mut self) {
        let (mut out, mut contributions) = ([0.0], [0.0; 2]);
        run(&self.scorer, self.instances[0], None, &[20.0, 1.0], &mut out, &mut contributions);
    }

    fn extract(&mut self, volume: &Volume, mask: &Mask) {
        let (nz, ny, nx) = volume.dim();
        let volume = abi::Volume {
            struct_size: size_of::<abi::Volume>() as u32,
            nx: nx as u32,
            ny: ny as u32,
            nz: nz as u32,
            hu: volume.hu().as_ptr(),
            mask: mask.voxels().as_ptr().cast(),
            spacing_mm: [1.0; 3],
            direction: [0.0; 9],
            slice_origin_mm: null(),
            slice_pos_mm: null(),
        };
        run(&self.extractor, self.instances[1], Some(&volume), &[], &mut [0.0; 3], &mut []);
    }
}

fn run(
    unit: &abi::Unit,
    instance: *mut c_void,
    volume: Option<&abi::Volume>,
    inputs: &[f64],
    out: &mut [f64],
    contributions: &mut [f64],
) {
    let request = abi::Request {
        struct_size: size_of::<abi::Request>() as u32,
        n_in: inputs.len() as u32,
        job: 1,
        volume: volume.map_or(null(), std::ptr::from_ref),
        input: inputs.as_ptr(),
    };
    let mut response = abi::Response {
        struct_size: size_of::<abi::Response>() as u32,
        n_out: out.len() as u32,
        out: out.as_mut_ptr(),
        n_contributions: contributions.len() as u32,
        reserved: 0,
        contributions: contributions.as_mut_ptr(),
        base: 0.0,
    };
    let run = unit.run.unwrap();
    // SAFETY: an instance of the unit; all buffers have the sizes they carry.
    let status = unsafe { run(instance, &raw const request, &raw mut response, null_mut()) };
    assert_eq!(status, abi::OK);
}
