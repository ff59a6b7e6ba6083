//! Every way in which a GPU can be missing or fail, through a driver and a library that do so.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use ichor_core::{Grid, Head, Mask, PixelSpacing, Volume};
use ichor_cuda::{FILE, Library};
use ndarray::{Array3, s};

use super::{Devices, GpuPrecision, Gpus};
use crate::cnn::crop::tests::boxed;
use crate::golden::{drawn_head, shipped};
use crate::{Cnn, Network};

/// Faults of `stand_in.c`, by their place in its list.
const FAULTS: [&str; 12] = [
    "none",
    "no device",
    "old",
    "refuses",
    "other version",
    "no cuda",
    "no room",
    "third",
    "wrong",
    "silent at first",
    "silent later",
    "second vanishes",
];

/// A folder with a driver and a library.
struct Host(tempfile::TempDir);

impl Host {
    fn new(driver: &str, library: &str) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.build("libcuda.so.1", driver, &[]);
        host.build(FILE, library, &[]);
        host
    }

    fn at(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn build(&self, file: &str, fault: &str, more: &[&Path]) {
        let fault = FAULTS.iter().position(|known| *known == fault).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gpu/stand_in.c");
        let built = Command::new("cc")
            .args([
                "-shared",
                "-fPIC",
                "-O1",
                "-Wl,-Bsymbolic",
                "-Wl,--no-as-needed",
                source,
                "-o",
            ])
            .arg(self.at(file))
            .arg(format!("-DFAULT={fault}"))
            .arg(format!("-DTABLE={}ull", Library::linked_at()))
            .args(more)
            .status();
        assert!(built.unwrap().success());
    }

    fn gpus(&self, devices: Devices) -> Gpus {
        let folders = vec![self.0.path().to_owned()];
        Gpus::behind(self.at("libcuda.so.1"), devices, GpuPrecision::F32, folders)
    }

    /// The same, which wait a second for the first slice or for the others, and no longer.
    fn impatient(&self, devices: Devices, at_first: bool) -> Gpus {
        let mut gpus = self.gpus(devices);
        let second = Duration::from_secs(1);
        *if at_first { &mut gpus.patience.opening } else { &mut gpus.patience.batch } = second;
        gpus
    }
}

fn volume() -> (Volume, Head) {
    let drawn = drawn_head().mapv(|hu| if hu == 0 { -1000 } else { hu });
    let mut hu = Array3::from_elem((3, 256, 320), -1000);
    hu.slice_mut(s![0, .., ..]).assign(&drawn);
    hu.slice_mut(s![2, .., ..]).assign(&drawn);
    let grid = Grid::axial(3, 5.0, PixelSpacing { y: 0.7, x: 0.7 }).unwrap();
    let volume = Volume::new(hu, grid).unwrap();
    let head = Head::find(&volume);
    (volume, head)
}

fn network(gpus: &Gpus) -> Network {
    Network::load_on(&[shipped()], "unet-w16", None, gpus).unwrap()
}

fn probability(network: &Network) -> Array3<f32> {
    let (volume, head) = volume();
    network.probability(&volume, &head, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// The CPU computes, with the bits that it has alone, and `words` are said of the GPU.
fn check(gpus: &Gpus, words: &str) {
    let alone = network(&Gpus::none());
    let guarded = network(gpus);
    let same = probability(&guarded) == probability(&alone);
    let said = guarded.device();
    assert!(same, "{said}");
    assert!(said.starts_with(&format!("{} (no GPU: ", alone.device())), "{said}");
    assert!(said.contains(words), "{said}");
}

fn check_built(driver: &str, library: &str, words: &str) {
    let host = Host::new(driver, library);
    check(&host.gpus(Devices::Auto), words);
}

#[test]
fn without_a_driver_the_cpu_computes() {
    let nowhere = Gpus::behind(
        PathBuf::from("/nowhere/libcuda.so.1"),
        Devices::Auto,
        GpuPrecision::Bf16,
        Vec::new(),
    );
    check(&nowhere, "no NVIDIA driver: /nowhere/libcuda.so.1: cannot open shared object file");
}

#[test]
fn a_driver_that_cannot_serve_is_told_apart() {
    check_built("no device", "none", "the NVIDIA driver finds no GPU");
    check_built("old", "none", "the NVIDIA driver knows CUDA 12.8, the library wants 13.0");
    check_built("refuses", "none", "answers cuInit with error 999");
    let host = Host::new("none", "none");
    check(&host.gpus(Devices::These(vec![2])), "there is no cuda:2: the NVIDIA driver finds 2");
}

#[test]
fn a_library_that_cannot_serve_is_told_apart() {
    check_built("none", "other version", "speaks version 99 of the interface, this engine 2");
    check_built("none", "no cuda", "is built without CUDA");
    check_built("none", "no room", "loading the network failed: out of memory");

    let host = Host::new("none", "none");
    fs::write(host.at(FILE), "no library").unwrap();
    check(&host.gpus(Devices::Auto), "libichor_cuda.so does not open: ");
    fs::remove_file(host.at(FILE)).unwrap();
    check(&host.gpus(Devices::Auto), "no libichor_cuda.so in ");
}

#[test]
fn what_the_library_lacks_is_named() {
    let host = Host::new("none", "none");
    host.build("libcudnn_stand_in.so", "none", &[]);
    host.build(FILE, "none", &[&host.at("libcudnn_stand_in.so")]);
    fs::remove_file(host.at("libcudnn_stand_in.so")).unwrap();
    check(&host.gpus(Devices::Auto), "libcudnn_stand_in.so: cannot open shared object file");
}

#[test]
fn a_device_with_other_numbers_is_refused() {
    check_built("none", "wrong", "a known slice differs by ");
}

#[test]
fn a_device_that_fails_costs_the_study_a_second_run() {
    // One device: the known slice is the first call, the study's slices are the next.
    let host = Host::new("none", "third");
    let gpus = host.gpus(Devices::These(vec![0]));
    let (guarded, alone) = (network(&gpus), network(&Gpus::none()));
    assert_eq!(guarded.device(), "cuda Stand-in 0 f32");
    assert!(probability(&guarded) == probability(&alone), "{}", guarded.device());
    assert!(guarded.device().contains("the device fell off the bus"), "{}", guarded.device());
    // Nor is it asked for the next one, nor by another worker.
    assert!(probability(&guarded) == probability(&alone), "{}", guarded.device());
    check(&gpus, "the device fell off the bus");
}

#[test]
fn a_device_that_never_answers_is_given_up() {
    let host = Host::new("none", "silent at first");
    check(&host.impatient(Devices::These(vec![0]), true), "Stand-in 0: no answer in 1 s");

    let host = Host::new("none", "silent later");
    let gpus = host.impatient(Devices::Auto, false);
    assert_eq!(network(&gpus).device(), "cuda Stand-in 0 + Stand-in 1 f32");
    let (guarded, alone) = (network(&gpus), network(&Gpus::none()));
    assert!(probability(&guarded) == probability(&alone), "{}", guarded.device());
    let said = guarded.device();
    assert!(said.ends_with("+ Stand-in 1 f32 failed: no answer in 1 s)"), "{said}");
    // Nobody waits for it a second time.
    assert!(probability(&guarded) == probability(&alone), "{}", guarded.device());
}

#[test]
fn workers_of_a_device_that_vanishes_go_on_with_the_cpu() {
    let host = Host::new("none", "third");
    let gpus = host.gpus(Devices::These(vec![0]));
    let workers = [network(&gpus), network(&gpus)];
    let expected = probability(&network(&Gpus::none()));
    // Three slices of their four are more than the device lives for; who meets its end is chance.
    let found = side_by_side(&workers);
    assert!(workers.iter().any(|worker| worker.device().contains("fell off the bus")));
    for (worker, found) in workers.iter().zip(found) {
        if worker.device().contains("fell off the bus") {
            assert!(found == expected, "{}", worker.device());
        } else {
            close(&found, &expected);
        }
        assert!(probability(worker) == expected, "{}", worker.device());
        assert!(worker.device().contains("fell off the bus"), "{}", worker.device());
    }
}

#[test]
fn of_two_devices_the_one_that_is_left_goes_on_with_the_next_study() {
    let host = Host::new("none", "second vanishes");
    let gpus = host.gpus(Devices::Auto);
    let (guarded, alone) = (network(&gpus), network(&Gpus::none()));
    let expected = probability(&alone);
    assert!(probability(&guarded) == expected, "{}", guarded.device());
    let said = guarded.device();
    let failed = "(no GPU: cuda Stand-in 0 + Stand-in 1 f32 failed: computing a batch failed: the device fell off the bus)";
    assert!(said.ends_with(failed), "{said}");
    close(&probability(&guarded), &expected);
    assert_eq!(guarded.device(), "cuda Stand-in 0 f32");
}

fn side_by_side(workers: &[Network; 2]) -> Vec<Array3<f32>> {
    thread::scope(|scope| {
        let work = |worker| scope.spawn(move || probability(worker));
        let found: Vec<_> = workers.iter().map(work).collect();
        found.into_iter().map(|found| found.join().unwrap()).collect()
    })
}

/// Close to what the CPU gives in bf16 or f32, whichever it has.
fn close(found: &Array3<f32>, expected: &Array3<f32>) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 3e-2, "{found}, {expected}");
    }
}

#[test]
fn devices_share_the_slices_and_workers_share_the_devices() {
    let host = Host::new("none", "none");
    let gpus = host.gpus(Devices::Auto);
    let said = gpus.said().unwrap();
    assert!(said.starts_with("driver with CUDA 13.0, "), "{said}");
    let devices = "libichor_cuda.so; cuda:0 Stand-in 0, 1 of 1024 MiB free; cuda:1 Stand-in 1, 1 of 1024 MiB free";
    assert!(said.ends_with(devices), "{said}");
    let workers = [network(&gpus), network(&gpus)];
    // What a batch takes is said of a network that was loaded.
    let said = gpus.said().unwrap();
    let (_, batches) =
        said.split_once("; unet-w16: cuda:0 1 slices at a time in at most ").unwrap();
    assert!(batches.contains(" MiB, cuda:1 1 slices"), "{said}");
    assert_eq!(workers[0].device(), "cuda Stand-in 0 + Stand-in 1 f32");
    let expected = probability(
        &Network::load(&[shipped()], "unet-w16", Some(crate::Path::fastest_f32())).unwrap(),
    );
    let found = side_by_side(&workers);
    assert!(found[0] == found[1]);
    for (found, expected) in found[0].iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-4, "{found}, {expected}");
    }
    assert_eq!(workers[0].device(), "cuda Stand-in 0 + Stand-in 1 f32");
}

fn cnn(gpus: &Gpus) -> Cnn {
    Cnn::load_on(&[shipped()], "cnn-w16", None, gpus).unwrap()
}

fn bleed() -> (Volume, Mask) {
    boxed(PixelSpacing { y: 0.5, x: 0.5 }, 1..4, (60, 100), 40)
}

#[test]
fn the_cnn_describes_on_a_device_and_behind_it_on_the_cpu() {
    let (volume, mask) = bleed();
    let expected = cnn(&Gpus::none()).features(&volume, &mask).unwrap();
    let host = Host::new("none", "none");
    let on_device = cnn(&host.gpus(Devices::Auto));
    let found = on_device.features(&volume, &mask).unwrap();
    assert_eq!(on_device.device(), "cuda Stand-in 0 + Stand-in 1 f32");
    assert_eq!(found.names(), expected.names());
    for (found, expected) in found.values().iter().zip(expected.values()) {
        assert!(
            (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
            "{found}, {expected}"
        );
    }

    for (fault, words) in [
        ("third", "failed: computing a batch failed: the device fell off the bus)"),
        ("wrong", "a known slice differs by "),
        ("no room", "loading the network failed: out of memory"),
    ] {
        let host = Host::new("none", fault);
        let guarded = cnn(&host.gpus(Devices::These(vec![0])));
        // Three slices: the known one and the first of them are the device's last.
        assert_eq!(guarded.features(&volume, &mask).unwrap(), expected, "{fault}");
        let said = guarded.device();
        assert!(said.starts_with("cpu ") && said.contains(words), "{fault}: {said}");
    }
}

#[test]
fn bf16_stays_within_what_is_allowed() {
    let host = Host::new("none", "none");
    let folders = vec![host.0.path().to_owned()];
    let gpus = Gpus::behind(
        host.at("libcuda.so.1"),
        Devices::These(vec![0]),
        GpuPrecision::Bf16,
        folders,
    );
    let guarded = network(&gpus);
    let exact =
        Network::load(&[shipped()], "unet-w16", Some(crate::Path::fastest_f32())).unwrap();
    let (found, expected) = (probability(&guarded), probability(&exact));
    assert_eq!(guarded.device(), "cuda Stand-in 0 bf16");
    let mut apart: Vec<f32> =
        found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).filter(|&d| d > 0.0).collect();
    apart.sort_unstable_by(f32::total_cmp);
    let (most, p99) = (apart[apart.len() - 1], apart[apart.len() * 99 / 100]);
    println!("U-Net: a probability is off by {most:.1e} at most, 99 % by less than {p99:.1e}");
    assert!(most < 5e-2 && p99 < 1e-2, "{most}, {p99}");

    let (volume, mask) = bleed();
    let (guarded, exact) = (cnn(&gpus), cnn(&Gpus::none()));
    let found = guarded.features(&volume, &mask).unwrap();
    assert_eq!(guarded.device(), "cuda Stand-in 0 bf16");
    let expected = exact.features(&volume, &mask).unwrap();
    let apart = |(f, e): (&f64, &f64)| (f - e).abs() / (1.0 + e.abs());
    let most = found.values().iter().zip(expected.values()).map(apart).fold(0.0, f64::max);
    println!("CNN: a feature is off by {most:.1e} of one plus its size at most");
    assert!(most < 1e-2 && most > 1e-5, "{most}");
}
