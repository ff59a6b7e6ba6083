//! The library for a GPU itself, on a driver that computes on the CPU, and late.
//!
//! `.ci/cuda try` builds both (`engine/cuda/late`) and names their folder in `ICHOR_LATE`; elsewhere
//! this says that it is skipped.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;

use ichor_core::{Grid, Head, Mask, PixelSpacing, Volume};
use ndarray::{Array3, s};

use super::{Devices, GpuPrecision, Gpus, train, train_cnn};
use crate::golden::{drawn_head, shipped};
use crate::{Cnn, Network, Path};

/// As many slices as make several batches, no two alike.
const N_SLICES: usize = 5;

fn volume() -> (Volume, Head) {
    let drawn = drawn_head().mapv(|hu| if hu == 0 { -1000 } else { hu });
    let mut hu = Array3::from_elem((N_SLICES, 256, 320), -1000);
    for z in 0..N_SLICES {
        let shift = 6 * z;
        let seen = drawn.slice(s![..256 - shift, ..]);
        hu.slice_mut(s![z, shift.., ..]).assign(&seen);
    }
    let grid = Grid::axial(N_SLICES, 5.0, PixelSpacing { y: 0.7, x: 0.7 }).unwrap();
    let volume = Volume::new(hu, grid).unwrap();
    let head = Head::find(&volume);
    (volume, head)
}

fn probability(network: &Network) -> Array3<f32> {
    let (volume, head) = volume();
    network.probability(&volume, &head, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// Differences at the worst pixel, and at 99.9 % of them.
fn apart(found: &Array3<f32>, expected: &Array3<f32>) -> (f32, f32) {
    let mut apart: Vec<f32> = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).collect();
    apart.sort_by(f32::total_cmp);
    (apart[apart.len() - 1], apart[apart.len() * 999 / 1000])
}

fn gpus(folder: &std::path::Path, devices: &[u16], precision: GpuPrecision) -> Gpus {
    let driver = folder.join("libcuda.so.1");
    Gpus::behind(driver, Devices::These(devices.to_vec()), precision, vec![folder.to_owned()])
}

/// Two workers with `devices` between them.
fn check_unet(folder: &std::path::Path, devices: &[u16], precision: GpuPrecision, named: &str) {
    let gpus = gpus(folder, devices, precision);
    let network =
        |gpus: &Gpus, path| Network::load_on(&[shipped()], "unet-w16", path, gpus).unwrap();
    let expected = probability(&network(&Gpus::none(), Some(Path::fastest_f32())));
    let workers = [network(&gpus, None), network(&gpus, None)];
    assert_eq!(workers[0].device(), named);
    println!("{}", gpus.said().unwrap());
    thread::scope(|scope| {
        let running = workers.each_ref().map(|worker| scope.spawn(|| probability(worker)));
        for found in running {
            let (most, p999) = apart(&found.join().unwrap(), &expected);
            println!("{named}: {most:.1e} at the worst pixel, {p999:.1e} at 99.9 %");
            let f32 = precision == GpuPrecision::F32;
            let allowed = if f32 { (1e-4, 1e-4) } else { (0.1, 2e-2) };
            assert!(most <= allowed.0 && p999 <= allowed.1, "{most}, {p999}");
        }
    });
    assert_eq!(workers[1].device(), named);
}

fn check_cnn(folder: &std::path::Path) {
    let (volume, _) = volume();
    let blood = Array3::from_shape_fn(volume.dim(), |(z, y, x)| {
        z != 1 && y.abs_diff(120) + x.abs_diff(150) < 30
    });
    let mask = Mask::new(blood, volume.grid()).unwrap();
    let cnn = |gpus: &Gpus| Cnn::load_on(&[shipped()], "cnn-w16", None, gpus).unwrap();
    let expected = cnn(&Gpus::none()).features(&volume, &mask).unwrap();
    let on_device = cnn(&gpus(folder, &[0], GpuPrecision::F32));
    let found = on_device.features(&volume, &mask).unwrap();
    assert_eq!(on_device.device(), "cuda Late 0 f32");
    for (found, expected) in found.values().iter().zip(expected.values()) {
        let apart = (found - expected).abs();
        assert!(apart < 1e-4 * (1.0 + expected.abs()), "{found}, {expected}");
    }
}

#[test]
fn the_library_computes_what_the_cpu_does_in_whatever_order_a_driver_works() {
    let Some(folder) = std::env::var_os("ICHOR_LATE").map(PathBuf::from) else {
        println!("skipped: ICHOR_LATE names no folder; .ci/cuda try makes one");
        return;
    };
    check_unet(&folder, &[0], GpuPrecision::F32, "cuda Late 0 f32");
    check_unet(&folder, &[0, 1], GpuPrecision::Bf16, "cuda Late 0 + Late 1 bf16");
    check_cnn(&folder);
    let (library, ..) = gpus(&folder, &[0], GpuPrecision::F32).first().unwrap();
    train::tests::check(&library, 0);
    train_cnn::tests::check(&library, 0);
}
