//! Processor time and memory of every stage beside the least that its arithmetic needs.
//!
//! `cargo bench -p ichor-radiomics -- [CASE…]`; the cases are those of the parity tests. A stage is
//! timed as an extraction with it less one without it, the mean of several runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../tests/parity/image.rs"]
mod image;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ichor_plugin::{Call, VolumeView};
use ichor_radiomics::{Class, Filter, Parameters};

use crate::image::Image;

/// Additions and multiplications a second that one core does in doubles on the x86-64 baseline,
/// two at a time: what a loop of multiply and add in registers reaches here.
fn arithmetic_speed() -> f64 {
    let factors = std::hint::black_box([0.999_999_9_f64; 16]);
    let rounds = 400_000;
    let once = |_| {
        let mut sums = [1.0_f64; 16];
        let start = Instant::now();
        for _ in 0..rounds {
            for (sum, factor) in sums.iter_mut().zip(&factors) {
                *sum = *sum * factor + 1e-7;
            }
        }
        std::hint::black_box(sums);
        start.elapsed().as_secs_f64()
    };
    // The best of many: others use this machine too.
    let seconds = (0..40).map(once).fold(f64::INFINITY, f64::min);
    f64::from(rounds) * 32.0 / seconds
}

/// Seconds of processor time of this process, all threads.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let running = stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    running.unwrap_or(f64::NAN) / 1e9
}

/// Peak memory of this process in mebibytes.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Processor seconds of the mean run, which the system counts in steps of some milliseconds, and
/// wall seconds of the best run.
fn time(parameters: &Parameters, [image, mask]: &[Image; 2], runs: usize) -> [f64; 2] {
    let inside: Vec<u8> = mask.voxels.iter().map(|&voxel| u8::from(voxel == 1)).collect();
    let volume = VolumeView {
        hu: &image.voxels,
        mask: &inside,
        shape: image.shape,
        spacing_mm: image.spacing_mm,
        direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        slice_origins_mm: &[],
        slice_pos_mm: &[],
    };
    let mut values = vec![f64::NAN; parameters.names().len()];
    let mut best = f64::INFINITY;
    let used = processor_seconds();
    for _ in 0..runs {
        let mut poll = |_| ControlFlow::Continue(());
        let start = Instant::now();
        parameters.extract(&volume, &mut values, &mut Call::new(&mut poll)).unwrap();
        best = best.min(start.elapsed().as_secs_f64());
    }
    [(processor_seconds() - used) / runs as f64, best]
}

fn only(filters: Vec<Filter>, classes: Vec<Class>) -> Parameters {
    let features = classes.into_iter().map(|class| (class, class.in_set())).collect();
    Parameters { filters, features, ..Parameters::default() }
}

fn report(case: &str, images: &[Image; 2], speed: f64) {
    let before = peak_mib();
    let all = Parameters::default();
    let [processor, wall] = time(&all, images, 8);
    let [image, mask] = images;
    let n_voxels: usize = mask.voxels.iter().map(|&voxel| usize::from(voxel == 1)).sum();
    println!(
        "{case}: {n_voxels} voxels, 1379 features in {processor:.3} processor s, {wall:.3} s; \
         peak {:.0} MiB, {before:.0} MiB of it before",
        peak_mib()
    );
    let none = time(&only(vec![], vec![]), images, 8)[0];
    let least = least_flop(image, mask);
    let log: Vec<Filter> =
        all.filters.iter().filter(|f| matches!(f, Filter::Log(_))).cloned().collect();
    let wavelet = vec![Filter::Wavelet("coif1".to_owned())];
    let filter =
        |filters: &Vec<Filter>| time(&only(filters.clone(), vec![]), images, 8)[0] - none;
    let class = |class: Class| time(&only(all.filters.clone(), vec![class]), images, 8)[0];
    let stages = [
        ("mask", none, n_voxels as f64),
        ("shape", time(&only(vec![], vec![Class::Shape]), images, 8)[0] - none, 0.0),
        ("Laplacians", filter(&log), least.laplacians),
        ("wavelet", filter(&wavelet), least.wavelet),
    ];
    let filtered = stages.iter().map(|(_, seconds, _)| seconds).sum::<f64>() - stages[1].1;
    let of_images = n_voxels as f64 * 15.0;
    let first = class(Class::FirstOrder) - filtered;
    let textures = class(Class::Ngtdm) - filtered;
    let glcm = class(Class::Glcm) - filtered - textures;
    let zones = class(Class::Glszm) - filtered - textures;
    let classes = [
        ("first order", first, of_images * 12.0),
        ("neighbours", textures, of_images * 26.0 * 3.0),
        ("GLCM features", glcm, 0.0),
        ("zones", zones, of_images * 13.0),
    ];
    for (name, seconds, flop) in stages.into_iter().chain(classes) {
        let least = flop / speed;
        let times = if least > 0.0 { seconds / least } else { f64::NAN };
        println!(
            "  {name:14}{:8.1} ms, least {:6.1} ms, {times:5.1} times",
            seconds * 1e3,
            least * 1e3
        );
    }
}

/// Operations that the filters cannot do without as they are laid out.
struct Least {
    laplacians: f64,
    wavelet: f64,
}

fn least_flop(image: &Image, mask: &Image) -> Least {
    let shape = image.shape;
    let at = |place: usize| {
        [place / (shape[1] * shape[2]), place / shape[2] % shape[1], place % shape[2]]
    };
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for (place, _) in mask.voxels.iter().enumerate().filter(|(_, voxel)| **voxel == 1) {
        for axis in 0..3 {
            low[axis] = low[axis].min(at(place)[axis]);
            high[axis] = high[axis].max(at(place)[axis] + 1);
        }
    }
    let extent: [f64; 3] = std::array::from_fn(|axis| (high[axis] - low[axis]) as f64);
    let mut laplacians = 0.0;
    for sigma in 1..=6 {
        let wide: [f64; 3] = std::array::from_fn(|axis| {
            let reach = (16.0 * f64::from(sigma) / image.spacing_mm[axis]).ceil() as usize;
            ((high[axis] + reach).min(shape[axis]) - low[axis].saturating_sub(reach)) as f64
        });
        // Every sample outside counts four times towards one end, every one inside sixteen times.
        let pass = |axis: usize, lines: f64| {
            lines * 2.0 * (4.0 * (wide[axis] - extent[axis]) + 16.0 * extent[axis])
        };
        laplacians += pass(2, wide[0] * wide[1])
            + pass(1, wide[0] * extent[2])
            + pass(0, extent[1] * extent[2])
            + pass(1, wide[0] * wide[2])
            + pass(2, wide[0] * extent[1])
            + pass(0, extent[1] * extent[2])
            + pass(0, wide[1] * wide[2])
            + pass(2, wide[1] * extent[0])
            + pass(1, extent[0] * extent[2]);
    }
    let [z, y, x] = extent;
    let wavelet =
        12.0 * (2.0 * (z + 5.0) * (y + 5.0) * x + 4.0 * (z + 5.0) * y * x + 8.0 * z * y * x);
    Least { laplacians, wavelet }
}

fn main() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/radiomics/cases");
    if !folder.is_dir() {
        println!("skipped: the test images are not here");
        return;
    }
    let speed = arithmetic_speed();
    println!("{:.1} Gflop/s in doubles", speed / 1e9);
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for case in ["c1", "c2"]
        .into_iter()
        .filter(|case| wanted.is_empty() || wanted.iter().any(|wanted| wanted == case))
    {
        let images = ["image", "mask"]
            .map(|what| image::read(&folder.join(format!("{case}_{what}.nii.gz"))));
        report(case, &images, speed);
    }
}
