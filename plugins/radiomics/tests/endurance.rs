//! The extractor under odd volumes, odd settings, a host that stops it, and threads.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use ichor_plugin::{Call, Extractor, Refused, RefusedKind, VolumeView};
use ichor_radiomics::Features;

/// Odd volumes that are tried.
const ROUNDS: usize = 1500;

/// Knuth's MMIX generator.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

struct Volume {
    hu: Vec<i16>,
    mask: Vec<u8>,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
}

impl Volume {
    fn view(&self) -> VolumeView<'_> {
        VolumeView {
            hu: &self.hu,
            mask: &self.mask,
            shape: self.shape,
            spacing_mm: self.spacing_mm,
            direction: [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
            slice_origins_mm: &[],
            slice_pos_mm: &[],
        }
    }

    /// Anything that a host could hand over, and some things that it would not.
    fn odd(noise: &mut Noise) -> Self {
        let shape: [usize; 3] = std::array::from_fn(|_| 1 + noise.below(12));
        let n = shape.iter().product();
        let extremes = [i16::MIN, i16::MAX, -1024, 3071, 0, 60, 61, -1];
        let (flat, narrow) = (noise.below(4) == 0, noise.below(2) == 0);
        let one = noise.of(&extremes);
        let hu = (0..n).map(|_| match (flat, narrow) {
            (true, _) => one,
            (_, true) => noise.below(100) as u8 as i16,
            _ => noise.of(&extremes),
        });
        let hu = hu.collect();
        let kind = noise.below(6);
        let (place, slice) = (noise.below(n), noise.below(shape[0]));
        let percent = noise.below(101);
        let plane = shape[1] * shape[2];
        let mask = (0..n).map(|at| match kind {
            0 => 0,
            1 => u8::from(at == place),
            2 => u8::from(at / plane == slice),
            3 => 1,
            _ => u8::from(noise.below(100) < percent) * noise.of(&[1, 2, 255]),
        });
        let mask = mask.collect();
        let steps = [0.45, 1.0, 5.0, 1e-3, 1e4, 1e-300, 1e300];
        let odd = [f64::NAN, 0.0, -1.0, f64::INFINITY];
        let spacing_mm = std::array::from_fn(|_| {
            if noise.below(60) == 0 { noise.of(&odd) } else { noise.of(&steps[..3]) }
        });
        let mut volume = Self { hu, mask, shape, spacing_mm };
        if noise.below(5) == 0 {
            volume.spacing_mm[noise.below(3)] = noise.of(&steps);
        }
        if noise.below(100) == 0 {
            volume.hu.pop();
        }
        volume
    }

    /// A ball of `radius` voxels in a head of `[nz, 512, 512]`.
    fn head(nz: usize, radius: f64) -> Self {
        let mut noise = Noise(9);
        let shape = [nz, 512, 512];
        let from_centre = |at: usize, n: usize| at as f64 - n as f64 / 2.0;
        let place = |at: usize| [at / (512 * 512), at / 512 % 512, at % 512];
        let n = shape.iter().product();
        let mask = (0..n).map(|at| {
            let [z, y, x] = place(at);
            let [z, y, x] =
                [10.0 * from_centre(z, nz), from_centre(y, 512), from_centre(x, 512)];
            u8::from(z * z + y * y + x * x <= radius * radius)
        });
        let mask: Vec<u8> = mask.collect();
        let hu =
            mask.iter().map(|&voxel| 30 + 35 * i16::from(voxel) + noise.below(12) as u8 as i16);
        Self { hu: hu.collect(), mask, shape, spacing_mm: [5.0, 0.45, 0.45] }
    }
}

fn extract(
    volume: &Volume,
    config: &str,
    poll: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<f64>, Refused> {
    let extractor = Features::open(config, Path::new(""))?;
    let mut features = vec![f64::NAN; extractor.outputs().len()];
    extractor.extract(&volume.view(), &[], &mut features, &mut Call::new(poll))?;
    Ok(features)
}

#[test]
fn odd_volumes_give_features_or_a_refusal() {
    let configs = [
        "",
        "threads = 2",
        "bin_count = 16\nglcm = 'all'",
        "mode = 'ibsi'\nbin_width_hu = 1\nlabel = 2",
        "images = 'original square squareroot logarithm exponential gradient'\nbin_width_hu = 5",
        "resampled_mm = '0 1 1'\nimages = 'original log wavelet'\nsigmas_mm = '0.5 40'\nwavelet = 'db8'",
        "pre_crop_voxels = 2\nbin_width_hu = 1000",
    ];
    let mut noise = Noise(77);
    let (mut given, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let volume = Volume::odd(&mut noise);
        let config = configs[round % configs.len()];
        match extract(&volume, config, &mut |_| ControlFlow::Continue(())) {
            Ok(features) => {
                given += 1;
                assert!(features.iter().all(|value| !value.is_infinite()));
            }
            Err(refusal) => {
                refused += 1;
                assert!(!refusal.text.is_empty());
                assert_ne!(refusal.kind, RefusedKind::Internal, "{refusal}");
            }
        }
    }
    println!("{ROUNDS} odd volumes: {given} with features, {refused} refused");
    assert!(given > ROUNDS / 4 && refused > ROUNDS / 20);
}

#[test]
fn threads_change_no_bit() {
    let volume = Volume::head(12, 40.0);
    let bits = |config: &str| -> Vec<u64> {
        let features = extract(&volume, config, &mut |_| ControlFlow::Continue(())).unwrap();
        features.into_iter().map(f64::to_bits).collect()
    };
    let one = bits("threads = 1");
    assert_eq!(one, bits("threads = 2"));
    assert_eq!(one, bits("threads = 5"));
    assert_eq!(one, bits("threads = 1"));
}

#[test]
fn the_host_is_asked_often_and_obeyed_at_once() {
    let volume = Volume::head(28, 60.0);
    for config in ["threads = 1", "threads = 2"] {
        let (mut last, mut longest, mut shares) = (Instant::now(), Duration::ZERO, Vec::new());
        let result = extract(&volume, config, &mut |share| {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            shares.push(share);
            ControlFlow::Continue(())
        });
        assert!(result.is_ok());
        println!("{config}: asked {} times, at most {longest:?} apart", shares.len());
        assert!(shares.is_sorted(), "progress goes forwards");
        // Others use this machine too, so that a thread may lie idle for longer than it works.
        assert!(longest < Duration::from_millis(500), "{longest:?}");
        let n = shares.len();
        for stop_at in [0, 1, n / 3, n / 2] {
            let mut asked = 0;
            let mut stopped = None;
            let result = extract(&volume, config, &mut |_| {
                asked += 1;
                if asked > stop_at {
                    stopped.get_or_insert_with(Instant::now);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            assert_eq!(result, Err(Refused::cancelled()));
            let obeyed = stopped.unwrap().elapsed();
            assert!(obeyed < Duration::from_millis(500), "{obeyed:?}");
        }
    }
}
